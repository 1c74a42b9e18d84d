/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor_priv.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIRST_DELAY_MS = 100,
    LONGEST_DELAY_MS = 5000,
    STEADY_MS = 10 * 1000, /* alive that long: the next failure is a new one */
    KEEPER_SEND_BYTES = 1024 * 1024,
    ENVIRONMENT_MAX = 16,
};

struct child *supervisor_keeper(struct supervisor *s)
{
    return &s->children[0];
}

bool child_is_relay(const struct child *c)
{
    return c->role == ROLE_RELAY;
}

bool child_is_keeper(const struct child *c)
{
    return c->role == ROLE_KEEPER;
}

bool child_tell(struct child *c, enum control_type type, uint32_t generation, int fd)
{
    if (c->control < 0) return false;
    struct control_message m = {.type = type, .number = c->number, .generation = generation};
    if (control_send(c->control, &m, fd)) return true;
    child_kill(c); /* it does not listen any more; it is started again */
    return false;
}

bool child_configure(struct child *c)
{
    return child_tell(c, CONTROL_CONFIG, c->supervisor->generation, c->supervisor->bundles.of[c->role]);
}

void child_kill(struct child *c)
{
    if (c->pid > 0) (void)kill(c->pid, SIGKILL);
}

/* --- introductions: a fresh pair of sockets between the keeper and one relay, or the registrar --- */

static void send_more(int fd)
{
    int bytes = KEEPER_SEND_BYTES; /* large bodies ask for thousands of tokens at once; the kernel caps it as configured */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) == -1)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static void introduce(struct supervisor *s, struct child *other)
{
    struct child *keeper = supervisor_keeper(s);
    int pair[2];
    if (!keeper->is_ready || other->control < 0) return;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1) {
        log_begin(LOG_LEVEL_ERROR, "socketpair");
        log_errno("errno", errno);
        log_end();
        return;
    }
    send_more(pair[0]);
    send_more(pair[1]);
    other->pair = ++s->last_pair;
    struct control_message m = {.type = child_is_relay(other) ? CONTROL_RELAY : CONTROL_REGISTRAR, .number = other->number,
                                .generation = other->pair};
    if (!control_send(keeper->control, &m, pair[0]))
        child_kill(keeper);
    else
        (void)child_tell(other, CONTROL_KEEPER, 0, pair[1]);
    close(pair[0]);
    close(pair[1]);
}

static void introduce_all(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (!child_is_keeper(&s->children[i])) introduce(s, &s->children[i]);
}

/* The keeper dropped this pair for a breach of the protocol. It is the other one that ends: a stolen relay or registrar can have itself
 * started again, later and later, but not the keeper. Whoever was started since has another pair. */
static void end_pair(struct supervisor *s, uint32_t pair)
{
    for (size_t i = 0; i < s->child_count; i++) {
        struct child *c = &s->children[i];
        if (child_is_keeper(c) || c->pair != pair || c->pid <= 0 || s->phase > PHASE_SERVING) continue;
        c->failure = ERR_KEEPER_FRAME;
        child_kill(c);
    }
}

/* --- starting --- */

static result take_variable(slice key, struct key_variable *out)
{
    if (!slice_starts(key, SLICE("env:"))) return OK;
    slice name = slice_after(key, 4);
    for (char **e = environ; e && *e; e++) {
        slice entry = slice_of(*e);
        if (!slice_eq(slice_range(entry, 0, slice_find(entry, '=')), name)) continue;
        out->text = secret_alloc(entry.len + 1);
        ENSURE(out->text != NULL, MEMORY);
        out->bytes = entry.len + 1;
        memcpy(out->text, entry.at, entry.len);
        vault_forget_key(key);
        return OK;
    }
    return OK; /* told by the keeper, which misses it */
}

result children_take_key(struct supervisor *s)
{
    TRY(take_variable(s->config->vault_key, &s->keys[0]));
    return take_variable(s->config->vault_old_key, &s->keys[1]);
}

/* What a role may see of our environment: nothing of the merchant's, and the vault's key only in the keeper. */
static void choose_environment(const struct child *c, char *out[ENVIRONMENT_MAX])
{
    static const char *const passed[] = {"LANG=", "LC_ALL=", "TZ=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS="};
    size_t n = 0;
    for (size_t i = 0; i < 2 && c->role == ROLE_KEEPER; i++)
        if (c->supervisor->keys[i].text) out[n++] = c->supervisor->keys[i].text;
    for (char **e = environ; e && *e && n < ENVIRONMENT_MAX - 1; e++) {
        slice entry = slice_of(*e);
        bool take = false;
        for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) take = take || slice_starts(entry, slice_of(passed[i]));
        if (take) out[n++] = *e;
    }
    out[n] = NULL;
}

struct launch {
    struct role_arguments arguments;
    char *environment[ENVIRONMENT_MAX];
    int *fds; /* for 3, 4, 5, … */
    size_t fd_count;
    sigset_t mask;
};

/* In the new process, between fork and exec: system calls only. */
static _Noreturn void execute(struct launch *l)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    int above = ROLE_FD_CONTROL + (int)l->fd_count;
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) (void)signal(handled[i], SIG_DFL);
    /* First out of the way of each other's places, then into them; dup2 takes close-on-exec away. */
    for (size_t i = 0; i < l->fd_count; i++) l->fds[i] = fcntl(l->fds[i], F_DUPFD_CLOEXEC, above);
    for (size_t i = 0; i < l->fd_count; i++)
        if (l->fds[i] == -1 || dup2(l->fds[i], ROLE_FD_CONTROL + (int)i) == -1) _exit(126);
    if (close_range((unsigned)above, ~0u, 0) == -1) _exit(126);
    (void)sigprocmask(SIG_SETMASK, &l->mask, NULL);
    (void)execve("/proc/self/exe", l->arguments.argv, l->environment);
    _exit(127);
}

static result choose_descriptors(const struct child *c, int control, struct launch *l)
{
    const struct supervisor *s = c->supervisor;
    size_t n = 0;
    l->fds = malloc((ROLE_FD_LISTEN + s->sockets.listen_count + 1) * sizeof *l->fds);
    ENSURE(l->fds != NULL, MEMORY);
    l->fds[n++] = control;
    l->fds[n++] = s->bundles.of[c->role];
    l->fds[n++] = s->metrics;
    for (size_t i = 0; child_is_relay(c) && i < s->sockets.listen_count; i++)
        l->fds[n++] = sockets_of_relay(&s->sockets, i, c->number);
    if (child_is_relay(c) && s->sockets.admin >= 0) l->fds[n++] = s->sockets.admin;
    l->fd_count = n;
    return OK;
}

/* base/metrics.h: the keeper has slot 1, relay n slot 2 + n, the registrar the last. */
static uint32_t metrics_slot(const struct child *c)
{
    if (c->role == ROLE_KEEPER) return 1;
    return child_is_relay(c) ? 2 + c->number : (uint32_t)c->supervisor->child_count;
}

static pid_t launch(const struct child *c, int control)
{
    struct supervisor *s = c->supervisor;
    struct launch l = {.fd_count = 0};
    const struct role_start start = {
        .role = c->role, .number = c->number, .slot = metrics_slot(c), .generation = s->generation,
        .become = c->role == ROLE_KEEPER ? s->keeper_user : s->other_user,
        .listen_count = child_is_relay(c) ? (uint32_t)s->sockets.listen_count : 0,
        .has_admin = child_is_relay(c) && s->sockets.admin >= 0};
    role_arguments_write(&start, s->file, &l.arguments);
    choose_environment(c, l.environment);
    if (failed(choose_descriptors(c, control, &l))) return -1;
    /* No handler of ours may run in the child before its own dispositions are set. */
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &l.mask);
    log_flush();
    pid_t pid = fork();
    if (pid == 0) execute(&l);
    (void)sigprocmask(SIG_SETMASK, &l.mask, NULL);
    free(l.fds);
    return pid;
}

static void on_message(struct child *c, const struct control_message *m)
{
    struct supervisor *s = c->supervisor;
    switch (m->type) {
    case CONTROL_READY:
        if (c->is_ready) return;
        c->is_ready = true;
        if (c->role == ROLE_KEEPER) introduce_all(s);
        supervisor_on_ready(s, c);
        return;
    case CONTROL_FAILED: c->failure = m->error; return;
    case CONTROL_BREACH:
        if (child_is_keeper(c)) end_pair(s, m->generation);
        return;
    case CONTROL_CONFIGURED: reload_on_answer(s, c, m->generation, m->error); return;
    default: return; /* a role may say only these; a stolen one gains nothing by more */
    }
}

static void stop_listening(struct child *c)
{
    watch_free(c->watch);
    c->watch = NULL;
    if (c->control >= 0) close(c->control);
    c->control = -1;
    c->is_ready = false;
}

static void on_control(void *arg)
{
    struct child *c = arg;
    struct control_message m;
    int fd;
    switch (control_receive(c->control, &m, false, &fd)) {
    case CONTROL_MESSAGE: on_message(c, &m); return;
    case CONTROL_NOTHING: return;
    case CONTROL_GONE: /* ended, or talks nonsense: SIGCHLD tells the rest */
        child_kill(c);
        stop_listening(c);
    }
}

static void try_again_later(struct child *c)
{
    c->delay_ms = c->delay_ms == 0 ? FIRST_DELAY_MS : c->delay_ms * 2;
    if (c->delay_ms > LONGEST_DELAY_MS) c->delay_ms = LONGEST_DELAY_MS;
    timer_set(c->restart, c->delay_ms);
}

void child_start(struct child *c)
{
    struct supervisor *s = c->supervisor;
    int pair[2];
    if (s->phase > PHASE_SERVING || c->pid > 0) return;
    c->failure = ERR_NONE;
    c->started_ms = loop_now_ms(s->loop);
    bool has_pair = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0;
    c->pid = has_pair ? launch(c, pair[1]) : -1;
    if (has_pair) {
        close(pair[1]);
        c->control = pair[0];
    }
    c->watch = c->pid > 0 ? watch_new(s->loop, c->control, on_control, c) : NULL;
    if (c->watch) {
        if (!child_is_keeper(c)) introduce(s, c);
        return;
    }
    log_begin(LOG_LEVEL_ERROR, "role_start");
    log_text("role", role_name(c->role));
    log_errno("errno", errno);
    log_end();
    child_kill(c);
    stop_listening(c);
    if (c->pid > 0) return; /* reaped like any other */
    c->pid = 0;
    try_again_later(c);
}

static void on_restart(void *arg)
{
    child_start(arg);
}

/* --- ending --- */

static void log_end_of(const struct child *c, int status)
{
    bool expected = c->supervisor->phase > PHASE_SERVING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    log_begin(expected ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "role_ended");
    log_text("role", role_name(c->role));
    log_u64("number", c->number);
    if (WIFEXITED(status)) log_u64("status", (uint64_t)WEXITSTATUS(status));
    if (WIFSIGNALED(status)) log_u64("signal", (uint64_t)WTERMSIG(status));
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) log_text("reason", "it made a system call that its sandbox forbids");
    if (c->failure) {
        log_error("error", c->failure);
        log_text("reason", error_text(c->failure));
    }
    if (c->supervisor->phase <= PHASE_SERVING) log_u64("lived_ms", loop_now_ms(c->supervisor->loop) - c->started_ms);
    log_end();
}

static void on_ended(struct child *c, int status)
{
    struct supervisor *s = c->supervisor;
    while (c->control >= 0) { /* its last words, CONTROL_FAILED, may still be in the socket */
        struct control_message m;
        int fd;
        if (control_receive(c->control, &m, false, &fd) != CONTROL_MESSAGE) break;
        if (m.type == CONTROL_FAILED) c->failure = m.error;
    }
    stop_listening(c);
    c->pid = 0;
    log_end_of(c, status);
    reload_on_child_ended(s, c);
    if (loop_now_ms(s->loop) - c->started_ms >= STEADY_MS) c->delay_ms = 0;
    if (s->phase == PHASE_SERVING) {
        metrics_add(METRIC_RESTARTS, 1);
        try_again_later(c);
    }
    supervisor_on_ended(s, c);
}

void children_reap(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++) {
        struct child *c = &s->children[i];
        int status;
        if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid) on_ended(c, status);
    }
}

result children_new(struct supervisor *s, size_t relays)
{
    s->child_count = 2 + relays;
    s->children = calloc(s->child_count, sizeof *s->children);
    ENSURE(s->children != NULL, MEMORY);
    for (size_t i = 0; i < s->child_count; i++) {
        struct child *c = &s->children[i];
        *c = (struct child){.supervisor = s, .control = -1, .role = i < 2 ? (enum role)i : ROLE_RELAY,
                            .number = i < 2 ? 0 : (uint32_t)(i - 2)};
        c->restart = timer_new(s->loop, on_restart, c);
        ENSURE(c->restart != NULL, MEMORY);
    }
    return OK;
}

void children_free(struct supervisor *s)
{
    for (size_t i = 0; s->children && i < s->child_count; i++) {
        child_kill(&s->children[i]);
        stop_listening(&s->children[i]);
        timer_free(s->children[i].restart);
    }
    free(s->children);
    s->children = NULL;
}
