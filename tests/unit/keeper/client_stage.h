/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CLIENT_STAGE_H
#define TESTS_CLIENT_STAGE_H

/* The client alone, with the test in the keeper's place. What the client is told goes into <story>. */

#include "../base/suite.h"
#include "keeper/client.h"
#include "keeper/wire.h"

enum { CLIENT_STORY_BYTES = 8192 };
extern struct loop *loop;
extern struct keeper_client *client;
extern int keeper; /* the keeper's end of the pair */
extern char story[CLIENT_STORY_BYTES];
extern struct credential last; /* revealed */
extern struct choice chosen;
extern const struct keeper_handlers handlers; /* owner: a name, for the story */

void set_up(uint64_t answer_ms);
void tear_down(void);
void turn(void);
void turns(unsigned n);
void pass(uint64_t ms); /* turns, until that time has passed */
int new_pair(void);     /* the client's end; <keeper> is the other */
struct keeper_dialogue *open_as(const char *name);
void ask(struct keeper_dialogue *d, uint32_t index);
slice receive(void);    /* what came to the keeper; valid until the next call */
uint64_t id_in(slice d);
void say(enum wire_type type, uint64_t id, uint32_t sequence, const void *fixed, const slice *tails);
void say_opened(uint64_t id, enum error e);
void say_card(uint64_t id, uint32_t sequence);
void say_refused(uint64_t id, uint32_t sequence, enum error e);

void on_opened(void *owner, result r, uint32_t merchant, slice key_id);
void on_revealed(void *owner, uint32_t index, result r, const struct credential *c, const struct choice *choice);
void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created);

#endif
