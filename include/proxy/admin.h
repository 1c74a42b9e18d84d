/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ADMIN_H
#define PROXY_ADMIN_H

/* The administrative listener: GET /metrics (Prometheus text format 0.0.4), /healthz (this process runs), /readyz (it can
 * serve: the keeper answers and nothing is draining). Nothing else, and nothing secret. */

#include "net/loop.h"

struct proxy;
struct admin;

struct admin *admin_new(struct proxy *p, int fd); /* takes fd; NULL: memory (fd is closed) */
void admin_free(struct admin *a); /* NULL is fine */

#endif
