/* SPDX-License-Identifier: Apache-2.0 */
#include "body/inbound.h"

#include "base/secret.h"
#include "body/pan_scan.h"
#include "finder.h"
#include "intake.h"

#include <stdlib.h>
#include <string.h>

struct inbound {
    struct intake intake;
    struct finder *finder;
    char *text; /* charset and boundary */
};

static bool copy_text(struct inbound *b, const struct inbound_options *options)
{
    slice charset = options->charset, boundary = options->boundary;
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

/* Numbers are looked for in bytes that are ASCII. JSON is UTF-8 or refused; XML says itself what it is. */
static bool is_readable(const struct inbound *b)
{
    static const char *const others[] = {"utf-16", "utf16", "utf-32", "utf32", "ucs-2", "ucs-4", "iso-10646-ucs",
                                         "utf-7", "ebcdic", "cp037", "ibm037", "ibm500", "ibm1047"};
    const struct walk *w = &b->intake.walk;
    if (w->plan->format == BODY_JSON || w->plan->format == BODY_XML) return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        slice other = slice_of(others[i]);
        if (w->charset.len >= other.len && slice_ieq(slice_range(w->charset, 0, other.len), other)) return false;
    }
    return true;
}

result inbound_feed(struct inbound *b, slice bytes)
{
    if (!is_readable(b)) return walk_fail(&b->intake.walk, ERR_CHARSET, 0);
    return checked(b, intake_feed(&b->intake, bytes));
}

result inbound_end(struct inbound *b)
{
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
