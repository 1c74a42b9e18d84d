/* SPDX-License-Identifier: Apache-2.0 */
#include "no_pan.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS_A_TICK = 256 };

struct no_pan {
    struct keeper_server *server;
    const struct version *version; /* that the sweep is for; compared, never followed: NULL: none yet */
    uint32_t generation;
    size_t merchant;               /* that it has come to */
    struct token_id after;         /* its last token; len 0: from the first */
    bool again;                    /* one could not be removed: once more, from the start */
};

/* One number that goes. */
struct removal {
    struct no_pan *no_pan;
    size_t merchant_len;
    char merchant[WIRE_NAME_MAX_BYTES];
    struct token_id token;
};

static const struct config *config_of(const struct no_pan *n)
{
    return n->server->current->config;
}

/* --- one card --- */

static void end(struct removal *r)
{
    free(r);
}

/* A token that is ACTIVE no more keeps its card's number: there is nothing else to pay with. */
static void on_removed(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    struct removal *m = owner;
    const struct audit_entry entry = {.action = "token.no_pan", .merchant = {m->merchant, m->merchant_len}, .actor = SLICE("no_pan"),
                                      .token = token_id_slice(&m->token), .outcome = r};
    (void)info;
    (void)deed;
    if (r.err != ERR_TOKEN_NOT_FOUND && r.err != ERR_NETWORK_TOKEN_NEEDED) {
        result ignored = vault_audit(m->no_pan->server->vault, &entry); /* the number is gone: nothing can be taken back */
        (void)ignored;
        if (failed(r)) log_failure("no_pan", r);
        if (failed(r)) m->no_pan->again = true;
    }
    end(m);
}

static void on_card(void *owner, result r, const struct card *card, const struct card_info *info)
{
    static const struct card_change remove = {.remove_pan = true};
    struct removal *m = owner;
    (void)card;
    if (failed(r) && r.err != ERR_TOKEN_NOT_FOUND) m->no_pan->again = true;
    if (!failed(r) && info->state == CARD_ACTIVE)
        vault_card_change(m->no_pan->server->vault, (slice){m->merchant, m->merchant_len}, token_id_slice(&m->token), &remove, on_removed, m);
    else
        end(m);
}

void no_pan_apply(struct no_pan *n, slice merchant, slice token)
{
    const struct config *c = config_of(n);
    int64_t index = config_merchant_index(c, merchant);
    if (index < 0 || !c->merchants[index].no_pan || merchant.len > WIRE_NAME_MAX_BYTES) return;
    struct removal *m = calloc(1, sizeof *m);
    if (!m || !token_id_from(token, &m->token)) {
        n->again = true;
        free(m);
        return;
    }
    m->no_pan = n;
    m->merchant_len = merchant.len;
    memcpy(m->merchant, merchant.at, merchant.len);
    vault_card_get(n->server->vault, merchant, token, on_card, m);
}

/* --- all of them --- */

static void on_record(void *owner, slice token, const struct network_record *record)
{
    struct no_pan *n = owner;
    (void)token_id_from(token, &n->after);
    if (record->state == NETWORK_ACTIVE) no_pan_apply(n, config_of(n)->merchants[n->merchant].name, token);
}

static void start_over(struct no_pan *n)
{
    n->version = n->server->current;
    n->generation = n->server->current->generation;
    n->merchant = 0;
    n->after.len = 0;
    n->again = false;
}

void no_pan_tick(struct no_pan *n)
{
    const struct config *c = config_of(n);
    bool more = false;
    if (n->version != n->server->current || n->generation != n->server->current->generation) start_over(n);
    if (n->merchant >= c->merchant_count && n->again) start_over(n);
    while (n->merchant < c->merchant_count && !c->merchants[n->merchant].no_pan) n->merchant++;
    if (n->merchant >= c->merchant_count) return;
    result r = vault_network_page(n->server->vault, c->merchants[n->merchant].name, token_id_slice(&n->after), RECORDS_A_TICK, on_record, n, &more);
    if (failed(r)) log_failure("no_pan", r); /* the next tick tries the same page */
    if (failed(r) || more) return;
    n->merchant++;
    n->after.len = 0;
}

struct no_pan *no_pan_new(struct keeper_server *server)
{
    struct no_pan *n = calloc(1, sizeof *n);
    if (n) n->server = server;
    return n;
}

void no_pan_free(struct no_pan *n)
{
    free(n);
}
