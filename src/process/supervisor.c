/* SPDX-License-Identifier: Apache-2.0 */
#include "process/supervisor.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "supervisor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NOBODY = 65534,
    STOP_MS = 5000,             /* the keeper's last commit */
    DRAIN_GRACE_MS = 500,       /* relays keep the deadline themselves; this is for one that does not */
    DESCRIPTORS_A_CONNECTION = 2, /* the client's and the processor's */
    SPARE_DESCRIPTORS = 256,
    EXIT_FAILED = 1,
    EXIT_CONFIG = 2,
};

/* --- configuration --- */

const struct bundles no_bundles = {.of = {-1, -1, -1}};
static_assert(ROLE_COUNT == 3, "a role more wants a bundle more");

void bundles_close(struct bundles *b)
{
    for (size_t i = 0; i < ROLE_COUNT; i++)
        if (b->of[i] >= 0) close(b->of[i]);
    *b = no_bundles;
}

static result make_bundles(const struct source *source, struct bundles *out)
{
    static const unsigned audiences[ROLE_COUNT] = {
        [ROLE_KEEPER] = SOURCE_FOR_KEEPER, [ROLE_REGISTRAR] = SOURCE_FOR_REGISTRAR, [ROLE_RELAY] = SOURCE_FOR_RELAY};
    *out = no_bundles;
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        out->of[i] = source_bundle(source, audiences[i]);
        if (out->of[i] >= 0) continue;
        bundles_close(out);
        return FAIL(IO);
    }
    return OK;
}

result supervisor_read_config(const char *file, struct config **config, struct bundles *bundles)
{
    struct source *source = source_disk();
    struct problems *problems = problems_new();
    result r = FAIL(MEMORY);
    *config = NULL;
    if (source && problems) r = config_load(source, slice_of(file), problems, config);
    if (problems && problems_count(problems)) problems_print(problems, STDERR_FILENO);
    if (!failed(r)) r = make_bundles(source, bundles);
    if (failed(r)) {
        config_free(*config);
        *config = NULL;
    }
    problems_free(problems);
    source_free(source);
    return r;
}

/* --- who the roles become --- */

static result find_user(slice name, struct identity *out)
{
    char text[256] = {0};
    ENSURE(name.len < sizeof text, CONFIG);
    memcpy(text, name.at, name.len);
    errno = 0;
    const struct passwd *pw = getpwnam(text);
    if (pw) {
        *out = (struct identity){true, pw->pw_uid, pw->pw_gid};
        return OK;
    }
    log_begin(LOG_LEVEL_ERROR, "user");
    log_word("name", name);
    log_text("reason", "there is no such user on this system");
    log_end();
    return FAIL(CONFIG);
}

static result owner_of_vault(const struct config *c, struct identity *out)
{
    char path[4096] = {0};
    struct stat st;
    ENSURE(c->vault_path.len < sizeof path, CONFIG);
    memcpy(path, c->vault_path.at, c->vault_path.len);
    if (stat(path, &st) == -1) {
        log_begin(LOG_LEVEL_ERROR, "vault");
        log_word("path", c->vault_path);
        log_errno("errno", errno);
        log_text("reason", error_text(ERR_VAULT_MISSING));
        log_end();
        return FAIL(VAULT_MISSING);
    }
    *out = (struct identity){true, st.st_uid, st.st_gid};
    return OK;
}

/* Started as root: 'user', or nobody for those that touch no file and the vault's owner for the keeper. Otherwise we all stay
 * who we are. */
static result choose_users(struct supervisor *s)
{
    struct identity owner;
    TRY(owner_of_vault(s->config, &owner));
    if (geteuid() != 0) {
        s->keeper_user = s->other_user = (struct identity){false, geteuid(), getegid()};
        return OK;
    }
    if (s->config->user.len) {
        TRY(find_user(s->config->user, &s->other_user));
        s->keeper_user = s->other_user;
        return OK;
    }
    s->other_user = (struct identity){true, NOBODY, NOBODY};
    s->keeper_user = owner;
    return OK;
}

/* --- phases --- */

static size_t running(const struct supervisor *s, bool relays_only)
{
    size_t n = 0;
    for (size_t i = 0; i < s->child_count; i++)
        n += s->children[i].pid > 0 && (!relays_only || child_is_relay(&s->children[i]));
    return n;
}

static void stop_restarts(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++) timer_stop(s->children[i].restart);
}

static void stop_all(struct supervisor *s)
{
    s->phase = PHASE_STOPPING;
    stop_restarts(s);
    if (running(s, false) == 0) {
        loop_stop(s->loop);
        return;
    }
    for (size_t i = 0; i < s->child_count; i++) (void)child_tell(&s->children[i], CONTROL_STOP, 0, -1);
    timer_set(s->deadline, STOP_MS);
}

static void drain(struct supervisor *s)
{
    s->phase = PHASE_DRAINING;
    stop_restarts(s);
    sockets_close(&s->sockets);
    log_begin(LOG_LEVEL_INFO, "draining");
    log_u64("within_ms", s->config->drain_ms);
    log_end();
    if (running(s, true) == 0) {
        stop_all(s);
        return;
    }
    for (size_t i = 0; i < s->child_count; i++)
        if (child_is_relay(&s->children[i])) (void)child_tell(&s->children[i], CONTROL_DRAIN, 0, -1);
    timer_set(s->deadline, s->config->drain_ms + DRAIN_GRACE_MS);
}

static void kill_all(struct supervisor *s, bool relays_only)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (!relays_only || child_is_relay(&s->children[i])) child_kill(&s->children[i]);
}

static void on_deadline(void *arg)
{
    struct supervisor *s = arg;
    bool draining = s->phase == PHASE_DRAINING;
    log_plain(LOG_LEVEL_WARN, "deadline",
              draining ? "requests still run at the end of 'drain'; they are cut off" : "a role did not end in time");
    kill_all(s, draining);
}

static void on_term(void *arg)
{
    struct supervisor *s = arg;
    if (s->phase == PHASE_SERVING) {
        drain(s);
    } else if (s->phase == PHASE_STARTING) {
        stop_all(s);
    } else {
        log_plain(LOG_LEVEL_WARN, "ended_at_once", "a second signal asked for it");
        s->exit_status = EXIT_FAILED;
        kill_all(s, false);
        loop_stop(s->loop);
    }
}

static void on_hup(void *arg)
{
    reload_begin(arg);
}

static void on_child(void *arg)
{
    children_reap(arg);
}

static void start_others(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (&s->children[i] != supervisor_keeper(s)) child_start(&s->children[i]);
}

static void say_serving(const struct supervisor *s)
{
    log_begin(LOG_LEVEL_INFO, "serving");
    log_u64("relays", s->sockets.relays);
    log_u64("routes", s->config->route_count);
    if (s->config->listen_count) log_word("at", s->config->listens[0].at);
    log_u64("listeners", s->config->listen_count);
    if (s->config->admin.at) log_word("admin", s->config->admin);
    log_end();
}

void supervisor_on_ready(struct supervisor *s, struct child *c)
{
    if (s->phase != PHASE_STARTING) return;
    if (c->role == ROLE_KEEPER) start_others(s);
    for (size_t i = 0; i < s->child_count; i++)
        if (!s->children[i].is_ready) return;
    s->phase = PHASE_SERVING;
    say_serving(s);
}

/* What a person has to put right before a next start can go better; a service manager need not try again. */
static int status_of(enum error e)
{
    static const enum error wrong[] = {ERR_CONFIG, ERR_VAULT_MISSING, ERR_VAULT_FORMAT, ERR_VAULT_KEY, ERR_VAULT_KEY_MISSING,
                                       ERR_VAULT_KEY_UNREADABLE, ERR_VAULT_KEY_FORM, ERR_VAULT_KEY_OPEN_TO_OTHERS, ERR_VAULT_RING_OLD};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (e == wrong[i]) return EXIT_CONFIG;
    return EXIT_FAILED;
}

void supervisor_on_ended(struct supervisor *s, struct child *c)
{
    if (s->phase == PHASE_STARTING) {
        log_plain(LOG_LEVEL_ERROR, "not_started", "a role ended before it was ready; the lines above say why");
        s->exit_status = status_of(c->failure);
        stop_all(s);
    } else if (s->phase == PHASE_DRAINING && running(s, true) == 0) {
        stop_all(s);
    } else if (s->phase == PHASE_STOPPING && running(s, false) == 0) {
        loop_stop(s->loop);
    }
}

/* --- start and end --- */

static void read_nothing(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null > STDIN_FILENO) {
        (void)dup2(null, STDIN_FILENO);
        close(null);
    }
}

static result watch_signals(struct supervisor *s)
{
    (void)signal(SIGPIPE, SIG_IGN);
    TRY(loop_on_signal(s->loop, SIGTERM, on_term, s));
    TRY(loop_on_signal(s->loop, SIGINT, on_term, s));
    TRY(loop_on_signal(s->loop, SIGHUP, on_hup, s));
    return loop_on_signal(s->loop, SIGCHLD, on_child, s);
}

static void warn_descriptors(size_t wanted)
{
    if (sandbox_descriptors() >= wanted) return;
    log_begin(LOG_LEVEL_WARN, "descriptors");
    log_u64("wanted", wanted);
    log_u64("allowed", sandbox_descriptors());
    log_text("reason", "raise this process's open file limit (ulimit -n), or lower limits.connections");
    log_end();
}

static result start(struct supervisor *s)
{
    size_t relays = s->config->workers ? s->config->workers : 1;
    size_t descriptors = s->config->connections * DESCRIPTORS_A_CONNECTION + SPARE_DESCRIPTORS;
    TRY(choose_users(s));
    TRY(children_take_key(s));
    s->metrics = metrics_create((unsigned)(relays + 3));
    ENSURE(s->metrics >= 0, IO);
    TRY(metrics_attach(s->metrics, 0));
    s->loop = loop_new();
    ENSURE(s->loop != NULL, MEMORY);
    s->deadline = timer_new(s->loop, on_deadline, s);
    ENSURE(s->deadline != NULL, MEMORY);
    TRY(watch_signals(s));
    TRY(sockets_bind(&s->sockets, s->config, relays));
    TRY(sandbox_limits(descriptors));
    warn_descriptors(descriptors);
    TRY(sandbox_keep_little());
    TRY(children_new(s, relays));
    child_start(supervisor_keeper(s));
    return OK;
}

static void clean_up(struct supervisor *s)
{
    children_free(s);
    sockets_close(&s->sockets);
    timer_free(s->deadline);
    loop_free(s->loop);
    for (size_t i = 0; i < 2; i++) secret_free(s->keys[i].text, s->keys[i].bytes);
    config_free(s->reload.config);
    config_free(s->config);
    bundles_close(&s->reload.old_bundles);
    bundles_close(&s->bundles);
    if (s->metrics >= 0) close(s->metrics);
    free(s->file);
}

int supervisor_run(const char *config_file)
{
    struct supervisor s = {.bundles = no_bundles, .metrics = -1, .generation = 1, .last_generation = 1,
                           .sockets = {.admin = -1}, .reload = {.old_bundles = no_bundles}};
    umask(077);
    read_nothing();
    log_start("supervisor", 0, LOG_LEVEL_INFO);
    s.file = strdup(config_file);
    result r = s.file ? supervisor_read_config(s.file, &s.config, &s.bundles) : FAIL(MEMORY);
    if (failed(r)) {
        log_failure("configuration", r);
    } else {
        log_start("supervisor", 0, s.config->log_level);
        r = start(&s);
        if (failed(r)) log_failure("not_started", r);
    }
    if (failed(r)) {
        s.exit_status = status_of(r.err);
    } else {
        loop_run(s.loop);
        log_plain(LOG_LEVEL_INFO, "ended", s.exit_status ? "not as asked" : "as asked");
    }
    log_flush();
    clean_up(&s);
    return s.exit_status;
}
