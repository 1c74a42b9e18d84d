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
    char *text; /* charset, boundary, type */
    bool has_bytes;
};

/* One after the other in one piece of memory. What is given but empty stays so. */
static slice keep(char **room, slice text)
{
    slice kept = {*room, text.len};
    if (!text.at) return SLICE_NONE;
    if (text.len) memcpy(*room, text.at, text.len);
    *room += text.len;
    return kept;
}

static bool copy_text(struct inbound *b, const struct inbound_options *options)
{
    struct walk *w = &b->intake.walk;
    char *room = b->text = malloc(options->charset.len + options->boundary.len + options->media_type.len + 1);
    if (!room) return false;
    w->charset = keep(&room, options->charset);
    w->boundary = keep(&room, options->boundary);
    w->media_type = keep(&room, options->media_type);
    return true;
}

struct inbound *inbound_new(const struct inbound_options *options)
{
    struct inbound *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    struct walk *w = &b->intake.walk;
    w->plan = options->plan;
    w->pass_types = options->pass_types;
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

result inbound_feed(struct inbound *b, slice bytes)
{
    b->has_bytes |= bytes.len > 0;
    return checked(b, intake_feed(&b->intake, bytes));
}

result inbound_end(struct inbound *b)
{
    if (b->has_bytes)
        TRY(checked(b, intake_end(&b->intake)));
    else
        b->intake.is_ended = true; /* partners do answer so, whatever their type says; no card is in it */
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
