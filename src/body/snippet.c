/* SPDX-License-Identifier: Apache-2.0 */
#include "body/body.h"
#include "body/percent.h"
#include "walker.h"

#include <stdlib.h>

struct snippet {
    struct walk walk;
};

/* '{' or '<', raw or percent-encoded: anything without one holds no placeholder. */
bool snippet_is_needed(slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        size_t len;
        if (c == '%') (void)percent_read(slice_after(text, i), false, &c, &len);
        if (placeholder_is_opener(c)) return true;
    }
    return false;
}

/* A stray percent sign is plain text here: the processor decides about it, as it would without us. */
static result scan(struct snippet *s, enum encoding encoding)
{
    bool percent = encoding == ENCODING_QUERY || encoding == ENCODING_PATH || encoding == ENCODING_FORM;
    bool plus = encoding == ENCODING_QUERY || encoding == ENCODING_FORM; /* a '+' in a path is a '+' */
    slice text = buf_slice(&s->walk.held);
    struct placeholder_scanner scanner;
    struct placeholder_found found;
    bool is_found;
    placeholder_reset(&scanner);
    for (size_t i = 0, len = 1; i < text.len; i += len) {
        char c = text.at[i];
        if (percent) (void)percent_read(slice_after(text, i), plus, &c, &len);
        TRY(placeholder_push(&scanner, c, i, i + len, &found, &is_found));
        if (!is_found) continue;
        bool whole = found.start == 0 && found.end == text.len;
        TRY(walk_add_slot(&s->walk, &found, NULL, whole, 0));
    }
    return OK;
}

result snippet_new(slice text, enum encoding encoding, struct token_table *tokens, struct snippet **out)
{
    *out = NULL;
    struct snippet *s = calloc(1, sizeof *s);
    ENSURE(s != NULL, MEMORY);
    s->walk.tokens = tokens;
    splice_init(&s->walk.splice, NULL, tokens, encoding);
    buf_init(&s->walk.held, text.len);
    result r = buf_append(&s->walk.held, text);
    if (!failed(r)) r = scan(s, encoding);
    if (failed(r)) {
        snippet_free(s);
        return r;
    }
    *out = s;
    return OK;
}

void snippet_free(struct snippet *s)
{
    if (!s) return;
    splice_done(&s->walk.splice);
    buf_done(&s->walk.held);
    free(s);
}

bool snippet_has_slots(const struct snippet *s)
{
    return s->walk.splice.count > 0;
}

result snippet_render(const struct snippet *s, const struct credential *const *credentials, struct buf *out)
{
    return splice_render(&s->walk.splice, buf_slice(&s->walk.held), 0, credentials, out);
}
