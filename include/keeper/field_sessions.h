/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_FIELD_SESSIONS_H
#define KEEPER_FIELD_SESSIONS_H

/* Sessions of hosted card fields: whoever has a session's id may make a few tokens for one merchant, for a few minutes, and nothing
 * else. The merchant's server asks for one (POST /v1/field-sessions) and gives its id to the page that holds the card fields; only
 * pages of the session's origin may frame them and hear their answer. Kept in this process's memory, so they end with it. Time is an
 * argument, so that tests need not wait. */

#include "base/result.h"
#include "base/slice.h"

enum {
    FIELD_SESSION_ID_BYTES = 35,     /* "fs_" and 32 of A-Za-z0-9_-: 192 random bits */
    FIELD_SESSION_SHOWN_BYTES = 12,  /* so much of it may stand in logs and the audit trail: 138 bits stay unknown */
    FIELD_SESSION_TTL_DEFAULT_S = 15 * 60,
    FIELD_SESSION_TTL_MAX_S = 60 * 60,
    FIELD_SESSION_USES = 3,          /* cards that one session takes: a payer may mistype, a card tester may not try on */
    FIELD_SESSIONS_MAX = 16 * 1024,  /* of all merchants together; no merchant has more than it leaves free (share.h) */
    ORIGIN_MAX_BYTES = 8 + 253 + 6,  /* "https://", a host name, a port */
};
/* What a session makes of a card: a token, a temporal token (with the CVC), or both. */
enum field_kind { FIELD_TOKEN = 0, FIELD_TRANSACTION, FIELD_BOTH };

struct field_session { /* valid until the next call */
    slice merchant, origin;
    enum field_kind kind;
    uint64_t expires_ms;
    unsigned uses_left;
};
struct field_sessions;
struct field_sessions *field_sessions_new(void); /* NULL: memory */
void field_sessions_free(struct field_sessions *s); /* NULL is fine */
/* ERR_FIELD_SESSIONS_FULL: the merchant has as many as it may; ERR_CRYPTO, ERR_MEMORY. merchant: 1 to 64 bytes; origin: 1 to ORIGIN_MAX_BYTES; ttl_s: 1 to the maximum. */
MUST_USE result field_sessions_put(struct field_sessions *s, slice merchant, slice origin, enum field_kind kind, uint32_t ttl_s,
                                   uint64_t now_ms, char id[FIELD_SESSION_ID_BYTES]);
/* ERR_FIELD_SESSION: there is none (any more), or it has no use left. */
MUST_USE result field_sessions_find(const struct field_sessions *s, slice id, uint64_t now_ms, struct field_session *out);
/* One card of it is taken. ERR_FIELD_SESSION. */
MUST_USE result field_sessions_use(struct field_sessions *s, slice id, uint64_t now_ms);
void field_sessions_expire(struct field_sessions *s, uint64_t now_ms); /* every second or so */

#endif
