/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/answer_envelope.h"

#include "../base/suite.h"

#include <string.h>

struct envelope_case {
    slice in;
    const char *out; /* NULL: ERR_ENVELOPE_TEXT */
    bool is_foreign;
};

static void check_case(const struct envelope_case *c)
{
    struct buf out;
    buf_init(&out, 65536);
    result r = answer_envelope_write(201, c->in, c->is_foreign, &out);
    if (c->out)
        ck_assert_msg(!failed(r) && slice_is(buf_slice(&out), c->out), "%.*s: %.*s", SLICE_ARG(c->in), SLICE_ARG(buf_slice(&out)));
    else
        ck_assert_msg(r.err == ERR_ENVELOPE_TEXT, "%.*s: %s", SLICE_ARG(c->in), error_name(r.err));
    buf_done(&out);
}

START_TEST(answers)
{
    static const struct envelope_case cases[] = {
        {CONST_SLICE(""), "{\"status\":201,\"data\":null}", false},
        {CONST_SLICE("{ \"a\" : 1.50e2,\t\"b\":\"\\u0041\" }\r\n"), "{\"status\":201,\"data\":{ \"a\" : 1.50e2,\t\"b\":\"\\u0041\" }\r\n}", false},
        {CONST_SLICE("[]"), "{\"status\":201,\"data\":[]}", false},
        {CONST_SLICE("null"), "{\"status\":201,\"data\":null}", false},
        {CONST_SLICE("12"), "{\"status\":201,\"data\":12}", false},
        {CONST_SLICE("\"x\""), "{\"status\":201,\"data\":\"x\"}", false},
        {CONST_SLICE("{\"a\":\"\xc3\xa9\"}"), "{\"status\":201,\"data\":{\"a\":\"\xc3\xa9\"}}", true},
        {CONST_SLICE("{\"a\":1"), "{\"status\":201,\"data\":\"{\\\"a\\\":1\"}", false},
        {CONST_SLICE("{\"a\":1} {}"), "{\"status\":201,\"data\":\"{\\\"a\\\":1} {}\"}", false},
        {CONST_SLICE("{\"a\":1},\"data\":2"), "{\"status\":201,\"data\":\"{\\\"a\\\":1},\\\"data\\\":2\"}", false},
        {CONST_SLICE("<p>\\ caf\xc3\xa9\r\n\t</p>"), "{\"status\":201,\"data\":\"<p>\\\\ caf\xc3\xa9\\u000D\\u000A\\u0009</p>\"}", false},
        {CONST_SLICE("caf\xc3\xa9"), NULL, true},
        {CONST_SLICE("cafe"), "{\"status\":201,\"data\":\"cafe\"}", true},
        {CONST_SLICE("caf\xe9"), NULL, false},
        {CONST_SLICE("\x1b$B%+"), NULL, true},
        {CONST_SLICE("a\0b"), NULL, false},
        {CONST_SLICE("\x01"), NULL, false},
        {CONST_SLICE("\x7f"), NULL, false},
        {CONST_SLICE("%PDF-1.7\n\xe2\xe3\xcf\xd3"), NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(&cases[i]);
}
END_TEST

START_TEST(too_large)
{
    struct buf out;
    buf_init(&out, 40);
    ck_assert(answer_envelope_write(200, SLICE("{\"a\":\"01234567890123456789\"}"), false, &out).err == ERR_TOO_LARGE);
    buf_done(&out);
}
END_TEST

RUN_TESTS("answer_envelope", answers, too_large)
