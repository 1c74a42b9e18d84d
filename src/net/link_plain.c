/* SPDX-License-Identifier: Apache-2.0 */
#include "link_priv.h"

#include <errno.h>
#include <unistd.h>

struct link_io link_plain_read(struct link *l, char *at, size_t room)
{
    ssize_t n;
    do n = read(l->fd, at, room);
    while (n == -1 && errno == EINTR);
    if (n > 0) return (struct link_io){(size_t)n, LINK_IO_DONE}; /* level-triggered: the kernel tells of more */
    if (n == 0) return (struct link_io){0, LINK_IO_END};
    return (struct link_io){0, errno == EAGAIN || errno == EWOULDBLOCK ? LINK_IO_DONE : LINK_IO_BROKEN};
}

struct link_io link_plain_write(struct link *l, slice bytes)
{
    ssize_t n;
    do n = write(l->fd, bytes.at, bytes.len);
    while (n == -1 && errno == EINTR);
    if (n >= 0) {
        size_t put = (size_t)n;
        return (struct link_io){put, put == bytes.len ? LINK_IO_DONE : LINK_IO_WANTS_WRITE};
    }
    return (struct link_io){0, errno == EAGAIN || errno == EWOULDBLOCK ? LINK_IO_WANTS_WRITE : LINK_IO_BROKEN};
}
