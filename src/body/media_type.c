/* SPDX-License-Identifier: Apache-2.0 */
#include "body/media_type.h"

#include <string.h>

static bool starts_with(slice type, slice start)
{
    return type.len > start.len && slice_ieq(slice_range(type, 0, start.len), start);
}

static bool ends_with(slice type, slice end)
{
    return type.len > end.len && slice_ieq(slice_after(type, type.len - end.len), end);
}

/* A part of multipart/digest is a message, with fields and codings of its own; one of byteranges may begin in the middle of a number. */
static enum body_format multipart_format(slice type)
{
    if (slice_ieq(type, SLICE("multipart/form-data"))) return BODY_MULTIPART;
    bool is_opaque = slice_ieq(type, SLICE("multipart/digest")) || slice_ieq(type, SLICE("multipart/byteranges")) ||
                     slice_ieq(type, SLICE("multipart/encrypted"));
    return is_opaque ? BODY_OPAQUE : BODY_PARTS;
}

static const struct {
    const char *type;
    enum body_format format;
} KNOWN[] = {
    {"application/json", BODY_JSON},
    {"text/json", BODY_JSON},
    {"text/x-json", BODY_JSON},
    {"application/csp-report", BODY_JSON},
    {"application/x-ndjson", BODY_NDJSON},
    {"application/ndjson", BODY_NDJSON},
    {"text/x-ndjson", BODY_NDJSON},
    {"application/jsonl", BODY_NDJSON},
    {"application/x-jsonl", BODY_NDJSON},
    {"application/jsonlines", BODY_NDJSON},
    {"application/x-jsonlines", BODY_NDJSON},
    {"application/stream+json", BODY_NDJSON},
    {"application/x-json-stream", BODY_NDJSON},
    {"application/json-seq", BODY_NDJSON},
    {"application/x-www-form-urlencoded", BODY_FORM},
    {"text/csv", BODY_CSV},
    {"text/x-csv", BODY_CSV},
    {"application/csv", BODY_CSV},
    {"application/xml", BODY_XML},
    {"text/xml", BODY_XML},
    {"application/javascript", BODY_TEXT},
    {"application/x-javascript", BODY_TEXT},
    {"application/yaml", BODY_TEXT},
    {"application/x-yaml", BODY_TEXT},
    {"application/edifact", BODY_TEXT},
    {"application/edi-x12", BODY_TEXT},
};

/* restricted-name-chars (RFC 6838 section 4.2). */
static bool is_name(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!slice_is_word_char(s.at[i]) && !(s.at[i] && strchr("!#$&^.+", s.at[i]))) return false;
    return s.len > 0;
}

static bool is_type(slice s)
{
    size_t slash = slice_find(s, '/');
    return slash < s.len && is_name(slice_range(s, 0, slash)) && is_name(slice_after(s, slash + 1));
}

/* Of "image/png, application/json", one field of two that were joined, readers differ in which they take: it is none of them. */
enum body_format media_type_format(slice type)
{
    if (type.len == 0) return BODY_UNTYPED;
    if (!is_type(type)) return BODY_OPAQUE;
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (slice_ieq(type, slice_of(KNOWN[i].type))) return KNOWN[i].format;
    if (starts_with(type, SLICE("multipart/"))) return multipart_format(type);
    if (ends_with(type, SLICE("+json"))) return BODY_JSON;
    if (ends_with(type, SLICE("+json-seq"))) return BODY_NDJSON;
    if (ends_with(type, SLICE("+xml"))) return BODY_XML;
    return starts_with(type, SLICE("text/")) ? BODY_TEXT : BODY_OPAQUE;
}

const char *media_type_advice(enum body_format format)
{
    switch (format) {
    case BODY_JSON:
        return "send JSON (application/json, text/json, …+json)";
    case BODY_NDJSON:
        return "send JSON line by line (application/x-ndjson, application/jsonl, application/json-seq, …)";
    case BODY_FORM:
        return "send a form (application/x-www-form-urlencoded)";
    case BODY_XML:
        return "send XML (application/xml, text/xml, …+xml)";
    case BODY_MULTIPART:
        return "send a form in parts (multipart/form-data)";
    case BODY_CSV:
        return "send CSV (text/csv)";
    case BODY_TEXT:
    case BODY_PARTS:
    case BODY_UNTYPED:
    case BODY_OPAQUE:
    case BODY_FORMAT_COUNT:
        break;
    }
    return "send one content type";
}

/* "image/" of "image/...", where all of that kind are meant; else start NULL. */
static slice kind_of(slice entry)
{
    return slice_ends(entry, SLICE("/*")) ? slice_range(entry, 0, entry.len - 1) : SLICE_NONE;
}

bool media_type_is_listed(slice list, slice type)
{
    slice entry;
    while (is_type(type) && list.at && slice_next(&list, ',', &entry)) {
        entry = slice_trim(entry);
        slice kind = kind_of(entry);
        if (kind.at ? starts_with(type, kind) : entry.len && slice_ieq(type, entry)) return true;
    }
    return false;
}

bool media_type_may_be_listed(slice entry)
{
    slice of = slice_range(entry, 0, slice_find(entry, '/'));
    if (kind_of(entry).at) return is_name(of) && !slice_ieq(of, SLICE("text")) && !slice_ieq(of, SLICE("multipart"));
    return is_type(entry) && media_type_format(entry) == BODY_OPAQUE;
}
