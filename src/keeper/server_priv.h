/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_SERVER_PRIV_H
#define KEEPER_SERVER_PRIV_H

/* The keeper's server inside: server.c has relays, configurations and the turn's end; admission.c decides about OPEN;
 * answers.c asks the vault and answers. */

#include "base/breaker.h"
#include "due.h"
#include "keeper/callers.h"
#include "keeper/channel.h"
#include "keeper/client.h"
#include "keeper/field_sessions.h"
#include "keeper/registry.h"
#include "keeper/server.h"
#include "keeper/temporal.h"
#include "vault/network_record.h"

#include <netinet/in.h>
#include <sys/queue.h>

enum {
    VERSIONS_KEPT = 4,
    STALE_MS = 120 * 1000,         /* a configuration that was replaced so long ago has no new dialogues */
    FORGOTTEN_MS = 26 * 3600 * 1000, /* a dialogue that asked nothing for so long has lost its END: a processor may be given a day */
};

/* One configuration. Held by the server while it is among the last few, and by every dialogue and question under it. */
struct version {
    uint32_t generation;
    struct config *config;
    size_t holds;
    struct rsa_key **keys; /* by route, parsed when first needed; NULL: none yet */
    struct breaker *patience; /* by route and network: budgets spent in a row; NULL: none yet */
    uint64_t replaced_ms; /* when it stopped being the current one: new dialogues may name it for STALE_MS more */
    TAILQ_ENTRY(version) link;
};

/* Who is asking, for what, under which configuration: settled at OPEN, copied into every question, since a dialogue may end
 * while the vault still works. Merchant and route are indices; route is meaningful for KEEPER_FOR_PROXY and KEEPER_FOR_PUSH only. */
struct standing {
    struct version *version;
    struct caller caller;
    uint32_t merchant, route;
    enum keeper_purpose purpose;
    unsigned permission; /* what it was opened for, and granted; nothing more */
    bool may_change;     /* PERMIT_CHANGE too: a token create may bring a known card up to date */
    bool may_know;       /* PERMIT_TOKENIZE too, by more than an address: a capture tells whether the card was new, as POST /v1/tokens does */
    bool by_address;     /* known by the route's 'callers' alone */
    uint64_t request;
    uint8_t actor_len, peer_len;
    char actor[API_KEY_ID_BYTES]; /* key id; empty: the listener */
    char peer[INET6_ADDRSTRLEN];  /* the client's address as the audit trail has it */
};

struct relay;
struct dialogue {
    uint64_t id, seen_ms;
    struct relay *relay;
    enum error refusal; /* OPEN was refused: so is every question */
    struct standing standing;
    bool took_field_card;    /* of a session: it has paid for the card of this dialogue */
    char field_session[FIELD_SESSION_ID_BYTES];
    enum field_kind field_kind;
    bool gave_network_token; /* so that its PAN may be asked for, if that is declined */
    size_t captured_count, captured_room;
    struct token_id *captured;       /* that the route's strategy wants enrolled, once it has ended */
    struct signing *signing;         /* a text that comes in pieces; NULL: none */
    struct temporal_holder temporal; /* the tokens that wait for its end */
    struct temporal_maker made;      /* those that it made: who may know of them is told with its end */
    TAILQ_ENTRY(dialogue) link; /* of the server, by seen_ms */
};
TAILQ_HEAD(dialogue_list, dialogue);

struct relay {
    struct keeper_server *server;
    unsigned number;
    uint32_t pair;
    struct channel *channel; /* NULL: lost */
    struct dialogue **slots;
    uint32_t slot_count;
    size_t questions;        /* with the vault */
    size_t settled_bytes;    /* of the channel's waiting ones: from turns whose audit lines are written */
    bool is_full;            /* an answer found no room */
    struct bucket reveals;
    size_t signings;         /* texts to be signed that are not complete */
    uint64_t payer;          /* the number under which it tells ends of payments; 0: it has told none */
    LIST_ENTRY(relay) link;
};

struct keeper_server {
    struct loop *loop;
    struct vault *vault;
    TAILQ_HEAD(, version) versions; /* newest last; the current one may be any */
    struct version *current;
    LIST_HEAD(, relay) relays;
    struct dialogue_list dialogues;
    size_t dialogue_count;
    struct bad_tokens *bad;
    struct key_rates *rates;
    struct temporal_table *temporal;
    struct field_sessions *field_sessions;
    struct registry *registry;
    uint32_t registrar_pair;
    void (*on_breach)(void *owner, uint32_t pair);
    void *owner;
    struct payments *payments;
    struct jobs *jobs;
    struct events *events;
    struct no_pan *no_pan;
    struct reports *reports;
    TAILQ_HEAD(, question) waiting; /* for the card network */
    struct timer *at_work;
    bool at_work_is_set;
    struct bucket refusals_audited;
    struct timer *tick;
    struct due_clock clock;
    char *scratch;     /* secret, WIRE_BATCH_BYTES */
    struct card *card; /* secret: the one being created */
};

/* A question that the vault, or the card network, has. Freed by its answer. */
struct question {
    struct relay *relay;
    uint64_t dialogue;
    uint32_t sequence;
    enum wire_type type;
    enum token_kind kind;
    struct token_id token; /* the card's own, once an alias is resolved; len 0: none yet, a card being created */
    struct card_change *change; /* secret; of a change */
    /* of a reveal */
    struct wish wish;
    struct choice choice;
    bool has_news; /* what the network gave is not what the record has */
    uint8_t trail_len;
    char trail[NETWORK_TRANSACTION_ID_MAX_BYTES];
    /* of what the card network is asked */
    struct order *order;           /* NULL: none is out */
    struct network_text ref;       /* the token that it was asked about */
    struct credential *credential; /* secret; what the network gave; NULL: nothing */
    uint64_t asked_us;
    bool is_waiting;               /* on the server's list */
    result failure;
    enum card_brand brand;
    /* of a card that is stored under an alias */
    struct alias_form form;
    struct card_info info;
    /* of a capture */
    struct temporal_card *found;   /* secret; NULL: it has no CVC, and needs no second put */
    bool has_number, has_expiry, fell, is_put_again;
    enum card_deed deed;           /* of whatever stores a card */
    struct token_id alias;
    /* of an enrolment */
    uint8_t cvc_len;
    uint16_t billing_len;
    char *cvc;                     /* secret */
    char *billing;
    TAILQ_ENTRY(question) link;
    struct standing standing;
};

/* Settles who is calling, from an OPEN frame: fills in d->standing and d->refusal. */
void server_admit(struct dialogue *d, const struct wire_frame *f);
/* Appends an answer. One that finds no room means that the relay does not read: its connection ends with the turn. */
void server_put(struct relay *r, enum wire_type type, uint64_t dialogue, uint32_t sequence, const void *fixed, const slice *tails);
/* The configuration's route of a dialogue that has one; NULL: it is for none, or names none. */
const struct config_route *standing_route(const struct standing *s);
/* sign.c */
void server_sign(struct dialogue *d, const struct wire_frame *f);
void server_forget_signing(struct dialogue *d);
/* Answers one question of a dialogue, now or when the vault has; d NULL: it is not (or no longer) known. */
void server_answer(struct relay *r, struct dialogue *d, const struct wire_frame *f);

enum card_brand server_brand(const struct card_info *info);
/* While a question waits for the card network its relay is told now and then that it is not forgotten. */
void server_wait(struct question *q);
void server_stop_waiting(struct question *q); /* fine when it does not */
/* The wall clock, for what is due when. Whoever asks first after it was set sees to it that the queues go by the new time before he does. */
int64_t server_wall_ms(struct keeper_server *s);
struct version *server_version(const struct keeper_server *s, uint32_t generation);
struct rsa_key **version_key(struct version *v, uint32_t route); /* NULL: memory */
/* A network that hangs is not known as down: its calls end with the budget, which is the route's. So each route has its own patience
 * with each network, and one with a short budget does not cost the others their tokens. NULL: memory. */
struct breaker *version_patience(struct version *v, uint32_t route, uint32_t network);
void server_hold(struct version *v);
void server_release(struct version *v); /* NULL is fine */
struct dialogue *server_find(const struct relay *r, uint64_t id);
/* Drops the card data out of answers that wait since the audit trail failed; the questions get ERR_VAULT_AUDIT. */
result server_take_back(struct buf *out, size_t from);

#endif
