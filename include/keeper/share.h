/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_SHARE_H
#define KEEPER_SHARE_H

/* Who has how many places of a table that all merchants share. No merchant has more than it leaves free: one alone has half of the
 * table at most, and whatever it does (a partner's flood, a payment that is never made), the other half is there for the others, of
 * which the next has half again. */

#include "base/result.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* Memory that runs out must refuse, not end the keeper. */
#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include <uthash.h>

enum { MERCHANT_NAME_MAX_BYTES = 64 /* as in the configuration */ };

struct share { /* one merchant's, while it has any */
    uint8_t merchant_len;
    char merchant[MERCHANT_NAME_MAX_BYTES];
    size_t held;
    UT_hash_handle hh;
};
struct shares { /* zero-filled but for <places>: all are free */
    struct share *by_merchant;
    size_t places, used;
};
/* One more place for the merchant, whose name has 1 to 64 bytes. <full>: the merchant has as many as it may; ERR_MEMORY. */
MUST_USE result share_take(struct shares *s, slice merchant, enum error full, struct share **out);
void share_give_back(struct shares *s, struct share *one); /* one place */
slice share_merchant(const struct share *one);

#endif
