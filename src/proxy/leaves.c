/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/leaves.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { KEPT_MS = 20 * 3600 * 1000, HOST_MAX_BYTES = 253 }; /* of the 24 hours that a certificate is good for */

struct leaf {
    struct tls_server *server;
    uint64_t made_ms;
    size_t host_len;
    char host[HOST_MAX_BYTES];
    TAILQ_ENTRY(leaf) link;
};
struct leaves {
    struct tls_key *key; /* NULL: not needed yet */
    TAILQ_HEAD(, leaf) list; /* the oldest first */
    size_t count;
};

struct leaves *leaves_new(void)
{
    struct leaves *l = calloc(1, sizeof *l);
    if (l) TAILQ_INIT(&l->list);
    return l;
}

static void forget(struct leaves *l, struct leaf *leaf)
{
    TAILQ_REMOVE(&l->list, leaf, link);
    l->count--;
    tls_server_free(leaf->server); /* connections that use it keep it */
    free(leaf);
}

void leaves_clear(struct leaves *l)
{
    while (!TAILQ_EMPTY(&l->list)) forget(l, TAILQ_FIRST(&l->list));
}

void leaves_free(struct leaves *l)
{
    if (!l) return;
    leaves_clear(l);
    tls_key_free(l->key);
    free(l);
}

const uint8_t *leaves_point(struct leaves *l)
{
    if (!l->key && failed(tls_key_new(&l->key))) return NULL;
    return tls_key_point(l->key);
}

static struct leaf *find(struct leaves *l, slice host)
{
    struct leaf *leaf;
    TAILQ_FOREACH (leaf, &l->list, link)
        if (slice_eq((slice){leaf->host, leaf->host_len}, host)) return leaf;
    return NULL;
}

struct tls_server *leaves_find(struct leaves *l, slice host, uint64_t now_ms)
{
    struct leaf *leaf = find(l, host);
    return leaf && now_ms - leaf->made_ms < KEPT_MS ? leaf->server : NULL;
}

result leaves_put(struct leaves *l, slice host, slice certificate, uint64_t now_ms, struct tls_server **out)
{
    assert(host.len <= HOST_MAX_BYTES);
    struct tls_server *server;
    struct leaf *old = find(l, host);
    ENSURE(leaves_point(l) != NULL, CRYPTO);
    TRY(tls_server_new_leaf(l->key, certificate, &server));
    struct leaf *leaf = calloc(1, sizeof *leaf);
    if (!leaf) {
        tls_server_free(server);
        return FAIL(MEMORY);
    }
    if (!old && l->count == LEAVES_MAX) old = TAILQ_FIRST(&l->list);
    if (old) forget(l, old);
    *leaf = (struct leaf){.server = server, .made_ms = now_ms, .host_len = host.len};
    memcpy(leaf->host, host.at, host.len);
    TAILQ_INSERT_TAIL(&l->list, leaf, link);
    l->count++;
    *out = server;
    return OK;
}
