/* SPDX-License-Identifier: Apache-2.0 */
#include "player.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GOT_MAX_BYTES = 4 * 1024 * 1024 };

void player_init(struct player *p, struct loop *loop)
{
    struct sockaddr_storage at;
    socklen_t len;
    signal(SIGPIPE, SIG_IGN);
    *p = (struct player){.loop = loop, .fd = -1};
    p->listening = listen_on_loopback(&at, &len);
    p->port = ntohs(((struct sockaddr_in *)(void *)&at)->sin_port);
    buf_init(&p->got, GOT_MAX_BYTES);
}

void player_close(struct player *p)
{
    if (p->fd != -1) close(p->fd);
    p->fd = -1;
}

void player_reset(struct player *p)
{
    reset_peer(p->fd);
    p->fd = -1;
}

void player_done(struct player *p)
{
    player_close(p);
    if (p->listening != -1) close(p->listening);
    buf_done(&p->got);
}

static bool try_accept(struct player *p)
{
    int fd = accept4(p->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd == -1) return false;
    player_close(p);
    p->fd = fd;
    p->accepted++;
    return true;
}

void player_accept(struct player *p)
{
    unsigned before = p->accepted;
    TURN_UNTIL(p->loop, p->accepted > before || try_accept(p));
}

bool player_is_called(struct player *p)
{
    char c;
    if (try_accept(p)) return true;
    return p->fd != -1 && recv(p->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static size_t body_bytes_told(const struct player *p)
{
    uint64_t n = 0;
    slice told = player_field(p, "content-length");
    if (told.at) ck_assert(slice_to_u64(told, GOT_MAX_BYTES, &n));
    return (size_t)n;
}

static bool has_request(struct player *p)
{
    slice got = buf_slice(&p->got);
    size_t empty_line = slice_find_slice(got, SLICE("\r\n\r\n"));
    if (empty_line == got.len) return false;
    p->head_bytes = empty_line + 4;
    return got.len >= p->head_bytes + body_bytes_told(p);
}

static bool read_request(struct player *p)
{
    char bytes[4096];
    ssize_t n;
    (void)try_accept(p);
    while (p->fd != -1 && (n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        ck_assert(!failed(buf_append(&p->got, (slice){bytes, (size_t)n})));
    return has_request(p);
}

void player_request(struct player *p)
{
    buf_clear(&p->got);
    TURN_UNTIL(p->loop, read_request(p));
    ck_assert_uint_eq(p->got.len, p->head_bytes + body_bytes_told(p));
}

slice player_line(const struct player *p)
{
    slice got = buf_slice(&p->got);
    return slice_range(got, 0, slice_find_slice(got, SLICE("\r\n")));
}

slice player_field(const struct player *p, const char *name)
{
    slice head = slice_range(buf_slice(&p->got), 0, p->head_bytes), line;
    while (slice_next(&head, '\n', &line)) {
        size_t colon = slice_find(line, ':');
        if (colon == line.len || !slice_ieq(slice_range(line, 0, colon), slice_of(name))) continue;
        return slice_trim(slice_range(line, colon + 1, line.len - 1)); /* without the CR */
    }
    return SLICE_NONE;
}

slice player_body(const struct player *p)
{
    return slice_after(buf_slice(&p->got), p->head_bytes);
}

void player_send(struct player *p, slice bytes)
{
    while (bytes.len) {
        ssize_t n = send(p->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        ck_assert_msg(n > 0 || errno == EAGAIN, "send: %s", strerror(errno));
        if (n > 0) bytes = slice_after(bytes, (size_t)n);
        if (bytes.len) turn(p->loop);
    }
}

void player_answer(struct player *p, int status, const char *type, slice body)
{
    char head[512];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Told\r\n%s%s%scontent-length: %zu\r\n\r\n", status,
                     type ? "content-type: " : "", type ? type : "", type ? "\r\n" : "", body.len);
    ck_assert(n > 0 && (size_t)n < sizeof head);
    player_send(p, (slice){head, (size_t)n});
    player_send(p, body);
}
