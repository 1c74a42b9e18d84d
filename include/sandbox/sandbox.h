/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

/* Simulated processors and a simulated card network for trying and testing: no money moves, and it listens on loopback only. One small HTTP server that
 * hands each request to the processor whose path it is, and keeps the last requests as received:
 *
 *     client ─► link ─► http reader ─┬─ /erede/…                        rede.h
 *                                    ├─ /payment/rest/…, /proxy/rest/…  credibanco.h
 *                                    ├─ /tms/…, /_sandbox/network       tms.h: a card network, and what it handed out
 *                                    └─ /_sandbox/requests, /last       record.h                                             */

#include "sandbox/tms.h"

struct sandbox;
struct sandbox_options { /* borrows for the sandbox's life */
    slice listen;           /* "127.0.0.1:9100" */
    slice certificate, key; /* PEM; both empty: plain TCP */
    struct tms_options network;
};
/* Binds. ERR_USAGE: not a loopback address. ERR_IO: errno says why. ERR_CRYPTO: certificate or key. *why: which option is wrong,
 * and how; NULL: none. */
MUST_USE result sandbox_new(const struct sandbox_options *options, struct sandbox **out, const char **why);
void sandbox_run(struct sandbox *s); /* until SIGINT or SIGTERM */
void sandbox_free(struct sandbox *s); /* NULL is fine */

#endif
