/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUCKETS = 16, REFUSALS_MAX = 96 };

/* Upper bounds in microseconds; the last bucket has none. */
static const uint64_t bounds_us[BUCKETS - 1] = {50,    100,   250,    500,    1000,    2500,    5000,    10000,
                                                25000, 50000, 100000, 250000, 1000000, 5000000, 30000000};

typedef _Atomic uint64_t number;
struct slot {
    number value[METRIC_COUNT];
    number refusal[REFUSALS_MAX];
    number error[ERR_COUNT];
    number bucket[HISTOGRAM_COUNT][BUCKETS];
    number sum_us[HISTOGRAM_COUNT];
};

static struct slot private_slot;
static struct slot *slots = &private_slot, *mine = &private_slot;
static unsigned slot_count = 1;

struct description {
    const char *name, *label, *value, *help;
    bool is_gauge;
};
static const struct description described[METRIC_COUNT] = {
#define COUNTER(id, name, label, value, help) [METRIC_##id] = {name, label, value, help, false},
#define GAUGE(id, name, label, value, help) [METRIC_##id] = {name, label, value, help, true},
#include "base/metrics.def"
};
static const struct {
    const char *name, *help;
} histograms[HISTOGRAM_COUNT] = {
#define HISTOGRAM(id, name, help) [HISTOGRAM_##id] = {name, help},
#include "base/metrics.def"
};

int metrics_create(unsigned count)
{
    int fd = memfd_create("cardveil-metrics", MFD_CLOEXEC);
    if (fd == -1) return -1;
    if (ftruncate(fd, (off_t)(count * sizeof(struct slot))) == -1) {
        close(fd);
        return -1;
    }
    return fd;
}

result metrics_attach(int fd, unsigned slot)
{
    struct stat st;
    if (fd < 0) return OK;
    ENSURE(fstat(fd, &st) == 0 && st.st_size > 0, IO);
    size_t size = (size_t)st.st_size;
    ENSURE(size % sizeof(struct slot) == 0 && slot < size / sizeof(struct slot), IO);
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ENSURE(at != MAP_FAILED, IO);
    slots = at;
    slot_count = (unsigned)(size / sizeof(struct slot));
    mine = &slots[slot];
    /* The counters of a process that died go on; what it had open is not open any more. */
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        if (described[i].is_gauge) atomic_store_explicit(&mine->value[i], 0, memory_order_relaxed);
    return OK;
}

static void bump(number *n, uint64_t by)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by, memory_order_relaxed);
}

void metrics_add(enum metric m, uint64_t n)
{
    assert(m < METRIC_COUNT);
    bump(&mine->value[m], n);
}

void metrics_gauge(enum metric m, int64_t change)
{
    assert(m < METRIC_COUNT);
    bump(&mine->value[m], (uint64_t)change); /* modulo 2^64: sums over slots come out right */
}

void metrics_refusal(unsigned refusal_number)
{
    assert(refusal_number < REFUSALS_MAX);
    bump(&mine->refusal[refusal_number], 1);
}

void metrics_error(enum error e)
{
    assert(e < ERR_COUNT);
    bump(&mine->error[e], 1);
}

void metrics_time(enum histogram h, uint64_t us)
{
    unsigned i = 0;
    assert(h < HISTOGRAM_COUNT);
    while (i < BUCKETS - 1 && us > bounds_us[i]) i++;
    bump(&mine->bucket[h][i], 1);
    bump(&mine->sum_us[h], us);
}

/* <offset> of a number within a slot. */
static uint64_t sum_at(size_t offset)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < slot_count; i++) {
        const number *n = (const number *)(const void *)((const char *)&slots[i] + offset);
        total += atomic_load_explicit(n, memory_order_relaxed);
    }
    return total;
}

uint64_t metrics_sum(enum metric m)
{
    return sum_at(offsetof(struct slot, value) + m * sizeof(number));
}

__attribute__((format(printf, 2, 3))) static result print(struct buf *out, const char *format, ...)
{
    va_list args;
    char line[512];
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ENSURE(len >= 0 && (size_t)len < sizeof line, INTERNAL);
    return buf_append(out, (slice){line, (size_t)len});
}

static result print_heading(struct buf *out, const char *name, const char *help, const char *type)
{
    return print(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static result print_values(struct buf *out)
{
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const struct description *d = &described[i];
        if (d->help) TRY(print_heading(out, d->name, d->help, d->is_gauge ? "gauge" : "counter"));
        int64_t n = (int64_t)metrics_sum(i);
        if (d->label)
            TRY(print(out, "%s{%s=\"%s\"} %lld\n", d->name, d->label, d->value, (long long)n));
        else
            TRY(print(out, "%s %lld\n", d->name, (long long)n));
    }
    return OK;
}

static result print_reason(struct buf *out, const char *kind, const char *reason, size_t offset)
{
    uint64_t n = sum_at(offset);
    if (n == 0) return OK;
    return print(out, "cardveil_refusals_total{kind=\"%s\",reason=\"%s\"} %llu\n", kind, reason, (unsigned long long)n);
}

/* The two tables share names (METHOD, MEMORY): the kind keeps their series apart. A scrape with one series twice is refused. */
static result print_reasons(struct buf *out, const char *(*refusal_name)(unsigned))
{
    TRY(print_heading(out, "cardveil_refusals_total", "Requests refused, by reason; kind http: malformed messages.", "counter"));
    for (unsigned i = 0; i < REFUSALS_MAX && refusal_name && refusal_name(i); i++)
        TRY(print_reason(out, "http", refusal_name(i), offsetof(struct slot, refusal) + i * sizeof(number)));
    for (unsigned i = 1; i < ERR_COUNT; i++)
        TRY(print_reason(out, "error", error_name(i), offsetof(struct slot, error) + i * sizeof(number)));
    return OK;
}

static result print_histogram(struct buf *out, enum histogram h)
{
    uint64_t total = 0;
    const char *name = histograms[h].name;
    TRY(print_heading(out, name, histograms[h].help, "histogram"));
    for (unsigned i = 0; i < BUCKETS; i++) {
        total += sum_at(offsetof(struct slot, bucket) + (h * BUCKETS + i) * sizeof(number));
        if (i < BUCKETS - 1)
            TRY(print(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds_us[i] / 1e6, (unsigned long long)total));
        else
            TRY(print(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)total));
    }
    uint64_t us = sum_at(offsetof(struct slot, sum_us) + h * sizeof(number));
    TRY(print(out, "%s_sum %.6f\n", name, (double)us / 1e6));
    return print(out, "%s_count %llu\n", name, (unsigned long long)total);
}

result metrics_print(struct buf *out, const char *(*refusal_name)(unsigned))
{
    TRY(print_values(out));
    TRY(print_reasons(out, refusal_name));
    for (unsigned h = 0; h < HISTOGRAM_COUNT; h++) TRY(print_histogram(out, h));
    return OK;
}
