/* SPDX-License-Identifier: Apache-2.0 */
#include "config_priv.h"

#include "net/listener.h"
#include "rules/pem.h"

#include <string.h>

static void read_certificate(struct config_loading *c, struct draft_listen *d, const struct tree_node *n)
{
    struct draft_certificate draft = {0};
    struct setting_places places;
    settings_read(&c->l, SCOPE_CERTIFICATE, n, &draft, &places);
    bool is_first = d->l.certificate_count == 0;
    if (is_first)
        d->l.client_ca = draft.client_ca;
    else if (places.at[SETTING_ID_CERTIFICATE_CLIENT_CA])
        loading_complain(&c->l, places.at[SETTING_ID_CERTIFICATE_CLIENT_CA],
                         "'client_ca' is for the whole listener: it belongs in the first entry of 'tls'");
    d->l.certificates[d->l.certificate_count++] = draft.t;
    if (!draft.t.certificate.at || !draft.t.key.at) return; /* missing or damaged: told already */
    const char *wrong = pem_check_pair(draft.t.certificate, draft.t.key);
    if (wrong) loading_complain(&c->l, places.at[SETTING_ID_CERTIFICATE_KEY], "%s", wrong);
}

static void read_listen_tls(struct config_loading *c, struct draft_listen *d, const struct setting_places *places)
{
    const struct tree_node *tls = d->at_tls;
    d->l.tls = places->at[SETTING_ID_LISTEN_TLS];
    if (d->l.tls && d->l.insecure)
        loading_complain(&c->l, places->at[SETTING_ID_LISTEN_INSECURE],
                         "'insecure: yes' says nothing on a listener with TLS; take one of them away");
    if (!tls) return; /* none, or told already */
    bool is_lone = tls->kind == TREE_MAP;
    d->l.certificates = pool_alloc(c->l.pool, (is_lone ? 1 : tls->count) * sizeof *d->l.certificates);
    if (!d->l.certificates) {
        c->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = is_lone ? tls : tls->first; n; n = is_lone ? NULL : n->next) read_certificate(c, d, n);
}

static void read_forward_proxy(struct config_loading *c, struct draft_listen *d, const struct setting_places *places)
{
    const struct tree_node *others = places->at[SETTING_ID_LISTEN_PROXY_OTHERS], *targets = places->at[SETTING_ID_LISTEN_PROXY_TARGETS];
    config_read_targets(c, d->at_tunnels, &d->l.tunnels, &d->l.tunnel_count);
    if (!places->at[SETTING_ID_LISTEN_FORWARD_PROXY] && (others || targets)) d->l.forward_proxy = true;
    if (!d->l.forward_proxy && (others || targets))
        loading_complain(&c->l, others ? others : targets, "this says nothing on a listener whose 'forward_proxy' is off");
    else if (targets && d->l.proxy_others != PROXY_OTHERS_TUNNEL)
        loading_complain(&c->l, targets, "'forward_proxy.targets' says nothing without 'others: tunnel'");
    for (size_t i = 0; i < d->l.tunnel_count; i++)
        if (d->l.tunnels[i].url.host.at && !d->l.tunnels[i].url.tls)
            loading_complain(&c->l, targets, "CONNECT is for https:// hosts only");
}

/* Plain HTTP carries placeholders and API keys, and a merchant's listener asks for no key: neither may leave this
 * machine. */
static void check_listen_reach(struct config_loading *c, const struct draft_listen *d,
                               const struct setting_places *places)
{
    struct address at;
    if (!d->l.at.at || failed(address_parse(d->l.at, &at)) || address_is_loopback(&at)) return;
    const struct tree_node *place = setting_place(places, SETTING_ID_LISTEN_AT);
    if (!d->l.tls && !d->l.insecure)
        loading_complain(
            &c->l, place,
            "plain HTTP beyond this machine: add 'tls: { certificate: …, key: … }', listen on 127.0.0.1 or "
            "unix:PATH, or set insecure: yes");
    if (d->l.merchant.at)
        loading_complain(&c->l, places->at[SETTING_ID_LISTEN_MERCHANT],
                         "'merchant' lets callers in without an API key: it is allowed on loopback and unix:PATH only");
}

static void check_listen_twice(struct config_loading *c, const struct draft_listen *d,
                               const struct setting_places *places)
{
    struct address mine, other;
    if (!d->l.at.at || failed(address_parse(d->l.at, &mine))) return;
    const struct tree_node *place = setting_place(places, SETTING_ID_LISTEN_AT);
    const struct config *config = &c->draft.c;
    for (size_t i = 0; i < config->listen_count; i++) {
        if (!config->listens[i].at.at || failed(address_parse(config->listens[i].at, &other))) continue;
        if (mine.len != other.len || memcmp(&mine.at, &other.at, mine.len) != 0) continue;
        loading_complain(&c->l, place, "a second listener at this address");
        return;
    }
    if (config->admin.at && !failed(address_parse(config->admin, &other)) && mine.len == other.len &&
        memcmp(&mine.at, &other.at, mine.len) == 0)
        loading_complain(&c->l, place, "this is the address of 'admin' too");
}

void config_read_listens(struct config_loading *c)
{
    struct config *config = &c->draft.c;
    const struct tree_node *list = c->draft.at_listen;
    if (!list) return;
    config->listens = pool_alloc(c->l.pool, list->count * sizeof *config->listens);
    if (!config->listens) {
        c->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = list->first; n; n = n->next) {
        struct draft_listen draft = {0};
        struct setting_places places;
        settings_read(&c->l, SCOPE_LISTEN, n, &draft, &places);
        read_listen_tls(c, &draft, &places);
        read_forward_proxy(c, &draft, &places);
        check_listen_reach(c, &draft, &places);
        check_listen_twice(c, &draft, &places);
        config_name_merchant(c, draft.l.merchant);
        config->listens[config->listen_count++] = draft.l;
    }
}
