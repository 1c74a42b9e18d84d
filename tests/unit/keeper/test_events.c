/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/keeper/due.h"
#include "base/clock.h"
#include "fake_network.h"
#include "stage_registrar.h"

#include <stdio.h>
#include <string.h>

/* The outbox of webhooks. */

static struct event *put(const char *id, uint64_t revision, const char *url)
{
    struct event *e = &fake_network.events[fake_network.event_count++];
    *e = (struct event){.merchant = "shop", .token = {9, "tok_good1"}, .revision = revision, .created_ms = clock_wall_ms(), .json_len = 2, .json = "{}"};
    memset(e->id, '-', sizeof e->id);
    memcpy(e->id, id, strlen(id));
    (void)snprintf(e->url, sizeof e->url, "%s", url);
    e->since_ms = e->created_ms;
    return e;
}

static const struct event *stored(const char *id)
{
    for (size_t i = 0; i < fake_network.event_count; i++)
        if (memcmp(fake_network.events[i].id, id, strlen(id)) == 0) return &fake_network.events[i];
    return NULL;
}

static void deliver(enum error e, int status)
{
    const struct wire_result_deliver w = {.error = (uint16_t)e, .status = (int16_t)status};
    registrar_say(last_order()->id, WIRE_RESULT_DELIVER, &w, NULL);
}

static const char *order_text(const char *id, const char *url)
{
    static char text[300];
    char whole[EVENT_ID_BYTES + 1];
    memset(whole, '-', EVENT_ID_BYTES);
    memcpy(whole, id, strlen(id));
    whole[EVENT_ID_BYTES] = '\0';
    (void)snprintf(text, sizeof text, "ORDER_DELIVER shop %s %s {}", url, whole);
    return text;
}

START_TEST(what_an_event_says)
{
    struct job *j = &fake_network.jobs[fake_network.job_count++];
    fake_active("tok_good1")->state = NETWORK_SUSPENDED;
    *j = (struct job){.id = "refresh", .kind = JOB_REFRESH, .merchant = "shop", .token = {9, "tok_good1"}};
    set_up();
    config->merchants[1].webhook_count = 2; /* one for each */
    registrar_start();
    (void)registrar_order();
    registrar_state(NETWORK_ACTIVE, "");
    ck_assert_uint_eq(fake_network.event_count, 2);
    const struct event *e = &fake_network.events[0];
    char expected[400], time[CLOCK_RFC3339_BYTES];
    clock_rfc3339(e->created_ms, time);
    (void)snprintf(expected, sizeof expected,
                   "{\"id\":\"%.36s\",\"type\":\"network_token.updated\",\"created_at\":\"%s\",\"merchant\":\"shop\","
                   "\"data\":{\"token\":\"tok_good1\",\"status\":\"ACTIVE\",\"expiration_date\":\"12/2031\"}}",
                   e->id, time);
    ck_assert_uint_eq(e->json_len, strlen(expected));
    ck_assert_mem_eq(e->json, expected, e->json_len);
    ck_assert_str_eq(e->url, "https://shop.example/hook");
    ck_assert_str_eq(fake_network.events[1].url, "https://b.example:8443");
    ck_assert_mem_ne(e->id, fake_network.events[1].id, EVENT_ID_BYTES);
    ck_assert_uint_eq(e->revision, fake_record("shop", "tok_good1")->revision);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(in_order_for_each_token_and_url)
{
    put("second", 2, "https://a");
    put("first", 1, "https://a");
    put("other", 1, "https://b");
    set_up();
    registrar_start();
    char seen[2][2048];
    (void)snprintf(seen[0], sizeof seen[0], "%s", registrar_order()->text);
    uint64_t id0 = last_order()->id;
    (void)snprintf(seen[1], sizeof seen[1], "%s", registrar_order()->text);
    bool swapped = strcmp(seen[0], order_text("first", "https://a")) != 0;
    ck_assert_str_eq(seen[swapped], order_text("first", "https://a"));
    ck_assert_str_eq(seen[!swapped], order_text("other", "https://b"));
    ck_assert(registrar_is_idle()); /* the second waits for the first */
    uint64_t first_id = swapped ? last_order()->id : id0;
    const struct wire_result_deliver w = {.status = 204};
    registrar_say(first_id, WIRE_RESULT_DELIVER, &w, NULL);
    ck_assert(stored("first")->state == EVENT_DELIVERED && stored("first")->last_status == 204 && stored("first")->delivered_ms > 0);
    ck_assert_str_eq(registrar_order()->text, order_text("second", "https://a"));
    deliver(ERR_NONE, 200);
    ck_assert_int_eq(stored("second")->state, EVENT_DELIVERED);
    ck_assert_int_eq(stored("other")->state, EVENT_PENDING);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_failed_one_comes_again_with_its_id)
{
    put("event", 1, "https://a");
    set_up();
    registrar_start();
    (void)registrar_order();
    deliver(ERR_WEBHOOK_UNDELIVERED, 500);
    ck_assert(stored("event")->state == EVENT_PENDING && stored("event")->tries == 1 && stored("event")->last_status == 500);
    ck_assert_int_gt(stored("event")->due_ms, clock_wall_ms());
    ck_assert_str_eq(registrar_order()->text, order_text("event", "https://a")); /* a second later */
    registrar_stop(); /* the registrar dies with it */
    ck_assert_uint_eq(stored("event")->tries, 2);
    registrar_start();
    ck_assert_str_eq(registrar_order()->text, order_text("event", "https://a"));
    deliver(ERR_NONE, 200);
    ck_assert(stored("event")->state == EVENT_DELIVERED && stored("event")->tries == 3);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(given_up_after_a_day)
{
    struct event *e = put("event", 1, "https://a");
    e->since_ms = clock_wall_ms() - EVENT_TRY_FOR_MS;
    put("next", 2, "https://a");
    set_up();
    registrar_start();
    (void)registrar_order();
    deliver(ERR_WEBHOOK_UNDELIVERED, 0);
    ck_assert_int_eq(stored("event")->state, EVENT_FAILED);
    ck_assert_str_eq(registrar_order()->text, order_text("next", "https://a")); /* it stands in nobody's way */
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_command_resends)
{
    struct event *e = put("event", 1, "https://a");
    e->state = EVENT_FAILED;
    set_up();
    registrar_start();
    ck_assert(registrar_is_idle());
    e->state = EVENT_PENDING; /* as vault_event_resend does, in another process */
    fake_network.resends++;
    ck_assert_str_eq(registrar_order()->text, order_text("event", "https://a"));
    registrar_stop();
    tear_down();
}
END_TEST

static void resend_stored(const char *id, int64_t since_ms)
{
    struct event *e = &fake_network.events[0];
    while (memcmp(e->id, id, strlen(id)) != 0) e++;
    e->state = EVENT_PENDING; /* as vault_event_resend does, in another process */
    e->since_ms = e->due_ms = since_ms;
    e->tries = 0;
}

/* Resent while its delivery is under way, which then ends: before the keeper sees the resend, or after. It goes once more. */
START_TEST(a_resend_is_not_lost_while_it_is_out)
{
    put("event", 1, "https://a");
    set_up();
    registrar_start();
    (void)registrar_order();
    resend_stored("event", 1);
    deliver(ERR_NONE, 200);
    ck_assert_int_eq(stored("event")->state, EVENT_PENDING);
    fake_network.resends++;
    ck_assert_str_eq(registrar_order()->text, order_text("event", "https://a"));
    const uint64_t out = last_order()->id;
    resend_stored("event", 2);
    fake_network.resends++;
    put("other", 1, "https://b"); /* seen by the same reading */
    ck_assert_str_eq(registrar_order()->text, order_text("other", "https://b"));
    const struct wire_result_deliver taken = {.status = 200};
    registrar_say(out, WIRE_RESULT_DELIVER, &taken, NULL);
    ck_assert_str_eq(registrar_order()->text, order_text("event", "https://a"));
    deliver(ERR_NONE, 200);
    ck_assert_int_eq(stored("event")->state, EVENT_DELIVERED);
    ck_assert(registrar_is_idle());
    registrar_stop();
    tear_down();
}
END_TEST

/* One that waits an hour for its next try goes at once, with a new day. */
START_TEST(a_resend_of_one_that_waits_goes_at_once)
{
    struct event *e = put("event", 1, "https://a");
    e->due_ms = clock_wall_ms() + BACK_OFF_MOST_MS;
    e->since_ms = clock_wall_ms() - EVENT_TRY_FOR_MS;
    e->tries = 20;
    set_up();
    registrar_start();
    ck_assert(registrar_is_idle());
    resend_stored("event", clock_wall_ms());
    fake_network.resends++;
    ck_assert_str_eq(registrar_order()->text, order_text("event", "https://a"));
    deliver(ERR_WEBHOOK_UNDELIVERED, 500);
    ck_assert(stored("event")->state == EVENT_PENDING && stored("event")->tries == 1);
    registrar_stop();
    tear_down();
}
END_TEST

static struct event *put_of(unsigned token, const char *url)
{
    char id[8];
    (void)snprintf(id, sizeof id, "%c-%02u", url[8], token);
    struct event *e = put(id, 1, url);
    (void)snprintf(e->token.at, sizeof e->token.at, "tok_nr-%02u", token);
    return e;
}

/* All that is ordered now: "a" and "b" for the receivers' names; the last orders' ids. */
static uint64_t ids[FAKE_MAX];
static const char *ordered(void)
{
    static char seen[FAKE_MAX + 1];
    size_t n = 0;
    while (!registrar_is_idle()) {
        ck_assert_uint_lt(n, FAKE_MAX);
        const char *url = strstr(last_order()->text, "https://");
        ck_assert(last_order()->type == WIRE_ORDER_DELIVER && url);
        ids[n] = last_order()->id;
        seen[n++] = url[8];
    }
    seen[n] = '\0';
    return seen;
}

static void answer(const struct wire_result_deliver w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) registrar_say(ids[i], WIRE_RESULT_DELIVER, &w, NULL);
}

/* Many tokens' events wait for a receiver that hangs; another's goes on, though its event is the youngest. */
START_TEST(a_receiver_that_hangs_holds_nobody_elses_place)
{
    for (unsigned i = 0; i < 50; i++) put_of(i, "https://a")->due_ms = 1;
    put_of(0, "https://b")->due_ms = 2;
    set_up();
    registrar_start();
    ck_assert_str_eq(ordered(), "aaaaaaaab");
    answer((struct wire_result_deliver){.error = ERR_WEBHOOK_UNDELIVERED}, 8);
    ck_assert_str_eq(ordered(), "a"); /* one at a time, until it takes one */
    answer((struct wire_result_deliver){.status = 200}, 1);
    ck_assert_str_eq(ordered(), "aaaaaaaa");
    registrar_stop(); /* says nothing of the receiver */
    registrar_start();
    ck_assert_str_eq(ordered(), "aaaaaaaa");
    registrar_stop();
    tear_down();
}
END_TEST

RUN_TESTS("events", what_an_event_says, in_order_for_each_token_and_url, a_failed_one_comes_again_with_its_id, given_up_after_a_day,
          a_command_resends, a_resend_is_not_lost_while_it_is_out, a_resend_of_one_that_waits_goes_at_once, a_receiver_that_hangs_holds_nobody_elses_place)
