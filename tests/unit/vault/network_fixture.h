/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NETWORK_FIXTURE_H
#define TESTS_NETWORK_FIXTURE_H

/* Records, jobs and events to test with, and the vault's calls on them made synchronous. Each fixture_… asserts that it worked. */

#include "vault/network_record.h"
#include "vault_fixture.h"

struct network_record test_record(const char *ref, const char *instrument); /* ACTIVE, with everything in it */
struct job test_job(enum job_kind kind, slice token);                       /* of the shop, with a new id */
struct event test_event(slice token, uint64_t revision, int64_t created_ms); /* of the shop, with a new id, PENDING */
slice event_id(const struct event *e);

struct token_id stored_card(struct vault *v, slice merchant, unsigned n);

struct network_answer { /* of vault_network_get and _alter */
    unsigned calls;
    result r;
    bool has_record;
    struct network_record record;
};
struct network_answer get_network(struct vault *v, slice merchant, slice token);
/* Writes the record, whatever stands there. */
struct network_answer set_network(struct vault *v, slice merchant, slice token, const struct network_record *record);
struct network_answer alter_network(struct vault *v, slice merchant, slice token, vault_network_decide decide, void *owner); /* owner: what decide gets */

struct finding { /* what vault_network_find gave */
    unsigned records, ends;
    result end;
    struct token_id tokens[100];
    char merchants[100][8];
};
struct finding find_network(struct vault *v, const char *name);

struct done {
    unsigned calls;
    result r;
};
void on_done(void *owner, result r); /* owner: struct done */
result put_job(struct vault *v, const struct job *j);
result put_event(struct vault *v, const struct event *e);
result put_trail(struct vault *v, slice token, const char *route, const char *id); /* of the shop */
/* The id, NUL-terminated. */
result get_trail(struct vault *v, slice token, const char *route, char out[NETWORK_TRANSACTION_ID_MAX_BYTES + 1]);

enum { LIST_MAX = 512 };
struct job_list {
    size_t count;
    struct job jobs[LIST_MAX];
};
struct event_list {
    size_t count;
    struct event events[LIST_MAX];
};
void list_jobs(struct vault *v, struct job_list *out);
void list_events(struct vault *v, struct event_list *out);

void remove_pan(struct vault *v, slice token); /* of the shop; its network token is ACTIVE then */

void expect_err(result r, enum error e);
void expect_sound(struct vault *v); /* vault_verify finds nothing */
/* Forks a child that runs <work> until it is killed, after <ms>. */
void run_and_kill(void (*work)(void), unsigned ms);
void *shared_room(size_t bytes); /* between processes, zeroed */

#endif
