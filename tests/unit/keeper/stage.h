/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STAGE_H
#define TESTS_STAGE_H

/* Server and client of one process over real sockets, with a vault in memory. What the client is told goes into <story>. */

#include "../base/suite.h"
#include "body/token_table.h"
#include "fake_vault.h"
#include "keeper/client.h"
#include "keeper/server.h"

enum { STORY_BYTES = 16384 };
extern struct loop *loop;
extern struct keeper_server *server;
extern struct keeper_client *client;
extern struct config *config; /* the server's */
extern char story[STORY_BYTES];
extern struct choice chosen; /* with the last credential */
extern struct credential revealed; /* the last one */
extern struct token_id cvc_alias; /* the last one */
extern struct wish wish;     /* of the next reveals; zeroed by set_up() */

extern char field_session[FIELD_SESSION_ID_BYTES + 1]; /* the last one opened */
extern uint32_t broken_pairs;    /* numbers of the pairs that the server told of, three digits each: relay n has 100 + n, the registrar 999 */

void set_up(void);
void tear_down(void); /* and sees that nothing is left */
void turn(void);
void turns(unsigned n);
int add_relay(unsigned number); /* one more; the relay's end of the pair */
struct keeper_caller caller(const char *key, uint32_t listener); /* towards route 0, from 192.0.2.1 */
struct keeper_dialogue *open_dialogue(struct keeper_caller c);
void reveal(struct keeper_dialogue *d, uint32_t index, const char *token, enum token_kind kind);
const char *wait_for(const char *what); /* turns until the story has it, a second at most; the story begins anew; NULL: it has not */
void expect(const char *what); /* the story after some turns; it begins anew */

#endif
