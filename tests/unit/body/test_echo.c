/* SPDX-License-Identifier: Apache-2.0 */
#include "body/echo.h"

#include "../base/suite.h"
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define P "{{TOKEN1:detokenize}}"
#define N "{{TOKEN2:transaction}}"
#define C "{{TOKEN1:transaction | extract:cvv}}"
#define K "{{TOKEN2:transaction | extract:cryptogram}}"

/* The card sent first as a PAN, then as a network token: a PAN retry the other way round. */
static struct echo_guard *guard(void)
{
    struct echo_guard *g = echo_guard_new();
    struct credential token = *card_network_token();
    memcpy(token.cryptogram, "Ag/+AAAAIR8CQrXcIhbQAAAAAA==", 28);
    ck_assert(echo_guard_is_empty(g));
    ck_assert(!failed(echo_guard_add(g, card_pan(), SLICE("TOKEN1"), TOKEN_PERMANENT)));
    ck_assert(!failed(echo_guard_add(g, &token, SLICE("TOKEN2"), TOKEN_TEMPORAL)));
    ck_assert(!failed(echo_guard_add(g, card_pan(), SLICE("TOKEN1"), TOKEN_PERMANENT)));
    ck_assert(!echo_guard_is_empty(g));
    return g;
}

static unsigned run(struct echo_guard *g, slice in, long split, struct buf *out)
{
    unsigned hits = 0, seed = (unsigned)-split;
    buf_init(out, 1u << 24);
    for (size_t at = 0; at < in.len;) {
        size_t n = split == WHOLE ? in.len : split == BYTEWISE ? 1 : 1 + (size_t)rand_r(&seed) % 30;
        if (split > 1) n = at < (size_t)split - 1 ? (size_t)split - 1 : in.len;
        if (n > in.len - at) n = in.len - at;
        char *piece = malloc(n);
        memcpy(piece, in.at + at, n);
        ck_assert(!failed(echo_guard_feed(g, (slice){piece, n}, out, &hits)));
        free(piece);
        at += n;
    }
    ck_assert(!failed(echo_guard_end(g, out, &hits)));
    return hits;
}

static void check_guard(struct echo_guard *g, const char *in, const char *expected, unsigned hits)
{
    size_t len = strlen(in);
    for (long split = -5; split <= (long)len; split++) { /* one guard for all: end() makes it ready for new text */
        struct buf out;
        unsigned n = run(g, (slice){in, len}, split, &out);
        ck_assert_msg(slice_is(buf_slice(&out), expected), "%s, split %ld:\n%.*s", in, split, SLICE_ARG(buf_slice(&out)));
        ck_assert_uint_eq(n, hits);
        buf_done(&out);
    }
}

static const struct {
    const char *in, *out;
    unsigned hits;
} cases[] = {
    {"", "", 0},
    {"nothing here 411111111111111 4111111111111112", "nothing here 411111111111111 4111111111111112", 0},
    {PAN_TEXT, P, 1},
    {"x" PAN_TEXT "1", "x" P "1", 1}, /* anywhere, in a longer number too */
    {"{\"pan\":\"" PAN_TEXT "\",\"n\":" NETWORK_NUMBER_TEXT "}", "{\"pan\":\"" P "\",\"n\":" N "}", 2},
    {"4111 1111 1111 1111 and 4111-1111-1111-1111.", P " and " P ".", 2},
    {"4 1 1 1-1-1-1 1 1 1 1 1 1 1 1 1", P, 1},
    {"4111  1111 1111 1111", "4111  1111 1111 1111", 0}, /* two blanks are no single one */
    {"4111-1111-1111-111", "4111-1111-1111-111", 0},
    {"4411 1111 1111 1111 1 4 4111111111111111", "4" P " 4 " P, 2},
    {"4111111" PAN_TEXT, "4111111" P, 1},
    {PAN_TEXT PAN_TEXT, P P, 2},
    {"cvc 123", "cvc " C, 1},
    {"\"123\",123;(123)-123-", "\"" C "\"," C ";(" C ")-" C "-", 4},
    {"1234 0123 a123 123a 1.123 123.5 123", "1234 0123 a123 123a 1.123 123.5 " C, 1},
    {"123", C, 1},
    {"12 3", "12 3", 0},
    {"Ag/+AAAAIR8CQrXcIhbQAAAAAA==", K, 1},
    {"\"xAg\\/+AAAAIR8CQrXcIhbQAAAAAA==z\"", "\"x" K "z\"", 1},
    {"Ag\\u002F\\u002bAAAAIR8CQrXcIhbQAAAAAA\\u003D\\u003d", K, 1},
    {"k=Ag%2F%2bAAAAIR8CQrXcIhbQAAAAAA%3D%3d&", "k=" K "&", 1},
    {"Ag/+AAAAIR8CQrXcIhbQAAAAAA=", "Ag/+AAAAIR8CQrXcIhbQAAAAAA=", 0},
    {"Ag\\u00", "Ag\\u00", 0},
    {"55555555555555554444", "5555" N, 1},
    {"5555 5555 5555 5555 4444", "5555 " N, 1},
};

START_TEST(replacing)
{
    struct echo_guard *g = guard();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_guard(g, cases[i].in, cases[i].out, cases[i].hits);
    echo_guard_free(g);
}
END_TEST

/* Two numbers that share digits, in every order: no digit of either may stay. */
START_TEST(overlapping)
{
    struct echo_guard *g = echo_guard_new();
    struct credential a = *card_pan(), b = *card_pan();
    memcpy(a.number, "4000000000000002", 16);
    memcpy(b.number, "0000000002000000", 16);
    a.cvc_len = b.cvc_len = 0;
    ck_assert(!failed(echo_guard_add(g, &a, SLICE("TOKEN1"), TOKEN_PERMANENT)));
    ck_assert(!failed(echo_guard_add(g, &b, SLICE("TOKEN3"), TOKEN_PERMANENT)));
    check_guard(g, "<4000000000000002000000>", "<" P "{{TOKEN3:detokenize}}>", 2);
    check_guard(g, "<00000000020000004000000000000002>", "<{{TOKEN3:detokenize}}" P ">", 2);
    echo_guard_free(g);
    /* One that begins another: the longer is taken. */
    g = echo_guard_new();
    memcpy(b.number, "400000000000", 12);
    b.number_len = 12;
    ck_assert(!failed(echo_guard_add(g, &b, SLICE("TOKEN3"), TOKEN_PERMANENT)));
    ck_assert(!failed(echo_guard_add(g, &a, SLICE("TOKEN1"), TOKEN_PERMANENT)));
    check_guard(g, "4000000000000002", P, 1);
    check_guard(g, "4000000000000003", "{{TOKEN3:detokenize}}0003", 1);
    echo_guard_free(g);
    /* One inside another: it is hidden with it. */
    g = echo_guard_new();
    memcpy(b.number, "000000000000", 12);
    ck_assert(!failed(echo_guard_add(g, &b, SLICE("TOKEN3"), TOKEN_PERMANENT)));
    ck_assert(!failed(echo_guard_add(g, &a, SLICE("TOKEN1"), TOKEN_PERMANENT)));
    check_guard(g, "<4000000000000002>", "<" P ">", 1);
    echo_guard_free(g);
}
END_TEST

START_TEST(empty)
{
    struct echo_guard *g = echo_guard_new();
    check_guard(g, "123 " PAN_TEXT, "123 " PAN_TEXT, 0);
    const struct credential none = {0};
    ck_assert(!failed(echo_guard_add(g, &none, SLICE("TOKEN1"), TOKEN_PERMANENT)));
    ck_assert(echo_guard_is_empty(g));
    echo_guard_free(g);
    echo_guard_free(NULL);
}
END_TEST

/* A long answer against the plainest possible search. */
START_TEST(long_text)
{
    enum { LEN = 200000 };
    char *text = malloc(LEN);
    unsigned seed = 4711, planted = 0;
    for (size_t i = 0; i < LEN; i++) text[i] = "411 -x{}"[rand_r(&seed) % 8];
    for (size_t at = 100; at + 100 < LEN; at += 50 + (size_t)rand_r(&seed) % 5000, planted++) {
        memcpy(text + at, "x" PAN_TEXT, 17);
    }
    struct echo_guard *g = echo_guard_new();
    struct credential c = *card_pan();
    c.cvc_len = 0;
    ck_assert(!failed(echo_guard_add(g, &c, SLICE("TOKEN1"), TOKEN_PERMANENT)));
    struct buf whole, pieces;
    ck_assert_uint_eq(run(g, (slice){text, LEN}, WHOLE, &whole), planted);
    ck_assert_uint_eq(run(g, (slice){text, LEN}, -3, &pieces), planted);
    ck_assert(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    ck_assert_uint_eq(slice_find_slice(buf_slice(&whole), SLICE(PAN_TEXT)), whole.len);
    ck_assert_uint_eq(whole.len, LEN + planted * (sizeof P - 1 - 16));
    buf_done(&whole);
    buf_done(&pieces);
    echo_guard_free(g);
    free(text);
}
END_TEST

enum { CARDS = 5000 };

/* Card <i> of a batch: numbers of 13 to 19 digits with zeros in front, all CVCs, cryptograms that begin alike. */
static struct credential batch_card(unsigned i)
{
    struct credential c = {.number_len = (uint8_t)(13 + i % 7), .cvc_len = 3, .cryptogram_len = 28};
    char text[32];
    snprintf(text, sizeof text, "%019u", i * 7919);
    memcpy(c.number, text + 19 - c.number_len, c.number_len);
    snprintf(text, sizeof text, "%03u", i % 1000);
    memcpy(c.cvc, text, 3);
    snprintf(text, sizeof text, "AgAAAAAA/%017u==", i);
    memcpy(c.cryptogram, text, 28);
    return c;
}

static void append(struct buf *b, const char *text)
{
    ck_assert(!failed(buf_append(b, slice_of(text))));
}

/* What comes back of one card, and what is to be shown of it: of the tokens with one CVC the first. */
static void append_card(struct buf *in, struct buf *expected, unsigned i, const char (*ids)[16])
{
    struct credential c = batch_card(i);
    char line[256];
    snprintf(line, sizeof line, "[%.*s,\"%.4s-%.*s\",\"%.3s\",\"%.28s\"]\n", c.number_len, c.number, c.number, c.number_len - 4,
             c.number + 4, c.cvc, c.cryptogram);
    append(in, line);
    const char *stage = i % 2 ? "transaction" : "detokenize";
    snprintf(line, sizeof line,
             "[{{%s:%s}},\"{{%s:%s}}\",\"{{%s:transaction | extract:cvv}}\",\"{{%s:%s | extract:cryptogram}}\"]\n",
             ids[i], stage, ids[i], stage, ids[i % 1000], ids[i], stage);
    append(expected, line);
}

/* A batch: each of thousands of secrets is found, in every size of table, and a number that was not sent is left alone. */
START_TEST(batch)
{
    static char ids[CARDS][16]; /* borrowed by the guard */
    struct echo_guard *g = echo_guard_new();
    struct buf in, expected, out;
    buf_init(&in, 1u << 24);
    buf_init(&expected, 1u << 24);
    for (unsigned i = 0; i < CARDS; i++) {
        struct credential c = batch_card(i);
        snprintf(ids[i], sizeof ids[i], "token_%05u", i);
        for (int again = 0; again < 2; again++)
            ck_assert(!failed(echo_guard_add(g, &c, slice_of(ids[again ? 0 : i]), i % 2 ? TOKEN_TEMPORAL : TOKEN_PERMANENT)));
        append_card(&in, &expected, i, (const char (*)[16])ids);
        if (i > 10 && i != CARDS - 1) continue;
        append(&in, "4111111111111111 9123 AgAAAAAA/9");
        append(&expected, "4111111111111111 9123 AgAAAAAA/9");
        for (long split = -2; split <= BYTEWISE; split++) {
            ck_assert_uint_eq(run(g, buf_slice(&in), split, &out), 4 * (i + 1));
            ck_assert(slice_eq(buf_slice(&out), buf_slice(&expected)));
            buf_done(&out);
        }
    }
    buf_done(&in);
    buf_done(&expected);
    echo_guard_free(g);
}
END_TEST

/* Zeros in front make another number; the longer of two CVCs; the shortest and the longest number. */
START_TEST(lengths)
{
    struct echo_guard *g = echo_guard_new();
    struct credential a = {.number = "000000000012", .number_len = 12, .cvc = "012", .cvc_len = 3};
    struct credential b = {.number = "9876543210987654321", .number_len = 19, .cvc = "0012", .cvc_len = 4};
    ck_assert(!failed(echo_guard_add(g, &a, SLICE("TOKEN1"), TOKEN_PERMANENT)));
    ck_assert(!failed(echo_guard_add(g, &b, SLICE("TOKEN2"), TOKEN_TEMPORAL)));
    check_guard(g, "012 0012 12 00012", C " {{TOKEN2:transaction | extract:cvv}} 12 00012", 2);
    check_guard(g, "0000000012 00000000012 000000000012 0000000000120", "0000000012 00000000012 " P " " P "0", 2);
    check_guard(g, "9876543210987654321;987654321098765432;", N ";987654321098765432;", 1);
    check_guard(g, "98765432109876543210", N "0", 1);
    echo_guard_free(g);
}
END_TEST

/* What could not be looked for must not go out. */
START_TEST(refused)
{
    struct echo_guard *g = echo_guard_new();
    struct credential stars = {.number = "411111******1111", .number_len = 16};
    struct credential letters = {.cvc = "12a", .cvc_len = 3};
    struct credential percent = {.cryptogram = "Ag%2F", .cryptogram_len = 5};
    ck_assert_int_eq(echo_guard_add(g, &stars, SLICE("TOKEN1"), TOKEN_PERMANENT).err, ERR_INTERNAL);
    ck_assert_int_eq(echo_guard_add(g, &letters, SLICE("TOKEN1"), TOKEN_PERMANENT).err, ERR_INTERNAL);
    ck_assert_int_eq(echo_guard_add(g, &percent, SLICE("TOKEN1"), TOKEN_PERMANENT).err, ERR_INTERNAL);
    ck_assert(echo_guard_is_empty(g));
    echo_guard_free(g);
}
END_TEST

RUN_TESTS("echo", replacing, overlapping, empty, long_text, batch, lengths, refused)
