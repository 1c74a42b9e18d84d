/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_VERDICT_H
#define PROXY_VERDICT_H

/* What a processor's answer means, by the rules: approved, declined and why, or neither. Only a clear decline may be followed by a
 * second attempt, so anything odd (no JSON, a 5xx, no code, a code that is not in the rules) is PAYMENT_UNKNOWN or a decline that
 * is not retried.
 *
 *     every entry of 'approved' matches ─► APPROVED
 *     else a code at 'decline_code'     ─► DECLINED: 'declines' names the reason, and the table of reasons says whether to retry;
 *                                          a code of 'pan_retry' without a reason is "declined"
 *                                          a value of 'never_retry' anywhere forbids it
 *     else                              ─► UNKNOWN                                                                        */

#include "keeper/client.h"
#include "rules/ruleset.h"

enum { VERDICT_CODE_MAX_BYTES = 48 };
struct verdict {
    enum payment_verdict what;
    enum decline_reason reason; /* DECLINE_NONE unless declined */
    bool may_retry;             /* a declined network token may be tried again with the PAN */
    uint8_t code_len, network_transaction_id_len;
    char code[VERDICT_CODE_MAX_BYTES]; /* of the processor, as it stood; longer ones count as none */
    char network_transaction_id[NETWORK_TRANSACTION_ID_MAX_BYTES];
};
/* body: the whole answer, decoded. Rules without 'approved' say nothing of payments: UNKNOWN. */
void verdict_of(const struct ruleset *rules, int status, slice body, struct verdict *out);
const char *payment_verdict_name(enum payment_verdict v); /* "approved", "declined", "unknown" */

#endif
