/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "link_priv.h"

#include <assert.h>

/*     out.at        out.at + out_sent      out.at + out.len
 *     |-- written, wiped --|---- unsent ----|                 */

size_t link_unsent(const struct link *l)
{
    return l->out.len - l->out_sent;
}

static void give_buffer_back(struct link *l)
{
    l->out.len = 0; /* all of it is wiped */
    l->out_sent = 0;
    if (l->out.at) loop_return_buffer(l->loop, &l->out);
}

void link_drop_output(struct link *l)
{
    buf_clear(&l->out);
    give_buffer_back(l);
}

struct buf *link_output(struct link *l)
{
    if (!l->out.at) loop_borrow_buffer(l->loop, &l->out);
    if (l->out_sent) {
        buf_consume(&l->out, l->out_sent);
        l->out_sent = 0;
    }
    return &l->out;
}

/* Writes until nothing is unsent (DONE) or the transport cannot go on. */
enum link_io_status link_push(struct link *l)
{
    size_t left;
    while ((left = link_unsent(l))) {
        slice rest = {l->out.at + l->out_sent, left};
        struct link_io put = l->ssl ? link_tls_write(l, rest) : link_plain_write(l, rest);
        secret_wipe(l->out.at + l->out_sent, put.bytes);
        l->out_sent += put.bytes;
        l->sent += put.bytes;
        if (put.status != LINK_IO_DONE) return put.status;
    }
    give_buffer_back(l);
    return LINK_IO_DONE;
}

static void note_failure(struct link *l)
{
    /* Not reported from here, the owner may stand anywhere: next turn, after what can still be read (an answer sent before
     * the peer closed on us). */
    l->write_failed = true;
    link_drop_output(l);
    (void)link_want_write(l, false);
    loop_next_turn(l->loop, &l->task);
}

static void mark_water(struct link *l, bool in_event)
{
    if (link_unsent(l) >= LINK_LOW_WATER_BYTES) {
        l->above_water = true;
        return;
    }
    if (!l->above_water) return;
    l->above_water = false;
    if (in_event) {
        (void)link_emit(l, LINK_WRITABLE);
        return;
    }
    l->writable_due = true;
    loop_next_turn(l->loop, &l->task);
}

void link_flush_step(struct link *l, bool in_event)
{
    enum link_io_status s = link_push(l);
    l->write_wants_read = s == LINK_IO_WANTS_READ;
    bool armed = link_want_write(l, s == LINK_IO_WANTS_WRITE || l->read_wants_write);
    if (l->write_wants_read) armed = armed && link_want_read(l, true);
    if (s == LINK_IO_BROKEN || !armed)
        note_failure(l);
    else
        mark_water(l, in_event);
}

void link_flush(struct link *l)
{
    assert(!link_is_ended(l));
    switch ((enum link_state)l->state) {
    case LINK_STATE_STARTING:
    case LINK_STATE_OPEN:
    case LINK_STATE_HALF_CLOSED:
        if (l->write_failed)
            link_drop_output(l);
        else if (l->writing && !l->read_wants_write)
            mark_water(l, false); /* the kernel is full and will tell */
        else
            link_flush_step(l, false);
        return;
    case LINK_STATE_BROKEN:
        link_drop_output(l);
        return;
    default: /* connecting: sent when connected */
        return;
    }
}

result link_write(struct link *l, slice bytes)
{
    TRY(buf_append(link_output(l), bytes));
    link_flush(l);
    return OK;
}

uint64_t link_sent_total(const struct link *l)
{
    return l->sent;
}

uint64_t link_received_total(const struct link *l)
{
    return l->received;
}
