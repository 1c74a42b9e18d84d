/* SPDX-License-Identifier: Apache-2.0 */
#include "process/control.h"

#include "base/result.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union ancillary {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

bool control_send(int socket, const struct control_message *m, int fd)
{
    union ancillary a;
    struct control_message copy = *m;
    struct iovec bytes = {.iov_base = &copy, .iov_len = sizeof copy};
    struct msghdr msg = {.msg_iov = &bytes, .msg_iovlen = 1};
    memset(&a, 0, sizeof a);
    if (fd >= 0) {
        msg.msg_control = a.room;
        msg.msg_controllen = sizeof a.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t n;
    do n = sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n == -1 && errno == EINTR);
    return n == (ssize_t)sizeof copy;
}

static int received_fd(struct msghdr *msg)
{
    int fd = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

enum control_received control_receive(int socket, struct control_message *m, bool takes_fd, int *fd)
{
    union ancillary a;
    struct iovec bytes = {.iov_base = m, .iov_len = sizeof *m};
    struct msghdr msg = {.msg_iov = &bytes, .msg_iovlen = 1};
    memset(&a, 0, sizeof a);
    *fd = -1;
    if (takes_fd) {
        msg.msg_control = a.room;
        msg.msg_controllen = sizeof a.room;
    }
    ssize_t n = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
    if (n == -1 && (errno == EAGAIN || errno == EINTR)) return CONTROL_NOTHING;
    if (n > 0 && takes_fd) *fd = received_fd(&msg);
    bool is_whole = n == (ssize_t)sizeof *m && !(msg.msg_flags & MSG_CTRUNC);
    if (is_whole && m->type > 0 && m->type < CONTROL_END && m->error < ERR_COUNT) return CONTROL_MESSAGE;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return CONTROL_GONE;
}
