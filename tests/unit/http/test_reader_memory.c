/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "http/reader.h"

#include <check.h>
#include <stdlib.h>

/* The n-th allocation fails, for every n until none is left to fail: the reader must say so, and nothing else happens.
 * The linker sends the calls of our libraries here (--wrap). */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void __real_free(void *at);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void __wrap_free(void *at);

static long until_failure = -1;
static long held; /* blocks allocated and not freed */

static bool fails_now(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t bytes)
{
    if (fails_now()) return NULL;
    held++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    if (fails_now()) return NULL;
    held++;
    return __real_calloc(count, bytes);
}

void __wrap_free(void *at)
{
    if (at) held--;
    __real_free(at);
}

static enum http_step last_step(struct http_reader *r, slice bytes, size_t piece)
{
    enum http_step step = HTTP_MORE, seen = HTTP_MORE;
    while (bytes.len > 0 && step != HTTP_REFUSED) {
        slice part = slice_range(bytes, 0, piece < bytes.len ? piece : bytes.len);
        bytes = slice_after(bytes, part.len);
        do {
            size_t used;
            step = http_reader_feed(r, part, &used);
            part = slice_after(part, used);
            if (step != HTTP_MORE) seen = step;
        } while (step != HTTP_MORE && step != HTTP_REFUSED);
    }
    return seen;
}

/* How many allocations a message makes: each of them failed once. */
static long fail_each(const char *message, size_t piece)
{
    const struct http_limits limits = {.head_bytes = 16 * 1024, .fields = 100};
    for (long n = 0;; n++) {
        until_failure = n;
        struct http_reader *r = http_reader_new(HTTP_REQUESTS, &limits);
        enum http_step step = r ? last_step(r, slice_of(message), piece) : HTTP_REFUSED;
        bool failed_one = until_failure < 0;
        until_failure = -1;
        if (r && step == HTTP_REFUSED) ck_assert_int_eq(http_reader_refusal(r), REFUSAL_MEMORY);
        http_reader_free(r);
        if (!failed_one) {
            ck_assert_int_eq(step, HTTP_END);
            return n;
        }
        ck_assert_int_eq(step, HTTP_REFUSED);
    }
}

static struct buf long_message(void)
{
    struct buf b;
    buf_init(&b, 16 * 1024);
    ck_assert(!failed(buf_append(&b, SLICE("GET http://a?b HTTP/1.1\r\nHost: a\r\n"))));
    for (int i = 0; i < 90; i++)
        ck_assert(!failed(buf_append(&b, SLICE("X-Field: some value that fills the head's text\r\n"))));
    ck_assert(!failed(buf_append(&b, (slice){"\r\n", 3}))); /* with its NUL */
    return b;
}

START_TEST(each_allocation_may_fail)
{
    ck_assert_int_ge(fail_each("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1000), 3);
    struct buf b = long_message();
    ck_assert_int_ge(fail_each(b.at, 100), 6);
    ck_assert_int_ge(fail_each(b.at, b.len), 4);
    buf_done(&b);
}
END_TEST

START_TEST(idle_reader_holds_itself_only)
{
    const struct http_limits limits = {.head_bytes = 16 * 1024, .fields = 100};
    slice message = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    size_t used;
    long blocks[4]; /* counted first and judged after: the test library allocates too */
    held = 0;
    struct http_reader *r = http_reader_new(HTTP_REQUESTS, &limits);
    blocks[0] = held;
    enum http_step head = http_reader_feed(r, message, &used);
    blocks[1] = held;
    enum http_step end = http_reader_feed(r, SLICE_NONE, &used);
    enum http_step more = http_reader_feed(r, SLICE_NONE, &used);
    blocks[2] = held;
    http_reader_free(r);
    blocks[3] = held;
    ck_assert(head == HTTP_HEAD && end == HTTP_END && more == HTTP_MORE);
    ck_assert_int_eq(blocks[0], 1);
    ck_assert_int_eq(blocks[1], 3);
    ck_assert_int_eq(blocks[2], 1);
    ck_assert_int_eq(blocks[3], 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_reader_memory");
    TCase *t = tcase_create("memory");
    tcase_add_test(t, each_allocation_may_fail);
    tcase_add_test(t, idle_reader_holds_itself_only);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int bad = srunner_ntests_failed(sr);
    srunner_free(sr);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
