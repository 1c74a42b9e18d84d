/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "link_priv.h"

#include <assert.h>

/* Input lives in one of two places:
 *
 *     in the loop's scratch buffer    while LINK_READABLE is delivered, if the link kept nothing from before
 *     in l->in                        what the owner left; given back as soon as it is consumed
 *
 * l->view is always the part not yet consumed. */

static bool is_kept(const struct link *l)
{
    return l->in.len > 0;
}

static void forget_input(struct link *l)
{
    buf_release(&l->in);
    l->view = SLICE_NONE;
}

/* Drops from the front of l->in what was consumed already. */
static void compact(struct link *l)
{
    buf_consume(&l->in, l->in.len - l->view.len);
    l->view = buf_slice(&l->in);
}

static bool keep(struct link *l, slice bytes)
{
    if (is_kept(l)) compact(l);
    if (failed(buf_append(&l->in, bytes))) return false;
    l->view = buf_slice(&l->in);
    return true;
}

/* After the owner saw the input: keep what it left. False: memory is short, and bytes of the stream are lost. */
static bool settle(struct link *l)
{
    bool kept = is_kept(l);
    if (l->view.len == 0 || link_is_ended(l)) {
        forget_input(l);
        return true;
    }
    if (!kept && !keep(l, l->view)) {
        forget_input(l);
        return false;
    }
    l->full = l->view.len >= LINK_INPUT_MAX_BYTES;
    return true;
}

/* False: the link is ended or broken. */
static bool deliver(struct link *l, char *scratch, size_t bytes)
{
    slice fresh = {scratch, bytes};
    bool whole = true;
    l->received += bytes;
    if (is_kept(l))
        whole = keep(l, fresh);
    else
        l->view = fresh;
    if (whole) {
        (void)link_emit(l, LINK_READABLE);
        whole = settle(l);
    }
    secret_wipe(scratch, bytes);
    if (link_is_ended(l)) return false;
    if (!whole) link_cut_off(l);
    return whole;
}

void link_report_end(struct link *l)
{
    enum link_io_status end = l->end_seen;
    if (end == LINK_IO_DONE || l->paused) return; /* a paused owner has not seen all input: not yet */
    l->end_seen = LINK_IO_DONE;
    if (end == LINK_IO_BROKEN || l->write_failed) {
        link_cut_off(l);
        return;
    }
    link_move(l, LINK_STATE_HALF_CLOSED);
    (void)link_emit(l, LINK_CLOSED);
}

/* One read for each event: a link that always has data gets its turn like every other. */
void link_read_step(struct link *l)
{
    char *scratch = loop_scratch(l->loop);
    if (!scratch) {
        link_cut_off(l);
        return;
    }
    size_t room = loop_read_bytes(l->loop);
    struct link_io got = l->ssl ? link_tls_read(l, scratch, room) : link_plain_read(l, scratch, room);
    if (l->write_failed && got.status == LINK_IO_DONE) got.status = got.bytes ? LINK_IO_MORE : LINK_IO_BROKEN;
    l->pending_inside = got.status == LINK_IO_MORE;
    l->read_wants_write = got.status == LINK_IO_WANTS_WRITE;
    if (got.status == LINK_IO_END || got.status == LINK_IO_BROKEN) {
        l->end_seen = (uint8_t)got.status;
        (void)link_want_read(l, false);
    }
    if (l->read_wants_write && !link_want_write(l, true)) l->end_seen = LINK_IO_BROKEN;
    if (got.bytes && !deliver(l, scratch, got.bytes)) return;
    if (l->pending_inside && !link_is_held(l)) loop_next_turn(l->loop, &l->task);
    link_report_end(l);
}

/* LINK_READABLE for what was kept, after link_resume. */
void link_give_kept(struct link *l)
{
    l->input_due = false;
    if (l->view.len == 0 || l->paused) return;
    (void)link_emit(l, LINK_READABLE);
    (void)settle(l); /* what is kept already needs no memory */
}

slice link_input(const struct link *l)
{
    return l->view;
}

static void go_on_reading(struct link *l)
{
    if (l->state != LINK_STATE_OPEN || l->end_seen != LINK_IO_DONE) return;
    if (!link_want_read(l, true)) {
        l->end_seen = LINK_IO_BROKEN;
        loop_next_turn(l->loop, &l->task);
    }
    if (l->pending_inside) loop_next_turn(l->loop, &l->task);
}

void link_consume(struct link *l, size_t bytes)
{
    assert(bytes <= l->view.len);
    if (is_kept(l)) secret_wipe(l->in.at + (l->in.len - l->view.len), bytes);
    l->view = slice_after(l->view, bytes);
    if (l->full && l->view.len < LINK_INPUT_MAX_BYTES) {
        l->full = false;
        if (!l->paused) go_on_reading(l);
    }
    /* Outside its callback nobody settles: give the memory back here. Inside, settle() finds the link empty. */
    if (l->view.len == 0 && is_kept(l)) forget_input(l);
}

void link_pause(struct link *l)
{
    /* The read event stays until it fires: a pause for the length of a request costs no system call. */
    l->paused = true;
}

void link_resume(struct link *l)
{
    if (!l->paused || link_is_ended(l)) return;
    l->paused = false;
    if (l->state == LINK_STATE_BROKEN) return;
    if (l->view.len) l->input_due = true;
    if (l->input_due || l->end_seen != LINK_IO_DONE) loop_next_turn(l->loop, &l->task);
    if (!l->full) go_on_reading(l);
}
