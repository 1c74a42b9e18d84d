/* SPDX-License-Identifier: Apache-2.0 */
#include "body/inbound.h"

#include "base/secret.h"
#include "body/pan_scan.h"
#include "charset.h"
#include "finder.h"
#include "intake.h"

#include <stdlib.h>
#include <string.h>

struct inbound {
    struct intake intake;
    struct finder *finder;
    char *text; /* charset and boundary */
    bool has_odd_charset; /* given, but empty or more than once */
};

static bool is_plain_text(enum body_format format)
{
    return format == BODY_TEXT || format == BODY_CSV || format == BODY_FORM;
}

static bool copy_text(struct inbound *b, const struct inbound_options *options)
{
    slice charset = options->charset, boundary = options->boundary;
    b->has_odd_charset = charset.at && charset.len == 0 && options->plan->format != BODY_JSON;
    if (charset.len + boundary.len == 0) return true;
    b->text = malloc(charset.len + boundary.len);
    if (!b->text) return false;
    if (charset.len) memcpy(b->text, charset.at, charset.len);
    if (boundary.len) memcpy(b->text + charset.len, boundary.at, boundary.len);
    if (charset.at) b->intake.walk.charset = (slice){b->text, charset.len};
    if (boundary.at) b->intake.walk.boundary = (slice){b->text + charset.len, boundary.len};
    return true;
}

struct inbound *inbound_new(const struct inbound_options *options)
{
    struct inbound *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    struct walk *w = &b->intake.walk;
    w->plan = options->plan;
    b->finder = w->finder = finder_new(w, options);
    if (w->finder && copy_text(b, options) &&
        intake_init(&b->intake, options->coding, options->max_held_bytes, options->expected_bytes))
        return b;
    inbound_free(b);
    return NULL;
}

void inbound_free(struct inbound *b)
{
    if (!b) return;
    intake_done(&b->intake);
    finder_free(b->finder);
    free(b->text);
    free(b);
}

/* The path to a fault is told to whoever asked: it may have gone through a name that holds a card number. */
static result checked(struct inbound *b, result r)
{
    struct body_fault *fault = &b->intake.walk.fault;
    struct pan_found p;
    if (failed(r) && pan_scan(slice_of(fault->path), 0, &p)) secret_wipe(fault->path, sizeof fault->path);
    secret_wipe(&p, sizeof p);
    return r;
}

/* JSON is UTF-8 or refused, XML says itself what it is, and so do the parts of a form. A name that is not known, or stands twice, could be
 * one in which a number is not the bytes that are looked for. */
static bool is_readable(const struct inbound *b)
{
    const struct walk *w = &b->intake.walk;
    if (b->has_odd_charset) return false;
    if (!is_plain_text(w->plan->format)) return true;
    return !w->charset.len || charset_is_readable(w->charset);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits of UTF-16 or UTF-32: with one or three zero bytes from one to the next. */
static bool has_wide_digits(slice text)
{
    const char *end = text.at + text.len;
    for (const char *at = text.at; at && at < end && (at = memchr(at, 0, (size_t)(end - at))) != NULL; at++) {
        if (at == text.at || !is_digit(at[-1])) continue;
        if (end - at > 1 && is_digit(at[1])) return true;
        if (end - at > 3 && !at[1] && !at[2] && is_digit(at[3])) return true;
    }
    return false;
}

/* What says nothing of its charset may be UTF-16 all the same, as spreadsheets write it. No form and no CSV has a zero byte; what counts as
 * plain text may be anything, pictures too: there a number would show as wide digits. */
static bool is_wide(const struct inbound *b)
{
    slice held = buf_slice(&b->intake.walk.held);
    enum body_format format = b->intake.walk.plan->format;
    if (!is_plain_text(format) || !held.len) return false;
    return format == BODY_TEXT ? has_wide_digits(held) : memchr(held.at, 0, held.len) != NULL;
}

result inbound_feed(struct inbound *b, slice bytes)
{
    if (!is_readable(b)) return walk_fail(&b->intake.walk, ERR_CHARSET, 0);
    return checked(b, intake_feed(&b->intake, bytes));
}

result inbound_end(struct inbound *b)
{
    if (is_wide(b)) return walk_fail(&b->intake.walk, ERR_CHARSET, 0);
    TRY(checked(b, intake_end(&b->intake)));
    result r = finder_end(b->finder);
    if (!failed(r)) return OK;
    b->intake.is_ended = false; /* nothing can be rendered */
    return walk_fail(&b->intake.walk, r.err, walk_end(&b->intake.walk));
}

const struct body_fault *inbound_fault(const struct inbound *b)
{
    return &b->intake.walk.fault;
}

size_t inbound_card_count(const struct inbound *b)
{
    return finder_card_count(b->finder);
}

const struct credential *inbound_card(const struct inbound *b, size_t index)
{
    return finder_card(b->finder, index);
}

size_t inbound_invalid_count(const struct inbound *b)
{
    return finder_invalid_count(b->finder);
}

result inbound_render(const struct inbound *b, const struct inbound_alias *aliases, struct buf *out)
{
    ENSURE(b->intake.is_ended, INTERNAL);
    return finder_render(b->finder, aliases, out);
}
