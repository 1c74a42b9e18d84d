/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include "base/clock.h"
#include "tools.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static char story[256];

static void tell(const char *what)
{
    ck_assert_uint_lt(strlen(story) + strlen(what), sizeof story);
    strcat(story, what);
}

static void say(void *arg)
{
    tell(arg);
}

static void free_second(void *arg)
{
    tell(arg);
    loop_free_later(loop, say, "second ");
}

static void on_byte(void *arg)
{
    char c;
    ck_assert_int_eq(read(*(int *)arg, &c, 1), 1);
    tell("event ");
    loop_free_later(loop, free_second, "first ");
}

START_TEST(a_turn_is_events_hooks_the_dead)
{
    int ends[2];
    loop = loop_new();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert(!failed(loop_at_turn_end(loop, say, "hook1 ")));
    ck_assert(!failed(loop_at_turn_end(loop, say, "hook2 ")));
    struct watch *w = watch_new(loop, ends[0], on_byte, &ends[0]);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    loop_turn(loop);
    ck_assert_str_eq(story, "event hook1 hook2 first second ");
    watch_free(w);
    watch_free(NULL);
    close(ends[0]);
    close(ends[1]);
    loop_free(loop);
}
END_TEST

START_TEST(many_dead_in_one_turn)
{
    loop = loop_new();
    for (int i = 0; i < 5000; i++) loop_free_later(loop, free, malloc(8)); /* a leak is LeakSanitizer's to tell */
    turn(loop);
    for (int i = 0; i < 300; i++) loop_free_later(loop, free, malloc(8));
    loop_free(loop);
}
END_TEST

static uint64_t fired_at;

static void note_time(void *arg)
{
    fired_at = loop_now_ms(arg);
    tell("fired ");
}

START_TEST(timers_never_fire_early)
{
    loop = loop_new();
    struct timer *t = timer_new(loop, note_time, loop);
    uint64_t start = clock_now_ms();
    timer_set(t, 30);
    while (!fired_at) loop_turn(loop);
    ck_assert_uint_ge(fired_at, start + 30);
    for (int i = 0; i < 5; i++) turn(loop);
    ck_assert_str_eq(story, "fired "); /* one shot */
    timer_free(t);
    timer_free(NULL);
    loop_free(loop);
}
END_TEST

START_TEST(timers_move)
{
    loop = loop_new();
    struct timer *t = timer_new(loop, note_time, loop);
    uint64_t start = clock_now_ms();
    timer_set(t, 10);
    timer_set(t, 60); /* later: kept in mind only */
    while (!fired_at) loop_turn(loop);
    ck_assert_uint_ge(fired_at, start + 60);
    fired_at = 0;
    start = clock_now_ms();
    timer_set(t, 3600000);
    timer_set(t, 5); /* earlier: must not wait for the hour */
    while (!fired_at) loop_turn(loop);
    ck_assert_uint_ge(fired_at, start + 5);
    ck_assert_str_eq(story, "fired fired ");
    timer_set(t, 1);
    timer_stop(t);
    usleep(5000);
    turn(loop);
    turn(loop);
    ck_assert_str_eq(story, "fired fired ");
    timer_free(t);
    loop_free(loop);
}
END_TEST

static struct timer *suicidal;

static void free_itself(void *arg)
{
    (void)arg;
    timer_free(suicidal);
    tell("gone ");
}

START_TEST(a_timer_may_free_itself)
{
    loop = loop_new();
    suicidal = timer_new(loop, free_itself, NULL);
    timer_set(suicidal, 0);
    turn(loop);
    turn(loop);
    ck_assert_str_eq(story, "gone ");
    loop_free(loop);
}
END_TEST

static void stop(void *arg)
{
    tell("stop ");
    loop_stop(arg);
}

START_TEST(signals_and_stopping)
{
    loop = loop_new();
    ck_assert(!failed(loop_on_signal(loop, SIGUSR1, stop, loop)));
    raise(SIGUSR1);
    loop_run(loop);
    ck_assert_str_eq(story, "stop ");
    raise(SIGUSR1);
    loop_run(loop); /* may run again */
    ck_assert_str_eq(story, "stop stop ");
    loop_free(loop);
}
END_TEST

static void compare_time(void *arg)
{
    uint64_t *first = arg;
    *first = loop_now_ms(loop);
    usleep(20000);
    ck_assert_uint_eq(loop_now_ms(loop), *first); /* one time for a whole turn */
}

START_TEST(time_is_read_once_a_turn)
{
    uint64_t first = 0;
    loop = loop_new();
    struct timer *t = timer_new(loop, compare_time, &first);
    timer_set(t, 1);
    while (!first) loop_turn(loop);
    ck_assert_uint_ge(loop_now_ms(loop), first + 20);
    ck_assert_uint_ge(loop_now_us(loop), first * 1000);
    timer_free(t);
    loop_free(loop);
}
END_TEST

RUN_TESTS("loop", a_turn_is_events_hooks_the_dead, many_dead_in_one_turn, timers_never_fire_early, timers_move,
          a_timer_may_free_itself, signals_and_stopping, time_is_read_once_a_turn)
