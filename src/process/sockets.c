/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor_priv.h"

#include "base/log.h"
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static result refuse(slice at, const char *why)
{
    int error_number = errno;
    log_begin(LOG_LEVEL_ERROR, "listen");
    log_word("at", at);
    log_text("reason", why);
    if (error_number) log_errno("errno", error_number);
    log_end();
    return FAIL(IO);
}

/* A socket file that nobody answers on was left by a process that died; one that answers belongs to somebody. */
static result remove_stale(slice at, const struct address *a)
{
    const struct sockaddr_un *un = (const void *)&a->at;
    struct stat st;
    errno = 0;
    if (lstat(un->sun_path, &st) == -1) return errno == ENOENT ? OK : refuse(at, "the socket's folder cannot be read");
    errno = 0;
    if (!S_ISSOCK(st.st_mode)) return refuse(at, "there is a file of this name that is not a socket");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)&a->at, a->len) == 0;
    if (fd >= 0) close(fd);
    errno = 0;
    if (answers) return refuse(at, "another process listens there");
    return unlink(un->sun_path) == 0 ? OK : refuse(at, "the old socket cannot be removed");
}

static result remember_path(struct sockets *s, const struct address *a)
{
    const struct sockaddr_un *un = (const void *)&a->at;
    char **at = realloc(s->paths.at, (s->paths.count + 1) * sizeof(char *));
    ENSURE(at != NULL, MEMORY);
    s->paths.at = at;
    at[s->paths.count] = strdup(un->sun_path);
    ENSURE(at[s->paths.count] != NULL, MEMORY);
    s->paths.count++;
    return OK;
}

static result bind_unix(struct sockets *s, slice at, const struct address *a, int *fd)
{
    const struct sockaddr_un *un = (const void *)&a->at;
    TRY(remove_stale(at, a));
    if (failed(address_listen(a, false, fd))) return refuse(at, "cannot listen");
    TRY(remember_path(s, a));
    /* The group may connect: the merchant's own service rarely runs as our user. */
    if (chmod(un->sun_path, 0660) == -1) return refuse(at, "the socket's mode cannot be set");
    return OK;
}

/* SO_REUSEPORT would let a second Cardveil share our ports unnoticed and take half of the requests. Binding once without it
 * finds out whether anybody is there. */
static result check_free(slice at, const struct address *a)
{
    int fd = -1;
    errno = 0;
    if (failed(address_listen(a, false, &fd))) return refuse(at, "cannot listen");
    close(fd);
    return OK;
}

static result bind_one(struct sockets *s, slice at, int *fds, size_t relays)
{
    struct address a;
    errno = 0;
    if (failed(address_parse(at, &a))) return refuse(at, "not an address");
    if (a.at.ss_family == AF_UNIX) return bind_unix(s, at, &a, &fds[0]);
    TRY(check_free(at, &a));
    for (size_t i = 0; i < relays; i++)
        if (failed(address_listen(&a, relays > 1, &fds[i]))) return refuse(at, "cannot listen");
    return OK;
}

result sockets_bind(struct sockets *s, const struct config *config, size_t relays)
{
    size_t count = config->listen_count * relays;
    s->fds = malloc((count + 1) * sizeof *s->fds);
    ENSURE(s->fds != NULL, MEMORY);
    for (size_t i = 0; i < count; i++) s->fds[i] = -1;
    s->listen_count = config->listen_count;
    s->relays = relays;
    s->admin = -1;
    for (size_t i = 0; i < config->listen_count; i++) TRY(bind_one(s, config->listens[i].at, s->fds + i * relays, relays));
    /* One admin socket for all: any relay can tell for the whole, since metrics are shared. */
    return config->admin.at ? bind_one(s, config->admin, &s->admin, 1) : OK;
}

int sockets_of_relay(const struct sockets *s, size_t listen, size_t relay)
{
    const int *of_listener = s->fds + listen * s->relays;
    return of_listener[relay] >= 0 ? of_listener[relay] : of_listener[0];
}

void sockets_close(struct sockets *s)
{
    for (size_t i = 0; s->fds && i < s->listen_count * s->relays; i++)
        if (s->fds[i] >= 0) close(s->fds[i]);
    if (s->fds && s->admin >= 0) close(s->admin);
    for (size_t i = 0; i < s->paths.count; i++) {
        (void)unlink(s->paths.at[i]);
        free(s->paths.at[i]);
    }
    free(s->paths.at);
    free(s->fds);
    *s = (struct sockets){.admin = -1};
}
