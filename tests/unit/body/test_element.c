/* SPDX-License-Identifier: Apache-2.0 */
#include "body/element.h"

#include "../base/suite.h"
#include "help.h"

#include <string.h>

static const struct {
    enum element element;
    enum date_format format;
    bool number;
    const char *out; /* NULL: err */
    enum error err;
} pan_cases[] = {
    {ELEMENT_NUMBER, 0, false, PAN_TEXT, 0},
    {ELEMENT_NUMBER, 0, true, PAN_TEXT, 0},
    {ELEMENT_EXPIRY, 0, false, "03/2031", 0},
    {ELEMENT_EXP_MONTH, 0, false, "03", 0},
    {ELEMENT_EXP_MONTH, 0, true, "3", 0},
    {ELEMENT_EXP_YEAR, 0, false, "2031", 0},
    {ELEMENT_EXP_YEAR, DATE_YY, true, "31", 0},
    {ELEMENT_EXPIRY, DATE_MM, false, "03", 0},
    {ELEMENT_EXPIRY, DATE_YY, false, "31", 0},
    {ELEMENT_EXPIRY, DATE_YYYY, false, "2031", 0},
    {ELEMENT_EXPIRY, DATE_MM_YY, false, "03/31", 0},
    {ELEMENT_EXPIRY, DATE_MM_YYYY, false, "03/2031", 0},
    {ELEMENT_EXPIRY, DATE_YYYY_MM_SLASH, false, "2031/03", 0},
    {ELEMENT_EXPIRY, DATE_YYYY_MM_DASH, false, "2031-03", 0},
    {ELEMENT_EXPIRY, DATE_MMYY, false, "0331", 0},
    {ELEMENT_EXPIRY, DATE_MMYY, true, "331", 0},
    {ELEMENT_EXPIRY, DATE_MM_YY, true, NULL, ERR_ELEMENT_FORMAT},
    {ELEMENT_CVC, 0, false, "123", 0},
    {ELEMENT_LAST4, 0, false, "1111", 0},
    {ELEMENT_BIN, 0, false, "411111", 0},
    {ELEMENT_TOKEN, 0, false, "tok_1-A", 0},
    {ELEMENT_TOKEN, 0, true, NULL, ERR_ELEMENT_FORMAT},
    {ELEMENT_HOLDER, 0, true, NULL, ERR_ELEMENT_FORMAT},
    {ELEMENT_NUMBER, DATE_MM, false, NULL, ERR_ELEMENT_FORMAT},
    {ELEMENT_CRYPTOGRAM, 0, false, NULL, ERR_ELEMENT_MISSING},
    {ELEMENT_ECI, 0, false, NULL, ERR_ELEMENT_MISSING},
    {ELEMENT_REQUESTOR, 0, false, NULL, ERR_ELEMENT_MISSING},
};

static enum error write(const struct credential *c, enum element e, enum date_format f, bool number,
                        enum encoding encoding, struct buf *out)
{
    buf_init_secret(out, 4096);
    return element_write(c, SLICE("tok_1-A"), e, f, number, encoding, out).err;
}

START_TEST(formats)
{
    for (size_t i = 0; i < sizeof pan_cases / sizeof *pan_cases; i++) {
        struct buf out;
        enum error err = write(card_pan(), pan_cases[i].element, pan_cases[i].format, pan_cases[i].number, ENCODING_TEXT, &out);
        ck_assert_msg(err == pan_cases[i].err, "%zu: %s", i, error_name(err));
        ck_assert_msg(slice_is(buf_slice(&out), pan_cases[i].out ? pan_cases[i].out : ""), "%zu: %.*s", i,
                      SLICE_ARG(buf_slice(&out)));
        buf_done(&out);
    }
}
END_TEST

START_TEST(network_token)
{
    struct buf out;
    const struct credential *c = card_network_token();
    ck_assert_int_eq(write(c, ELEMENT_CRYPTOGRAM, 0, false, ENCODING_JSON_STRING, &out), ERR_NONE);
    ck_assert(slice_is(buf_slice(&out), CRYPTOGRAM_TEXT));
    buf_done(&out);
    ck_assert_int_eq(write(c, ELEMENT_CRYPTOGRAM, 0, false, ENCODING_FORM, &out), ERR_NONE);
    ck_assert(slice_is(buf_slice(&out), "AgAAAAAAAIR8CQrXcIhbQAAAAAA%3D"));
    buf_done(&out);
    ck_assert_int_eq(write(c, ELEMENT_REQUESTOR, 0, true, ENCODING_JSON_STRING, &out), ERR_NONE);
    ck_assert(slice_is(buf_slice(&out), "40010030273"));
    buf_done(&out);
    ck_assert_int_eq(write(c, ELEMENT_ECI, 0, false, ENCODING_FORM, &out), ERR_NONE);
    ck_assert(slice_is(buf_slice(&out), "05"));
    buf_done(&out);
    ck_assert_int_eq(write(c, ELEMENT_CVC, 0, false, ENCODING_FORM, &out), ERR_ELEMENT_MISSING);
    ck_assert_int_eq(write(c, ELEMENT_HOLDER, 0, false, ENCODING_FORM, &out), ERR_ELEMENT_MISSING);
    buf_done(&out);
}
END_TEST

START_TEST(encodings)
{
    static const struct {
        const char *holder;
        const char *out[ENCODING_CSV_QUOTED + 1]; /* in the order of enum encoding; NULL: refused */
    } cases[] = {
        {"ANA", {"ANA", "ANA", "ANA", "ANA", "ANA", "ANA", "ANA", "ANA", "ANA"}},
        {"A B+C", {"A B+C", "A B+C", "A+B%2BC", "A%20B%2BC", "A%20B%2BC", "A B+C", "A B+C", "A B+C", "A B+C"}},
        {"a\"b\\c", {"a\"b\\c", "a\\\"b\\\\c", "a%22b%5Cc", "a%22b%5Cc", "a%22b%5Cc", "a\"b\\c", "a&quot;b\\c", NULL, "a\"\"b\\c"}},
        {"<&'>", {"<&'>", "<&'>", "%3C%26%27%3E", "%3C%26%27%3E", "%3C%26%27%3E", "<&'>", "&lt;&amp;&#39;&gt;", "<&'>", "<&'>"}},
        {"\xc3\xa9/~*", {"\xc3\xa9/~*", "\xc3\xa9/~*", "%C3%A9%2F%7E*", "%C3%A9%2F~%2A", "%C3%A9%2F~%2A", "\xc3\xa9/~*",
                         "\xc3\xa9/~*", "\xc3\xa9/~*", "\xc3\xa9/~*"}},
        {"a\r\nb", {"a\r\nb", "a\\u000D\\u000Ab", "a%0D%0Ab", "a%0D%0Ab", "a%0D%0Ab", NULL, NULL, NULL, NULL}},
        {"a\x7f", {"a\x7f", "a\x7f", "a%7F", "a%7F", "a%7F", NULL, NULL, NULL, NULL}},
        {"a\xff", {"a\xff", NULL, "a%FF", "a%FF", "a%FF", "a\xff", "a\xff", "a\xff", "a\xff"}},
        {"a,b", {"a,b", "a,b", "a%2Cb", "a%2Cb", "a%2Cb", "a,b", "a,b", NULL, "a,b"}},
        {"a;b|c", {"a;b|c", "a;b|c", "a%3Bb%7Cc", "a%3Bb%7Cc", "a%3Bb%7Cc", "a;b|c", "a;b|c", NULL, "a;b|c"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct credential c = *card_pan();
        c.holder_len = (uint8_t)strlen(cases[i].holder);
        memcpy(c.holder, cases[i].holder, c.holder_len);
        for (unsigned e = ENCODING_TEXT; e <= ENCODING_CSV_QUOTED; e++) {
            struct buf out;
            enum error err = write(&c, ELEMENT_HOLDER, 0, false, (enum encoding)e, &out);
            ck_assert_msg(err == (cases[i].out[e] ? ERR_NONE : ERR_ELEMENT_FORMAT), "%zu %u", i, e);
            ck_assert_msg(slice_is(buf_slice(&out), cases[i].out[e] ? cases[i].out[e] : ""), "%zu %u: %.*s", i, e,
                          SLICE_ARG(buf_slice(&out)));
            buf_done(&out);
        }
    }
    struct credential c = *card_pan();
    c.holder[1] = 0;
    struct buf out;
    for (unsigned e = ENCODING_TEXT; e <= ENCODING_CSV_QUOTED; e++)
        ck_assert_int_eq(write(&c, ELEMENT_HOLDER, 0, false, (enum encoding)e, &out), ERR_ELEMENT_FORMAT);
    buf_done(&out);
}
END_TEST

START_TEST(bounds)
{
    struct credential c = *card_pan();
    struct buf out;
    c.month = 0;
    ck_assert_int_eq(write(&c, ELEMENT_EXP_YEAR, 0, false, ENCODING_TEXT, &out), ERR_ELEMENT_MISSING);
    c.month = 13;
    ck_assert_int_eq(write(&c, ELEMENT_EXP_MONTH, 0, false, ENCODING_TEXT, &out), ERR_ELEMENT_FORMAT);
    c.month = 12;
    c.year = 1999;
    ck_assert_int_eq(write(&c, ELEMENT_EXPIRY, 0, false, ENCODING_TEXT, &out), ERR_ELEMENT_FORMAT);
    memset(c.holder, '"', sizeof c.holder);
    c.holder_len = sizeof c.holder;
    for (unsigned e = ENCODING_TEXT; e <= ENCODING_CSV_QUOTED; e++) {
        ck_assert_int_eq(write(&c, ELEMENT_HOLDER, 0, false, (enum encoding)e, &out), e == ENCODING_CSV ? ERR_ELEMENT_FORMAT : ERR_NONE);
        ck_assert_uint_le(out.len, element_max_bytes(ELEMENT_HOLDER));
        buf_done(&out);
    }
    buf_init(&out, 5); /* no room: nothing of a card stays behind */
    ck_assert_int_eq(element_write(&c, SLICE("t"), ELEMENT_NUMBER, 0, false, ENCODING_TEXT, &out).err, ERR_TOO_LARGE);
    ck_assert_uint_eq(out.len, 0);
    buf_done(&out);
}
END_TEST

START_TEST(names)
{
    for (unsigned e = 0; e < ELEMENT_COUNT; e++) {
        enum element back;
        bool is_for_rules = e != ELEMENT_TOKEN;
        ck_assert_int_eq(element_parse(slice_of(element_name((enum element)e)), &back), is_for_rules);
        if (is_for_rules) ck_assert_int_eq(back, e);
    }
    for (unsigned f = DATE_MM; f < DATE_COUNT; f++) {
        enum date_format back;
        ck_assert(date_format_parse(slice_of(date_format_name((enum date_format)f)), &back));
        ck_assert_int_eq(back, f);
    }
    enum date_format f;
    enum element e;
    ck_assert(!date_format_parse(SLICE("default"), &f) && !date_format_parse(SLICE(""), &f) && !date_format_parse(SLICE("M"), &f));
    ck_assert(!element_parse(SLICE(""), &e) && !element_parse(SLICE("Number"), &e) && !element_parse(SLICE("pan"), &e));
    ck_assert_str_eq(credential_kind_name(CREDENTIAL_PAN), "CARD_PAN");
    ck_assert_str_eq(credential_kind_name(CREDENTIAL_NETWORK_TOKEN), "NETWORK_TOKEN");
}
END_TEST

RUN_TESTS("element", formats, network_token, encodings, bounds, names)
