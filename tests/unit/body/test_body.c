/* SPDX-License-Identifier: Apache-2.0 */
#include "body/body.h"

#include "../base/suite.h"
#include "failing_memory.h"
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char json_rules[] = "field $.number number\nset $.eci eci\ndrop $.cvc";

/* --- streaming --- */

struct source { /* a body made piece by piece, never held as a whole */
    uint64_t records, at;
    struct buf piece, expected;
};

static void make_record(struct source *s, const char *card)
{
    char line[512];
    int len = snprintf(line, sizeof line, "%s{\"id\": %u,\"number\":\"%s\",\"x\":{\"y\":[1.50, \"%s\\n\"]}}\r\n",
                       s->at ? "," : "[", (unsigned)s->at, card, card);
    ck_assert(!failed(buf_append(&s->piece, (slice){line, (size_t)len})));
}

static void make_piece(struct source *s, const char *card)
{
    buf_clear(&s->piece);
    for (unsigned i = 0; i < 50 && s->at < s->records; i++, s->at++) make_record(s, card);
    if (s->at == s->records) ck_assert(!failed(buf_append(&s->piece, SLICE("]"))));
}

START_TEST(streaming_is_flat)
{
    enum { RECORDS = 20000, HELD = 20000 };
    struct source in = {.records = RECORDS}, out = {.records = RECORDS};
    struct plan *plan = plan_of(BODY_JSON, "field $[*].number number\nset $[*].eci eci");
    struct token_table *tokens = token_table_new(1000000, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = HELD, .streamed = true};
    struct body *b = body_new(&options, tokens);
    const struct credential *credentials[] = {card_network_token()};
    struct buf got;
    buf_init(&in.piece, 1 << 20);
    buf_init(&out.piece, 1 << 20);
    buf_init_secret(&got, 1 << 20);
    bool done = false;
    while (in.at < in.records) {
        make_piece(&in, "{{TOKEN1:detokenize}}");
        make_piece(&out, NETWORK_NUMBER_TEXT); /* edits do not apply */
        ck_assert(!failed(body_feed(b, buf_slice(&in.piece))));
        if (in.at == in.records) ck_assert(!failed(body_end(b)));
        ck_assert(!failed(body_drain(b, credentials, &got, &done)));
        ck_assert_uint_lt(body_held_bytes(b), 200);
        ck_assert_uint_eq(body_slot_count(b), 0);
        size_t same = got.len < out.piece.len ? got.len : out.piece.len;
        ck_assert(slice_eq(slice_range(buf_slice(&got), 0, same), slice_range(buf_slice(&out.piece), 0, same)));
        ck_assert_uint_eq(same, got.len); /* all pieces end between tokens */
        buf_clear(&got);
        ck_assert_int_eq(done, in.at == in.records);
    }
    buf_done(&in.piece);
    buf_done(&out.piece);
    buf_done(&got);
    body_free(b);
    token_table_free(tokens);
    plan_drop(plan);
}
END_TEST

static void stream(const struct plan *plan, slice in, size_t piece, size_t held, struct buf *out, struct body_fault *fault)
{
    struct token_table *tokens = token_table_new(100, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = held, .streamed = true};
    struct body *b = body_new(&options, tokens);
    const struct credential *known[] = {card_pan(), card_pan(), card_pan()}, *unknown[] = {NULL, NULL, NULL};
    result r = OK;
    bool done = false;
    for (size_t at = 0; at < in.len && !failed(r); at += piece) {
        r = body_feed(b, slice_range(in, at, at + piece < in.len ? at + piece : in.len));
        if (!failed(r)) r = body_drain(b, at % 3 ? known : unknown, out, &done); /* credentials come late */
    }
    if (!failed(r)) r = body_end(b);
    if (!failed(r)) r = body_drain(b, known, out, &done);
    ck_assert_int_eq(done, !failed(r));
    *fault = *body_fault(b);
    ck_assert_int_eq(fault->err, r.err);
    body_free(b);
    token_table_free(tokens);
}

START_TEST(streaming_in_every_piece)
{
    static const char *const bodies[] = {
        "{\"number\":\"{{TOKEN1:detokenize}}\",\"a\":[\"<<TOKEN2:transaction|extract:cvv>>\", 12,\ttrue]}\n",
        "number={{TOKEN1:detokenize}}&a=%7B%7BTOKEN2:transaction|extract:cvv}}&b",
        "text {{TOKEN1:detokenize}} { {{ << <<TOKEN2:transaction|extract:cvv>> {{",
        "\xef\xbb\xbf\"number\";a\r\n\"{{TOKEN1:detokenize}}\";\r\n\xef\xbb\xbf\"\";x\n1;\"<<TOKEN2:transaction|extract:cvv>>\"\n",
        "{\"number\":\"{{TOKEN1:detokenize}}\"}\n\n{\"a\":[\"<<TOKEN2:transaction|extract:cvv>>\",\t2]}\r\n{}",
    };
    static const enum body_format formats[] = {BODY_JSON, BODY_FORM, BODY_TEXT, BODY_CSV, BODY_NDJSON};
    static const char *const rules[] = {json_rules, "", "", "field number number\n", json_rules};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct plan *plan = plan_of(formats[i], rules[i]);
        struct outcome whole = run_body(plan, slice_of(bodies[i]), WHOLE, card_pan());
        ck_assert_int_eq(whole.err, ERR_NONE);
        for (size_t piece = 1; piece < 80; piece++) {
            struct body_fault fault;
            struct buf out;
            buf_init_secret(&out, 1000);
            stream(plan, slice_of(bodies[i]), piece, 1000, &out, &fault);
            ck_assert_int_eq(fault.err, ERR_NONE);
            ck_assert(slice_eq(buf_slice(&out), buf_slice(&whole.out)));
            buf_done(&out);
        }
        outcome_done(&whole);
        plan_drop(plan);
    }
}
END_TEST

START_TEST(streaming_limits)
{
    struct plan *plan = plan_of(BODY_JSON, "");
    struct body_fault fault;
    struct buf out, text;
    buf_init_secret(&out, 100000);
    buf_init(&text, 100000);
    /* one string larger than what may be held */
    ck_assert(!failed(buf_append(&text, SLICE("[1,\""))));
    for (int i = 0; i < 3000; i++) ck_assert(!failed(buf_append(&text, SLICE("a"))));
    stream(plan, buf_slice(&text), 10, 1000, &out, &fault);
    ck_assert_int_eq(fault.err, ERR_BODY_TOO_LARGE);
    buf_clear(&out);
    /* white space is not held */
    buf_clear(&text);
    ck_assert(!failed(buf_append(&text, SLICE("[1,"))));
    for (int i = 0; i < 3000; i++) ck_assert(!failed(buf_append(&text, SLICE(" "))));
    ck_assert(!failed(buf_append(&text, SLICE("{\"a\":1,\"a\":2}]"))));
    stream(plan, buf_slice(&text), 10, 1000, &out, &fault);
    ck_assert_int_eq(fault.err, ERR_JSON_DUPLICATE_KEY);
    ck_assert_uint_eq(fault.offset, 3010);
    buf_done(&text);
    buf_done(&out);
    plan_drop(plan);
}
END_TEST

/* --- limits and codings --- */

START_TEST(held_limit)
{
    struct plan *plan = plan_of(BODY_JSON, json_rules);
    slice in = SLICE("{\"number\":\"{{TOKEN1:detokenize}}\"}");
    for (size_t max = 0; max < in.len + 3; max++) {
        const struct body_options options = {.plan = plan, .max_held_bytes = max, .expected_bytes = in.len};
        for (long split = -3; split <= 1; split++) {
            struct outcome o = run_body_with(&options, in, split, card_pan());
            ck_assert_int_eq(o.err, max < in.len ? ERR_BODY_TOO_LARGE : ERR_NONE);
            if (o.err) ck_assert_uint_eq(o.fault.offset, max);
            outcome_done(&o);
        }
    }
    /* The first mistake is told: here it stands before the limit. */
    const struct body_options options = {.plan = plan, .max_held_bytes = 8};
    for (long split = -3; split <= 1; split++) {
        struct outcome o = run_body_with(&options, SLICE("[1,2,]345678"), split, card_pan());
        ck_assert_int_eq(o.err, ERR_JSON_SYNTAX);
        outcome_done(&o);
    }
    /* Also when it stands in a token of which the walker was waiting for more. */
    const struct body_options small = {.plan = plan, .max_held_bytes = 11};
    for (long split = -3; split <= 14; split++) {
        struct outcome o = run_body_with(&small, SLICE("\"aaaaaaaa\\qaaaaaa\""), split, card_pan());
        ck_assert_int_eq(o.err, ERR_JSON_SYNTAX);
        outcome_done(&o);
    }
    plan_drop(plan);
}
END_TEST

static struct buf gzip(slice text)
{
    struct buf out;
    z_stream z = {0};
    buf_init(&out, 1u << 24);
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert(!failed(buf_reserve(&out, deflateBound(&z, text.len) + 64)));
    z.next_in = (unsigned char *)text.at;
    z.avail_in = (uInt)text.len;
    z.next_out = (unsigned char *)buf_room(&out);
    z.avail_out = (uInt)out.cap;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_added(&out, z.total_out);
    (void)deflateEnd(&z);
    return out;
}

START_TEST(compressed)
{
    struct plan *plan = plan_of(BODY_JSON, json_rules);
    struct body_options options = {.plan = plan, .coding = CODING_GZIP, .max_held_bytes = 1000};
    static char zeros[100000];
    memset(zeros, ' ', sizeof zeros);
    struct buf good = gzip(SLICE("{\"number\":\"{{TOKEN1:detokenize}}\"}")), bad = gzip(SLICE("{\"a\":1,\"a\":2}")),
               bomb = gzip((slice){zeros, sizeof zeros});
    for (long split = -3; split <= 1; split++) {
        struct outcome o = run_body_with(&options, buf_slice(&good), split, card_pan());
        ck_assert(slice_is(buf_slice(&o.out), "{\"number\":\"" PAN_TEXT "\"}"));
        outcome_done(&o);
        o = run_body_with(&options, buf_slice(&bad), split, card_pan());
        ck_assert_int_eq(o.err, ERR_JSON_DUPLICATE_KEY);
        ck_assert_uint_eq(o.fault.offset, 7);
        outcome_done(&o);
        o = run_body_with(&options, buf_slice(&bomb), split, card_pan());
        ck_assert_int_eq(o.err, ERR_BODY_INFLATE);
        outcome_done(&o);
        o = run_body_with(&options, slice_range(buf_slice(&good), 0, good.len - 1), split, card_pan());
        ck_assert_int_eq(o.err, ERR_CONTENT_CODING_BROKEN);
        outcome_done(&o);
        o = run_body_with(&options, SLICE("{\"number\":1}"), split, card_pan());
        ck_assert_int_eq(o.err, ERR_CONTENT_CODING_BROKEN);
        outcome_done(&o);
    }
    buf_done(&good);
    buf_done(&bad);
    buf_done(&bomb);
    plan_drop(plan);
}
END_TEST

/* After a fault the body stays refused, with the same error. */
START_TEST(a_fault_stays)
{
    struct plan *plan = plan_of(BODY_JSON, json_rules);
    struct token_table *tokens = token_table_new(1, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = 1000};
    struct body *b = body_new(&options, tokens);
    ck_assert(!failed(body_feed(b, SLICE("{\"a\":\"{{TOKEN1:detokenize}}"))));
    ck_assert_int_eq(body_feed(b, SLICE("{{TOKEN1:detokenize}}\"")).err, ERR_PLACEHOLDER_COUNT);
    ck_assert_int_eq(body_feed(b, SLICE("}")).err, ERR_PLACEHOLDER_COUNT);
    ck_assert_int_eq(body_end(b).err, ERR_PLACEHOLDER_COUNT);
    struct buf out;
    buf_init_secret(&out, 1000);
    const struct credential *c[] = {card_pan()};
    ck_assert_int_eq(body_render(b, c, &out).err, ERR_INTERNAL);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_str_eq(body_fault(b)->path, "$.a");
    body_free(b);
    body_free(NULL);
    token_table_free(tokens);
    plan_drop(plan);
}
END_TEST

START_TEST(a_fault_stays_in_text)
{
    struct plan *plan = plan_of(BODY_TEXT, "");
    struct token_table *tokens = token_table_new(1, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = 1000};
    struct body *b = body_new(&options, tokens);
    ck_assert_int_eq(body_feed(b, SLICE("a{{TOKEN1:wrong}}")).err, ERR_PLACEHOLDER_KIND);
    ck_assert_int_eq(body_feed(b, SLICE("b")).err, ERR_PLACEHOLDER_KIND);
    ck_assert_int_eq(body_end(b).err, ERR_PLACEHOLDER_KIND);
    body_free(b);
    token_table_free(tokens);
    plan_drop(plan);
}
END_TEST

/* A string that is fed byte by byte must not be read anew for each: see json_walker.c, is_worth_it. Nothing is measured; with the
 * square of its length this would run into the suite's time-out. */
START_TEST(a_long_string_in_tiny_pieces)
{
    enum { LEN = 2 << 20 };
    char *text = malloc(LEN);
    memset(text, 'a', LEN);
    text[0] = text[LEN - 1] = '"';
    struct plan *plan = plan_of(BODY_JSON, json_rules);
    struct token_table *tokens = token_table_new(1, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = LEN};
    struct body *b = body_new(&options, tokens);
    for (size_t i = 0; i < LEN; i++) ck_assert(!failed(body_feed(b, (slice){text + i, 1})));
    ck_assert(!failed(body_end(b)));
    body_free(b);
    token_table_free(tokens);
    plan_drop(plan);
    free(text);
}
END_TEST

/* --- memory runs out --- */

/* Everything that allocates, once: escapes and pieces make yajl buffer, members past the first room make names grow. */
static enum error whole_life(const struct plan *plan, slice in, size_t piece, slice expected)
{
    enum error err = ERR_MEMORY;
    struct token_table *tokens = token_table_new(1000, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = 1u << 20};
    struct body *b = tokens ? body_new(&options, tokens) : NULL;
    struct buf out;
    buf_init(&out, 1u << 20);
    if (b) {
        result r = OK;
        for (size_t at = 0; at < in.len && !failed(r); at += piece)
            r = body_feed(b, slice_range(in, at, at + piece < in.len ? at + piece : in.len));
        if (!failed(r)) r = body_end(b);
        static const struct credential *credentials[1000];
        for (size_t i = 0; i < 1000; i++) credentials[i] = card_network_token();
        if (!failed(r)) r = body_render(b, credentials, &out);
        err = r.err;
    }
    fail_in = 0; /* check allocates too */
    if (err == ERR_NONE) ck_assert(slice_eq(buf_slice(&out), expected));
    buf_done(&out);
    body_free(b);
    token_table_free(tokens);
    return err;
}

static void fail_each_allocation(enum body_format format, const char *rules, slice in)
{
    struct plan *plan = plan_of(format, rules);
    struct outcome good = run_body(plan, in, WHOLE, card_network_token());
    ck_assert_int_eq(good.err, ERR_NONE);
    static const size_t pieces[] = {100000, 61};
    for (size_t p = 0; p < 2; p++) {
        for (int for_good = 0; for_good < 2; for_good++) {
            for (long n = 1;; n++) {
                refused = 0;
                fail_in = n;
                fail_for_good = for_good;
                enum error err = whole_life(plan, in, pieces[p], buf_slice(&good.out));
                ck_assert_int_eq(err, refused ? ERR_MEMORY : ERR_NONE);
                if (refused) continue;
                ck_assert_int_gt(n, 8);
                break;
            }
        }
    }
    outcome_done(&good);
    plan_drop(plan);
}

START_TEST(memory_runs_out)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    ck_assert(!failed(buf_append(&text, SLICE("{\"number\":\"\\u007b{TOKEN1:detokenize}}\""))));
    for (unsigned i = 0; i < 150; i++) {
        char line[256];
        int len = snprintf(line, sizeof line, ",\"m%u\":[{\"a\\n%u\":\"{{TOKEN%u:detokenize}}\\t%080u\"}]", i, i, i, i);
        ck_assert(!failed(buf_append(&text, (slice){line, (size_t)len})));
    }
    ck_assert(!failed(buf_append(&text, SLICE("}"))));
    fail_each_allocation(BODY_JSON, json_rules, buf_slice(&text));
    buf_done(&text);
    fail_each_allocation(BODY_FORM, "field number number\nset eci eci\ndrop cvc",
                         SLICE("cvc=1&number={{TOKEN1:detokenize}}&a={{TOKEN2:detokenize}}&b={{TOKEN3:detokenize}}"
                               "&c={{TOKEN4:detokenize}}&d={{TOKEN5:detokenize}}&e={{TOKEN6:detokenize}}"
                               "&f={{TOKEN7:detokenize}}{{TOKEN8:detokenize}}{{TOKEN9:detokenize}}{{TOKENa:detokenize}}"));
    fail_each_allocation(BODY_XML, "field //number number\nfield //@name expiry",
                         SLICE("<?xml version='1.0' encoding='utf-8'?><a:b xmlns:a='u' name='{{TOKEN1:detokenize}}'><!-- x --><number>{{TOKEN2:detokenize}}"
                               "</number><c><d><e/></d></c>{{TOKEN3:detokenize}}{{TOKEN4:detokenize}}{{TOKEN5:detokenize}}{{TOKEN6:detokenize}}"
                               "{{TOKEN7:detokenize}}{{TOKEN8:detokenize}}{{TOKEN9:detokenize}}{{TOKENa:detokenize}}<![CDATA[]]></a:b>"));
    fail_each_allocation(BODY_TEXT, "", SLICE("{{TOKEN1:detokenize}} {{TOKEN2:detokenize}} {{TOKEN3:detokenize}}"
                                              "{{TOKEN4:detokenize}}{{TOKEN5:detokenize}}{{TOKEN6:detokenize}}"
                                              "{{TOKEN7:detokenize}}{{TOKEN8:detokenize}}{{TOKEN9:detokenize}}"));
}
END_TEST

START_TEST(memory_runs_out_for_paths_and_snippets)
{
    for (long n = 1;; n++) {
        fail_in = n;
        fail_for_good = true;
        uint32_t number;
        size_t at;
        result r = FAIL(MEMORY);
        struct path_set *s = path_set_new(PATH_JSON);
        if (s) r = path_set_add(s, SLICE("$.a['b c'][*]..d[0].e.f.g.h.i.j.k.l.m.n.o"), &number, &at);
        struct token_table *tokens = token_table_new(10, NULL, NULL);
        struct snippet *snippet = NULL;
        if (!failed(r)) r = tokens ? snippet_new(SLICE("{{TOKEN1:detokenize}}"), ENCODING_PATH, tokens, &snippet) : FAIL(MEMORY);
        fail_in = 0;
        path_set_free(s);
        snippet_free(snippet);
        token_table_free(tokens);
        ck_assert_int_lt(n, 1000);
        if (!failed(r)) {
            ck_assert_int_gt(n, 20);
            return;
        }
        ck_assert_int_eq(r.err, ERR_MEMORY);
    }
}
END_TEST

RUN_TESTS("body", streaming_is_flat, streaming_in_every_piece, streaming_limits, held_limit, compressed, a_fault_stays,
          a_fault_stays_in_text, a_long_string_in_tiny_pieces, memory_runs_out, memory_runs_out_for_paths_and_snippets)
