/* SPDX-License-Identifier: Apache-2.0 */
#include "body/inbound.h"
#include "finder.h"
#include "walker.h"

#include <stdlib.h>

struct inbound_text {
    struct walk walk;
    struct finder *finder;
};

/* One number in every ten bytes and more do not fit; a head is capped anyway. */
static size_t most_cards(slice text)
{
    return text.len / 10 + 1;
}

static result look(struct inbound_text *t, enum encoding encoding)
{
    bool percent = encoding == ENCODING_QUERY || encoding == ENCODING_PATH || encoding == ENCODING_FORM;
    bool plus = encoding == ENCODING_QUERY || encoding == ENCODING_FORM; /* a '+' in a path is a '+' */
    slice raw = buf_slice(&t->walk.held);
    struct value v = {.text = raw, .end = raw.len};
    struct buf decoded;
    buf_init_secret(&decoded, raw.len);
    result r = percent ? walk_percent_decode(raw, plus, true, &decoded, &v.text) : OK;
    if (v.text.len < raw.len) v.raw_at = walk_percent_raw_at;
    if (!failed(r)) r = finder_value(t->finder, &v);
    buf_done(&decoded);
    return failed(r) ? r : finder_end(t->finder);
}

/* A number has a digit in it: no other text is worth a copy. */
static bool has_digit(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] >= '0' && text.at[i] <= '9') return true;
    return false;
}

result inbound_text_new(slice text, enum encoding encoding, struct inbound_text **out)
{
    static const struct plan find_pan = {.format = BODY_TEXT, .find_pan = true};
    *out = NULL;
    if (text.len < PAN_MIN_DIGITS || !has_digit(text)) return OK;
    struct inbound_text *t = calloc(1, sizeof *t);
    ENSURE(t != NULL, MEMORY);
    t->walk.plan = &find_pan;
    buf_init_secret(&t->walk.held, text.len);
    t->finder = finder_new(&t->walk, &(struct inbound_options){.plan = &find_pan, .max_cards = most_cards(text)});
    result r = t->finder ? buf_append(&t->walk.held, text) : FAIL(MEMORY);
    if (!failed(r)) r = look(t, encoding);
    if (!failed(r) && finder_card_count(t->finder) > 0) {
        *out = t;
        return OK;
    }
    inbound_text_free(t);
    return r;
}

void inbound_text_free(struct inbound_text *t)
{
    if (!t) return;
    finder_free(t->finder);
    buf_done(&t->walk.held);
    free(t);
}

size_t inbound_text_card_count(const struct inbound_text *t)
{
    return finder_card_count(t->finder);
}

const struct credential *inbound_text_card(const struct inbound_text *t, size_t index)
{
    return finder_card(t->finder, index);
}

result inbound_text_render(const struct inbound_text *t, const struct inbound_alias *aliases, struct buf *out)
{
    return finder_render(t->finder, aliases, out);
}
