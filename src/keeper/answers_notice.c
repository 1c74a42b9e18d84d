/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_priv.h"

#include "jobs.h"
#include "reports.h"

#include <stdlib.h>
#include <string.h>

/* A card network's notification, and the merchant's report. */

enum { NOTICE_LIMIT_MS = 5000 };

/* --- notifications ---
 *
 * The registrar says whether it is genuine and whom it speaks of; what it says of them is not believed: their states are read
 * back. The answer goes out when every such job is on disk, so that a network that hears no 2xx tells it again. */

struct noticing {
    struct question *q;
    size_t open;   /* jobs being written, and one for the search itself */
    result worst;
};

static void settle(struct noticing *n)
{
    struct question *q = n->q;
    if (--n->open > 0) return;
    if (server_find(q->relay, q->dialogue)) {
        const struct wire_noticed w = {.error = (uint16_t)n->worst.err};
        server_put(q->relay, WIRE_NOTICED, q->dialogue, q->sequence, &w, NULL);
    }
    answer_finish(q);
    free(n);
}

static void on_refresh_queued(void *owner, result r)
{
    struct noticing *n = owner;
    if (failed(r) && !failed(n->worst)) n->worst = r;
    settle(n);
}

static void on_found(void *owner, result r, slice merchant, slice token, const struct network_record *record)
{
    struct noticing *n = owner;
    if (record) {
        n->open++;
        jobs_refresh(n->q->relay->server->jobs, merchant, token, on_refresh_queued, n);
        return;
    }
    /* One that is not ours (any more) is no failure: telling it again would change nothing. */
    if (failed(r) && r.err != ERR_NOT_FOUND && !failed(n->worst)) n->worst = r;
    settle(n);
}

static void refuse(struct question *q, result r)
{
    if (server_find(q->relay, q->dialogue)) answer_error(q->relay, WIRE_NOTICED, q->dialogue, q->sequence, r.err);
    answer_finish(q);
}

static bool is_false(result r)
{
    return r.err == ERR_SIGNATURE_FORMAT || r.err == ERR_SIGNATURE_WRONG;
}

static void on_checked(void *owner, result r, const slice *refs, size_t count)
{
    struct question *q = owner;
    struct keeper_server *server = q->relay->server;
    q->order = NULL;
    server_stop_waiting(q);
    if (is_false(r))
        bad_tokens_count(server->bad, &q->standing.caller, loop_now_ms(server->loop), q->standing.version->config->bad_tokens_window_ms);
    struct noticing *n = failed(r) ? NULL : calloc(1, sizeof *n);
    if (!n) {
        refuse(q, failed(r) ? r : FAIL(MEMORY));
        return;
    }
    *n = (struct noticing){.q = q, .open = 1 + count};
    for (size_t i = 0; i < count; i++) vault_network_find(server->vault, refs[i], on_found, n);
    settle(n);
}

void answer_notice(struct question *q, const struct wire_frame *f)
{
    const struct config *c = q->standing.version->config;
    struct wire_notice w;
    wire_fixed(f, &w, sizeof w);
    if (w.network >= c->network_count) {
        refuse(q, FAIL(NOT_FOUND));
        return;
    }
    q->order = registry_notice(q->relay->server->registry, c->networks[w.network].name, wire_tail(f, 0), wire_tail(f, 1), NOTICE_LIMIT_MS,
                               on_checked, q);
    if (q->order)
        server_wait(q);
    else
        refuse(q, FAIL(NETWORK_DOWN));
}

/* --- the report --- */

void answer_report(struct question *q, const struct wire_frame *f)
{
    struct wire_report w;
    wire_fixed(f, &w, sizeof w);
    result r = answer_audit(q, "report.read", SLICE_NONE, OK);
    if (failed(r)) {
        answer_error(q->relay, WIRE_REPORTED, q->dialogue, q->sequence, r.err);
        answer_finish(q);
    } else {
        reports_add(q->relay->server->reports, q, w.from_hour, w.to_hour, wire_tail(f, 0));
    }
}
