/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <assert.h>

uint64_t intake_sure(const struct intake *i)
{
    return i->is_ended ? walk_end(&i->walk) : format_walker_sure(&i->walker, &i->walk);
}

bool intake_init(struct intake *i, enum content_coding coding, size_t max_held_bytes, size_t expected_bytes)
{
    struct walk *w = &i->walk;
    i->expected = expected_bytes < max_held_bytes ? expected_bytes : max_held_bytes;
    w->max_names = max_held_bytes / 4 + 1024; /* more members do not fit into a held body */
    if (w->finder)
        buf_init_secret(&w->held, max_held_bytes);
    else
        buf_init(&w->held, max_held_bytes);
    bool made = format_walker_init(&i->walker, w, w->plan->format);
    if (made && coding != CODING_IDENTITY) made = (i->inflater = inflater_new(coding)) != NULL;
    return made;
}

void intake_done(struct intake *i)
{
    format_walker_done(&i->walker);
    inflater_free(i->inflater);
    buf_done(&i->walk.held);
}

/* The walker sees what was stored before a failure too: the first mistake in the body is told, in whatever pieces it came. */
static result walk_stored(struct intake *i, result stored)
{
    TRY(format_walker_feed(&i->walker, &i->walk, failed(stored)));
    return failed(stored) ? walk_fail(&i->walk, stored.err, walk_end(&i->walk)) : OK;
}

static result feed_compressed(struct intake *i, slice bytes)
{
    result r = inflater_feed(i->inflater, bytes, &i->walk.held);
    if (r.err == ERR_TOO_LARGE) r = FAIL(BODY_INFLATE);
    return walk_stored(i, r);
}

/* A caller's word for the length takes no memory before as much as a sixteenth of it came. */
static void reserve_expected(struct intake *i)
{
    struct buf *held = &i->walk.held;
    if (i->walk.streamed || i->expected <= held->len || held->len < i->expected / 16) return;
    (void)failed(buf_reserve(held, i->expected - held->len)); /* if it fails, the buffer grows step by step */
    i->expected = 0;
}

static result feed_plain(struct intake *i, slice bytes)
{
    struct buf *held = &i->walk.held;
    reserve_expected(i);
    size_t room = held->max - held->len;
    bool fits = bytes.len <= room;
    result r = buf_append(held, fits ? bytes : slice_range(bytes, 0, room));
    if (!failed(r) && !fits) r = FAIL(BODY_TOO_LARGE);
    return walk_stored(i, r);
}

result intake_feed(struct intake *i, slice bytes)
{
    assert(!i->is_ended);
    if (i->walk.fault.err) return (result){i->walk.fault.err};
    if (bytes.len == 0) return OK;
    result r = i->inflater ? feed_compressed(i, bytes) : feed_plain(i, bytes);
    return failed(r) ? walk_fail(&i->walk, r.err, walk_end(&i->walk)) : OK;
}

result intake_end(struct intake *i)
{
    assert(!i->is_ended);
    if (i->walk.fault.err) return (result){i->walk.fault.err};
    result r = OK;
    if (i->inflater) r = inflater_end(i->inflater);
    if (failed(r)) {
        TRY(format_walker_feed(&i->walker, &i->walk, true));
        return walk_fail(&i->walk, r.err, walk_end(&i->walk));
    }
    r = format_walker_end(&i->walker, &i->walk);
    if (failed(r)) return walk_fail(&i->walk, r.err, walk_end(&i->walk));
    i->is_ended = true;
    return OK;
}
