/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_ALIAS_H
#define VAULT_ALIAS_H

/* Other names of a card, in the shape that a route asks for. A card's own id (a UUID) is no alias: it needs no record.
 *
 *     STORE_ALIAS   'A'  merchant | HMAC of the alias   ─► the card's token     } sealed, put and deleted in one batch, which
 *     STORE_ALIASES 'L'  merchant | token               ─► its aliases by form  } expects the card: neither is without the other
 *
 * One form (a format, or a template by its text) of one card is one alias, for as long as the card lives. A new one is random, and
 * the batch expects that neither an alias nor a card has that name: two cards never share one, over all processes. The store sees
 * no alias in the clear, since some have a card's first and last digits. */

#include "body/alias.h"
#include "vault/vault.h"

enum {
    ALIASES_MAX = 16,              /* forms of one card; in each further one it is known by its own id */
    ALIAS_TRIES = 16,              /* random ones that were all taken: the form has no room at this length */
    ALIAS_LONGER_MAX = 8,          /* characters more, one after the other */
};

/* A random alias. What it shows of the number is what a mask may show (PCI DSS 3.4.1): the last four, and before them the first six
 * from 15 digits on, or the first eight from 16 digits on (ALIAS_EIGHT_…). It is never a number with a valid check digit, and never
 * all digits but for ALIAS_DIGITS and ALIAS_EIGHT_DIGITS. <longer> characters more than the format has: those as long as the number are <longer> longer.
 * ERR_CRYPTO; ERR_TOO_LARGE: no token is that long, or a template has no "{uuid}" or the form of a token of ours. */
MUST_USE result alias_text_make(const struct alias_wish *wish, slice number, size_t longer, struct token_id *out);

/* alias: valid for the call. fell: its format had no room, so it is longer than it should be, or the card has ALIASES_MAX forms and this
 * is its own id. ERR_TOKEN_NOT_FOUND: no such card; ERR_TOKEN_NO_PAN; ERR_ALIAS_ROOM: not even longer. */
typedef void (*vault_alias_callback)(void *owner, result r, slice alias, bool fell);
void vault_alias_make(struct vault *v, slice merchant, slice token, const struct alias_wish *wish, vault_alias_callback done, void *owner);

/* token: the card's own; valid for the call. A card's own id, known or not, is answered as it is, without a read, and so is a temporal
 * token. ERR_TOKEN_NOT_FOUND: no alias of this merchant. */
typedef void (*vault_resolve_callback)(void *owner, result r, slice token);
void vault_alias_resolve(struct vault *v, slice merchant, slice text, vault_resolve_callback done, void *owner);

#endif
