/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_CREDENTIAL_SET_H
#define PROXY_CREDENTIAL_SET_H

/* The credentials of one exchange, by the index of their token. They stand in blocks of secret memory that grow from one to some
 * hundred credentials: a payment with one card takes one small block, a batch of thousands does not lock a page for each.
 *
 *     at:  [ 0 | 1 | 2 | … ]      pointers, NULL: not revealed yet
 *            │    └──────────┐
 *     blocks: [ c0 ] ◄ [ c1 c2 c3 c4 ] ◄ …                                                                              */

#include "base/result.h"
#include "body/credential.h"

struct credential_block;
struct credential_set {
    const struct credential **at;
    uint32_t room; /* of at */
    struct credential_block *blocks; /* the newest first */
};

/* Zero-filled is empty. */
MUST_USE result credential_set_reserve(struct credential_set *s, uint32_t index);
MUST_USE result credential_set_put(struct credential_set *s, uint32_t index /* reserved, not yet put */,
                                   const struct credential *c /* copied */);
/* Are the first <count> there? */
bool credential_set_has(const struct credential_set *s, uint32_t count);
void credential_set_forget(struct credential_set *s); /* wipes and frees; empty again */

#endif
