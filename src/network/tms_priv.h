/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_TMS_PRIV_H
#define NETWORK_TMS_PRIV_H

/* What the parts of the TMS connector share.
 *
 *     tms.c            the connector, its calls from start to done
 *     tms_request.c    bodies, and the signed fields of a request
 *     tms_answer.c     statuses and JSON answers to network_answer
 *     tms_credentials.c  decrypted payment credentials to struct credential
 *     tms_notice.c     inbound notifications */

#include "base/buf.h"
#include "base/breaker.h"
#include "network/call.h"
#include "network/tms.h"
#include "sign/jwe.h"

enum {
    TMS_MAGIC = 0x746d7321,
    TMS_CALL_MAGIC = 0x746d7363,
    TMS_BODY_MAX_BYTES = 8 * 1024,
    TMS_ANSWER_MAX_BYTES = 64 * 1024,
    TMS_NOTICE_AGE_MS = 10 * 60 * 1000,
};

enum tms_kind { TMS_ENROL, TMS_CREDENTIALS, TMS_STATE, TMS_REMOVE };

struct tms {
    struct connector connector; /* first: what others hold */
    unsigned magic;
    struct loop *loop;
    struct tls_client *tls; /* NULL: plain, for loopback */
    struct upstream_pool *pool;
    struct buf host;         /* as in the Host field */
    struct buf secret;       /* decoded; HTTP Signature and HS256 */
    struct rsa_key *jwt_key; /* RS256 */
    struct rsa_key *answer_key;
    struct buf notice_key; /* decoded */
    unsigned notice_told;  /* bit set of enum notice_signs: what the log has said */
    struct breaker breaker;
    unsigned calls; /* under way */
};

struct network_call {
    unsigned magic;
    struct tms *tms;
    enum tms_kind kind;
    bool without_cryptogram;
    struct network_ref ref; /* what it is about; len 0 for an enrolment */
    struct http_call *http;
    struct timer *soon; /* carries an answer that was known at once */
    struct network_answer at_once;
    network_done done;
    void *owner;
    uint64_t started_us;
};

/* --- requests --- */

struct tms_request {
    slice method, target, body; /* target: with the upstream's base path; body: start NULL for none */
    slice accept;
};
/* Signs it and sends it. ERR_MEMORY; anything else: it cannot be signed with the keys that there are. */
MUST_USE result tms_send(struct tms *t, const struct tms_request *q, http_call_done done, void *owner,
                         struct http_call **out);
bool tms_brand_is_supported(const struct tms *t, enum card_brand brand);
MUST_USE result tms_write_enrolment(const struct network_card *card, struct buf *out /* secret */);
MUST_USE result tms_write_credentials_wish(bool without_cryptogram, struct buf *out);
MUST_USE result tms_write_removal(struct buf *out);
MUST_USE result tms_random_hex(struct buf *out); /* 32 digits */

/* --- answers --- */

/* The network cannot be used just now: counts against it. */
bool tms_is_down(const struct http_call_answer *a);
/* credential: room for the answer's; out->credential points to it if it has one. Returns what lies behind out->r, for
 * the log. */
result tms_read_answer(const struct network_call *c, const struct http_call_answer *a, struct credential *credential,
                       struct network_answer *out);
enum network_reason tms_reason_from(slice name); /* "": none; unknown: OTHER */
bool tms_state_from(slice name, enum network_state *out);
/* "03", "2030". Both empty: month 0. False: not an expiry. */
bool tms_expiry_from(slice month, slice year, uint8_t *month_out, uint16_t *year_out);
/* json: decrypted. Sets out->r, state, reason, expiry, credential. */
void tms_read_credentials(slice json, bool without_cryptogram, struct credential *credential,
                          struct network_answer *out);

/* --- notifications --- */

MUST_USE result tms_notice(struct tms *t, slice field, slice body, int64_t now_ms, struct network_ref *refs,
                           size_t room, size_t *count);

#endif
