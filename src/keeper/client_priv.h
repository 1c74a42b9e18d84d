/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_CLIENT_PRIV_H
#define KEEPER_CLIENT_PRIV_H

/* The keeper's client inside: client.c has the table of dialogues, failures and the connection; client_ask.c asks;
 * client_answers.c hands answers over; client_payments.c tells ends of payments, outside any dialogue. */

#include "keeper/channel.h"
#include "keeper/client.h"

#include <event2/event.h>
#include <sys/queue.h>

enum {
    CLIENT_MAGIC = 0x6b636c69,
    DIALOGUE_MAGIC = 0x6b646961,
    FIRST_QUESTIONS = 4,
    FIRST_SLOTS = 64,
    LAZY_MAX_BYTES = 4096,
    WAITING_MAX_BYTES = 4 * 1024 * 1024, /* of questions that the keeper has not taken: past it new ones are refused */
};
#define NO_SLOT UINT32_MAX

struct question {
    uint32_t index;        /* the caller's */
    enum wire_type answer; /* what answers it */
    bool answered;
    bool unfinished;       /* a text to be signed whose last piece was not given yet: nobody waits for it */
};
/* Where a dialogue stands, seen from its questions:
 *   no open question: on no list · some: on <waiting>, by the time of the keeper's last sign · failed with some: on <doomed> */
enum standing { STANDING_IDLE, STANDING_WAITING, STANDING_DOOMED };
struct keeper_dialogue {
    uint32_t magic;
    struct keeper_client *client;
    uint64_t id, since_ms;
    const struct keeper_handlers *handlers;
    void *owner;
    enum error failure; /* once set, nothing more is asked and late answers are ignored */
    enum standing standing;
    bool sent, opened, ended;
    bool end_matters; /* asked for a temporal token, or captured a card: the keeper must not wait for the END */
    bool has_made;    /* asked for a temporal token to be made: it must not wait for an END that has nobody told of it */
    uint32_t question_count, question_room, unanswered; /* OPEN counts as unanswered too */
    struct question *questions, first[FIRST_QUESTIONS];
    TAILQ_ENTRY(keeper_dialogue) link;
};
TAILQ_HEAD(dialogues, keeper_dialogue);

struct slot {
    struct keeper_dialogue *dialogue; /* NULL: free */
    uint32_t generation, next_free;
};
/* Ends of payments, in order, until the keeper has them on disk: [ told ][ not yet told to this keeper ] */
struct told_payment {
    struct wire_payment w;
    char token[TOKEN_ID_MAX_BYTES], network_transaction_id[NETWORK_TRANSACTION_ID_MAX_BYTES];
    STAILQ_ENTRY(told_payment) link;
};
struct payments_told {
    uint64_t relay, last_number;
    size_t waiting, dropped;
    STAILQ_HEAD(, told_payment) queue;
    struct told_payment *untold; /* the first of them; NULL: none */
    struct timer *timer;
    bool timer_is_set;
};
struct keeper_client {
    uint32_t magic;
    struct loop *loop;
    struct channel *channel; /* NULL: never connected, or lost */
    uint64_t answer_ms;
    uint32_t generation; /* of the configuration */
    size_t lazy_bytes;   /* ENDs at the tail of what waits: they travel with the next question */
    char *scratch;
    struct credential *credential; /* secret: the one being handed over */
    struct slot *slots;
    uint32_t slot_count, free_slot;
    struct dialogues waiting, doomed;
    size_t waiting_count;
    struct timer *timer;
    bool timer_is_set;
    struct event *deliver_failures, *wake;
    struct payments_told payments;
    void (*breach)(void *owner); /* NULL: nobody is told */
    void *breach_owner;
};

/* client.c */
struct keeper_client *client_from(void *arg);
struct keeper_dialogue *client_find(const struct keeper_client *c, uint64_t id);
bool client_take_slot(struct keeper_client *c, struct keeper_dialogue *d);
void client_give_slot_back(struct keeper_client *c, const struct keeper_dialogue *d);
void client_free_dialogue(void *object);
void client_stand(struct keeper_dialogue *d, enum standing standing);
void client_await(struct keeper_dialogue *d);
void client_doom(struct keeper_dialogue *d, enum error why);
/* client_answers.c */
bool client_on_frame(void *owner, const struct wire_frame *f);
/* Tells a question that it failed. */
void client_fail(struct keeper_dialogue *d, const struct question *q, result r);
/* client_ask.c */
void client_note_question(struct keeper_client *c);
bool client_has_room(const struct keeper_client *c);
/* client_payments.c */
MUST_USE bool payments_start(struct keeper_client *c);
void payments_tell_all_again(struct keeper_client *c); /* to a new keeper */
void payments_kept(struct keeper_client *c, uint64_t up_to);
void payments_stop(struct keeper_client *c); /* sends what can be sent at once */

#endif
