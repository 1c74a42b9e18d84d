/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_VAULT_H
#define TESTS_FAKE_VAULT_H

/* A vault in memory in place of the real one, which answers as the test wants: at once, at the flush, or with a broken audit
 * trail; and a configuration made by hand. It writes down what was audited. */

#include "rules/config.h"
#include "vault/alias.h"
#include "vault/ca.h"
#include "vault/vault.h"

struct fake_vault {
    bool answers_later;    /* as an engine on a network would: at vault_flush */
    bool audit_breaks;     /* the next flush cannot write its lines */
    bool audit_is_failing;
    enum card_deed put_deed; /* what a put comes to */
    struct card_put_options put_options; /* of the last one */
    struct card put_card;    /* of the last one */
    result put_result;       /* OK, or what a put fails with */
    bool has_new;            /* what was put is there afterwards, as "tok_new_one" */
    bool has_no_expiry;      /* what is put */
    result alias_result, resolve_result; /* OK, or what fails */
    enum alias_format wished; /* of the last alias */
    bool falls, falls_to_own; /* to a longer alias; to the card's own id */
    unsigned gone_times;     /* so many times the card was deleted before its alias was made; with... */
    enum error gone;         /* ...this, TOKEN_NOT_FOUND or TOKEN_NO_PAN */
    unsigned puts;
    unsigned resolves;
    result leaf_result;      /* OK, or what signing a leaf fails with */
    unsigned leaves;         /* that were asked for */
    uint8_t point[CA_POINT_BYTES]; /* of the last one */
    bool pan_removed; /* of "tok_good1" */
    result removal_result; /* OK, or what the removal of a number fails with */
    unsigned removals;     /* asked for */
    unsigned flushes, ticks, lines;
    char audited[4096];    /* "action merchant actor token route outcome\n"… */
    char peer[64];         /* of the last line */
    void (*on_flush)(void);
};
extern struct fake_vault fake;

/* Tokens of merchant shop: "tok_good1" (a card), "tok_removed" (no PAN any more); of merchant other: "tok_other1".
 * Keys: "cvk_shop" (shop, default permissions), "cvk_all" (shop, every permission), "cvk_read" (shop, read only), "cvk_make" (shop, tokenize only), "cvk_home" (shop, from 10.0.0.0/8 only),
 * "cvk_other" (other), "cvk_lost" (a merchant that is not configured). Alias "411111ABCDEF1111" of shop is "tok_good1"'s, and what each
 * new one comes to. */

/* Listeners: 0 needs a key, 1 stands for shop. Routes: 0 shop's, 1 other's, 2 anybody's; only 0 knows network tokens, for all. Of shop
 * are, too: 3 filter-push and 4 forward-push, each with callers 198.51.100.0/24, 5 filter-pull; 6 is a filter-push of anybody's. */
enum { FAKE_TEMPORAL_TOKENS = 64 };
enum { ROUTE_FILTER_PUSH = 3, ROUTE_FORWARD_PUSH, ROUTE_FILTER_PULL, ROUTE_OWNERLESS, ROUTE_NONE_SUCH };
struct config *fake_config(void); /* shop has a network, "cards", for Visa, and one webhook; other has neither */
bool fake_has_card(slice merchant, slice token);
unsigned fake_configs_alive(void);

#endif
