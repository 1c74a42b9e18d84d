/* SPDX-License-Identifier: Apache-2.0 */
#include "body/body.h"
#include "body/placeholder.h"

#include <stdlib.h>
#include <string.h>

/* The first byte chooses the encoding, the rest is the text. A text without slots comes out as it was; the scanner finds the
 * same whether characters are pushed one by one, in runs, or each as a longer raw form. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) abort();
}

struct scan {
    enum error err;
    unsigned count;
    uint64_t sum; /* of what was found, and where */
};

static void note(struct scan *s, const struct placeholder_found *f, uint64_t stretch)
{
    require(f->start < f->end && f->end % stretch == 0 && f->start % stretch == 0);
    require(f->what.token_len >= TOKEN_ID_MIN_BYTES && f->what.token_len <= TOKEN_ID_MAX_BYTES);
    s->count++;
    s->sum = s->sum * 31 + f->start / stretch * 7 + f->end / stretch * 3 + (uint64_t)f->what.element + f->what.token_len;
}

static struct scan scan_stretched(slice text, uint64_t stretch)
{
    struct placeholder_scanner scanner;
    struct placeholder_found found;
    struct scan s = {0};
    bool is_found;
    placeholder_reset(&scanner);
    for (size_t i = 0; i < text.len; i++) {
        s.err = placeholder_push(&scanner, text.at[i], i * stretch, (i + 1) * stretch, &found, &is_found).err;
        if (s.err) break;
        if (is_found) note(&s, &found, stretch);
    }
    return s;
}

static struct scan scan_in_runs(slice text, size_t piece)
{
    struct placeholder_scanner scanner;
    struct placeholder_found found;
    struct scan s = {0};
    bool is_found;
    placeholder_reset(&scanner);
    for (size_t i = 0, used; i < text.len; i += used) {
        size_t end = i + piece < text.len ? i + piece : text.len;
        s.err = placeholder_push_plain(&scanner, slice_range(text, i, end), i, &found, &is_found, &used).err;
        if (s.err) break;
        require(used > 0);
        if (is_found) note(&s, &found, 1);
    }
    return s;
}

static void check_snippet(slice text, enum encoding encoding)
{
    static struct credential c = {.number = "4111111111111111", .number_len = 16, .month = 1, .year = 2030};
    const struct credential *all[16];
    for (size_t i = 0; i < 16; i++) all[i] = &c;
    struct token_table *tokens = token_table_new(16, NULL, NULL);
    struct snippet *s;
    struct buf out;
    buf_init(&out, 1u << 20);
    result r = snippet_new(text, encoding, tokens, &s);
    require(failed(r) == (s == NULL));
    if (s && !failed(snippet_render(s, all, &out)))
        require(snippet_has_slots(s) || slice_eq(buf_slice(&out), text));
    require(snippet_is_needed(text) || (s && !snippet_has_slots(s)));
    buf_done(&out);
    snippet_free(s);
    token_table_free(tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 2000) return 0;
    slice text = {(const char *)data + 1, size - 1};
    struct scan one = scan_stretched(text, 1), six = scan_stretched(text, 6);
    require(memcmp(&one.err, &six.err, sizeof one.err) == 0 && one.count == six.count && one.sum == six.sum);
    const size_t pieces[] = {1, 5, 2000};
    for (size_t i = 0; i < 3; i++) {
        struct scan runs = scan_in_runs(text, pieces[i]);
        require(one.err == runs.err && one.count == runs.count && one.sum == runs.sum);
    }
    check_snippet(text, (enum encoding)(data[0] % (ENCODING_XML + 1)));
    return 0;
}
