/* SPDX-License-Identifier: Apache-2.0 */
#include "transcript.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every file of tests/corpus/http (make.py there says what its lines mean) against the reader, and at many splits. The
 * proxy's scenario tests send the same files over sockets. CORPUS is its folder. */

enum { FILE_MAX = 1024 * 1024, NAME_BYTES = 600, WORD_BYTES = 4096 };

static const struct http_limits limits = {.head_bytes = 16 * 1024, .fields = 100};

struct outcome {
    char expect[64], reason[64], body[WORD_BYTES];
    bool close;
    size_t upstream;
};

struct file {
    char name[NAME_BYTES];
    struct buf content;
    slice header, raw;
};

static void load(struct file *f)
{
    FILE *in = fopen(f->name, "rb");
    ck_assert_msg(in != NULL, "%s", f->name);
    buf_init(&f->content, FILE_MAX);
    ck_assert(!failed(buf_reserve(&f->content, FILE_MAX)));
    buf_added(&f->content, fread(buf_room(&f->content), 1, FILE_MAX, in));
    fclose(in);
    slice all = buf_slice(&f->content);
    size_t line = slice_find_slice(all, SLICE("\n---\n"));
    ck_assert_msg(line < all.len, "%s: no line '---'", f->name);
    f->header = slice_range(all, 0, line + 1);
    f->raw = slice_after(all, line + 5);
    ck_assert_msg(slice_starts(f->header, SLICE("# ")), "%s: no title", f->name);
}

/* The value of a header line; empty if there is none. */
static slice line_of(const struct file *f, const char *name)
{
    slice rest = f->header, line;
    while (slice_next(&rest, '\n', &line))
        if (slice_starts(line, slice_of(name)) && line.len > strlen(name) && line.at[strlen(name)] == ':')
            return slice_trim(slice_after(line, strlen(name) + 1));
    return SLICE_NONE;
}

static bool yes(const struct file *f, const char *name)
{
    return slice_is(line_of(f, name), "yes");
}

static void add_status(struct outcome *o, int status)
{
    size_t len = strlen(o->expect);
    snprintf(o->expect + len, sizeof o->expect - len, "%s%d", len ? " " : "", status);
}

static void add_body(struct outcome *o, slice data)
{
    size_t len = strlen(o->body);
    for (size_t i = 0; i < data.len && len + 4 < sizeof o->body; i++) {
        unsigned char c = (unsigned char)data.at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("_.-~", c);
        len += (size_t)snprintf(o->body + len, sizeof o->body - len, plain ? "%c" : "%%%02X", c);
    }
}

/* What a relay makes of the bytes: requests until one is refused or says close; or the answer to one request. */
static void act(const struct file *f, enum http_side side, struct outcome *o)
{
    struct http_reader *r = http_reader_new(side, &limits);
    slice left = f->raw;
    bool ended = false, in_final = false, told_eof = false;
    *o = (struct outcome){0};
    http_reader_expect_head_answer(r, slice_is(line_of(f, "request"), "HEAD"));
    while (!ended) {
        size_t used = 0;
        const struct http_head *h = http_reader_head(r);
        enum http_step step = told_eof ? http_reader_eof(r) : http_reader_feed(r, left, &used);
        left = slice_after(left, used);
        if (step == HTTP_HEAD) {
            o->body[0] = '\0';
            in_final = h->is_answer && h->status >= 200;
        } else if (step == HTTP_BODY) {
            add_body(o, http_reader_body(r));
        } else if (step == HTTP_END && side == HTTP_REQUESTS) {
            add_status(o, 200);
            o->upstream++;
            o->close = ended = !h->keep_alive;
        } else if (step == HTTP_END && h->status >= 200) {
            add_status(o, h->status);
            o->close = left.len > 0 || !h->keep_alive;
            if (left.len > 0) snprintf(o->reason, sizeof o->reason, "ANSWER_SURPLUS");
            ended = true;
        } else if (step == HTTP_REFUSED) {
            enum http_refusal why = http_reader_refusal(r);
            add_status(o, side == HTTP_REQUESTS ? refusal_status(why) : 502);
            if (in_final) strcat(o->expect, " or cut");
            snprintf(o->reason, sizeof o->reason, "%s", refusal_name(why));
            o->close = ended = true;
        } else if (step == HTTP_MORE) {
            bool over = told_eof || !yes(f, "eof");
            if (over && side == HTTP_ANSWERS) {
                add_status(o, 504);
                snprintf(o->reason, sizeof o->reason, "UPSTREAM_CLOSED");
                o->close = true;
            }
            ended = over;
            told_eof = true;
        }
    }
    http_reader_free(r);
}

static void check_outcome(const struct file *f, enum http_side side)
{
    struct outcome o;
    act(f, side, &o);
    slice expect = line_of(f, "expect"), reason = line_of(f, "reason"), body = line_of(f, "body");
    ck_assert_msg(slice_is(expect, o.expect), "%s: expected '%.*s', was '%s' (%s)", f->name, SLICE_ARG(expect),
                  o.expect, o.reason);
    ck_assert_msg(slice_is(reason, o.reason), "%s: expected reason '%.*s', was '%s'", f->name, SLICE_ARG(reason),
                  o.reason);
    ck_assert_msg(yes(f, "close") == o.close, "%s: close was %d", f->name, o.close);
    if (body.at) ck_assert_msg(slice_is(body, o.body), "%s: body was '%s'", f->name, o.body);
    if (side == HTTP_ANSWERS) return;
    uint64_t upstream;
    ck_assert_msg(slice_to_u64(line_of(f, "upstream"), 100, &upstream), "%s: no upstream count", f->name);
    ck_assert_msg(upstream == o.upstream, "%s: upstream was %zu", f->name, o.upstream);
}

static void same(const struct file *f, const struct reading *what, const struct transcript *whole, struct cut how)
{
    struct transcript t;
    transcript_take(&t, what, how);
    ck_assert_msg(slice_eq(buf_slice(&t.full), buf_slice(&whole->full)),
                  "%s: cut (%zu, %zu, %llu) tells '%.*s', whole '%.*s'", f->name, how.first, how.every,
                  (unsigned long long)how.seed, SLICE_ARG(buf_slice(&t.steps)), SLICE_ARG(buf_slice(&whole->steps)));
    transcript_done(&t);
}

static void check_splits(const struct file *f, enum http_side side)
{
    struct reading what = {.side = side,
                           .limits = limits,
                           .bytes = f->raw,
                           .eof = yes(f, "eof"),
                           .head_answer = slice_is(line_of(f, "request"), "HEAD")};
    struct transcript whole;
    transcript_take(&whole, &what, (struct cut){0});
    if (f->raw.len < 2000) same(f, &what, &whole, (struct cut){.every = 1});
    for (size_t first = 1; first < f->raw.len && f->raw.len < 600; first++)
        same(f, &what, &whole, (struct cut){.first = first});
    for (uint64_t seed = 1; seed <= 3; seed++)
        same(f, &what, &whole, (struct cut){.every = f->raw.len < 2000 ? 9 : 999, .seed = seed});
    ck_assert_msg(transcript_rereads_equal(&whole, &what), "%s: reads differently when rewritten", f->name);
    transcript_done(&whole);
}

typedef void (*visitor)(struct file *f, enum http_side side);

static void check_file(struct file *f, enum http_side side)
{
    check_outcome(f, side);
    check_splits(f, side);
}

static bool seen[REFUSAL_COUNT];

static void note_reason(struct file *f, enum http_side side)
{
    (void)side;
    for (unsigned i = 1; i < REFUSAL_COUNT; i++)
        if (slice_is(line_of(f, "reason"), refusal_name((enum http_refusal)i))) seen[i] = true;
}

static void visit_folder(const char *folder, enum http_side side, size_t at_least, visitor visit)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s", folder);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct file f;
        size_t len = strlen(e->d_name);
        if (len < 5 || strcmp(e->d_name + len - 5, ".http") != 0) continue;
        snprintf(f.name, sizeof f.name, "%s/%s", folder, e->d_name);
        load(&f);
        visit(&f, side);
        buf_done(&f.content);
        count++;
    }
    closedir(dir);
    ck_assert_msg(count >= at_least, "only %zu files in %s", count, folder);
}

START_TEST(requests)
{
    visit_folder(CORPUS, HTTP_REQUESTS, 200, check_file);
}
END_TEST

START_TEST(answers)
{
    visit_folder(CORPUS "/answers", HTTP_ANSWERS, 60, check_file);
}
END_TEST

/* A row without a case would be a refusal that nobody has seen. Three cannot be had by bytes alone: memory, what follows a
 * request that said close, which a relay never reads, and what only a forward proxy's reader gets to see (test_reader_head). */
START_TEST(every_refusal_has_a_case)
{
    visit_folder(CORPUS, HTTP_REQUESTS, 200, note_reason);
    visit_folder(CORPUS "/answers", HTTP_ANSWERS, 60, note_reason);
    seen[REFUSAL_MEMORY] = seen[REFUSAL_AFTER_CLOSE] = seen[REFUSAL_CONNECT_CONTENT] = true;
    for (unsigned i = 1; i < REFUSAL_COUNT; i++)
        ck_assert_msg(seen[i], "no case for %s", refusal_name((enum http_refusal)i));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_corpus");
    TCase *t = tcase_create("corpus");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, requests);
    tcase_add_test(t, answers);
    tcase_add_test(t, every_refusal_has_a_case);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int bad = srunner_ntests_failed(sr);
    srunner_free(sr);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
