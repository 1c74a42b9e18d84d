/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_CLIENT_H
#define KEEPER_CLIENT_H

/* The relay's side of the keeper. One dialogue per exchange: open it with who is calling, reveal the tokens it met, end it.
 * Frames of one loop turn go out as one batch at the turn's end, so OPEN and the REVEALs of a small request travel together
 * and cost a fraction of a system call. The keeper binds the dialogue to the caller's merchant and to one purpose; what the
 * relay claims is checked there.
 *
 *     keeper_open ─┬─ on_opened(ERR_NONE | KEY_…)                one of keeper_end… (always; on_… never comes after it)
 *                  └─ keeper_reveal(index…) ─ on_revealed(index, …)                                                        */

#include "base/result.h"
#include "body/credential.h"
#include "keeper/choice.h"
#include "keeper/field_sessions.h"
#include "body/token_table.h"
#include "net/loop.h"
#include "vault/ca.h"
#include "vault/vault.h"

#include <sys/socket.h>

struct keeper_client;  /* one per relay process */
struct keeper_dialogue;

/* Takes fd, a connected SOCK_SEQPACKET socket, or -1: none yet. keeper_client_replace() gives a new one after the keeper was
 * restarted; all open dialogues have failed by then, or fail now (ERR_KEEPER_AWAY). answer_ms: how long the keeper may be silent
 * while a dialogue has open questions. Sends in a turn-end hook, so it must live until the loop's last turn. NULL: memory. */
struct keeper_client *keeper_client_new(struct loop *loop, int fd, uint64_t answer_ms);
void keeper_client_free(struct keeper_client *c); /* calls nobody back; NULL is fine */
void keeper_client_replace(struct keeper_client *c, int fd);
/* breach: called when the keeper breaks the protocol, or the connection fails or cannot be taken up, not when the keeper closed it: what then helps is a new
 * pair, so this process has to end. */
void keeper_client_on_breach(struct keeper_client *c, void (*breach)(void *owner), void *owner);
bool keeper_client_is_connected(const struct keeper_client *c);
/* Which configuration the listener and route indices of the next keeper_open() belong to: the keeper keeps the last few, so
 * that requests which began before a reload are judged by theirs. Set it together with proxy_reload(). */
void keeper_client_set_generation(struct keeper_client *c, uint32_t generation);
/* Dialogues that wait for an answer: 0 when nothing is under way. For tests and /readyz. */
size_t keeper_client_waiting(const struct keeper_client *c);

enum keeper_purpose {
    KEEPER_FOR_PROXY, KEEPER_FOR_API, KEEPER_FOR_NOTICE,
    KEEPER_FOR_FIELDS, /* a payer, by a session of hosted card fields (as the API key): PERMIT_TOKENIZE, a few cards */
    KEEPER_FOR_PUSH, /* a partner on a push route. filter-push: by API key, listener, or an address of the route's 'callers', with
                      * PERMIT_TOKENIZE; it may capture and nothing else. forward-push: from an address of 'callers', and with a key that is
                      * right where one is given, with PERMIT_PROXY; it may reveal and nothing else. */
    KEEPER_FOR_TUNNEL, /* a CONNECT, with PERMIT_PROXY; of no route; it may ask for a leaf certificate and nothing else */
};
struct keeper_caller {
    uint32_t listener;        /* index in the configuration; the keeper looks up whether it stands for a merchant */
    slice api_key;            /* as presented; start NULL: none */
    struct sockaddr_storage peer;
    enum keeper_purpose purpose;
    uint32_t route;           /* index in the configuration, with KEEPER_FOR_PROXY (routes of pulls) and KEEPER_FOR_PUSH (of pushes) */
    unsigned permission;      /* the one needed: PERMIT_… */
    uint64_t request;         /* request id, for the audit trail */
};
struct billing_text { /* bill_to of an enrolment: each at most 100 bytes */
    slice address_1, address_2, city, state, postal_code, country;
};
struct network_info { /* what a merchant may know of a card's network token */
    enum network_state state;
    char reason[32];          /* NUL-terminated; "": none */
    char reference_code[37];  /* of the enrolment; NUL-terminated */
    bool already;             /* enrol: it was enrolled before */
    uint8_t month;            /* the token's expiry; 0: unknown */
    uint16_t year;
    int64_t updated_ms;
};
/* One payment's end, for the report, the strategies and the network transaction id. */
enum payment_verdict { PAYMENT_UNKNOWN = 0, PAYMENT_APPROVED, PAYMENT_DECLINED };
struct payment_outcome { /* borrows */
    uint32_t merchant, route;       /* indices, of the client's current generation */
    slice token;
    enum credential_kind first;
    enum fallback fallback;
    bool card_has_token;
    enum payment_verdict first_verdict;
    bool retried;                   /* with the PAN */
    enum payment_verdict retry_verdict;
    slice network_transaction_id;   /* of the last answer; empty: none */
};
/* What became of a card that was found in a message. Valid for the call. */
struct captured {
    slice alias;                    /* of the number, as the route's 'alias' has it; empty: there was none */
    slice cvc_alias;                /* a temporal token for the CVC (and the card beside it); empty: there was none */
    bool created;                   /* the card was not known; told only to who may ask by POST /v1/tokens, too: never to an address */
    bool fell;                      /* the route's format had no room: the alias has a longer one */
};
struct field_session_info { /* valid for the call */
    slice id;                       /* of a new one; else empty */
    slice origin;
    enum field_kind kind;
    uint32_t ttl_s;                 /* what is left of it */
};
struct report_row { /* valid for the call */
    slice route;
    const uint64_t *sums;           /* COUNTER_COUNT, vault/network.h */
};
struct keeper_handlers {
    /* r: ERR_NONE, KEY_MISSING, KEY_WRONG, KEY_ADDRESS, KEY_PERMISSION, KEY_MERCHANT, KEY_RATE, TOO_MANY_BAD_TOKENS,
     * KEEPER_AWAY, KEEPER_SLOW. merchant: index in the configuration. key_id: for the log; empty for a listener's merchant. */
    void (*on_opened)(void *owner, result r, uint32_t merchant, slice key_id);
    /* r: ERR_NONE, TOKEN_UNKNOWN, TOKEN_WRONG_KIND, TOKEN_EXPIRED, TOKEN_NO_PAN, TOO_MANY_BAD_TOKENS, KEEPER_…, VAULT_….
     * The credential is valid for the call and wiped after it: copy it to secret memory. */
    void (*on_revealed)(void *owner, uint32_t index, result r, const struct credential *credential, const struct choice *choice);
    /* Answer to keeper_capture. r: CARD_…, VAULT_…, TEMPORAL_FULL, ALIAS_ROOM, CARD_GONE, KEEPER_…. */
    void (*on_captured)(void *owner, uint32_t index, result r, const struct captured *what);
    /* Answer to keeper_token_…() and keeper_temporal_create(); info is valid for the call, NULL on failure. */
    void (*on_token)(void *owner, uint32_t index, result r, const struct card_info *info, bool created);
    /* Answer to keeper_enrol and keeper_credentials (credential: only there, valid for the call and wiped after it) and to
     * keeper_network_token. r: NETWORK_…, ENROLLED_ALREADY, TOKEN_NOT_FOUND, KEEPER_…, VAULT_…. info: NULL where nothing is known. */
    void (*on_network)(void *owner, uint32_t index, result r, const struct network_info *info, const struct credential *credential);
    /* Answer to keeper_sign: <signature> is bytes, valid for the call. ERR_SIGN_KEY. */
    void (*on_signed)(void *owner, uint32_t index, result r, slice signature);
    /* Answer to keeper_notice. OK: it is genuine and what follows from it is queued durably. */
    void (*on_noticed)(void *owner, uint32_t index, result r);
    /* Answer to keeper_fields_open and keeper_fields_get. r: FIELD_SESSION, FIELD_SESSIONS_FULL, KEEPER_…. */
    void (*on_fields)(void *owner, uint32_t index, result r, const struct field_session_info *info);
    /* Answer to keeper_leaf: the certificate in DER, valid for the call. r: ERR_KEEPER_REFUSED (no route of the caller has this host),
     * CA_…, KEEPER_…, VAULT_…. */
    void (*on_leaf)(void *owner, uint32_t index, result r, slice certificate);
    /* Answers to keeper_report: one call per route, then one with last (row NULL). */
    void (*on_report)(void *owner, uint32_t index, result r, const struct report_row *row, bool last);
};
/* NULL: memory, or too much is waiting for the keeper. Never calls back before it returns. Without a keeper the dialogue is made
 * all the same and on_opened(ERR_KEEPER_AWAY) comes soon. */
struct keeper_dialogue *keeper_open(struct keeper_client *c, const struct keeper_caller *caller,
                                    const struct keeper_handlers *handlers /* borrows, static */, void *owner);
/* The questions below may follow keeper_open() at once, they need not wait for on_opened(). A failure here (ERR_KEEPER_AWAY,
 * ERR_KEEPER_SLOW, ERR_TOKEN_UNKNOWN: no token is that long, ERR_MEMORY) means that the question was not asked: no answer comes. */
MUST_USE result keeper_reveal(struct keeper_dialogue *d, uint32_t index, slice token, enum token_kind kind, struct wish wish);
/* alias: what the token is to look like; info->alias has it then, unless the card's own id will do. ERR_CARD_FORMAT, ERR_ALIAS_ROOM. */
MUST_USE result keeper_token_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, const struct alias_form *alias,
                                    bool unique);
/* cvc: as card_check_cvc() wants it; ttl_s: 1 to 28,800. Answered by on_token. */
MUST_USE result keeper_temporal_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, slice cvc, uint32_t ttl_s);
/* Of a temporal token that is neither used nor reserved by a payment (else ERR_TOKEN_EXPIRED), answered by on_token. get: the masked
 * card, with PERMIT_READ; delete: its end, with PERMIT_DELETE; store: the card without the CVC becomes a stored one, as
 * keeper_token_create has it, and the temporal token stays what it was (ERR_TEMPORAL_NO_CARD: it holds a CVC alone). */
MUST_USE result keeper_temporal_get(struct keeper_dialogue *d, uint32_t index, slice token);
MUST_USE result keeper_temporal_delete(struct keeper_dialogue *d, uint32_t index, slice token);
MUST_USE result keeper_temporal_store(struct keeper_dialogue *d, uint32_t index, slice token, const struct alias_form *alias, bool unique);
/* A card found in a message on the dialogue's route, filter-pull (KEEPER_FOR_PROXY) or filter-push (KEEPER_FOR_PUSH): stored, or
 * found, and given its alias as that route's configuration in the keeper says; a CVC goes to the temporal tokens, with the card beside
 * it. number_len 0: a CVC alone. A holder that cannot be stored (card_set_holder) is left out. Where the route's
 * network_tokens.provision is 'new' or 'all', the card is enrolled once the dialogue has ended. Answered by on_captured. */
MUST_USE result keeper_capture(struct keeper_dialogue *d, uint32_t index, const struct credential *found);
MUST_USE result keeper_token_get(struct keeper_dialogue *d, uint32_t index, slice token);
MUST_USE result keeper_token_change(struct keeper_dialogue *d, uint32_t index, slice token, const struct card_change *change);
MUST_USE result keeper_token_delete(struct keeper_dialogue *d, uint32_t index, slice token);
/* POST /v1/tokens/enroll (PERMIT_ENROL). The network's decision comes within the network's timeout; when it is down the enrolment is
 * queued, without any CVC, and the state is PENDING. cvc: its digits; empty: none; or the id of a temporal token (which is longer
 * than any CVC): the keeper takes the CVC from it, so that the relay sees neither that nor the number beside it, and the token is
 * used up with the dialogue's end, like one that was revealed. ERR_TOKEN_EXPIRED: there is none by that id. */
MUST_USE result keeper_enrol(struct keeper_dialogue *d, uint32_t index, slice token, const struct billing_text *billing, slice cvc);
MUST_USE result keeper_credentials(struct keeper_dialogue *d, uint32_t index, slice token);   /* PERMIT_CREDENTIALS; a fresh cryptogram */
MUST_USE result keeper_network_token(struct keeper_dialogue *d, uint32_t index, slice token); /* PERMIT_READ; what is known, no call */
/* Signs with the secret of the dialogue's route (KEEPER_FOR_PROXY), in pieces of any size; one answer after the last. rs256: with its
 * private key, over the SHA-256 of the text. */
MUST_USE result keeper_sign(struct keeper_dialogue *d, uint32_t index, slice piece, bool last, bool rs256);
/* An inbound notification of that network (index in the configuration); body at most 32 KiB. For a dialogue opened with
 * KEEPER_FOR_NOTICE: nobody is authenticated but by the signature. */
MUST_USE result keeper_notice(struct keeper_dialogue *d, uint32_t index, uint32_t network, slice signature_field, slice body);
MUST_USE result keeper_report(struct keeper_dialogue *d, uint32_t index, uint32_t from_hour, uint32_t to_hour, slice route); /* PERMIT_REPORT */
/* A session of hosted card fields (keeper/field_sessions.h). open: PERMIT_TOKENIZE; get: with KEEPER_FOR_FIELDS, which may then ask
 * for keeper_token_create and keeper_temporal_create, as the session's kind has it. */
MUST_USE result keeper_fields_open(struct keeper_dialogue *d, uint32_t index, slice origin, enum field_kind kind, uint32_t ttl_s);
MUST_USE result keeper_fields_get(struct keeper_dialogue *d, uint32_t index);
/* A server's certificate for a host that the caller's routes read, over the public key at <point>, by the local CA. For a dialogue opened
 * with KEEPER_FOR_TUNNEL. host: lower case. */
MUST_USE result keeper_leaf(struct keeper_dialogue *d, uint32_t index, slice host, const uint8_t point[CA_POINT_BYTES]);
/* NULL is fine; no callback comes after it. The temporal tokens that were revealed are used up: a byte of them may be at the
 * processor. Those that were made (captured CVCs, too) stay: somebody may have their ids. So it is, too, when this process dies or
 * its connection breaks. */
void keeper_end(struct keeper_dialogue *d);
/* The same, but nobody was told the ids of the temporal tokens that were made on it: they are dropped, and their places are free again. */
void keeper_end_untold(struct keeper_dialogue *d);
/* The same, and nothing of what was revealed has left this process either: temporal tokens may be revealed again. Told to the keeper at
 * once, so that the caller may try again as soon as he is answered. */
void keeper_end_unsent(struct keeper_dialogue *d);
/* Tells a payment's end, outside any dialogue: kept here until the keeper has it on disk, told again to a restarted keeper, and
 * counted once whatever happens in between (each has a number). Dropped with a log line past 100,000 that wait. */
void keeper_payment(struct keeper_client *c, const struct payment_outcome *outcome);

#endif
