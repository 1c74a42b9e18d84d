/* SPDX-License-Identifier: Apache-2.0 */
#include "role_priv.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEEPER_HEAP_BYTES = 2 * 1024 * 1024, /* both fit into Debian's default RLIMIT_MEMLOCK of 8 MiB, with the temporal tokens' 2.5 (limits.temporal_tokens) */
    RELAY_HEAP_BYTES = 4 * 1024 * 1024,
    REGISTRAR_HEAP_BYTES = 2 * 1024 * 1024,
    DESCRIPTORS = 1024, /* a relay's many were asked for by the supervisor, and are inherited */
};

/* A problem's text is ours, made of what the file's owner wrote; it goes to the same terminal as his 'check' would. */
static void print_problems(const struct problems *p)
{
    if (p && problems_count(p)) problems_print(p, STDERR_FILENO);
}

result role_config(const struct role_process *p, int bundle, struct config **out)
{
    struct source *source = source_from_bundle(bundle);
    struct problems *problems = problems_new();
    result r = FAIL(CONFIG);
    *out = NULL;
    if (source && problems) r = config_load(source, p->start->config_file, problems, out);
    print_problems(problems);
    problems_free(problems);
    source_free(source);
    close(bundle);
    return r;
}

void role_say(const struct role_process *p, enum control_type type, uint32_t generation, enum error e)
{
    struct control_message m = {.type = type, .number = p->start->number, .generation = generation, .error = e};
    (void)control_send(ROLE_FD_CONTROL, &m, -1); /* a supervisor that is gone shows as the end of the socket */
}

int role_give_up(const struct role_process *p, result why)
{
    log_failure("role_failed", why);
    log_flush();
    role_say(p, CONTROL_FAILED, 0, why.err);
    return why.err == ERR_CONFIG ? 2 : 1;
}

void role_on_breach(void *owner)
{
    struct role_process *p = owner;
    log_plain(LOG_LEVEL_ERROR, "keeper_broken", "the connection to the keeper cannot be used any more; this process ends and is started with a new one");
    role_say(p, CONTROL_FAILED, 0, ERR_KEEPER_FRAME);
    p->exit_status = 1;
    loop_stop(p->loop);
}

static void on_control(void *arg)
{
    struct role_process *p = arg;
    struct control_message m;
    int fd;
    switch (control_receive(ROLE_FD_CONTROL, &m, true, &fd)) {
    case CONTROL_NOTHING: return;
    case CONTROL_GONE: /* the supervisor died: nobody would restart or reload us */
        log_plain(LOG_LEVEL_ERROR, "supervisor_lost", "the supervisor ended; so does this process");
        loop_stop(p->loop);
        return;
    case CONTROL_MESSAGE: break;
    }
    if (m.type == CONTROL_STOP) loop_stop(p->loop);
    p->on_message(p, &m, fd);
}

static void set_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    /* Ctrl-C and a service manager's signals reach the whole group; the supervisor decides, over the control socket. */
    static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) (void)sigaction(ignored[i], &ignore, NULL);
}

static bool has_its_descriptors(const struct role_start *s)
{
    int last = ROLE_FD_LISTEN + (int)s->listen_count + s->has_admin;
    for (int fd = ROLE_FD_CONTROL; fd < last; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) return false;
    struct stat st;
    return fstat(ROLE_FD_CONTROL, &st) == 0 && S_ISSOCK(st.st_mode);
}

static size_t heap_bytes(enum role r)
{
    return r == ROLE_RELAY ? RELAY_HEAP_BYTES : r == ROLE_KEEPER ? KEEPER_HEAP_BYTES : REGISTRAR_HEAP_BYTES;
}

/* The supervisor's death ends us at once. Asked for after the change of user, which clears it. One that died before shows as
 * the end of the control socket. */
static result die_with_supervisor(void)
{
    pid_t parent = getppid();
    ENSURE(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, PRIVILEGES);
    ENSURE(getppid() == parent, PRIVILEGES);
    return OK;
}

/* What OpenSSL reads from files at its first use (its configuration, the seed) is read now: later there are none. */
static result warm_up_openssl(void)
{
    unsigned char once[16];
    ENSURE(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL) == 1, CRYPTO);
    ENSURE(RAND_bytes(once, sizeof once) == 1 && RAND_priv_bytes(once, sizeof once) == 1, CRYPTO);
    return OK;
}

static result prepare(struct role_process *p)
{
    const struct role_start *s = p->start;
    TRY(sandbox_limits(DESCRIPTORS));
    TRY(secret_start(heap_bytes(s->role)));
    TRY(sandbox_become(&s->become));
    /* A change of user made the process dumpable by /proc/sys/fs/suid_dumpable's rule; say it again. */
    TRY(sandbox_limits(DESCRIPTORS));
    TRY(die_with_supervisor());
    TRY(warm_up_openssl());
    TRY(metrics_attach(ROLE_FD_METRICS, s->slot));
    close(ROLE_FD_METRICS);
    p->loop = loop_new();
    ENSURE(p->loop != NULL, MEMORY);
    p->control = watch_new(p->loop, ROLE_FD_CONTROL, on_control, p);
    ENSURE(p->control != NULL, MEMORY);
    return OK;
}

result role_enter_sandbox(const struct role_process *p, enum sandbox_profile profile, slice folder)
{
    (void)p;
    struct sandbox_report report = {0};
    TRY(sandbox_close(profile, folder, &report));
    log_begin(LOG_LEVEL_INFO, "sandbox");
    log_u64("landlock_abi", (uint64_t)report.landlock_abi);
    log_text("seccomp", report.seccomp ? "yes" : "no");
    log_text("locked_memory", secret_is_locked() ? "yes" : "no");
    log_u64("uid", getuid());
    log_u64("descriptors", sandbox_descriptors());
    log_end();
    log_flush();
    return OK;
}

int role_main(int argc, char **argv)
{
    static int (*const mains[ROLE_COUNT])(struct role_process *) = {
        [ROLE_KEEPER] = keeper_main, [ROLE_REGISTRAR] = registrar_main, [ROLE_RELAY] = relay_main};
    struct role_start start;
    struct role_process p = {.start = &start};
    set_signals();
    umask(077);
    if (!role_arguments_read(argc, argv, &start) || !has_its_descriptors(&start)) {
        (void)fprintf(stderr, "cardveil: --role is for the supervisor's own use; run 'cardveil serve'\n");
        return 2;
    }
    log_start(role_name(start.role), start.number, LOG_LEVEL_INFO);
    (void)prctl(PR_SET_NAME, role_name(start.role), 0, 0, 0);
    p.generation = start.generation;
    result r = prepare(&p);
    return failed(r) ? role_give_up(&p, r) : mains[start.role](&p);
}
