/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_CLIENT_PRIV_H
#define KEEPER_CLIENT_PRIV_H

/* The keeper's client inside: client.c has the connection, the table of dialogues, failures and answers; client_ask.c asks. */

#include "keeper/channel.h"
#include "keeper/client.h"

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
    uint32_t index; /* the caller's */
    bool of_token_api, answered;
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
    bool has_temporal; /* asked for one: the keeper must not wait for the END */
    uint32_t question_count, question_room, unanswered; /* OPEN counts as unanswered too */
    struct question *questions, first[FIRST_QUESTIONS];
    TAILQ_ENTRY(keeper_dialogue) link;
};
TAILQ_HEAD(dialogues, keeper_dialogue);

struct slot {
    struct keeper_dialogue *dialogue; /* NULL: free */
    uint32_t generation, next_free;
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
};

void client_stand(struct keeper_dialogue *d, enum standing standing);
/* The keeper gave a sign, or was asked for the first time: the silence is counted from now. */
void client_await(struct keeper_dialogue *d);
void client_doom(struct keeper_dialogue *d, enum error why);
bool client_take_slot(struct keeper_client *c, struct keeper_dialogue *d);
void client_give_slot_back(struct keeper_client *c, const struct keeper_dialogue *d);
void client_free_dialogue(void *object);

#endif
