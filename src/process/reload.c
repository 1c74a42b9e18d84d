/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor_priv.h"

#include "base/log.h"
#include "base/metrics.h"

#include <unistd.h>

/* SIGHUP. All or nothing, in an order that leaves no gap:
 *
 *     read and check ─► keeper takes it (knows both now) ─► relays and registrar take it ─► done
 *                          └─ no: nothing happened             └─ one says no: everybody goes back to the old one
 *
 * The keeper is first, so that no relay names a configuration that it does not know. */

static void fail(const char *why)
{
    metrics_add(METRIC_RELOADS_FAILED, 1);
    log_begin(LOG_LEVEL_ERROR, "reload_failed");
    log_text("reason", why);
    log_text("effect", "nothing was changed");
    log_end();
}

static bool same_listens(const struct config *a, const struct config *b)
{
    if (a->listen_count != b->listen_count) return false;
    for (size_t i = 0; i < a->listen_count; i++) {
        const struct config_listen *x = &a->listens[i], *y = &b->listens[i];
        if (!slice_eq(x->at, y->at) || x->tls != y->tls || !slice_eq(x->merchant, y->merchant)) return false;
    }
    return true;
}

static void warn_restart(bool differs, const char *setting)
{
    if (!differs) return;
    log_begin(LOG_LEVEL_WARN, "reload_restart_needed");
    log_text("setting", setting);
    log_text("effect", "the other changes apply now, this one after a restart");
    log_end();
}

static bool may_replace(const struct config *now, const struct config *next)
{
    if (!same_listens(now, next) || !slice_eq(now->admin, next->admin)) {
        fail("'listen' or 'admin' changed: the sockets are bound at the start; restart instead");
        return false;
    }
    warn_restart(!slice_eq(now->vault_engine, next->vault_engine) || !slice_eq(now->vault_path, next->vault_path) ||
                     !slice_eq(now->vault_key, next->vault_key) ||
                         !slice_eq(now->vault_old_key, next->vault_old_key) || now->vault_size_bytes != next->vault_size_bytes,
                 "vault");
    warn_restart(!slice_eq(now->user, next->user), "user");
    warn_restart(now->workers != next->workers, "workers");
    warn_restart(now->connections > next->connections, "limits.connections");
    return true;
}

static void adopt(struct supervisor *s, struct bundles bundles, uint32_t generation)
{
    s->bundles = bundles;
    s->generation = generation;
}

static void finish(struct supervisor *s)
{
    struct reload *r = &s->reload;
    bool again = r->again;
    bundles_close(&r->old_bundles);
    config_free(r->config);
    *r = (struct reload){.old_bundles = no_bundles};
    if (again) reload_begin(s);
}

/* Also those that are still starting: they were started with the old one. */
static void tell_others(struct supervisor *s)
{
    s->reload.unanswered = 0;
    for (size_t i = 0; i < s->child_count; i++) {
        struct child *c = &s->children[i];
        if (!child_is_keeper(c) && child_configure(c)) s->reload.unanswered++;
    }
}

static void succeed(struct supervisor *s)
{
    struct reload *r = &s->reload;
    config_free(s->config);
    s->config = r->config;
    r->config = NULL;
    metrics_add(METRIC_RELOADS, 1);
    log_begin(LOG_LEVEL_INFO, "reloaded");
    log_u64("generation", s->generation);
    log_u64("routes", s->config->route_count);
    log_end();
    finish(s);
}

/* The keeper knows the new one: from here on every role that starts gets it. */
static void commit(struct supervisor *s)
{
    tell_others(s);
    if (s->reload.unanswered == 0) succeed(s);
}

/* Back to the old one, under its old number: relays that still have it need do nothing, the keeper makes it current again. */
static void take_back(struct supervisor *s)
{
    struct reload *r = &s->reload;
    bundles_close(&s->bundles);
    adopt(s, r->old_bundles, r->old_generation);
    r->old_bundles = no_bundles;
    r->taken_back = true;
    (void)child_configure(supervisor_keeper(s));
    tell_others(s);
    fail("a relay or the registrar could not use it; see its log");
    if (r->unanswered == 0) finish(s);
}

void reload_begin(struct supervisor *s)
{
    struct reload *r = &s->reload;
    struct bundles bundles = no_bundles;
    if (s->phase != PHASE_SERVING) return;
    if (r->is_running) {
        r->again = true;
        return;
    }
    struct config *config = NULL;
    if (failed(supervisor_read_config(s->file, &config, &bundles))) {
        fail("the configuration is not valid");
        return;
    }
    if (!may_replace(s->config, config)) {
        config_free(config);
        bundles_close(&bundles);
        return;
    }
    *r = (struct reload){.is_running = true, .old_bundles = s->bundles, .old_generation = s->generation, .config = config};
    adopt(s, bundles, ++s->last_generation);
    /* A keeper that is not there reads the new bundle when it starts. One that is starting has the old one already, and finds
     * this message when it is ready to read. */
    if (!child_configure(supervisor_keeper(s))) commit(s);
}

static void on_keeper_answer(struct supervisor *s, enum error e)
{
    struct reload *r = &s->reload;
    if (!e) {
        commit(s);
        return;
    }
    bundles_close(&s->bundles);
    adopt(s, r->old_bundles, r->old_generation);
    r->old_bundles = no_bundles;
    fail("the keeper could not use it; see its log");
    finish(s);
}

void reload_on_answer(struct supervisor *s, struct child *c, uint32_t generation, enum error e)
{
    struct reload *r = &s->reload;
    if (!r->is_running || generation != s->generation) return;
    if (c->role == ROLE_KEEPER) {
        if (!r->taken_back && r->unanswered == 0) on_keeper_answer(s, e);
        return;
    }
    if (r->unanswered == 0) return;
    r->unanswered--;
    if (e && !r->taken_back)
        take_back(s);
    else if (r->unanswered == 0 && r->taken_back)
        finish(s);
    else if (r->unanswered == 0)
        succeed(s);
}

/* A role that dies meanwhile counts as having answered: it starts again with what is current. */
void reload_on_child_ended(struct supervisor *s, const struct child *c)
{
    struct reload *r = &s->reload;
    if (!r->is_running) return;
    if (c->role == ROLE_KEEPER && r->unanswered == 0 && !r->taken_back) {
        commit(s);
    } else if (c->role != ROLE_KEEPER && r->unanswered > 0 && --r->unanswered == 0) {
        if (r->taken_back)
            finish(s);
        else
            succeed(s);
    }
}
