/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_CALL_H
#define API_CALL_H

/* One request to the API, and what its endpoint gives to it. The common part (api.c) finds the endpoint, opens the dialogue with the
 * keeper, has the endpoint ask, and writes one answer when the last question is answered:
 *
 *     start ─► understand ─► keeper_open ─► on_opened ─► ask ─► on_…: call_settle ×n ─► write ─► done
 *                  └────────────── a failure ────────────┴─────────────────────────────►                                  */

#include "base/envelope.h"
#include "keeper/service.h"

enum { CALL_KEY_ID_MAX = 16, CALL_USER_MAX = 64 /* as long as a merchant's name */ };

struct endpoint;
struct service_call { /* an endpoint's own call begins with one */
    unsigned magic;
    const struct endpoint *endpoint;
    struct service_request request;
    slice subject;         /* what the path names: a token, a network */
    struct keeper_dialogue *dialogue;
    bool needs_nobody;     /* what is asked for is everybody's: no dialogue, no admission */
    bool nothing_left;     /* no CVC of a temporal token went to the network: it may be used again */
    uint32_t merchant;     /* once admitted: index in request.config, which may have fewer than a keeper just reloaded */
    size_t waiting;        /* questions */
    char key_id[CALL_KEY_ID_MAX];
    size_t key_id_len;
    char user[CALL_USER_MAX]; /* that came with the key, as the merchant's name; user_len 0: none did */
    size_t user_len;
    service_done done;
    void *owner;
};
struct endpoint {
    bool (*takes)(slice path);
    slice only;            /* the method: another endpoint has the others; empty: any */
    slice methods;         /* for the Allow field of a 405; empty: write says */
    size_t bytes;          /* of its own call */
    size_t answer_max_bytes;
    bool answer_is_secret;
    bool takes_basic;      /* merchant and API key may come as user name and password (RFC 7617), where x-api-key is not there */
    /* Before anybody is known: method, path and query, and which permission is needed. */
    result (*understand)(struct service_call *c);
    /* The caller is admitted: asks the keeper, adding to c->waiting for each question that was asked. */
    result (*ask)(struct service_call *c);
    /* Whatever it came to. a->status is 200 or the error's, a->error the error: both may be changed. */
    result (*write)(struct service_call *c, result r, struct buf *out, struct service_answer *a);
    void (*end)(struct service_call *c); /* wipes and frees what is the endpoint's; NULL: nothing */
    struct keeper_handlers handlers;     /* on_opened is call_opened */
};
extern const struct endpoint tokens_endpoint, token_endpoint, transactions_endpoint, enrol_endpoint, credentials_endpoint, reports_endpoint,
    events_endpoint, aliases_endpoint, field_sessions_endpoint, fields_endpoint, firstoken_endpoint, firstoken_removal_endpoint;

void call_opened(void *owner, result r, uint32_t merchant, slice key_id);
struct service_call *call_from(void *owner); /* checked */
void call_settle(struct service_call *c);    /* one question is answered; the last one has the call answered */

/* --- what several endpoints need --- */

bool call_is_json(const struct service_call *c); /* one content-type, application/json */
bool call_has_network(const struct service_call *c);
/* "/v1/tokens/{id}<after>": the id is c->subject then. ERR_TOKEN_NOT_FOUND. */
MUST_USE result call_take_token(struct service_call *c, slice after);
MUST_USE result call_write_failure(result r, struct buf *out, struct service_answer *a); /* and sets status and error */
MUST_USE result append_time(struct buf *out, slice before, int64_t wall_ms);
MUST_USE result append_expiry(struct buf *out, slice before, unsigned month, unsigned year); /* "MM/YYYY" */
/* "token": the alias, where there is one, and "card_token" then. Without a comma or brace at its end. expires_ms: 0 for a card that is stored, which tells when it was changed instead. */
MUST_USE result append_card_info(struct buf *out, const struct card_info *i, int64_t expires_ms);
/* "transaction_info":{"type","reference_code","request_id","status","created_at"}; reference: empty: a fresh one. */
MUST_USE result append_transaction_info(const struct service_call *c, slice type, slice reference, slice status, struct buf *out);

#endif
