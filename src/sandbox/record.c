/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/record.h"

#include "base/ascii.h"
#include "base/clock.h"
#include "base/secret.h"
#include "vault/card.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t number;
    int64_t at_ms;
    bool cut;
    struct buf head, body;
};
struct record {
    uint64_t count;
    struct entry kept[RECORD_KEPT]; /* a ring */
};

static void entry_init(struct entry *e)
{
    *e = (struct entry){0};
    buf_init(&e->head, RECORD_HEAD_MAX);
    buf_init(&e->body, RECORD_BODY_MAX);
}

struct record *record_new(void)
{
    struct record *r = calloc(1, sizeof *r);
    for (size_t i = 0; r && i < RECORD_KEPT; i++) entry_init(&r->kept[i]);
    return r;
}

void record_clear(struct record *r)
{
    for (size_t i = 0; i < RECORD_KEPT; i++) {
        buf_done(&r->kept[i].head);
        buf_done(&r->kept[i].body);
        entry_init(&r->kept[i]);
    }
    r->count = 0;
}

void record_free(struct record *r)
{
    if (r) record_clear(r);
    free(r);
}

static bool keep(struct buf *into, slice text)
{
    size_t len = text.len < into->max ? text.len : into->max;
    bool whole = !failed(buf_append(into, slice_range(text, 0, len)));
    return whole && len == text.len;
}

void record_add(struct record *r, slice raw_head, slice body)
{
    struct entry *e = &r->kept[r->count % RECORD_KEPT];
    buf_done(&e->head);
    buf_done(&e->body);
    entry_init(e);
    e->number = ++r->count;
    e->at_ms = clock_wall_ms();
    e->cut = !keep(&e->head, raw_head);
    e->cut = !keep(&e->body, body) || e->cut;
}

/* --- masking --- */

static bool is_card_number(slice digits)
{
    struct card card = {0};
    bool good = digits.len >= PAN_MIN_DIGITS && digits.len <= PAN_MAX_DIGITS && !failed(card_set_number(&card, digits));
    secret_wipe(&card, sizeof card);
    return good;
}

static size_t cvc_name_at(slice text, size_t i)
{
    static const char *const names[] = {"securityCode", "CVC", "cvc", "cvv"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        if (slice_starts(slice_after(text, i), slice_of(names[n]))) return strlen(names[n]);
    return 0;
}

/* Stars over the digits of the value that follows a CVC's name; returns where the value ends. */
static size_t mask_cvc(char *text, size_t i, size_t len)
{
    while (i < len && strchr("\": =", text[i])) i++;
    while (i < len && ascii_is_digit(text[i])) text[i++] = '*';
    return i;
}

static void mask(char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t name = cvc_name_at((slice){text, len}, i), end = i;
        if (name) {
            i = mask_cvc(text, i + name, len);
            continue;
        }
        while (end < len && ascii_is_digit(text[end])) end++;
        if (is_card_number((slice){text + i, end - i})) memset(text + i + 6, '*', end - i - 10);
        i = end > i ? end : i + 1;
    }
}

/* --- as JSON --- */

static void put_text(struct json *j, const char *name, slice text, bool masked)
{
    if (!masked || text.len == 0) {
        json_text(j, name, text);
        return;
    }
    char *copy = malloc(text.len);
    if (!copy) {
        j->failed = true;
        return;
    }
    memcpy(copy, text.at, text.len);
    mask(copy, text.len);
    json_text(j, name, (slice){copy, text.len});
    secret_wipe(copy, text.len);
    free(copy);
}

static slice without_cr(slice line)
{
    return line.len > 0 && line.at[line.len - 1] == '\r' ? slice_range(line, 0, line.len - 1) : line;
}

static void put_headers(struct json *j, slice rest, bool masked)
{
    slice line;
    json_open(j, "headers", '[');
    while (slice_next(&rest, '\n', &line)) {
        line = without_cr(line);
        size_t colon = slice_find(line, ':');
        if (colon == line.len) continue;
        json_open(j, NULL, '[');
        json_text(j, NULL, slice_range(line, 0, colon));
        put_text(j, NULL, slice_trim(slice_after(line, colon + 1)), masked);
        json_close(j, ']');
    }
    json_close(j, ']');
}

static void put_entry(struct json *j, const struct entry *e, bool masked)
{
    char at[CLOCK_RFC3339_BYTES];
    slice rest = buf_slice(&e->head), line = SLICE_NONE;
    clock_rfc3339(e->at_ms, at);
    if (!slice_next(&rest, '\n', &line)) return;
    line = without_cr(line);
    size_t space = slice_find(line, ' ');
    slice after = space < line.len ? slice_after(line, space + 1) : SLICE_NONE;
    json_open(j, NULL, '{');
    json_number(j, "number", (int64_t)e->number);
    json_text(j, "at", slice_of(at));
    json_text(j, "method", slice_range(line, 0, space));
    put_text(j, "target", slice_range(after, 0, slice_find(after, ' ')), masked);
    put_headers(j, rest, masked);
    put_text(j, "body", buf_slice(&e->body), masked);
    if (e->cut) json_text(j, "note", SLICE("longer than what is kept"));
    json_close(j, '}');
}

result record_write(const struct record *r, bool masked, struct buf *out)
{
    struct json j = {.out = out};
    uint64_t first = r->count > RECORD_KEPT ? r->count - RECORD_KEPT : 0;
    json_open(&j, NULL, '{');
    json_open(&j, "requests", '[');
    for (uint64_t i = first; i < r->count; i++) put_entry(&j, &r->kept[i % RECORD_KEPT], masked);
    json_close(&j, ']');
    json_close(&j, '}');
    return j.failed ? FAIL(TOO_LARGE) : OK;
}

result record_write_last(const struct record *r, bool masked, struct buf *out)
{
    if (r->count == 0) return OK;
    const struct entry *e = &r->kept[(r->count - 1) % RECORD_KEPT];
    TRY(buf_append(out, buf_slice(&e->head)));
    TRY(buf_append(out, buf_slice(&e->body)));
    if (masked) mask(out->at, out->len);
    return OK;
}
