/* SPDX-License-Identifier: Apache-2.0 */
#include "jose_header.h"

#include "../base/suite.h"

START_TEST(taken)
{
    static const slice headers[] = {
        CONST_SLICE("{\"alg\":\"A\",\"enc\":\"E\"}"),
        CONST_SLICE(" {\t\"enc\" : \"E\",\n\"kid\":\"a\\\"},{\",\"iat\":-1.5E+3, \"x\":null,\"alg\":\"A\" }\r\n"),
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct jose_header h;
        ck_assert(jose_header_parse(headers[i], &h));
        ck_assert(slice_is(h.alg, "A") && slice_is(h.enc, "E") && !h.zip && !h.crit);
        for (size_t cut = 0; cut < slice_trim(headers[i]).len - 3; cut++) /* no beginning of it is one */
            ck_assert(!jose_header_parse(slice_range(headers[i], 0, cut), &h));
    }
}
END_TEST

START_TEST(not_taken)
{
    static const char *const headers[] = {
        "",
        "{}",
        "[]",
        "\"alg\"",
        "{\"alg\":\"A\"}x",
        "{\"alg\":\"A\"}{}",
        "{\"alg\":\"A\",}",
        "{,\"alg\":\"A\"}",
        "{\"alg\" \"A\"}",
        "{alg:\"A\"}",
        "{\"alg\":1}",
        "{\"alg\":\"A\",\"alg\":\"A\"}",
        "{\"enc\":\"A\",\"enc\":\"B\"}",
        "{\"\\u0063rit\":\"x\"}", /* an escaped name could be any other */
        "{\"crit\":[\"exp\"]}",
        "{\"jwk\":{}}",
        "{\"alg\":\"A\nB\"}",
        "{\"alg\":\"A\\\"}",
        "{\"kid\":}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct jose_header h;
        ck_assert_msg(!jose_header_parse(slice_of(headers[i]), &h), "taken: %s", headers[i]);
    }
}
END_TEST

START_TEST(what_changes_the_meaning_is_seen)
{
    struct jose_header h;
    ck_assert(jose_header_parse(SLICE("{\"zip\":\"DEF\"}"), &h) && h.zip && !h.crit);
    ck_assert(jose_header_parse(SLICE("{\"crit\":null}"), &h) && h.crit && !h.zip);
}
END_TEST

RUN_TESTS("jose_header", taken, not_taken, what_changes_the_meaning_is_seen)
