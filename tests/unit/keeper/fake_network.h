/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_NETWORK_H
#define TESTS_FAKE_NETWORK_H

/* What the fake vault keeps of network tokens: in plain arrays, to be looked at. Reads answer at once, writes at the flush. */

#include "vault/network.h"

enum { FAKE_MAX = 64 };
struct fake_network {
    struct fake_record {
        char merchant[65], token[65];
        struct network_record record;
    } records[FAKE_MAX];
    size_t record_count;
    struct job jobs[FAKE_MAX];
    size_t job_count;
    struct event events[FAKE_MAX];
    size_t event_count;
    char trails[4096];  /* "merchant token route id\n"… */
    char counted[4096]; /* "merchant route counter n\n"…, what was committed */
    struct counter_mark marks[FAKE_MAX];
    size_t mark_count, commits;
    bool count_fails, marks_fail, writes_fail;
    uint64_t resends;
    unsigned sum_takes_us;        /* how long vault_count_sum works */
    unsigned sums, sums_in_a_turn; /* calls of it since the last flush; the most between two */
    vault_removal_queued removal_queued;
    void *removal_owner;
};
extern struct fake_network fake_network;
struct network_record *fake_record(const char *merchant, const char *token); /* made if it is not there */
/* An ACTIVE one of shop, "ref-1" at network "cards", that lapses in 12/2031. */
struct network_record *fake_active(const char *token);
bool fake_network_flush(void); /* answers writes; false: there were none */

#endif
