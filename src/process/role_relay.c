/* SPDX-License-Identifier: Apache-2.0 */
#include "role_priv.h"

#include "api/api.h"
#include "base/log.h"
#include "keeper/client.h"
#include "proxy/proxy.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEAP_KEPT_BYTES = 8 << 20, MAPPED_FROM_BYTES = 4 << 20 };

struct relay {
    struct keeper_client *keeper;
    struct proxy *proxy;
    bool is_ready;
};

static void on_drained(void *arg)
{
    struct role_process *p = arg;
    log_plain(LOG_LEVEL_INFO, "drained", "the last request is answered");
    loop_stop(p->loop);
}

static void take_keeper(struct role_process *p, struct relay *r, int fd)
{
    if (fd < 0) return;
    keeper_client_replace(r->keeper, fd);
    if (r->is_ready) return;
    r->is_ready = true; /* only now: a request before would have met no keeper */
    role_say(p, CONTROL_READY, p->generation, ERR_NONE);
}

static void take_config(struct role_process *p, struct relay *r, uint32_t generation, int fd)
{
    struct config *config = NULL;
    result done = OK;
    if (fd >= 0 && generation == p->generation) {
        close(fd); /* ours already: a reload that was taken back */
    } else {
        done = fd >= 0 ? role_config(p, fd, &config) : FAIL(IO);
        enum log_level level = failed(done) ? LOG_LEVEL_INFO : config->log_level;
        if (!failed(done)) done = proxy_reload(r->proxy, config);
        if (!failed(done)) {
            log_start(role_name(p->start->role), p->start->number, level);
            keeper_client_set_generation(r->keeper, generation);
            p->generation = generation;
        }
    }
    if (failed(done)) log_failure("reload", done);
    role_say(p, CONTROL_CONFIGURED, generation, done.err);
}

static void on_message(struct role_process *p, const struct control_message *m, int fd)
{
    struct relay *r = p->own;
    switch (m->type) {
    case CONTROL_KEEPER: take_keeper(p, r, fd); return;
    case CONTROL_CONFIG: take_config(p, r, m->generation, fd); return;
    case CONTROL_DRAIN: proxy_drain(r->proxy, on_drained, p); break;
    default: break;
    }
    if (fd >= 0) close(fd);
}

static result check_sockets(const struct role_process *p, const struct config *config)
{
    ENSURE(p->start->listen_count == config->listen_count, CONFIG);
    ENSURE(p->start->has_admin == (config->admin.at != NULL), CONFIG);
    return OK;
}

static result start_proxy(struct role_process *p, struct relay *r, struct config *config)
{
    int *listen_fds = calloc(config->listen_count + 1, sizeof *listen_fds);
    if (!listen_fds) {
        config_free(config);
        return FAIL(MEMORY);
    }
    for (size_t i = 0; i < config->listen_count; i++) listen_fds[i] = ROLE_FD_LISTEN + (int)i;
    int admin = config->admin.at ? ROLE_FD_LISTEN + (int)config->listen_count : -1;
    const struct proxy_options options = {.loop = p->loop, .config = config, .listen_fds = listen_fds, .admin_fd = admin,
                                          .keeper = r->keeper, .service = &api_service, .relay_index = p->start->number};
    result done = proxy_new(&options, &r->proxy);
    free(listen_fds);
    return done;
}

static result start(struct role_process *p, struct relay *r)
{
    struct config *config = NULL;
    TRY(role_config(p, ROLE_FD_BUNDLE, &config));
    log_start(role_name(p->start->role), p->start->number, config->log_level);
    result checked = check_sockets(p, config);
    if (!failed(checked)) r->keeper = keeper_client_new(p->loop, -1, config->keeper_ms);
    if (failed(checked) || !r->keeper) {
        config_free(config);
        return failed(checked) ? checked : FAIL(MEMORY);
    }
    keeper_client_set_generation(r->keeper, p->generation);
    keeper_client_on_breach(r->keeper, role_on_breach, p);
    TRY(start_proxy(p, r, config));
    return role_enter_sandbox(p, SANDBOX_RELAY, SLICE_NONE);
}

int relay_main(struct role_process *p)
{
    struct relay r = {0};
    /* Bodies of a megabyte come and go: their memory stays in the heap, instead of being mapped and given back each time. */
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    p->on_message = on_message;
    p->own = &r;
    result started = start(p, &r);
    if (failed(started)) return role_give_up(p, started);
    loop_run(p->loop);
    proxy_free(r.proxy);
    return p->exit_status;
}
