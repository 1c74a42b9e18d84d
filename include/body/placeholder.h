/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PLACEHOLDER_H
#define BODY_PLACEHOLDER_H

/* Finds placeholders (README, "Placeholders") in any text that is decoded character by character: a JSON string with its escapes,
 * a form value with its percent signs, a header value. The scanner takes each decoded character together with the range of
 * raw bytes it came from, so it knows which raw bytes a placeholder covers.
 *
 *   raw      a \u007b { T O K 1 2 3 : …        What has the form "{{ word : word" is a placeholder and must be right once it
 *   decoded  a    {   { T O K 1 2 3 : …        is closed; every other brace, and one that is not closed before its text ends,
 *                 └ start                      is plain text.
 *
 * Stricter than "plain text", because card data is at stake, are two cases: a placeholder that holds another opening pair, and
 * one of more than PLACEHOLDER_MAX_CHARS, are refused whether they are closed or not. */

#include "body/plan.h"
#include "body/token_table.h"

enum { PLACEHOLDER_MAX_CHARS = 512 };

struct placeholder {
    char token[TOKEN_ID_MAX_BYTES];
    uint8_t token_len;
    enum token_kind kind;
    bool has_extract;
    enum element element; /* of the extract stage */
    enum date_format date;
    bool parse_integer;
};
/* <text> stands between the braces. ERR_PLACEHOLDER_SYNTAX, _KIND, _STAGE, _TOKEN. */
MUST_USE result placeholder_parse(slice text, struct placeholder *out);

/* What the placeholder asks for where it stands: its extract stage wins, then the rules' field (NULL: none), then the number.
 * <whole>: it is all of its string. ERR_PLACEHOLDER_STAGE, _MIXED_NUMBER, ERR_ELEMENT_FORMAT. */
struct placeholder_wish {
    enum element element;
    enum date_format format;
    bool as_number;
};
MUST_USE result placeholder_resolve(const struct placeholder *p, const struct plan_field *field, bool whole,
                                    struct placeholder_wish *out);

enum placeholder_state {
    PLACEHOLDER_IDLE,
    PLACEHOLDER_BRACE,        /* { */
    PLACEHOLDER_OPEN,         /* {{ and blanks */
    PLACEHOLDER_TOKEN,        /* {{ word */
    PLACEHOLDER_AFTER_TOKEN,  /* {{ word and blanks */
    PLACEHOLDER_COLON,        /* {{ word : and blanks */
    PLACEHOLDER_KIND,         /* {{ word : word */
    PLACEHOLDER_BODY,         /* past it: must be right */
};
struct placeholder_scanner {
    enum placeholder_state state;
    char open, last;        /* which brace opened it; the character before in BODY */
    bool is_odd_token;      /* the first word is not of token characters */
    bool has_blank;
    uint16_t len, kind_at;  /* in text[] */
    uint64_t start, second; /* raw offsets of the two opening braces */
    char text[PLACEHOLDER_MAX_CHARS];
};
struct placeholder_found {
    uint64_t start, end; /* raw range, braces included */
    struct placeholder what;
};

static inline void placeholder_reset(struct placeholder_scanner *s)
{
    s->state = PLACEHOLDER_IDLE;
}

static inline bool placeholder_is_opener(char c)
{
    return c == '{' || c == '<';
}

/* While idle, characters that are no openers need not be pushed. */
static inline bool placeholder_is_idle(const struct placeholder_scanner *s)
{
    return s->state == PLACEHOLDER_IDLE;
}

/* First '{' or '<'; text.len if there is none. */
size_t placeholder_find_opener(slice text);

/* One decoded character (any byte of a longer one is pushed as 0x80 or above), from the raw bytes [from, to).
 * *is_found: the character closed *found. */
MUST_USE result placeholder_push(struct placeholder_scanner *s, char c, uint64_t from, uint64_t to,
                                 struct placeholder_found *found, bool *is_found);
/* The same for text in which every character is one raw byte, from offset <at> on: up to the end of the first placeholder, or
 * of the text. *used: bytes taken; after an error, where it is. */
MUST_USE result placeholder_push_plain(struct placeholder_scanner *s, slice text, uint64_t at,
                                       struct placeholder_found *found, bool *is_found, size_t *used);
/* Raw offset before which nothing can belong to an open placeholder; <at> when idle. */
uint64_t placeholder_sure(const struct placeholder_scanner *s, uint64_t at);

#endif
