/* SPDX-License-Identifier: Apache-2.0 */
#include "config_priv.h"

#include "rules/url.h"
#include "sign/encoding.h"

#include <string.h>

void config_check_address(struct config_loading *c, const struct config_address *a)
{
    const struct tree_node *place = setting_place(a->places, a->url_id), *ca = a->places->at[a->ca_id];
    if (a->url->tls) {
        if (!c->l.alone && !ca && c->draft.c.system_ca.len == 0)
            loading_complain(
                &c->l, place,
                "no certificate could be verified: this system has no %s; install ca-certificates, or set 'ca'",
                CONFIG_SYSTEM_CA_FILE);
        if (a->insecure)
            loading_complain(&c->l, a->places->at[a->insecure_id],
                             "'insecure: yes' says nothing for an https:// address (certificates are always verified)");
        return;
    }
    if (!url_is_loopback(a->url) && !a->insecure)
        loading_complain(&c->l, place,
                         "%s would leave this machine unencrypted: use https://, or set insecure: yes here", a->leak);
    if (ca) loading_complain(&c->l, ca, "'ca' says nothing for an http:// address");
}

/* --- keys --- */

void config_check_base64(struct config_loading *c, const struct setting_places *places, enum setting_id id,
                         slice secret)
{
    struct buf bytes;
    if (secret.len == 0) return;              /* not there, told already, or not for this role */
    buf_init_secret(&bytes, secret.len + 64); /* the reader rounds up */
    result r = base64_read(secret, &bytes);
    if (r.err == ERR_MEMORY) c->l.out_of_memory = true;
    if (failed(r) && r.err != ERR_MEMORY)
        loading_complain(&c->l, places->at[id], "'%s': not Base64, as the platform shows its keys",
                         settings_row(id)->path);
    buf_done(&bytes);
}

/* What signs calls: 'secret' or 'jwt_key', as 'auth' says. */
static void check_auth(struct config_loading *c, const struct draft_network *d, const struct setting_places *places)
{
    bool by_key = d->n.auth == NETWORK_AUTH_JWT_KEY;
    enum setting_id wanted = by_key ? SETTING_ID_NETWORK_JWT_KEY : SETTING_ID_NETWORK_SECRET;
    enum setting_id idle = by_key ? SETTING_ID_NETWORK_SECRET : SETTING_ID_NETWORK_JWT_KEY;
    if (!places->at[wanted])
        loading_complain(&c->l, setting_place(places, SETTING_ID_NETWORK_AUTH), "'%s' is missing: %s",
                         settings_row(wanted)->path, settings_row(wanted)->help);
    if (places->at[idle])
        loading_complain(&c->l, places->at[idle], "'%s' says nothing with auth: %s", settings_row(idle)->path,
                         by_key ? "jwt-key" : "http-signature or jwt-secret");
}

static void check_notice(struct config_loading *c, const struct setting_places *places)
{
    const struct tree_node *key = places->at[SETTING_ID_NETWORK_NOTICE_KEY],
                           *id = places->at[SETTING_ID_NETWORK_NOTICE_KEY_ID];
    const struct tree_node *signs = places->at[SETTING_ID_NETWORK_NOTICE_SIGNS],
                           *any_time = places->at[SETTING_ID_NETWORK_NOTICE_ANY_TIME];
    if (key && !id) loading_complain(&c->l, key, "'notice.key' needs 'notice.key_id'");
    if (id && !key) loading_complain(&c->l, id, "'notice.key_id' needs 'notice.key'");
    if (signs && !id && !key)
        loading_complain(&c->l, signs, "'notice.signs' says nothing without 'notice.key' and 'notice.key_id'");
    if (any_time && !id && !key)
        loading_complain(&c->l, any_time, "'notice.any_time' says nothing without 'notice.key' and 'notice.key_id'");
}

/* --- one network --- */

static void check_upstream(struct config_loading *c, struct draft_network *d, const struct setting_places *places)
{
    if (!d->upstream.at) return;
    const char *wrong = url_parse(d->upstream, &d->n.upstream);
    if (wrong) {
        loading_complain(&c->l, setting_place(places, SETTING_ID_NETWORK_UPSTREAM),
                         "'upstream': %s (https://HOST[:PORT][/PATH])", wrong);
        return;
    }
    config_check_address(c, &(struct config_address){.places = places,
                                                     .url_id = SETTING_ID_NETWORK_UPSTREAM,
                                                     .insecure_id = SETTING_ID_NETWORK_INSECURE,
                                                     .ca_id = SETTING_ID_NETWORK_CA,
                                                     .url = &d->n.upstream,
                                                     .insecure = d->insecure,
                                                     .leak = "card data and credentials"});
}

/* These go into header fields and signed texts. */
static void check_word(struct config_loading *c, const struct setting_places *places, enum setting_id id, slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] > ' ' && text.at[i] < 0x7f && text.at[i] != '"' && text.at[i] != ',') continue;
        loading_complain(&c->l, places->at[id],
                         "'%s': only letters, digits and signs can stand there, no blank, quote or comma",
                         settings_row(id)->path);
        return;
    }
}

/* Others could only be sent there to be refused. */
static void check_brands(struct config_loading *c, const struct config_network *n, const struct setting_places *places)
{
    const unsigned of_cybersource = 1u << BRAND_VISA | 1u << BRAND_MASTERCARD | 1u << BRAND_AMEX;
    if (n->type == NETWORK_TYPE_CYBERSOURCE && n->brands & ~of_cybersource)
        loading_complain(&c->l, places->at[SETTING_ID_NETWORK_BRANDS],
                         "'brands': Cybersource TMS has network tokens of visa, mastercard and amex only");
}

static void read_network(struct config_loading *c, const struct tree_node *n)
{
    struct config *config = &c->draft.c;
    struct draft_network draft = {0};
    struct setting_places places;
    settings_read(&c->l, SCOPE_NETWORK, n, &draft, &places);
    check_upstream(c, &draft, &places);
    check_auth(c, &draft, &places);
    check_notice(c, &places);
    check_brands(c, &draft.n, &places);
    config_check_base64(c, &places, SETTING_ID_NETWORK_SECRET, draft.n.secret);
    config_check_base64(c, &places, SETTING_ID_NETWORK_NOTICE_KEY, draft.n.notice_key);
    check_word(c, &places, SETTING_ID_NETWORK_MERCHANT_ID, draft.n.merchant_id);
    check_word(c, &places, SETTING_ID_NETWORK_KEY_ID, draft.n.key_id);
    check_word(c, &places, SETTING_ID_NETWORK_PROFILE_ID, draft.n.profile_id);
    check_word(c, &places, SETTING_ID_NETWORK_NOTICE_KEY_ID, draft.n.notice_key_id);
    for (size_t i = 0; draft.n.name.at && i < config->network_count; i++)
        if (slice_eq(config->networks[i].name, draft.n.name))
            loading_complain(&c->l, places.at[SETTING_ID_NETWORK_NAME], "a second network '%.*s'",
                             SLICE_ARG(draft.n.name));
    config->networks[config->network_count++] = draft.n;
}

void config_read_networks(struct config_loading *c)
{
    const struct tree_node *list = c->draft.at_networks;
    if (!list || list->count == 0) return;
    c->draft.c.networks = pool_alloc(c->l.pool, list->count * sizeof *c->draft.c.networks);
    if (!c->draft.c.networks) {
        c->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = list->first; n; n = n->next)
        read_network(c, n);
}
