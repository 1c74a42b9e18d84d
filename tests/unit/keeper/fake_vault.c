/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_vault.h"

#include "fake_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONST(literal) {(literal), sizeof(literal) - 1}

struct fake_vault fake;

/* --- questions that wait for the flush --- */

struct later {
    struct later *next;
    vault_card_callback card_done;
    vault_info_callback info_done;
    void *owner;
    result r;
    enum card_deed deed;
    struct card_info info;
    struct card card;
};
static struct later *waiting;

static void answer(const struct later *l)
{
    if (l->card_done)
        l->card_done(l->owner, l->r, failed(l->r) ? NULL : &l->card, failed(l->r) ? NULL : &l->info);
    else
        l->info_done(l->owner, l->r, failed(l->r) ? NULL : &l->info, l->deed);
}

static void finish(const struct later *l, bool is_write)
{
    if (!is_write && !fake.answers_later) {
        answer(l);
        return;
    }
    struct later *copy = malloc(sizeof *copy);
    *copy = *l;
    copy->next = NULL;
    struct later **end = &waiting;
    while (*end) end = &(*end)->next;
    *end = copy;
}

void vault_flush(struct vault *v)
{
    (void)v;
    fake.flushes++;
    if (fake.on_flush) fake.on_flush();
    while (waiting) {
        struct later *l = waiting;
        waiting = l->next;
        answer(l);
        free(l);
    }
    while (fake_network_flush()) continue;
    fake.audit_is_failing = fake.audit_breaks && fake.lines > 0; /* nothing to write cannot fail */
}

void vault_settle(struct vault *v)
{
    vault_flush(v);
}

void vault_tick(struct vault *v)
{
    (void)v;
    fake.ticks++;
}

/* --- cards --- */

static void describe(slice token, struct later *l)
{
    token_id_from(token, &l->info.token);
    (void)snprintf(l->info.mask.number, sizeof l->info.mask.number, "411111******1111");
    (void)snprintf(l->info.mask.brand, sizeof l->info.mask.brand, "visa");
    l->info.month = l->card.month = 12;
    l->info.year = l->card.year = 2030;
    l->info.has_holder = true;
    l->info.created_ms = 1;
    l->info.updated_ms = 2;
    memcpy(l->card.number, "4111111111111111", 16);
    l->card.number_len = 16;
    memcpy(l->card.holder, "ANNA B", 6);
    l->card.holder_len = 6;
}

static void find(slice merchant, slice token, struct later *l)
{
    bool of_shop = slice_is(merchant, "shop") && (slice_is(token, "tok_good1") || slice_is(token, "tok_removed") ||
                                                  (fake.has_new && slice_is(token, "tok_new_one")));
    bool of_other = slice_is(merchant, "other") && slice_is(token, "tok_other1");
    l->r = of_shop || of_other ? OK : FAIL(TOKEN_NOT_FOUND);
    if (failed(l->r)) return;
    describe(token, l);
    if (!slice_is(token, "tok_removed") && !(fake.pan_removed && slice_is(token, "tok_good1"))) return;
    l->info.state = CARD_PAN_REMOVED;
    l->card.number_len = 0;
}

bool fake_has_card(slice merchant, slice token)
{
    struct later l = {0};
    find(merchant, token, &l);
    return !failed(l.r);
}

void vault_card_get(struct vault *v, slice merchant, slice token, vault_card_callback done, void *owner)
{
    struct later l = {.card_done = done, .owner = owner};
    (void)v;
    find(merchant, token, &l);
    finish(&l, false);
}

void vault_card_put(struct vault *v, slice merchant, const struct card *card, struct card_put_options options,
                    vault_info_callback done, void *owner)
{
    struct later l = {.info_done = done, .owner = owner, .deed = fake.put_deed};
    (void)v;
    fake.put_options = options;
    bool is_shop = slice_is(merchant, "shop") && card->number_len == 16;
    l.r = is_shop ? fake.put_result : FAIL(INTERNAL);
    fake.put_card = *card;
    fake.puts++;
    describe(SLICE("tok_new_one"), &l);
    if (fake.has_no_expiry) l.info.month = 0;
    finish(&l, true);
}

void vault_card_change(struct vault *v, slice merchant, slice token, const struct card_change *change, vault_info_callback done, void *owner)
{
    struct later l = {.info_done = done, .owner = owner};
    (void)v;
    find(merchant, token, &l);
    if (change->set_expiry) l.info.month = change->month;
    if (change->remove_pan && !failed(l.r)) l.r = fake.removal_result;
    if (change->remove_pan && !failed(l.r)) fake.pan_removed = true;
    fake.removals += change->remove_pan;
    finish(&l, true);
}

void vault_card_delete(struct vault *v, slice merchant, slice token, vault_info_callback done, void *owner)
{
    struct later l = {.info_done = done, .owner = owner};
    (void)v;
    find(merchant, token, &l);
    finish(&l, true);
}

/* --- aliases --- */

void vault_alias_make(struct vault *v, slice merchant, slice token, const struct alias_wish *wish, vault_alias_callback done, void *owner)
{
    (void)v;
    if (!slice_is(merchant, "shop") || !slice_is(token, "tok_new_one")) { /* no check of a test's: the fuzz target has this vault, too */
        done(owner, FAIL(TOKEN_NOT_FOUND), SLICE_NONE, false);
        return;
    }
    fake.wished = wish->format;
    bool is_gone = fake.gone_times > 0 && !alias_is_own_id(wish);
    if (is_gone) fake.gone_times--;
    if (alias_is_own_id(wish))
        done(owner, OK, token, false);
    else if (is_gone)
        done(owner, (result){fake.gone}, SLICE_NONE, false);
    else if (failed(fake.alias_result))
        done(owner, fake.alias_result, SLICE_NONE, false);
    else if (fake.falls_to_own)
        done(owner, OK, token, true);
    else
        done(owner, OK, SLICE("411111ABCDEF1111"), fake.falls);
}

void vault_alias_resolve(struct vault *v, slice merchant, slice text, vault_resolve_callback done, void *owner)
{
    (void)v;
    fake.resolves++;
    if (failed(fake.resolve_result))
        done(owner, fake.resolve_result, SLICE_NONE);
    else if (slice_is(merchant, "shop") && slice_is(text, "411111ABCDEF1111"))
        done(owner, OK, SLICE("tok_good1"));
    else
        done(owner, FAIL(TOKEN_NOT_FOUND), SLICE_NONE);
}

/* --- keys and audit --- */

result vault_key_check(struct vault *v, slice key_text, const struct api_key_info **info)
{
    static const struct {
        const char *text;
        struct api_key_info info;
    } keys[] = {
        {"cvk_shop", {.id = "shop1", .merchant = {"shop", 4}, .permissions = PERMIT_DEFAULT}},
        {"cvk_all", {.id = "all1", .merchant = {"shop", 4}, .permissions = PERMIT_DEFAULT | PERMIT_CREDENTIALS | PERMIT_REPORT | PERMIT_ENROL}},
        {"cvk_read", {.id = "read1", .merchant = {"shop", 4}, .permissions = PERMIT_READ}},
        {"cvk_make", {.id = "make1", .merchant = {"shop", 4}, .permissions = PERMIT_TOKENIZE}},
        {"cvk_home", {.id = "home1", .merchant = {"shop", 4}, .permissions = PERMIT_DEFAULT, .allow = {"10.0.0.0/8", 10}}},
        {"cvk_broken", {.id = "brok1", .merchant = {"shop", 4}, .permissions = PERMIT_DEFAULT, .allow = {"nonsense", 8}}},
        {"cvk_other", {.id = "other1", .merchant = {"other", 5}, .permissions = PERMIT_DEFAULT}},
        {"cvk_lost", {.id = "lost1", .merchant = {"gone", 4}, .permissions = PERMIT_DEFAULT}},
    };
    (void)v;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (slice_is(key_text, keys[i].text)) {
            *info = &keys[i].info;
            return OK;
        }
    return FAIL(KEY_WRONG);
}

result vault_audit(struct vault *v, const struct audit_entry *e)
{
    (void)v;
    if (fake.audit_is_failing) return FAIL(VAULT_AUDIT);
    size_t used = strlen(fake.audited);
    (void)snprintf(fake.audited + used, sizeof fake.audited - used, "%s %.*s %.*s %.*s %.*s %s\n", e->action,
                   SLICE_ARG(e->merchant), SLICE_ARG(e->actor), SLICE_ARG(e->token), SLICE_ARG(e->route),
                   error_name(e->outcome.err));
    (void)snprintf(fake.peer, sizeof fake.peer, "%.*s", SLICE_ARG(e->peer));
    fake.lines++;
    return OK;
}

bool vault_audit_is_failing(const struct vault *v)
{
    (void)v;
    return fake.audit_is_failing;
}

/* --- configuration --- */

static struct config_listen listens[] = {{.at = CONST("0.0.0.0:8443")}, {.at = CONST("127.0.0.1:8080"), .merchant = CONST("shop")}};
static struct config_webhook webhooks[] = {{.url = {.tls = true, .host = CONST("shop.example"), .port = 443, .path = CONST("/hook")}},
                                           {.url = {.tls = true, .host = CONST("b.example"), .port = 8443}}};
static struct config_network networks[] = {{.name = CONST("cards"), .brands = 1u << BRAND_VISA, .timeout_ms = 400}};
static struct config_merchant merchants[] = {{.name = CONST("other"), .network = -1}, {.name = CONST("shop"), .webhooks = webhooks, .webhook_count = 1}};
static struct ruleset with_token = {.has_network_token = true, .sign = {.kind = SIGN_HMAC_SHA256}}, plain = {.has_network_token = false};
static struct config_route routes[] = {{.name = CONST("rede"), .merchant = CONST("shop"), .rules = &with_token, .volume_percent = 100, .budget_ms = 150,
                                        .sign_secret = CONST("Jefe")},
                                       {.name = CONST("theirs"), .merchant = CONST("other"), .rules = &plain},
                                       {.name = CONST("any"), .rules = &plain},
                                       {.name = CONST("bookings"), .merchant = CONST("shop"), .rules = &plain, .direction = DIRECTION_FILTER_PUSH,
                                        .callers = CONST("198.51.100.0/24, 203.0.113.7"), .cvc_ttl_s = 60},
                                       {.name = CONST("hotels"), .merchant = CONST("shop"), .rules = &plain, .direction = DIRECTION_FORWARD_PUSH,
                                        .callers = CONST("198.51.100.0/24")},
                                       {.name = CONST("channel"), .merchant = CONST("shop"), .rules = &plain, .direction = DIRECTION_FILTER_PULL,
                                        .cvc_ttl_s = 60},
                                       {.name = CONST("ownerless"), .rules = &plain, .direction = DIRECTION_FILTER_PUSH,
                                        .callers = CONST("198.51.100.0/24"), .cvc_ttl_s = 60}};
static unsigned alive;

struct config *fake_config(void)
{
    struct config *c = calloc(1, sizeof *c);
    *c = (struct config){.listens = listens, .listen_count = 2, .merchants = merchants, .merchant_count = 2, .routes = routes,
                         .route_count = sizeof routes / sizeof *routes, .bad_tokens = 20, .bad_tokens_window_ms = 900000, .networks = networks, .network_count = 1, .keeper_ms = 300,
                         .temporal_tokens = FAKE_TEMPORAL_TOKENS};
    alive++;
    return c;
}

unsigned fake_configs_alive(void)
{
    return alive;
}

void config_free(struct config *c)
{
    if (c) alive--;
    free(c);
}

int64_t config_merchant_index(const struct config *c, slice name)
{
    for (size_t i = 0; i < c->merchant_count; i++)
        if (slice_eq(c->merchants[i].name, name)) return (int64_t)i;
    return -1;
}

/* --- the local CA: signs "leaf of HOST" --- */

result vault_ca_sign(struct vault *v, slice host, const uint8_t point[CA_POINT_BYTES], struct buf *out)
{
    (void)v;
    fake.leaves++;
    memcpy(fake.point, point, sizeof fake.point);
    if (failed(fake.leaf_result)) return fake.leaf_result;
    TRY(buf_append(out, SLICE("leaf of ")));
    return buf_append(out, host);
}
