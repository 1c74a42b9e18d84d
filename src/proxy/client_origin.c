/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "keeper/client.h"
#include "proxy/client.h"
#include "proxy/proxy_key.h"
#include "rules/target.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MERCHANT_NAME_BYTES = 64 };

struct client_origin {
    struct sockaddr_storage peer;
    struct proxy_key key;
    uint16_t port;
    size_t host_len, merchant_len;
    char host[TARGET_HOST_MAX_BYTES], merchant[MERCHANT_NAME_BYTES];
};

static void copy_peer(struct sockaddr_storage *to, const struct sockaddr *peer)
{
    to->ss_family = peer->sa_family;
    if (peer->sa_family == AF_INET) memcpy(to, peer, sizeof(struct sockaddr_in));
    if (peer->sa_family == AF_INET6) memcpy(to, peer, sizeof(struct sockaddr_in6));
}

struct client_origin *client_origin_new(const struct sockaddr *peer, const struct http_head *head, slice host, uint16_t port)
{
    assert(host.len <= TARGET_HOST_MAX_BYTES);
    struct client_origin *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    copy_peer(&o->peer, peer);
    proxy_key_read(head, &o->key);
    o->port = port;
    o->host_len = host.len;
    memcpy(o->host, host.at, host.len);
    return o;
}

void client_origin_free(struct client_origin *o)
{
    if (!o) return;
    secret_wipe(&o->key, sizeof o->key);
    free(o);
}

void client_origin_set_merchant(struct client_origin *o, slice name)
{
    assert(name.len <= sizeof o->merchant);
    o->merchant_len = name.len;
    if (name.len) memcpy(o->merchant, name.at, name.len);
}

slice client_origin_merchant(const struct client_origin *o)
{
    return (slice){o->merchant, o->merchant_len};
}

const struct sockaddr *client_origin_peer(const struct client_origin *o)
{
    return (const struct sockaddr *)&o->peer;
}

slice client_origin_host(const struct client_origin *o)
{
    return (slice){o->host, o->host_len};
}

uint16_t client_origin_port(const struct client_origin *o)
{
    return o->port;
}

void client_origin_introduce(const struct client_origin *o, struct keeper_caller *caller)
{
    caller->peer = o->peer;
    if (!caller->api_key.at && o->key.is_given) caller->api_key = (slice){o->key.text, o->key.len};
}
