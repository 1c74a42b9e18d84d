/* SPDX-License-Identifier: Apache-2.0 */
#include "role_priv.h"

#include "base/log.h"
#include "desk.h"

#include <unistd.h>

/* The registrar speaks with the card networks and the merchants' webhooks, and answers to the keeper alone. */

static void take_config(struct role_process *p, struct desk *desk, uint32_t generation, int fd)
{
    struct config *config = NULL;
    result r = OK;
    if (fd >= 0 && generation == p->generation) {
        close(fd); /* ours already: a reload that was taken back */
    } else {
        r = fd >= 0 ? role_config(p, fd, &config) : FAIL(IO);
        enum log_level level = failed(r) ? LOG_LEVEL_INFO : config->log_level;
        if (!failed(r)) r = desk_configure(desk, config);
        if (!failed(r)) {
            log_start(role_name(p->start->role), p->start->number, level);
            p->generation = generation;
        }
    }
    if (failed(r)) log_failure("reload", r);
    role_say(p, CONTROL_CONFIGURED, generation, r.err);
}

static void on_message(struct role_process *p, const struct control_message *m, int fd)
{
    struct desk *desk = p->own;
    switch (m->type) {
    case CONTROL_KEEPER: desk_connect(desk, fd); return;
    case CONTROL_CONFIG: take_config(p, desk, m->generation, fd); return;
    default:
        if (fd >= 0) close(fd);
        return;
    }
}

static result start(struct role_process *p, struct resolver **resolver, struct desk **desk)
{
    struct config *config = NULL;
    TRY(role_config(p, ROLE_FD_BUNDLE, &config));
    log_start(role_name(p->start->role), p->start->number, config->log_level);
    *resolver = resolver_new(p->loop, config->hosts_file);
    if (!*resolver) {
        config_free(config);
        return FAIL(MEMORY);
    }
    TRY(desk_new(p->loop, *resolver, config, desk));
    desk_on_breach(*desk, role_on_breach, p);
    return role_enter_sandbox(p, SANDBOX_REGISTRAR, SLICE_NONE);
}

int registrar_main(struct role_process *p)
{
    struct resolver *resolver = NULL;
    struct desk *desk = NULL;
    p->on_message = on_message;
    result r = start(p, &resolver, &desk);
    p->own = desk;
    if (failed(r)) return role_give_up(p, r);
    role_say(p, CONTROL_READY, p->generation, ERR_NONE);
    loop_run(p->loop);
    desk_free(desk);
    resolver_free(resolver);
    return p->exit_status;
}
