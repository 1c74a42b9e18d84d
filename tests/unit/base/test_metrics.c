/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include "suite.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *no_refusals(unsigned i)
{
    (void)i;
    return NULL;
}

static const char *two_refusals(unsigned i)
{
    static const char *const names[] = {"TE_TWICE", "HOST_MISSING", NULL};
    return names[i];
}

static void count_in_another_process(int fd, unsigned slot)
{
    pid_t child = fork();
    ck_assert_int_ne(child, -1);
    if (child == 0) {
        if (failed(metrics_attach(fd, slot))) _exit(1);
        metrics_add(METRIC_REQUESTS, 10);
        metrics_gauge(METRIC_CLIENTS_OPEN, -1);
        metrics_refusal(1);
        metrics_time(HISTOGRAM_KEEPER, 60);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(all_processes_are_summed)
{
    int fd = metrics_create(3);
    ck_assert_int_ge(fd, 0);
    ck_assert(!failed(metrics_attach(fd, 0)));
    metrics_add(METRIC_REQUESTS, 1);
    metrics_gauge(METRIC_CLIENTS_OPEN, 3);
    metrics_error(ERR_TOKEN_UNKNOWN);
    count_in_another_process(fd, 1);
    count_in_another_process(fd, 2);
    ck_assert_uint_eq(metrics_sum(METRIC_REQUESTS), 21);
    ck_assert_uint_eq(metrics_sum(METRIC_CLIENTS_OPEN), 1);

    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert(!failed(metrics_print(&out, two_refusals)));
    ck_assert(!failed(buf_append(&out, (slice){"", 1})));
    static const char *const lines[] = {
        "# TYPE cardveil_requests_total counter\ncardveil_requests_total 21\n",
        "# TYPE cardveil_client_connections gauge\ncardveil_client_connections 1\n",
        "cardveil_outcomes_total{outcome=\"unknown\"} 0\n",
        "cardveil_refusals_total{kind=\"http\",reason=\"HOST_MISSING\"} 2\n",
        "cardveil_refusals_total{kind=\"error\",reason=\"TOKEN_UNKNOWN\"} 1\n",
        "cardveil_keeper_seconds_bucket{le=\"5e-05\"} 0\n",
        "cardveil_keeper_seconds_bucket{le=\"0.0001\"} 2\n",
        "cardveil_keeper_seconds_bucket{le=\"+Inf\"} 2\n",
        "cardveil_keeper_seconds_sum 0.000120\ncardveil_keeper_seconds_count 2\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) ck_assert_msg(strstr(out.at, lines[i]) != NULL, "%s", lines[i]);
    ck_assert_ptr_null(strstr(out.at, "TE_TWICE"));
    buf_done(&out);
}
END_TEST

START_TEST(every_family_has_one_heading)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert(!failed(metrics_attach(-1, 0)));
    ck_assert(!failed(metrics_print(&out, no_refusals)));
    slice rest = buf_slice(&out), line;
    char family[128] = "";
    while (slice_next(&rest, '\n', &line)) {
        if (line.len == 0) continue;
        if (slice_starts(line, SLICE("# TYPE "))) {
            slice name = slice_after(line, 7);
            name = slice_range(name, 0, slice_find(name, ' '));
            ck_assert_uint_lt(name.len, sizeof family);
            memcpy(family, name.at, name.len);
            family[name.len] = '\0';
        } else if (line.at[0] != '#') {
            ck_assert_msg(slice_starts(line, slice_of(family)), "%.*s", SLICE_ARG(line));
        }
    }
    buf_done(&out);
}
END_TEST

static const char *names_of_both_tables(unsigned i)
{
    static const char *const names[] = {"METHOD", "MEMORY", "TE_TWICE", NULL};
    return names[i];
}

/* The text up to the value: name and label set. */
static slice series_of(slice line)
{
    size_t end = line.len;
    while (end > 0 && line.at[end - 1] != ' ') end--;
    return slice_range(line, 0, end);
}

static void bump_everything(void)
{
    for (unsigned i = 0; i < METRIC_COUNT; i++) metrics_add(i, 1);
    for (unsigned i = 0; names_of_both_tables(i); i++) metrics_refusal(i);
    for (unsigned i = 1; i < ERR_COUNT; i++) metrics_error(i);
    for (unsigned i = 0; i < HISTOGRAM_COUNT; i++) metrics_time(i, 1);
}

START_TEST(no_series_stands_twice)
{
    static slice seen[1024];
    size_t count = 0;
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert(!failed(metrics_attach(-1, 0)));
    bump_everything();
    ck_assert(!failed(metrics_print(&out, names_of_both_tables)));
    slice rest = buf_slice(&out), line;
    while (slice_next(&rest, '\n', &line)) {
        if (line.len == 0 || line.at[0] == '#') continue;
        slice series = series_of(line);
        for (size_t i = 0; i < count; i++) ck_assert_msg(!slice_eq(seen[i], series), "%.*s", SLICE_ARG(line));
        ck_assert_uint_lt(count, sizeof seen / sizeof *seen);
        seen[count++] = series;
    }
    ck_assert_uint_gt(count, METRIC_COUNT + ERR_COUNT);
    buf_done(&out);
}
END_TEST

START_TEST(a_wrong_slot_is_refused)
{
    int fd = metrics_create(2);
    ck_assert(failed(metrics_attach(fd, 2)));
    ck_assert(!failed(metrics_attach(fd, 1)));
    ck_assert(!failed(metrics_attach(-1, 7)));
    close(fd);
    ck_assert(failed(metrics_attach(fd, 0)));
}
END_TEST

RUN_TESTS("metrics", all_processes_are_summed, every_family_has_one_heading, no_series_stands_twice,
          a_wrong_slot_is_refused)
