/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "failing_memory.h"
#include "inbound_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST_CARDS = 64 };

/* Everything that allocates, once. */
static enum error whole_life(const struct inbound_options *options, slice in, size_t piece)
{
    static const struct inbound_alias alias = {CONST_SLICE("alias"), CONST_SLICE("cvc")};
    struct inbound_alias aliases[MOST_CARDS];
    struct inbound *b = inbound_new(options);
    struct buf out;
    result r = b ? OK : FAIL(MEMORY);
    buf_init(&out, 1u << 20);
    for (size_t i = 0; i < MOST_CARDS; i++) aliases[i] = alias;
    for (size_t at = 0; at < in.len && !failed(r); at += piece)
        r = inbound_feed(b, slice_range(in, at, at + piece < in.len ? at + piece : in.len));
    if (!failed(r)) r = inbound_end(b);
    if (!failed(r)) r = inbound_render(b, aliases, &out);
    fail_in = 0;
    ck_assert(failed(r) || (out.len > 0 && inbound_card_count(b) > 1));
    buf_done(&out);
    inbound_free(b);
    return r.err;
}

static void fail_each_allocation(enum body_format format, const char *rules, slice in)
{
    static const size_t pieces[] = {100000, 61};
    struct plan *plan = plan_of(format, rules);
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 1u << 20, .max_cards = MOST_CARDS, .charset = SLICE("utf-8"),
                                            .boundary = SLICE("b")};
    for (size_t p = 0; p < 4; p++) {
        for (long n = 1;; n++) {
            refused = 0;
            fail_in = n;
            fail_for_good = p / 2;
            enum error err = whole_life(&options, in, pieces[p % 2]);
            ck_assert_int_eq(err, refused ? ERR_MEMORY : ERR_NONE);
            if (refused) continue;
            ck_assert_int_gt(n, 6);
            break;
        }
    }
    plan_drop(plan);
}

#define P "4111111111111111"
#define TWENTY_ROWS(row) row row row row row row row row row row row row row row row row row row row row

START_TEST(memory_runs_out)
{
    fail_each_allocation(BODY_JSON, "find\nfield $..cvc cvc",
                         SLICE("[" TWENTY_ROWS("{\"\\n\":\"x\\t" P "\",\"cvc\":123,\"a\":\"5555555555554444\"},") "0]"));
    fail_each_allocation(BODY_FORM, "find\nfield cvc cvc", SLICE("x" TWENTY_ROWS("&cvc=123&b=+" P "+5555555555554444")));
    fail_each_allocation(BODY_CSV, "find\nfield cvc cvc", SLICE("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,cvc\n" TWENTY_ROWS("\"\"\"" P "\",5555555555554444\n")));
    fail_each_allocation(BODY_XML, "find\nfield //@cvc cvc", SLICE("<r>" TWENTY_ROWS("<c cvc='123' a='" P "'>&#53;555555555554444</c>") "</r>"));
    fail_each_allocation(BODY_MULTIPART, "find\nfield cvc cvc",
                         SLICE(TWENTY_ROWS("--b\r\nContent-Disposition: form-data; name=cvc\r\n\r\n123\r\n--b\r\nContent-Disposition: form-data; name=f; "
                                           "filename=x\r\n\r\n" P "\n5555555555554444\r\n") "--b--"));
    fail_each_allocation(BODY_TEXT, "find", SLICE(TWENTY_ROWS(P " 5555555555554444\n")));
}
END_TEST

START_TEST(memory_runs_out_for_texts)
{
    for (long n = 1;; n++) {
        struct inbound_text *t = NULL;
        refused = 0;
        fail_in = n;
        fail_for_good = true;
        result r = inbound_text_new(SLICE("a=%34111111111111111"), ENCODING_QUERY, &t);
        fail_in = 0;
        ck_assert_int_eq(r.err, refused ? ERR_MEMORY : ERR_NONE);
        ck_assert(failed(r) == (t == NULL));
        inbound_text_free(t);
        if (!refused) break;
    }
}
END_TEST

/* --- compressed bodies --- */

static struct buf gzip(slice text)
{
    struct buf out;
    z_stream z = {0};
    buf_init(&out, 1 << 20);
    ck_assert(!failed(buf_reserve(&out, text.len + 1000)));
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
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
    static char zeros[100000];
    memset(zeros, ' ', sizeof zeros);
    struct plan *plan = plan_of(BODY_JSON, "find");
    const struct inbound_options options = {.plan = plan, .coding = CODING_GZIP, .max_held_bytes = 1000, .max_cards = 10};
    struct buf good = gzip(SLICE("{\"a\":\"" P "\"}")), bomb = gzip((slice){zeros, sizeof zeros});
    struct inbound_outcome o = run_inbound_every_split(&options, buf_slice(&good));
    ck_assert(slice_is(buf_slice(&o.out), "{\"a\":\"alias_0\"}"));
    inbound_outcome_done(&o);
    o = run_inbound_every_split(&options, buf_slice(&bomb));
    ck_assert_int_eq(o.err, ERR_BODY_INFLATE);
    inbound_outcome_done(&o);
    o = run_inbound_every_split(&options, slice_range(buf_slice(&good), 0, good.len - 1));
    ck_assert_int_eq(o.err, ERR_CONTENT_CODING_BROKEN);
    inbound_outcome_done(&o);
    buf_done(&good);
    buf_done(&bomb);
    plan_drop(plan);
}
END_TEST

START_TEST(a_fault_stays)
{
    struct plan *plan = plan_of(BODY_JSON, "find");
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 1000, .max_cards = 1};
    struct inbound *b = inbound_new(&options);
    struct buf out;
    buf_init(&out, 1000);
    ck_assert_int_eq(inbound_feed(b, SLICE("{\"a\":\"" P " 5555555555554444\"")).err, ERR_INBOUND_COUNT);
    ck_assert_int_eq(inbound_feed(b, SLICE("}")).err, ERR_INBOUND_COUNT);
    ck_assert_int_eq(inbound_end(b).err, ERR_INBOUND_COUNT);
    ck_assert_int_eq(inbound_render(b, &(struct inbound_alias){SLICE("alias"), SLICE_NONE}, &out).err, ERR_INTERNAL);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_str_eq(inbound_fault(b)->path, "$.a");
    inbound_free(b);
    inbound_free(NULL);
    plan_drop(plan);
}
END_TEST

RUN_TESTS("inbound_memory", memory_runs_out, memory_runs_out_for_texts, compressed, a_fault_stays)
