/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_CHANNEL_H
#define KEEPER_CHANNEL_H

/* One end of a relay's connection to the keeper: frames are appended to channel_out() during a turn and leave as few datagrams
 * when channel_send() is called at its end. When the socket is full they wait, in order, until it is writable again; the owner
 * of the channel decides how much may wait (channel_waiting). What came in is wiped when its frames have been handled. */

#include "keeper/wire.h"
#include "net/loop.h"

enum channel_loss { CHANNEL_CLOSED /* the other side ended */, CHANNEL_BROKEN /* a malformed frame */, CHANNEL_FAILED /* errno */ };

struct channel;
struct channel_handlers {
    /* false: this frame breaks the protocol. May free the channel's owner later, never the channel itself. */
    bool (*on_frame)(void *owner, const struct wire_frame *frame);
    /* Once. The channel is dead: it reads and sends no more; free it with channel_free (not inside the call). */
    void (*on_lost)(void *owner, enum channel_loss why);
};
enum { CHANNEL_OUT_MAX_BYTES = 8 * 1024 * 1024 };

/* Takes fd (non-blocking SOCK_SEQPACKET); borrows scratch, WIRE_BATCH_BYTES of secret memory, used only during a read: the
 * channels of one process share it. NULL: memory; fd is closed then too. */
struct channel *channel_new(struct loop *loop, int fd, char *scratch, const struct channel_handlers *handlers /* static */,
                            void *owner);
void channel_stop(struct channel *c); /* no more reading, sending or calling back; for owners that free it at the turn's end */
void channel_free(struct channel *c); /* closes and wipes; NULL is fine */
struct buf *channel_out(struct channel *c);
void channel_send(struct channel *c);                /* to be called at the turn's end, after what must be on disk is there */
size_t channel_waiting(const struct channel *c);     /* bytes appended and not sent */
void channel_pause(struct channel *c, bool paused);  /* stops or resumes reading: back-pressure */
bool channel_is_alive(const struct channel *c);

#endif
