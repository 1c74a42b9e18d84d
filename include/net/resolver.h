/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

/* Names to addresses with c-ares, in the loop. Opens /etc/resolv.conf once, at resolver_new(); after that no file is read: the
 * hosts file comes as text (the relay is sandboxed by then). Literals and "localhost" answer without a query. Answers are
 * kept for their TTL, 5 s at least and 300 s at most; a failed refresh keeps the old answer for another 60 s. */

#include "net/listener.h"

struct resolver;
struct resolver_query;
struct resolver *resolver_new(struct loop *loop, slice hosts_file /* copied */); /* NULL: c-ares failed to start */
void resolver_free(struct resolver *r);

/* Other name servers than resolv.conf's: "127.0.0.1:5353,[::1]:53". ERR_CONFIG. */
MUST_USE result resolver_use_servers(struct resolver *r, const char *servers);

enum { RESOLVER_MAX = 8 };
/* count 0: the name does not resolve (or timed out after 5 s). Addresses are valid for the call only; port set. */
typedef void (*resolver_callback)(void *owner, const struct address *found, size_t count);
/* May answer before it returns (then *query is NULL). Otherwise the query can be cancelled; it then never answers. An
 * answered query is gone: forget the pointer in the callback. */
void resolver_find(struct resolver *r, slice host, uint16_t port, resolver_callback on_found, void *owner,
                   struct resolver_query **query);
void resolver_cancel(struct resolver_query *q); /* NULL is fine */

#endif
