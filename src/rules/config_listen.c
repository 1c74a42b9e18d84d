/* SPDX-License-Identifier: Apache-2.0 */
#include "config_priv.h"

#include "net/listener.h"
#include "rules/pem.h"

#include <string.h>

static void check_listen_tls(struct config_loading *c, struct draft_listen *d, const struct setting_places *places)
{
    bool has_certificate = places->at[SETTING_ID_LISTEN_CERTIFICATE], has_key = places->at[SETTING_ID_LISTEN_KEY];
    bool has_ca = places->at[SETTING_ID_LISTEN_CLIENT_CA];
    d->l.tls = has_certificate || has_key || has_ca || tree_get(places->map, "tls");
    if (!d->l.tls) return;
    if (!has_certificate) loading_complain(&c->l, places->map, "'tls' needs 'certificate'");
    if (!has_key) loading_complain(&c->l, places->map, "'tls' needs 'key'");
    if (places->at[SETTING_ID_LISTEN_INSECURE] && d->l.insecure)
        loading_complain(&c->l, places->at[SETTING_ID_LISTEN_INSECURE],
                         "'insecure: yes' says nothing on a listener with TLS; take one of them away");
    if (!d->l.certificate.at || !d->l.key.at) return; /* missing or damaged: told already */
    const char *wrong = pem_check_pair(d->l.certificate, d->l.key);
    if (wrong) loading_complain(&c->l, places->at[SETTING_ID_LISTEN_KEY], "%s", wrong);
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
        check_listen_tls(c, &draft, &places);
        check_listen_reach(c, &draft, &places);
        check_listen_twice(c, &draft, &places);
        config_name_merchant(c, draft.l.merchant);
        config->listens[config->listen_count++] = draft.l;
    }
}
