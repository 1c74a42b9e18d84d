/* SPDX-License-Identifier: Apache-2.0 */
#include "role_priv.h"

#include "base/log.h"
#include "base/secret.h"
#include "keeper/server.h"
#include "vault/vault.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct keeper_process {
    struct keeper_server *server;
    struct vault *vault;
};

/* The audit trail tells of its own writer too: starts, stops and each change of what is allowed (PCI DSS 4.0.1 10.2.1.5, 10.2.1.6).
 * A line that cannot be written stops every reveal as well, so nothing else has to fail here. */
static void audit(struct vault *vault, const char *action, result outcome)
{
    char uid[24];
    int len = snprintf(uid, sizeof uid, "uid:%lu", (unsigned long)getuid());
    const struct audit_entry e = {.action = action, .actor = SLICE("keeper"), .peer = {uid, (size_t)len}, .outcome = outcome};
    result r = vault_audit(vault, &e);
    if (failed(r)) log_failure("audit", r);
}

static void on_breach(void *owner, uint32_t pair)
{
    role_say(owner, CONTROL_BREACH, pair, ERR_KEEPER_FRAME);
}

static void on_message(struct role_process *p, const struct control_message *m, int fd)
{
    struct keeper_process *own = p->own;
    struct config *config = NULL;
    result r;
    switch (m->type) {
    case CONTROL_RELAY:
        r = fd >= 0 ? keeper_server_add_relay(own->server, m->number, m->generation, fd) : FAIL(IO);
        if (!failed(r)) return;
        log_failure("relay_connection", r);
        on_breach(p, m->generation);
        return;
    case CONTROL_REGISTRAR:
        keeper_server_registrar(own->server, m->generation, fd);
        return;
    case CONTROL_CONFIG:
        r = fd >= 0 ? role_config(p, fd, &config) : FAIL(IO);
        if (!failed(r)) r = keeper_server_configure(own->server, config, m->generation);
        audit(own->vault, "config.reload", r);
        if (failed(r)) log_failure("reload", r);
        role_say(p, CONTROL_CONFIGURED, m->generation, r.err);
        return;
    default:
        if (fd >= 0) close(fd);
        return;
    }
}

/* Where to look; what is wrong is told by the error itself, when the role gives up. */
static void explain_failure(const struct config *config, result r)
{
    int error_number = errno;
    log_begin(LOG_LEVEL_ERROR, "vault");
    log_word("path", config->vault_path);
    log_word("key", config->vault_key);
    if (error_number) log_errno("errno", error_number);
    log_u64("uid", geteuid());
    if (r.err == ERR_IO || r.err == ERR_VAULT_KEY_UNREADABLE)
        log_text("reason", "the vault's folder and key file must belong to the user that the keeper runs as: 'user', or the folder's owner");
    log_end();
}

static result open_vault(const struct config *config, struct vault **out)
{
    const struct vault_options options = {.path = config->vault_path, .serves = true, .key = config->vault_key, .old_key = config->vault_old_key,
                                          .size_bytes = config->vault_size_bytes};
    errno = 0;
    result r = vault_open(&options, out);
    if (failed(r)) explain_failure(config, r);
    vault_forget_key(config->vault_key);
    vault_forget_key(config->vault_old_key);
    return r;
}

/* A CVC must reach no disk, and swap is one (PCI DSS 3.3.1). */
static void warn_of_swap(void)
{
    if (secret_is_locked()) return;
    log_plain(LOG_LEVEL_WARN, "memory_not_locked", "card data and CVCs may be swapped: raise RLIMIT_MEMLOCK, or have no swap that is not encrypted");
}

/* Without capabilities and within Landlock root's files are still root's: a user of its own is better. */
static void warn_of_root(void)
{
    if (geteuid() != 0) return;
    log_plain(LOG_LEVEL_WARN, "keeper_is_root", "set 'user' in the configuration and give that user the vault folder and its key file");
}

static result start_server(struct role_process *p, struct config *config, struct keeper_process *own)
{
    /* The folder's name is read before the server takes the configuration. */
    result r = role_enter_sandbox(p, SANDBOX_KEEPER, config->vault_path);
    if (failed(r)) {
        config_free(config);
        return r;
    }
    const struct keeper_server_options options = {.loop = p->loop, .vault = own->vault, .config = config, .generation = p->generation,
                                                  .on_breach = on_breach, .owner = p};
    r = keeper_server_new(&options, &own->server);
    if (!failed(r)) warn_of_swap();
    return r;
}

int keeper_main(struct role_process *p)
{
    struct config *config = NULL;
    struct keeper_process own = {NULL, NULL};
    p->own = &own;
    p->on_message = on_message;
    result r = role_config(p, ROLE_FD_BUNDLE, &config);
    if (failed(r)) return role_give_up(p, r);
    log_start(role_name(p->start->role), p->start->number, config->log_level);
    warn_of_root();
    r = open_vault(config, &own.vault);
    if (failed(r)) {
        config_free(config);
        return role_give_up(p, r);
    }
    r = start_server(p, config, &own);
    if (failed(r)) {
        vault_close(own.vault);
        return role_give_up(p, r);
    }
    audit(own.vault, "keeper.start", OK);
    role_say(p, CONTROL_READY, p->generation, ERR_NONE);
    loop_run(p->loop);
    keeper_server_free(own.server);
    audit(own.vault, "keeper.stop", OK);
    vault_close(own.vault);
    return 0;
}
