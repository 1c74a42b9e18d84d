/* SPDX-License-Identifier: Apache-2.0 */
#include "resolver_priv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { HOSTS_MAX = 65536 };

struct host {
    SLIST_ENTRY(host) entry;
    struct address address;
    char name[];
};

struct hosts {
    SLIST_HEAD(, host) all; /* in the file's order */
};

bool address_from_ip(const char *ip, uint16_t port, struct address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->at;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        out->len = sizeof *v4;
    } else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        out->len = sizeof *v6;
    } else {
        return false;
    }
    address_set_port(out, port);
    return true;
}

void address_set_port(struct address *a, uint16_t port)
{
    if (a->at.ss_family == AF_INET)
        ((struct sockaddr_in *)&a->at)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)&a->at)->sin6_port = htons(port);
}

bool name_normalise(slice host, char out[RESOLVER_NAME_BYTES])
{
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']') host = slice_range(host, 1, host.len - 1);
    if (host.len > 1 && host.at[host.len - 1] == '.') host.len--;
    if (host.len == 0 || host.len >= RESOLVER_NAME_BYTES || slice_find(host, '\0') < host.len) return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    out[host.len] = '\0';
    return true;
}

/* The next word of a line; blanks are SP and HTAB. */
static bool next_word(slice *line, slice *word)
{
    *line = slice_trim(*line);
    size_t end = 0;
    while (end < line->len && line->at[end] != ' ' && line->at[end] != '\t') end++;
    *word = slice_range(*line, 0, end);
    *line = slice_after(*line, end);
    return end > 0;
}

static struct host *host_new(const struct address *at, slice word)
{
    char name[RESOLVER_NAME_BYTES];
    if (!name_normalise(word, name)) return NULL;
    size_t len = strlen(name) + 1;
    struct host *h = malloc(sizeof *h + len);
    if (!h) return NULL;
    h->address = *at;
    memcpy(h->name, name, len);
    return h;
}

/* hosts(5): "IP_address canonical_hostname [aliases...]"; "#" begins a comment. */
static void parse_line(slice line, struct host **last, struct hosts *hosts, size_t *count)
{
    char ip[RESOLVER_NAME_BYTES];
    struct address at;
    slice word;
    line = slice_range(line, 0, slice_find(line, '#'));
    if (line.len && line.at[line.len - 1] == '\r') line.len--;
    if (!next_word(&line, &word) || !name_normalise(word, ip) || !address_from_ip(ip, 0, &at)) return;
    while (*count < HOSTS_MAX && next_word(&line, &word)) {
        struct host *h = host_new(&at, word);
        if (!h) continue;
        if (*last)
            SLIST_INSERT_AFTER(*last, h, entry);
        else
            SLIST_INSERT_HEAD(&hosts->all, h, entry);
        *last = h;
        (*count)++;
    }
}

struct hosts *hosts_parse(slice text)
{
    struct hosts *hosts = calloc(1, sizeof *hosts);
    struct host *last = NULL;
    size_t count = 0;
    slice line;
    if (!hosts) return NULL;
    SLIST_INIT(&hosts->all);
    while (slice_next(&text, '\n', &line)) parse_line(line, &last, hosts, &count);
    return hosts;
}

void hosts_free(struct hosts *h)
{
    struct host *first;
    if (!h) return;
    while ((first = SLIST_FIRST(&h->all))) {
        SLIST_REMOVE_HEAD(&h->all, entry);
        free(first);
    }
    free(h);
}

/* RFC 6761 6.3: "Name resolution APIs and libraries SHOULD recognize localhost names as special and SHOULD always return the
 * IP loopback address for address queries". */
static bool is_localhost(const char *name)
{
    slice n = slice_of(name);
    return slice_is(n, "localhost") || slice_ends(n, SLICE(".localhost"));
}

size_t hosts_find(const struct hosts *h, const char *name, uint16_t port, struct address out[RESOLVER_MAX])
{
    const struct host *host;
    size_t count = 0;
    if (address_from_ip(name, port, &out[0])) return 1;
    if (is_localhost(name)) {
        (void)address_from_ip("127.0.0.1", port, &out[0]);
        (void)address_from_ip("::1", port, &out[1]);
        return 2;
    }
    SLIST_FOREACH(host, &h->all, entry) {
        if (count == RESOLVER_MAX) break;
        if (strcmp(host->name, name) != 0) continue;
        out[count] = host->address;
        address_set_port(&out[count++], port);
    }
    return count;
}
