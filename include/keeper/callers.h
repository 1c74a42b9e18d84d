/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_CALLERS_H
#define KEEPER_CALLERS_H

/* What the keeper remembers of callers: how many unknown tokens each asked for (guessing), and how fast each API key comes.
 * Both tables are bounded; the oldest entry gives way. Time is an argument, so that tests need not wait. */

#include "base/result.h"
#include "vault/vault.h"

/* A caller: API key and address. An address is IPv4, an IPv6 /64 (one customer has at least that many), or local. */
struct caller {
    char key_id[API_KEY_ID_BYTES]; /* zero-padded; "@merchant" where a listener stands for a merchant */
    uint8_t family, at[16];
};

enum { CALLERS_MAX = 64 * 1024 };

/* Unknown tokens: <limit> of them within <window_ms> from the first; then the caller is blocked until the window has passed. */
struct bad_tokens;
struct bad_tokens *bad_tokens_new(void);
void bad_tokens_free(struct bad_tokens *t);
void bad_tokens_count(struct bad_tokens *t, const struct caller *who, uint64_t now_ms, uint64_t window_ms);
bool bad_tokens_is_blocked(struct bad_tokens *t, const struct caller *who, uint64_t now_ms, uint64_t limit /* 0: never */,
                           uint64_t window_ms);

/* A bucket of one second's worth: <per_second> at once, then as many a second. Zeroed memory is a full bucket. */
struct bucket {
    uint64_t spent_thousandths, at_ms;
};
bool bucket_take(struct bucket *b, uint64_t per_second /* 0: no limit */, uint64_t now_ms);

struct key_rates;
struct key_rates *key_rates_new(void);
void key_rates_free(struct key_rates *t);
bool key_rates_take(struct key_rates *t, slice key_id, uint64_t per_second, uint64_t now_ms);

#endif
