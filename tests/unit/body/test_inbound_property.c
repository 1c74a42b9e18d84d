/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "body/brand.h"
#include "inbound_help.h"

#include <stdio.h>
#include <string.h>

/* Documents made at random with cards planted in them. Beside each the one that must come out is written: the same bytes, but an
 * alias for each number and CVC. An alias is the number with letters for its digits, so the test needs no other knowledge. */

enum { DOCUMENTS = 300, DOCUMENT_MAX_BYTES = 1 << 20, MOST_CARDS = 400, ALIAS_BYTES = 24 };

struct document {
    enum body_format format;
    unsigned seed;
    bool in_quotes;  /* CSV */
    bool in_element; /* XML: not in an attribute */
    bool on_a_line;  /* JSON without line ends */
    bool is_unruled; /* a part of no field that the rules name: its numbers are found by looking, its CVCs stay */
    struct buf in;       /* what comes */
    struct buf expected; /* with aliases */
    struct buf plain;    /* with the digits alone where numbers stood: the original, where they were written so */
    unsigned cards;
};

static unsigned roll(struct document *d, unsigned sides)
{
    return (unsigned)rand_r(&d->seed) / 7 % sides;
}

static void add(struct buf *b, slice text)
{
    ck_assert(!failed(buf_append(b, text)));
}

static void add_all(struct document *d, const char *text)
{
    add(&d->in, slice_of(text));
    add(&d->expected, slice_of(text));
    add(&d->plain, slice_of(text));
}

/* One character as the format writes it, in one of its ways. */
static void encode(struct document *d, char c, char out[8])
{
    bool odd = roll(d, 12) == 0;
    snprintf(out, 8, "%c", c);
    bool is_json = d->format == BODY_JSON || d->format == BODY_NDJSON;
    if (is_json && (odd || c == '"' || c == '\\' || c == '\n')) snprintf(out, 8, "\\u%04x", (unsigned)c);
    if (is_json && c == '/' && odd) snprintf(out, 8, "\\/");
    if (d->format == BODY_FORM && (odd || strchr("&=%+\"\n", c))) snprintf(out, 8, roll(d, 2) ? "%%%02X" : "%%%02x", (unsigned)c);
    if (d->format == BODY_FORM && c == ' ' && !odd) snprintf(out, 8, "+");
    bool is_markup = strchr("&<>\"'", c) || (c == '\n' && !d->in_element);
    if (d->format == BODY_XML && (odd || is_markup)) snprintf(out, 8, roll(d, 2) ? "&#%u;" : "&#x%X;", (unsigned)c);
    if (d->format == BODY_XML && c == '&' && odd) snprintf(out, 8, "&amp;");
    if (d->format == BODY_CSV && d->in_quotes && c == '"') snprintf(out, 8, "\"\"");
    if ((d->format == BODY_CSV && !d->in_quotes && strchr(",\"\n", c)) || (d->format == BODY_TEXT && c == '\n')) snprintf(out, 8, ";");
}

static void add_text(struct document *d, const char *text)
{
    char out[8];
    for (; *text; text++) {
        encode(d, *text, out);
        add_all(d, out);
    }
}

static void add_noise(struct document *d)
{
    static const char *const words[] = {"", "booking", " x ", "\"said\"", "a/b", "line\nbreak", "0.4111111111111111", "+4930123456789", "1764168571123",
                                        "9b2fdc0e-4a53-4c1b-9f0c-1d2e3f405162", "411111xxxxxx1111", "4111111111111112", "a&b=c", "50%", "{}[]", "q, r",
                                        "ORD4111111111111111", "2026-11-26 14:50:11"};
    add_text(d, words[roll(d, sizeof words / sizeof *words)]);
}

/* A number of a brand, never seen before, most likely. */
static void make_number(struct document *d, char number[PAN_MAX_DIGITS + 1])
{
    static const struct {
        const char *first;
        size_t len;
    } kinds[] = {{"4", 16}, {"51", 16}, {"2223", 16}, {"37", 15}, {"6011", 16}, {"36", 14}, {"3530", 16}, {"62", 19}, {"6759", 18}};
    size_t kind = roll(d, sizeof kinds / sizeof *kinds), len = strlen(kinds[kind].first);
    memcpy(number, kinds[kind].first, len);
    while (len < kinds[kind].len) number[len++] = (char)('0' + roll(d, 10));
    number[len] = 0;
    for (char *last = number + len - 1; !luhn_is_valid((slice){number, len});) *last = *last == '9' ? '0' : (char)(*last + 1);
}

static slice alias_of(slice digits, char out[ALIAS_BYTES])
{
    out[0] = 'T';
    for (size_t i = 0; i < digits.len; i++) out[i + 1] = (char)('a' + digits.at[i] - '0');
    return (slice){out, digits.len + 1};
}

static void add_digits(struct document *d, const char *digits, bool bare)
{
    char alias[ALIAS_BYTES];
    add(&d->plain, slice_of(digits));
    if (bare) add(&d->expected, SLICE("\""));
    add(&d->expected, alias_of(slice_of(digits), alias));
    if (bare) add(&d->expected, SLICE("\""));
    if (bare) add(&d->in, slice_of(digits));
}

static void add_number(struct document *d, const char *number, bool bare)
{
    char out[8];
    size_t len = strlen(number);
    const char *between = len != 16 || roll(d, 3) ? "" : roll(d, 2) ? " " : "-";
    add_digits(d, number, bare);
    d->cards++;
    for (size_t i = 0; i < len && !bare; i++) {
        if (i && i % 4 == 0 && *between) {
            encode(d, *between, out);
            add(&d->in, slice_of(out));
        }
        encode(d, number[i], out);
        add(&d->in, slice_of(out));
    }
}

static void add_sentence(struct document *d)
{
    char number[PAN_MAX_DIGITS + 1];
    add_noise(d);
    for (unsigned i = roll(d, 4); i > 2; i--) {
        add_text(d, roll(d, 2) ? ": " : " (");
        make_number(d, number);
        add_number(d, number, false);
        add_text(d, roll(d, 2) ? ". " : ") ");
    }
    add_noise(d);
}

static void add_cvc(struct document *d, const char *cvc)
{
    char out[8];
    if (d->is_unruled) {
        add_text(d, cvc);
        return;
    }
    add_digits(d, cvc, false);
    for (; *cvc; cvc++) {
        encode(d, *cvc, out);
        add(&d->in, slice_of(out));
    }
}

/* --- JSON --- */

static void json_string(struct document *d)
{
    add_all(d, "\"");
    add_sentence(d);
    add_all(d, "\"");
}

static void json_card(struct document *d)
{
    char number[PAN_MAX_DIGITS + 1];
    make_number(d, number);
    add_all(d, "{\"cvc\":\"");
    add_cvc(d, roll(d, 2) ? "123" : "9876");
    add_all(d, "\" ,\"expiry\":\"12/30\", \"number\": ");
    if (roll(d, 2)) {
        add_number(d, number, true);
    } else {
        add_all(d, "\"");
        add_number(d, number, false);
        add_all(d, "\"");
    }
    add_all(d, "}");
}

static void json_value(struct document *d, unsigned depth)
{
    static const char *const scalars[] = {"true", "null", "-1.50E+3", "0", "[]", "{ }", "1764168571123456", "-4111111111111112", "4111111111111111.25"};
    char number[PAN_MAX_DIGITS + 1], name[24];
    unsigned kind = roll(d, depth ? 7 : 4), count = roll(d, 5);
    switch (kind) {
    case 0:
        add_all(d, scalars[roll(d, sizeof scalars / sizeof *scalars)]);
        break;
    case 1:
        json_card(d);
        break;
    case 2:
        make_number(d, number);
        add_number(d, number, true);
        break;
    case 3:
    case 4:
        json_string(d);
        break;
    default:
        add_all(d, kind == 5 ? "{ " : d->on_a_line ? "[" : "[\n");
        for (unsigned i = 0; i < count; i++) {
            snprintf(name, sizeof name, "%s\"%c%u\" : ", i ? "," : "", 'a' + (char)depth, i);
            if (kind == 5) add_all(d, name);
            else if (i) add_all(d, " , ");
            json_value(d, depth - 1);
        }
        add_all(d, kind == 5 ? "}" : "\t]");
    }
}

static void make_json(struct document *d)
{
    add_all(d, "[");
    for (unsigned i = 0; i < 3; i++) {
        if (i) add_all(d, ",");
        json_value(d, 4);
    }
    add_all(d, "]");
}

/* --- forms, CSV, text --- */

static void make_form(struct document *d)
{
    char number[PAN_MAX_DIGITS + 1], name[16];
    for (unsigned i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "%sf%u=", i ? "&" : "", i);
        add_all(d, name);
        add_sentence(d);
    }
    make_number(d, number);
    add_all(d, "&number=");
    add_number(d, number, false);
    add_all(d, "&cvc=");
    add_cvc(d, "123");
}

static void csv_field(struct document *d, void (*fill)(struct document *d))
{
    d->in_quotes = roll(d, 2) == 0;
    if (d->in_quotes) add_all(d, "\"");
    fill(d);
    if (d->in_quotes) add_all(d, "\"");
    d->in_quotes = false;
}

static void fill_number(struct document *d)
{
    char number[PAN_MAX_DIGITS + 1];
    make_number(d, number);
    add_number(d, number, false);
}

static void fill_cvc(struct document *d)
{
    add_cvc(d, roll(d, 2) ? "123" : "4567");
}

static void make_csv(struct document *d)
{
    const char *newline = roll(d, 2) ? "\r\n" : "\n";
    add_all(d, "note,number,cvc");
    for (unsigned i = 0; i < 5; i++) {
        add_all(d, newline);
        csv_field(d, add_sentence);
        add_all(d, ",");
        csv_field(d, fill_number);
        add_all(d, ",");
        csv_field(d, fill_cvc);
    }
    if (roll(d, 2)) add_all(d, newline);
}

static void make_text(struct document *d)
{
    for (unsigned i = 0; i < 10; i++) {
        add_sentence(d);
        add_all(d, roll(d, 2) ? "\n" : "\r\n");
    }
}

/* --- XML --- */

static void xml_attribute(struct document *d, const char *name, void (*fill)(struct document *d))
{
    d->in_element = false;
    add_all(d, name);
    fill(d);
    add_all(d, "\"");
    d->in_element = true;
}

static void xml_card(struct document *d)
{
    add_all(d, "<p:Card xmlns:p='urn:x'");
    if (roll(d, 2)) {
        xml_attribute(d, " Cvc=\"", fill_cvc);
        xml_attribute(d, "\n\tp:No = \"", fill_number);
        add_all(d, " Exp='1230'/>");
        return;
    }
    add_all(d, "><Exp>1230</Exp><No>\n ");
    fill_number(d);
    add_all(d, "</No ><Cvc>");
    fill_cvc(d);
    add_all(d, "</Cvc></p:Card>");
}

static void xml_node(struct document *d, unsigned depth)
{
    static const char *const asides[] = {"<!-- kept -->", "<?p kept?>", "<e/>", "<e\n a='1'></e>", "\n\t", "<e><![CDATA[<&]]></e>"};
    switch (roll(d, depth ? 6 : 4)) {
    case 0:
        add_all(d, asides[roll(d, sizeof asides / sizeof *asides)]);
        break;
    case 1:
        xml_card(d);
        break;
    case 2:
        xml_attribute(d, "<a b=\"", add_sentence);
        add_all(d, "/>");
        break;
    case 3:
        add_all(d, "<t>");
        add_sentence(d);
        add_all(d, "</t>");
        break;
    default:
        add_all(d, "<n:list xmlns:n=\"u\">");
        for (unsigned i = roll(d, 5); i > 0; i--) xml_node(d, depth - 1);
        add_all(d, "</n:list>");
    }
}

static void make_xml(struct document *d)
{
    d->in_element = true;
    add_all(d, roll(d, 2) ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<r>" : "<r>");
    for (unsigned i = 0; i < 4; i++) xml_node(d, 4);
    add_all(d, "</r>\n");
}

/* --- JSON by line, or in a sequence --- */

static void make_ndjson(struct document *d)
{
    bool is_sequence = roll(d, 2);
    for (unsigned i = 0; i < 5; i++) {
        if (is_sequence) add_all(d, "\x1e");
        d->on_a_line = !is_sequence;
        json_value(d, 3);
        add_all(d, roll(d, 2) ? "\r\n" : "\n");
    }
}

/* --- multipart: fields by name, files and parts of every type --- */

static void add_document(struct document *d, enum body_format format, void (*make)(struct document *d))
{
    enum body_format whole = d->format;
    d->format = format;
    make(d);
    d->format = whole;
}

static void add_part(struct document *d)
{
    static const struct {
        const char *type;
        enum body_format format;
        void (*make)(struct document *d);
    } kinds[] = {{"application/json", BODY_JSON, make_json},  {"text/xml; charset=utf-8", BODY_XML, make_xml},
                 {"application/x-ndjson", BODY_NDJSON, make_ndjson}, {"text/csv", BODY_CSV, make_csv},
                 {"text/plain", BODY_TEXT, make_text}, {"application/x-www-form-urlencoded", BODY_FORM, make_form}};
    unsigned kind = roll(d, sizeof kinds / sizeof *kinds);
    add_all(d, "--b\r\n");
    if (d->format == BODY_MULTIPART) add_all(d, "Content-Disposition: form-data; name=f; filename=\"a\"\r\n");
    add_all(d, "Content-Type: ");
    add_all(d, kinds[kind].type);
    add_all(d, "\r\n\r\n");
    d->is_unruled = true;
    add_document(d, kinds[kind].format, kinds[kind].make);
    d->is_unruled = false;
    add_all(d, "\r\n");
}

static void add_field(struct document *d, const char *name, void (*fill)(struct document *d))
{
    add_all(d, "--b\r\nContent-Disposition: form-data; name=\"");
    add_all(d, name);
    add_all(d, "\"\r\n\r\n");
    fill(d);
    add_all(d, "\r\n");
}

static void make_multipart(struct document *d)
{
    if (roll(d, 2)) add_all(d, "preamble\r\n");
    add_field(d, "number", fill_number);
    add_field(d, "note", add_sentence);
    for (unsigned i = roll(d, 3); i > 0; i--) add_part(d);
    add_field(d, "cvc", fill_cvc);
    add_all(d, "--b--\r\n");
}

static void make_parts(struct document *d)
{
    for (unsigned i = 1 + roll(d, 3); i > 0; i--) add_part(d);
    add_all(d, "--b--\r\n");
}

/* --- the property --- */

static result feed(const struct document *d, struct inbound *b, long split)
{
    unsigned seed = d->seed;
    for (size_t at = 0, to; at < d->in.len; at = to) {
        to = next_cut(at, d->in.len, split, &seed);
        TRY(inbound_feed(b, slice_range(buf_slice(&d->in), at, to < d->in.len ? to : d->in.len)));
    }
    return inbound_end(b);
}

static void check_render(const struct document *d, const struct inbound *b, bool with_aliases, const struct buf *expected)
{
    static char names[MOST_CARDS][2][ALIAS_BYTES];
    struct inbound_alias aliases[MOST_CARDS];
    struct buf out;
    buf_init(&out, DOCUMENT_MAX_BYTES);
    ck_assert_uint_le(inbound_card_count(b), MOST_CARDS);
    for (size_t i = 0; i < inbound_card_count(b); i++) {
        const struct credential *c = inbound_card(b, i);
        slice number = {c->number, c->number_len}, cvc = {c->cvc, c->cvc_len};
        aliases[i].number = with_aliases && number.len ? alias_of(number, names[i][0]) : number;
        aliases[i].cvc = with_aliases && cvc.len ? alias_of(cvc, names[i][1]) : cvc;
    }
    ck_assert(!failed(inbound_render(b, aliases, &out)));
    ck_assert_msg(slice_eq(buf_slice(&out), buf_slice(expected)), "%.*s\n gives %.*s\n   not %.*s", SLICE_ARG(buf_slice(&d->in)),
                  SLICE_ARG(buf_slice(&out)), SLICE_ARG(buf_slice(expected)));
    buf_done(&out);
}

/* Aliases where the numbers and CVCs stood, and all else as it came; and with the numbers in place of the aliases the document again. */
static void check_split(const struct document *d, const struct inbound_options *options, long split)
{
    struct inbound *b = inbound_new(options);
    result r = feed(d, b, split);
    ck_assert_msg(!failed(r), "%s at %u of %.*s", error_name(r.err), (unsigned)inbound_fault(b)->offset, SLICE_ARG(buf_slice(&d->in)));
    check_render(d, b, true, &d->expected);
    check_render(d, b, false, &d->plain);
    inbound_free(b);
}

static const char *rules_of(enum body_format format)
{
    switch (plan_language(format)) {
    case PATH_XML:
        return "find\nfield //Card/@No number\nfield //Card/No number\nfield //Card/@Cvc cvc\nfield //Card/Cvc cvc\nfield //Card/@Exp expiry MMYY\n";
    case PATH_FORM:
        return "find\nfield number number\nfield cvc cvc\n";
    case PATH_JSON:
        break;
    }
    return format == BODY_JSON || format == BODY_NDJSON ? "find\nfield $..number number\nfield $..cvc cvc\nfield $..expiry expiry\n" : "find";
}

static unsigned check_documents(enum body_format format, void (*make)(struct document *d))
{
    struct plan *plan = plan_of(format, rules_of(format));
    const struct inbound_options options = {.plan = plan, .max_held_bytes = DOCUMENT_MAX_BYTES, .max_cards = MOST_CARDS, .boundary = SLICE("b")};
    static const long splits[] = {WHOLE, BYTEWISE, -1};
    unsigned cards = 0;
    for (unsigned i = 1; i <= DOCUMENTS; i++) {
        struct document d = {.format = format, .seed = i * 2654435761u};
        buf_init(&d.in, DOCUMENT_MAX_BYTES);
        buf_init(&d.expected, DOCUMENT_MAX_BYTES);
        buf_init(&d.plain, DOCUMENT_MAX_BYTES);
        make(&d);
        for (size_t s = 0; s < sizeof splits / sizeof *splits; s++) check_split(&d, &options, splits[s]);
        cards += d.cards;
        buf_done(&d.in);
        buf_done(&d.expected);
        buf_done(&d.plain);
    }
    plan_drop(plan);
    return cards;
}

START_TEST(json)
{
    ck_assert_uint_gt(check_documents(BODY_JSON, make_json), DOCUMENTS);
}
END_TEST

START_TEST(json_by_line)
{
    ck_assert_uint_gt(check_documents(BODY_NDJSON, make_ndjson), DOCUMENTS);
}
END_TEST

START_TEST(forms)
{
    ck_assert_uint_gt(check_documents(BODY_FORM, make_form), DOCUMENTS);
}
END_TEST

START_TEST(csv)
{
    ck_assert_uint_gt(check_documents(BODY_CSV, make_csv), DOCUMENTS);
}
END_TEST

START_TEST(text)
{
    ck_assert_uint_gt(check_documents(BODY_TEXT, make_text), DOCUMENTS);
}
END_TEST

START_TEST(xml)
{
    ck_assert_uint_gt(check_documents(BODY_XML, make_xml), DOCUMENTS);
}
END_TEST

START_TEST(form_data)
{
    ck_assert_uint_gt(check_documents(BODY_MULTIPART, make_multipart), DOCUMENTS);
}
END_TEST

START_TEST(parts)
{
    ck_assert_uint_gt(check_documents(BODY_PARTS, make_parts), DOCUMENTS);
}
END_TEST

RUN_TESTS("inbound_property", json, json_by_line, forms, csv, text, xml, form_data, parts)
