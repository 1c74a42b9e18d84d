/* SPDX-License-Identifier: Apache-2.0 */
#include "network_fixture.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct network_text text_of(const char *s)
{
    struct network_text t = {.len = (uint8_t)strlen(s)};
    memcpy(t.at, s, t.len);
    return t;
}

struct network_record test_record(const char *ref, const char *instrument)
{
    struct network_record r = {.state = NETWORK_ACTIVE, .network = "tms", .ref = text_of(ref), .instrument = text_of(instrument),
                               .number_len = 16, .number = "4895370012003478", .month = 12, .year = 2031, .requestor_len = 11,
                               .requestor = "40010052242", .first_paid_ms = 1, .asked_ms = 2, .updated_ms = 3, .renewed_ms = 4};
    memcpy(r.reference_code, "00112233-4455-4677-8899-aabbccddeeff", sizeof r.reference_code);
    return r;
}

static struct token_id token_of(slice text)
{
    struct token_id id = {0};
    ck_assert(token_id_from(text, &id));
    return id;
}

struct job test_job(enum job_kind kind, slice token)
{
    struct job j = {.kind = kind, .merchant = "shop", .token = token_of(token), .tries = 2, .created_ms = 1000, .due_ms = 2000,
                    .payload_len = 5, .payload = {'a', 0, 'b', '\xff', 'c'}};
    expect_err(vault_job_new_id(j.id), ERR_NONE);
    return j;
}

struct event test_event(slice token, uint64_t revision, int64_t created_ms)
{
    struct event e = {.merchant = "shop", .token = token_of(token), .revision = revision, .url = "https://shop.example/hook?a=b",
                      .created_ms = created_ms, .since_ms = created_ms, .due_ms = created_ms, .json_len = 19, .json = "{\"status\":\"ACTIVE\"}"};
    struct token_id id = {0};
    expect_err(token_id_make(TOKEN_PERMANENT, &id), ERR_NONE); /* a UUID */
    memcpy(e.id, id.at, sizeof e.id);
    return e;
}

slice event_id(const struct event *e)
{
    return (slice){e->id, sizeof e->id};
}

struct token_id stored_card(struct vault *v, slice merchant, unsigned n)
{
    struct card c = numbered_card(n);
    struct answer a = put_card(v, merchant, &c, true);
    expect_err(a.r, ERR_NONE);
    return a.info.token;
}

static void on_network(void *owner, result r, const struct network_record *record)
{
    struct network_answer *a = owner;
    a->calls++;
    a->r = r;
    a->has_record = record != NULL;
    if (record) a->record = *record;
}

struct network_answer get_network(struct vault *v, slice merchant, slice token)
{
    struct network_answer a = {0};
    vault_network_get(v, merchant, token, on_network, &a);
    ck_assert_uint_eq(a.calls, 1);
    return a;
}

struct deciding {
    struct network_answer answer;
    vault_network_decide decide;
    void *owner;
};

static void on_decide(void *owner, struct network_record *record, struct network_change *change)
{
    struct deciding *d = owner;
    d->decide(d->owner, record, change);
}

static void on_decided(void *owner, result r, const struct network_record *record)
{
    struct deciding *d = owner;
    on_network(&d->answer, r, record);
}

struct network_answer alter_network(struct vault *v, slice merchant, slice token, vault_network_decide decide, void *owner)
{
    struct deciding d = {.decide = decide, .owner = owner};
    vault_network_alter(v, merchant, token, on_decide, on_decided, &d);
    vault_flush(v);
    ck_assert_uint_eq(d.answer.calls, 1);
    return d.answer;
}

static void overwrite(void *owner, struct network_record *record, struct network_change *change)
{
    const struct network_record *new = owner;
    uint64_t revision = record->revision;
    *record = *new;
    if (record->revision <= revision) record->revision = revision + 1;
    change->write = true;
}

struct network_answer set_network(struct vault *v, slice merchant, slice token, const struct network_record *record)
{
    struct network_record copy = *record;
    return alter_network(v, merchant, token, overwrite, &copy);
}

static void on_found(void *owner, result r, slice merchant, slice token, const struct network_record *record)
{
    struct finding *g = owner;
    ck_assert_uint_eq(g->ends, 0);
    if (!record) {
        g->ends++;
        g->end = r;
        return;
    }
    expect_err(r, ERR_NONE);
    ck_assert(g->records < 100 && merchant.len < 8 && token_id_from(token, &g->tokens[g->records]));
    memcpy(g->merchants[g->records++], merchant.at, merchant.len);
}

struct finding find_network(struct vault *v, const char *name)
{
    struct finding g = {0};
    vault_network_find(v, slice_of(name), on_found, &g);
    ck_assert_uint_eq(g.ends, 1);
    return g;
}

void on_done(void *owner, result r)
{
    struct done *d = owner;
    d->calls++;
    d->r = r;
}

static result flushed(struct vault *v, struct done *d)
{
    vault_flush(v);
    ck_assert_uint_eq(d->calls, 1);
    return d->r;
}

result put_job(struct vault *v, const struct job *j)
{
    struct done d = {0};
    vault_job_put(v, j, on_done, &d);
    return flushed(v, &d);
}

result put_event(struct vault *v, const struct event *e)
{
    struct done d = {0};
    vault_event_put(v, e, e->since_ms, on_done, &d);
    return flushed(v, &d);
}

result put_trail(struct vault *v, slice token, const char *route, const char *id)
{
    struct done d = {0};
    vault_trail_put(v, shop, token, slice_of(route), slice_of(id), on_done, &d);
    return flushed(v, &d);
}

struct trail_answer {
    unsigned calls;
    result r;
    char *out;
};

static void on_trail(void *owner, result r, slice id)
{
    struct trail_answer *a = owner;
    a->calls++;
    a->r = r;
    if (id.len) memcpy(a->out, id.at, id.len);
    a->out[id.len] = '\0';
}

result get_trail(struct vault *v, slice token, const char *route, char out[NETWORK_TRANSACTION_ID_MAX_BYTES + 1])
{
    struct trail_answer a = {.out = out};
    vault_trail_get(v, shop, token, slice_of(route), on_trail, &a);
    ck_assert_uint_eq(a.calls, 1);
    return a.r;
}

static bool on_job(void *owner, const struct job *j)
{
    struct job_list *l = owner;
    ck_assert_uint_lt(l->count, LIST_MAX);
    l->jobs[l->count++] = *j;
    return true;
}

void list_jobs(struct vault *v, struct job_list *out)
{
    out->count = 0;
    expect_err(vault_job_list(v, on_job, out), ERR_NONE);
}

static bool on_event(void *owner, const struct event *e)
{
    struct event_list *l = owner;
    ck_assert_uint_lt(l->count, LIST_MAX);
    l->events[l->count++] = *e;
    return true;
}

void list_events(struct vault *v, struct event_list *out)
{
    out->count = 0;
    expect_err(vault_event_list(v, on_event, out), ERR_NONE);
}

void remove_pan(struct vault *v, slice token)
{
    const struct card_change change = {.remove_pan = true};
    const struct network_record active = test_record("TOKEN-1", "INSTRUMENT-1");
    expect_err(set_network(v, shop, token, &active).r, ERR_NONE);
    expect_err(change_card(v, shop, token, &change).r, ERR_NONE);
}

void expect_err(result r, enum error e)
{
    ck_assert_msg(r.err == e, "%s, expected %s", error_name(r.err), error_name(e));
}

void expect_sound(struct vault *v)
{
    struct vault_verdict verdict;
    expect_err(vault_verify(v, NULL, NULL, &verdict), ERR_NONE);
    ck_assert_uint_eq(verdict.bad_records, 0);
}

void run_and_kill(void (*work)(void), unsigned ms)
{
    int status;
    pid_t child = fork();
    ck_assert_int_ne(child, -1);
    if (child == 0) {
        work();
        fprintf(stderr, "the child ended by itself\n");
        _exit(1);
    }
    usleep(1000 * ms);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
}

void *shared_room(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    return at;
}
