/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "body/media_type.h"

START_TEST(formats)
{
    static const struct {
        const char *type;
        enum body_format format;
    } cases[] = {{"application/json", BODY_JSON},
                 {"Application/JSON", BODY_JSON},
                 {"text/json", BODY_JSON},
                 {"application/vnd.api+json", BODY_JSON},
                 {"application/x-ndjson", BODY_NDJSON},
                 {"application/jsonl", BODY_NDJSON},
                 {"application/stream+json", BODY_NDJSON},
                 {"application/json-seq", BODY_NDJSON},
                 {"application/geo+json-seq", BODY_NDJSON},
                 {"application/x-www-form-urlencoded", BODY_FORM},
                 {"multipart/form-data", BODY_MULTIPART},
                 {"multipart/mixed", BODY_PARTS},
                 {"Multipart/Related", BODY_PARTS},
                 {"multipart/digest", BODY_OPAQUE},
                 {"multipart/byteranges", BODY_OPAQUE},
                 {"text/csv", BODY_CSV},
                 {"text/xml", BODY_XML},
                 {"application/xml", BODY_XML},
                 {"application/soap+xml", BODY_XML},
                 {"image/svg+xml", BODY_XML},
                 {"text/plain", BODY_TEXT},
                 {"text/html", BODY_TEXT},
                 {"application/edifact", BODY_TEXT},
                 {"", BODY_UNTYPED},
                 {"application/octet-stream", BODY_OPAQUE},
                 {"application/zip", BODY_OPAQUE},
                 {"application/pdf", BODY_OPAQUE},
                 {"application/x-anything", BODY_OPAQUE},
                 {"image/png", BODY_OPAQUE},
                 {"message/rfc822", BODY_OPAQUE},
                 {"text", BODY_OPAQUE},
                 {"text/", BODY_OPAQUE},
                 {"+json", BODY_OPAQUE},
                 {"*/*", BODY_OPAQUE},
                 /* two that were joined, and what no reader takes as we would */
                 {"text/plain, application/json", BODY_OPAQUE},
                 {"image/png, application/x+json", BODY_OPAQUE},
                 {"text/plain application/json", BODY_OPAQUE},
                 {"multipart/mixed/x", BODY_OPAQUE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(media_type_format(slice_of(cases[i].type)) == cases[i].format, "%s", cases[i].type);
}
END_TEST

START_TEST(lists)
{
    slice list = SLICE("application/pdf , Image/*,,x/y");
    ck_assert(media_type_is_listed(list, SLICE("application/PDF")) && media_type_is_listed(list, SLICE("image/png")) && media_type_is_listed(list, SLICE("x/y")));
    ck_assert(!media_type_is_listed(list, SLICE("application/pdf+x")) && !media_type_is_listed(list, SLICE("images/png")));
    ck_assert(!media_type_is_listed(list, SLICE("image/")) && !media_type_is_listed(list, SLICE("")) && !media_type_is_listed(list, SLICE("image")));
    static const char *const odd[] = {"image/png, application/json", "image/png,text/plain", "image/png application/json", "image/png/x", "image/*", "image/ png"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) ck_assert_msg(!media_type_is_listed(list, slice_of(odd[i])), "%s", odd[i]);
    ck_assert(!media_type_is_listed(SLICE_NONE, SLICE("image/png")) && !media_type_is_listed(SLICE(","), SLICE("")));
}
END_TEST

START_TEST(what_may_be_listed)
{
    static const char *const fine[] = {"image/png", "image/*", "application/*", "application/pdf", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"};
    static const char *const wrong[] = {"", "image", "/", "image/", "/png", "*/*", "*", "text/*", "Multipart/*", "text/plain", "application/json", "a/b+xml",
                                        "multipart/mixed", "image/png; q=1", "image/p ng", "image/*x"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) ck_assert_msg(media_type_may_be_listed(slice_of(fine[i])), "%s", fine[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) ck_assert_msg(!media_type_may_be_listed(slice_of(wrong[i])), "%s", wrong[i]);
}
END_TEST

RUN_TESTS("media_type", formats, lists, what_may_be_listed)
