/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

/* Counters, gauges and time histograms of all processes in one shared mapping: each process writes only its own slot, any may
 * read and sum them. Names and help stand in metrics.def; /metrics prints them in the Prometheus text format 0.0.4.
 *
 *     memfd: [ slot 0: supervisor ][ slot 1: keeper ][ slot 2: relay 0 ][ slot 3: relay 1 ] …                           */

#include "base/buf.h"

enum metric {
#define COUNTER(id, name, label, value, help) METRIC_##id,
#define GAUGE(id, name, label, value, help) METRIC_##id,
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
    METRIC_COUNT
};
enum histogram {
#define HISTOGRAM(id, name, help) HISTOGRAM_##id,
#include "base/metrics.def"
#undef HISTOGRAM
    HISTOGRAM_COUNT
};

/* A sealed-size memfd for that many processes; -1 and errno. */
int metrics_create(unsigned slots);
/* Maps it and takes a slot. Without it, counts go to a private slot. fd is borrowed; negative: private. */
MUST_USE result metrics_attach(int fd, unsigned slot);
void metrics_add(enum metric m, uint64_t n);
void metrics_gauge(enum metric m, int64_t change);
void metrics_refusal(unsigned refusal_number);        /* http/refusal.h: by number, named by the printer's caller */
void metrics_error(enum error e);                     /* counted by name */
void metrics_time(enum histogram h, uint64_t us);
uint64_t metrics_sum(enum metric m);                  /* over all slots */
/* Prints everything. refusal_name(i) names refusal counters; NULL stops. */
MUST_USE result metrics_print(struct buf *out, const char *(*refusal_name)(unsigned));

#endif
