/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/host.h"
#include "rules/target.h"
#include "rules/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A target URL that a caller sends. Whatever is taken has a host that leaves nothing to interpret: the configuration's own parser
 * takes it too, nothing of the URL is lost, and written again it is the same target. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) abort();
}

static void check_host(const struct upstream_url *url)
{
    slice host = url->host;
    bool is_ipv6 = slice_find(host, ':') < host.len;
    require(host.len > 0 && host.len <= TARGET_HOST_MAX_BYTES && url->port > 0);
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        require(is_plain || (is_ipv6 && c == ':'));
    }
    require(host.at[host.len - 1] != '.');
    require(is_ipv6 || url_is_host(host));
}

static void check_same(const struct upstream_url *url)
{
    struct buf out;
    struct target again;
    struct upstream_url configured;
    buf_init(&out, 4096);
    require(!failed(url_write(&(struct upstream_url){.tls = url->tls, .host = url->host, .port = url->port, .path = SLICE("")}, &out)));
    require(!failed(target_parse(buf_slice(&out), &again)));
    require(again.url.tls == url->tls && again.url.port == url->port && slice_eq(again.url.host, url->host) && !again.query.at);
    require(!url_parse(buf_slice(&out), &configured) && configured.port == url->port && slice_eq(configured.host, url->host));
    buf_done(&out);
}

static void check_target(slice text)
{
    struct target t;
    if (failed(target_parse(text, &t))) return;
    check_host(&t.url);
    check_same(&t.url);
    require(t.url.path.len == 0 || t.url.path.at[0] == '/');
    slice tail = t.query.at ? t.query : t.url.path;
    require(tail.len == 0 || tail.at + tail.len == text.at + text.len); /* nothing behind what was understood */
    struct config_target list = {.url = t.url};
    require(target_find(&list, 1, &t.url) == &list);
    (void)target_is_private_address(&t.url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice text = {(const char *)data, size};
    struct upstream_url url;
    check_target(text);
    if (!failed(target_parse_pattern(text, &url))) require(!host_pattern_check(url.host) || slice_find(url.host, ':') < url.host.len);
    if (!failed(target_parse_authority(text, &url))) check_host(&url);
    return 0;
}
