/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "fake_network.h"
#include "stage_registrar.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The wall clock is set while jobs and webhooks wait: they wait as long as they would have. */

static const time_t YEAR_S = (time_t)365 * 24 * 3600;
static time_t wall_is_ahead_s;

/* In the place of the C library's. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    long r = syscall(SYS_clock_gettime, id, t);
    if (id == CLOCK_REALTIME) t->tv_sec += wall_is_ahead_s;
    return (int)r;
}

static void put_job(enum job_kind kind, uint32_t tries, int64_t due_ms)
{
    struct network_record *r = fake_record("shop", "tok_good1");
    *r = (struct network_record){.state = NETWORK_PENDING, .network = "cards", .reference_code = "bfe68a02-51cd-4d66-b2ad-56fc55527e4"};
    fake_network.jobs[fake_network.job_count++] =
        (struct job){.id = "a job", .kind = kind, .merchant = "shop", .token = {9, "tok_good1"}, .tries = tries, .due_ms = due_ms};
}

static void put_event(int64_t due_ms, int64_t since_ms)
{
    struct event *e = &fake_network.events[fake_network.event_count++];
    *e = (struct event){.merchant = "shop", .token = {9, "tok_good1"}, .revision = 1, .created_ms = clock_wall_ms(), .due_ms = due_ms,
                        .since_ms = since_ms, .url = "https://a", .json_len = 2, .json = "{}"};
    memset(e->id, '-', sizeof e->id);
}

static void undelivered(void)
{
    const struct wire_result_deliver w = {.error = ERR_WEBHOOK_UNDELIVERED, .status = 500};
    registrar_say(last_order()->id, WIRE_RESULT_DELIVER, &w, NULL);
}

/* Set back by a year, whatever had failed would have waited a year and a second. */
START_TEST(back_while_a_job_waits)
{
    put_job(JOB_ENROL, 0, 0);
    set_up();
    registrar_start();
    (void)registrar_order();
    registrar_fail(ERR_NETWORK_DOWN, NETWORK_REASON_NONE);
    wall_is_ahead_s = -YEAR_S;
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_ENROL);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(back_while_a_webhook_waits)
{
    put_event(0, clock_wall_ms());
    set_up();
    registrar_start();
    (void)registrar_order();
    undelivered();
    wall_is_ahead_s = -YEAR_S;
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_DELIVER);
    registrar_stop();
    tear_down();
}
END_TEST

/* Set forward, a day of tries is not over because the clock says so. */
START_TEST(forward_while_a_webhook_waits)
{
    put_event(0, clock_wall_ms());
    set_up();
    registrar_start();
    (void)registrar_order();
    undelivered();
    wall_is_ahead_s = YEAR_S;
    (void)registrar_order();
    undelivered();
    ck_assert(fake_network.events[0].state == EVENT_PENDING && fake_network.events[0].tries == 2);
    registrar_stop();
    tear_down();
}
END_TEST

/* The clock was ahead when the keeper wrote these down, and was right again at its next start. */
START_TEST(back_while_the_keeper_was_away)
{
    int64_t ahead_ms = clock_wall_ms() + (int64_t)YEAR_S * 1000;
    put_job(JOB_ENROL, 3, ahead_ms);
    put_event(ahead_ms, ahead_ms);
    set_up();
    registrar_start();
    enum wire_type first = registrar_order()->type, second = registrar_order()->type;
    ck_assert(first == WIRE_ORDER_ENROL ? second == WIRE_ORDER_DELIVER : first == WIRE_ORDER_DELIVER && second == WIRE_ORDER_ENROL);
    registrar_stop();
    tear_down();
}
END_TEST

/* A renewal has a date, and keeps it. */
START_TEST(a_renewal_goes_by_the_date)
{
    put_job(JOB_REFRESH, 0, clock_wall_ms() + (int64_t)YEAR_S * 1000);
    (void)fake_active("tok_good1");
    set_up();
    registrar_start();
    ck_assert(registrar_is_idle());
    wall_is_ahead_s = YEAR_S + 1;
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    registrar_stop();
    tear_down();
}
END_TEST

RUN_TESTS("clock_set", back_while_a_job_waits, back_while_a_webhook_waits, forward_while_a_webhook_waits, back_while_the_keeper_was_away,
          a_renewal_goes_by_the_date)
