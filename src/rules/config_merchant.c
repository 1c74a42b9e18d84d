/* SPDX-License-Identifier: Apache-2.0 */
#include "config_priv.h"

#include "rules/host.h"
#include "rules/target.h"
#include "rules/url.h"

#include <string.h>

enum { WEBHOOK_SECRET_MIN_BYTES = 16 };

void config_name_merchant(struct config_loading *c, slice name)
{
    struct config *config = &c->draft.c;
    if (!name.at || config_merchant_index(config, name) >= 0 || c->l.out_of_memory) return;
    size_t bytes = sizeof *config->merchants;
    struct config_merchant *more = pool_alloc(c->l.pool, (config->merchant_count + 1) * bytes);
    if (!more) {
        c->l.out_of_memory = true;
        return;
    }
    if (config->merchant_count) memcpy(more, config->merchants, config->merchant_count * bytes);
    more[config->merchant_count++] = (struct config_merchant){.name = name, .network = -1};
    config->merchants = more;
}

/* --- webhooks --- */

static void check_webhook(struct config_loading *c, struct draft_webhook *d, const struct setting_places *places)
{
    const struct tree_node *place = setting_place(places, SETTING_ID_WEBHOOK_URL);
    slice secret = d->w.secret;
    if (d->url.at) {
        const char *wrong = url_parse_target(d->url, &d->w.url);
        if (wrong)
            loading_complain(&c->l, place, "'url': %s (https://HOST[:PORT]/PATH[?QUERY])", wrong);
        else
            config_check_address(c, &(struct config_address){.places = places,
                                                             .url_id = SETTING_ID_WEBHOOK_URL,
                                                             .insecure_id = SETTING_ID_WEBHOOK_INSECURE,
                                                             .ca_id = SETTING_ID_WEBHOOK_CA,
                                                             .url = &d->w.url,
                                                             .insecure = d->insecure,
                                                             .leak = "what happens to tokens"});
    }
    if (secret.len > 0 && secret.len < WEBHOOK_SECRET_MIN_BYTES)
        loading_complain(&c->l, places->at[SETTING_ID_WEBHOOK_SECRET],
                         "'secret': shorter than %d bytes; make one with: openssl rand -hex 32",
                         WEBHOOK_SECRET_MIN_BYTES);
}

static void check_webhook_twice(struct config_loading *c, const struct config_merchant *m,
                                const struct draft_webhook *d, const struct setting_places *places)
{
    const struct upstream_url *mine = &d->w.url;
    for (size_t i = 0; mine->host.at && i < m->webhook_count; i++) {
        const struct upstream_url *other = &m->webhooks[i].url;
        if (other->tls == mine->tls && other->port == mine->port && slice_ieq(other->host, mine->host) &&
            slice_eq(other->path, mine->path))
            loading_complain(&c->l, places->at[SETTING_ID_WEBHOOK_URL], "a second webhook with this url");
    }
}

static void read_webhooks(struct config_loading *c, struct config_merchant *m, const struct tree_node *list)
{
    if (!list || list->count == 0) return;
    m->webhooks = pool_alloc(c->l.pool, list->count * sizeof *m->webhooks);
    if (!m->webhooks) {
        c->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = list->first; n; n = n->next) {
        struct draft_webhook draft = {0};
        struct setting_places places;
        settings_read(&c->l, SCOPE_WEBHOOK, n, &draft, &places);
        check_webhook(c, &draft, &places);
        check_webhook_twice(c, m, &draft, &places);
        m->webhooks[m->webhook_count++] = draft.w;
    }
}

/* --- targets --- */

static void check_target(struct config_loading *c, const struct config_target *before, size_t count, struct draft_target *d,
                         const struct setting_places *places)
{
    const struct tree_node *place = setting_place(places, SETTING_ID_TARGET_URL);
    if (!d->url.at) return; /* told already */
    result r = target_parse_pattern(d->url, &d->t.url);
    if (failed(r)) {
        loading_complain(&c->l, place, "'url': %s", error_text(r.err));
        return;
    }
    if (!d->t.url.tls && !d->insecure)
        loading_complain(&c->l, place, "card data would go out in plain HTTP; use https://, or set insecure: yes");
    if (d->t.may_be_private && host_pattern_is_wildcard(d->t.url.host))
        loading_complain(&c->l, places->at[SETTING_ID_TARGET_PRIVATE], "'private: yes' is for one host: name it, without '*'");
    if (!d->t.may_be_private && target_is_private_address(&d->t.url))
        loading_complain(&c->l, place, "this address is not public: it can only be reached with private: yes");
    for (size_t i = 0; i < count; i++) {
        const struct upstream_url *other = &before[i].url;
        if (other->tls == d->t.url.tls && other->port == d->t.url.port && slice_ieq(other->host, d->t.url.host))
            loading_complain(&c->l, place, "a second entry for this target");
    }
}

void config_read_targets(struct config_loading *c, const struct tree_node *list, struct config_target **out, size_t *count)
{
    if (!list || list->count == 0) return;
    *out = pool_alloc(c->l.pool, list->count * sizeof **out);
    if (!*out) {
        c->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = list->first; n; n = n->next) {
        struct draft_target draft = {0};
        struct setting_places places;
        struct tree_node url = *n, map = {.kind = TREE_MAP, .line = n->line, .column = n->column, .count = 1, .first = &url};
        url.key = SLICE("url");
        url.next = NULL;
        settings_read(&c->l, SCOPE_TARGET, n->kind == TREE_SCALAR ? &map : n, &draft, &places);
        check_target(c, *out, *count, &draft, &places);
        (*out)[(*count)++] = draft.t;
    }
}

/* --- merchants --- */

static void find_network(struct config_loading *c, struct draft_merchant *d, const struct setting_places *places)
{
    const struct config *config = &c->draft.c;
    d->m.network = -1;
    if (!d->network.at) {
        if (d->m.webhook_count)
            loading_complain(&c->l, places->at[SETTING_ID_MERCHANT_WEBHOOKS],
                             "'webhooks' tell of network tokens, and this merchant has none: set 'network' too");
        return;
    }
    for (size_t i = 0; i < config->network_count; i++)
        if (slice_eq(config->networks[i].name, d->network)) d->m.network = (int64_t)i;
    if (d->m.network >= 0) return;
    c->network_is_wrong = true;
    loading_complain(&c->l, places->at[SETTING_ID_MERCHANT_NETWORK],
                     "no network '%.*s': add it to 'networks', or take one that is there", SLICE_ARG(d->network));
}

void config_read_merchants(struct config_loading *c)
{
    struct config *config = &c->draft.c;
    const struct tree_node *list = c->draft.at_merchants;
    if (!list || list->count == 0) return;
    config->merchants = pool_alloc(c->l.pool, list->count * sizeof *config->merchants);
    if (!config->merchants) {
        c->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = list->first; n; n = n->next) {
        struct draft_merchant draft = {0};
        struct setting_places places;
        settings_read(&c->l, SCOPE_MERCHANT, n, &draft, &places);
        read_webhooks(c, &draft.m, draft.at_webhooks);
        config_read_targets(c, draft.at_targets, &draft.m.targets, &draft.m.target_count);
        find_network(c, &draft, &places);
        if (!draft.m.name.at) continue;
        if (config_merchant_index(config, draft.m.name) >= 0)
            loading_complain(&c->l, places.at[SETTING_ID_MERCHANT_NAME], "a second merchant '%.*s'",
                             SLICE_ARG(draft.m.name));
        else
            config->merchants[config->merchant_count++] = draft.m;
    }
}
