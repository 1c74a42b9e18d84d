/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "inbound_help.h"

/* What a body or a part of one is read as, by its type; what is not looked into. */

#define P "4111111111111111"
#define Q "5555555555554444"
#define HIDDEN "\\u00341111111111111\\u00311"
#define PART(type) "--b\r\nContent-Type: " type "\r\n\r\n"
#define FORM_FILE(type) "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\nContent-Type: " type "\r\n\r\n"
#define FIELD(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define TEXT(literal) {literal, sizeof(literal) - 1}
#define END "\r\n--b--\r\n"

static const char listed[] = "application/pdf, image/*";

struct type_case {
    enum body_format format;
    slice in;
    const char *out; /* NULL: <err> */
    enum error err;
    const char *path;
};

static void check(const struct type_case *c, const char *rules, const char *type)
{
    struct plan *plan = plan_of(c->format, rules);
    const struct inbound_options options = {.plan = plan,
                                            .max_held_bytes = 1 << 20,
                                            .max_cards = 10,
                                            .boundary = SLICE("b"),
                                            .media_type = slice_of(type),
                                            .pass_types = slice_of(listed)};
    struct inbound_outcome o = run_inbound_every_split(&options, c->in);
    ck_assert_msg(o.err == c->err, "%.*s: %s", SLICE_ARG(c->in), error_name(o.err));
    if (c->out) ck_assert_msg(slice_is(buf_slice(&o.out), c->out), "%.*s\n gives %.*s", SLICE_ARG(c->in), SLICE_ARG(buf_slice(&o.out)));
    if (c->path) ck_assert_str_eq(o.fault.path, c->path);
    inbound_outcome_done(&o);
    plan_drop(plan);
}

static void check_all(const struct type_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) check(&cases[i], "find", "application/x-odd");
}
#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof *(cases))

START_TEST(json_lines)
{
    static const struct inbound_case cases[] = {
        {"{\"n\":\"" P "\",\"c\":\"123\"}\n{\"n\":" Q ",\"c\":456}\r\n", "{\"n\":\"alias_0\",\"c\":\"cvc_0\"}\n{\"n\":\"alias_1\",\"c\":\"cvc_1\"}\r\n",
         P " 123; " Q " 456"},
        {"{\"c\":\"123\"}\n{\"n\":\"" P "\"}", "{\"c\":\"cvc_0\"}\n{\"n\":\"alias_1\"}", "123; " P}, /* nothing to do with each other */
        {"\n \n[\"" HIDDEN "\"]\n\n", "\n \n[\"alias_0\"]\n\n", P},
        {P "\n\"" Q "\"", "\"alias_0\"\n\"alias_1\"", P "; " Q},
        {"\x1e{\"n\":\n\"" P "\"}\n\x1e[\n" Q "\n]\n", "\x1e{\"n\":\n\"alias_0\"}\n\x1e[\n\"alias_1\"\n]\n", P "; " Q},
        {"", "", ""},
        {"{}\n{\"a\":[{\"n\":\"12\"}]}\n", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "$.a[0].n"},
        {"{}\n{\"a\":\n\"" P "\"}", NULL, NULL, ERR_JSON_CUT_OFF},
        {"{}{}\n", NULL, NULL, ERR_JSON_TRAILING},
        {"{}\n" P "x", NULL, NULL, ERR_JSON_TRAILING},
        {"\"\xff\"\n", NULL, NULL, ERR_UTF8},
        {"{}\n\x1e{}", NULL, NULL, ERR_JSON_SYNTAX},
    };
    CHECK_INBOUND(BODY_NDJSON, "find\nfield $..n number\nfield $..c cvc\n", cases);
}
END_TEST

START_TEST(without_a_type)
{
    static const struct type_case cases[] = {
        {BODY_UNTYPED, TEXT(" \r\n{\"n\":\"" HIDDEN "\"}"), " \r\n{\"n\":\"alias_0\"}"},
        {BODY_UNTYPED, TEXT("[" P "]"), "[\"alias_0\"]"},
        {BODY_UNTYPED, TEXT("\n<r>&#52;111111111111111</r>"), "\n<r>alias_0</r>"},
        {BODY_UNTYPED, TEXT("say " P "\n\xc3\xa9"), "say alias_0\n\xc3\xa9"},
        {BODY_UNTYPED, TEXT(""), ""},
        {BODY_UNTYPED, TEXT("  \n"), "  \n"},
        {BODY_UNTYPED, TEXT("{" P " }"), NULL, ERR_JSON_SYNTAX},
        /* with a mark of UTF-8 in front: XML may have it, JSON may not (RFC 8259 section 8.1), and neither is text for that */
        {BODY_UNTYPED, TEXT("\xef\xbb\xbf{\"n\":\"" HIDDEN "\"}"), NULL, ERR_JSON_SYNTAX},
        {BODY_UNTYPED, TEXT("\xef\xbb\xbf \n<r>&#52;111111111111111</r>"), "\xef\xbb\xbf \n<r>alias_0</r>"},
        {BODY_UNTYPED, TEXT("\xef\xbb\xbf" P), "\xef\xbb\xbf" "alias_0"},
        {BODY_UNTYPED, TEXT("\xef\xbd\x9b" P), "\xef\xbd\x9b" "alias_0"},
        {BODY_UNTYPED, TEXT("PK\3\4\0\0"), NULL, ERR_INBOUND_UNTYPED},
        {BODY_UNTYPED, TEXT("4111\xff"), NULL, ERR_INBOUND_UNTYPED},
        {BODY_UNTYPED, TEXT("\0001"), NULL, ERR_INBOUND_UNTYPED},
    };
    CHECK_ALL(cases);
}
END_TEST

START_TEST(what_is_not_looked_into)
{
    static const struct type_case refused = {BODY_OPAQUE, TEXT("PK " P), NULL, ERR_INBOUND_TYPE, "application/x-odd"};
    static const struct type_case empty = {BODY_OPAQUE, TEXT(""), "", ERR_NONE, ""};
    check(&refused, "find", "application/x-odd");
    check(&empty, "find", "application/x-odd");
    check(&(struct type_case){BODY_OPAQUE, TEXT("PDF " P), "PDF " P, ERR_NONE, ""}, "find", "application/PDF");
    check(&(struct type_case){BODY_OPAQUE, TEXT("x"), "x", ERR_NONE, ""}, "find", "image/png");
}
END_TEST

/* Partners do answer so: a type, chunked, and not a chunk. */
START_TEST(nothing_at_all_has_no_card)
{
    for (unsigned f = 0; f < BODY_FORMAT_COUNT; f++) {
        const struct type_case nothing = {(enum body_format)f, TEXT(""), ""};
        check(&nothing, "find", "multipart/related");
    }
}
END_TEST

START_TEST(parts_by_their_types)
{
    static const struct type_case cases[] = {
        {BODY_PARTS, TEXT(PART("application/json") "{\"n\":\"" HIDDEN "\"}\r\n" PART("text/xml; charset=ISO-8859-1") "<r a='&#52;111111111111111'>\xe9</r>" END),
         PART("application/json") "{\"n\":\"alias_0\"}\r\n" PART("text/xml; charset=ISO-8859-1") "<r a='alias_0'>\xe9</r>" END},
        {BODY_PARTS, TEXT("--b\r\n\r\ntext " P "\r\n--b\r\n\r\n[\"" HIDDEN "\"]" END), "--b\r\n\r\ntext alias_0\r\n--b\r\n\r\n[\"alias_0\"]" END},
        {BODY_PARTS, TEXT(PART("application/x-www-form-urlencoded") "a=%34111111111111111&b=" Q "\r\n" PART("text/csv") "a,b\n\"" P "\",1\n" END),
         PART("application/x-www-form-urlencoded") "a=alias_0&b=alias_1\r\n" PART("text/csv") "a,b\n\"alias_0\",1\n" END},
        {BODY_PARTS, TEXT(PART("application/x-ndjson") "{}\n[" P "]\n" END), PART("application/x-ndjson") "{}\n[\"alias_0\"]\n" END},
        {BODY_PARTS, TEXT("--b\r\nContent-Disposition: attachment; filename=\"" P "\"\r\nX: " P "\r\n\r\n" END),
         "--b\r\nContent-Disposition: attachment; filename=\"alias_0\"\r\nX: alias_0\r\n\r\n" END},
        {BODY_PARTS, TEXT(PART("image/png") "\x89PNG " P "\r\n" PART("application/pdf\r\nContent-Transfer-Encoding: base64") "NDEx" END),
         PART("image/png") "\x89PNG " P "\r\n" PART("application/pdf\r\nContent-Transfer-Encoding: base64") "NDEx" END},
        {BODY_PARTS, TEXT(PART("application/zip") "PK" END), NULL, ERR_INBOUND_TYPE, "application/zip"},
        {BODY_PARTS, TEXT(PART("application/zip") END), PART("application/zip") END},
        {BODY_PARTS, TEXT(PART("text/plain\r\nContent-Transfer-Encoding: base64") "NDEx" END), NULL, ERR_MULTIPART_CODING},
        {BODY_PARTS, TEXT(PART("multipart/mixed; boundary=c") "x" END), NULL, ERR_MULTIPART_NESTED},
        {BODY_PARTS, TEXT(PART("message/rfc822") "x" END), NULL, ERR_MULTIPART_NESTED},
        {BODY_PARTS, TEXT(PART("application/json") "{\"n\":" END), NULL, ERR_JSON_CUT_OFF, "$.n"},
        {BODY_PARTS, TEXT("--b\r\n\r\n4\0001\0" END), NULL, ERR_INBOUND_UNTYPED},
        {BODY_PARTS, TEXT(PART("text/plain") "4\0001\0" END), NULL, ERR_CHARSET},
        {BODY_PARTS, TEXT(PART("text/xml") "<!DOCTYPE r><r/>" END), NULL, ERR_XML_DOCTYPE},
    };
    CHECK_ALL(cases);
}
END_TEST

START_TEST(files_of_forms)
{
    static const struct type_case cases[] = {
        {BODY_MULTIPART, TEXT(FORM_FILE("application/json") "{\"n\":\"" HIDDEN "\"}" END), FORM_FILE("application/json") "{\"n\":\"alias_0\"}" END},
        {BODY_MULTIPART, TEXT(FORM_FILE("image/jpeg") "\xff\xd8 " P END), FORM_FILE("image/jpeg") "\xff\xd8 " P END},
        {BODY_MULTIPART, TEXT(FORM_FILE("application/octet-stream") END), FORM_FILE("application/octet-stream") END}, /* no file was chosen */
        {BODY_MULTIPART, TEXT(FORM_FILE("application/octet-stream") "x" END), NULL, ERR_INBOUND_TYPE, "f: application/octet-stream"},
        {BODY_MULTIPART, TEXT(FORM_FILE("application/json") "[\"" END), NULL, ERR_JSON_CUT_OFF, "f: $"},
        {BODY_MULTIPART, TEXT("--b\r\nContent-Disposition: form-data; name=j\r\nContent-Type: text/xml\r\n\r\n<r>&#52;111111111111111</r>" END),
         "--b\r\nContent-Disposition: form-data; name=j\r\nContent-Type: text/xml\r\n\r\n<r>alias_0</r>" END},
        {BODY_MULTIPART, TEXT(FIELD("x") "\xe9 {\"" P "\"}" END), FIELD("x") "\xe9 {\"alias_0\"}" END}, /* text, whatever it begins with */
        {BODY_MULTIPART, TEXT(FIELD("x") "4\0001" END), NULL, ERR_MULTIPART_CHARSET, "x"},
    };
    static const struct type_case ruled = {BODY_MULTIPART, TEXT(FIELD("pan") P "\r\n" FORM_FILE("application/zip") "PK " Q END),
                                           FIELD("pan") "alias_0\r\n" FORM_FILE("application/zip") "PK " Q END};
    CHECK_ALL(cases);
    check(&ruled, "field pan number", ""); /* without 'find' nothing else is looked at */
}
END_TEST

RUN_TESTS("inbound_types", json_lines, without_a_type, what_is_not_looked_into, nothing_at_all_has_no_card, parts_by_their_types, files_of_forms)
