/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolver.h"

#include "loop_priv.h"
#include "resolver_priv.h"

#include <ares.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
    QUERY_MS = 5000,       /* an owner waits that long; c-ares may still fill the cache later */
    TRY_MS = 1500,         /* c-ares asks once more, for twice as long */
    TRIES = 2,
    TTL_MIN_S = 5,
    TTL_MAX_S = 300,
    STALE_MS = 60 * 1000,
    FAILED_MS = 1000,      /* a name that fails is not asked again for each request */
    NAMES_MAX = 1024,
    MAGIC_QUERY = 0x51554552,
    MAGIC_NAME = 0x4e414d45
};

/* What is known of one name, and who waits for it. */
struct name {
    unsigned magic;
    bool asking;         /* c-ares holds a pointer to us */
    bool answering;      /* so does answer_all() */
    bool extended;       /* lives on after a failed refresh */
    unsigned short count;
    uint64_t fresh_until_ms;
    struct address found[RESOLVER_MAX];
    LIST_HEAD(waiting, resolver_query) waiting;
    struct resolver *resolver;
    UT_hash_handle hh;
    char text[];
};

struct resolver_query {
    unsigned magic;
    LIST_ENTRY(resolver_query) entry;
    struct name *name;
    uint16_t port;
    resolver_callback on_found;
    void *owner;
    struct timer timer;
};

/* A socket of c-ares. */
struct lookup_socket {
    LIST_ENTRY(lookup_socket) entry;
    struct resolver *resolver;
    ares_socket_t fd;
    struct event event;
};

struct resolver {
    struct loop *loop;
    struct hosts *hosts;
    struct name *names;
    ares_channel channel;
    bool library, open, ending;
    LIST_HEAD(, lookup_socket) sockets;
    struct timer timer;
};

/* --- c-ares in the loop --- */

static void arm_timer(struct resolver *r)
{
    struct timeval longest = {.tv_sec = QUERY_MS / 1000}, next;
    const struct timeval *in = ares_timeout(r->channel, &longest, &next);
    if (LIST_EMPTY(&r->sockets))
        timer_stop(&r->timer);
    else
        timer_set(&r->timer, (uint64_t)in->tv_sec * 1000 + (uint64_t)in->tv_usec / 1000 + 1);
}

static void on_time(void *arg)
{
    struct resolver *r = arg;
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timer(r);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = ((struct lookup_socket *)arg)->resolver; /* the socket itself may be gone after the next call */
    ares_process_fd(r->channel, what & EV_READ ? fd : ARES_SOCKET_BAD, what & EV_WRITE ? fd : ARES_SOCKET_BAD);
    arm_timer(r);
}

static struct lookup_socket *find_socket(const struct resolver *r, ares_socket_t fd)
{
    struct lookup_socket *s;
    LIST_FOREACH(s, &r->sockets, entry) if (s->fd == fd) return s;
    return NULL;
}

static void free_socket(struct lookup_socket *s)
{
    LIST_REMOVE(s, entry);
    (void)event_del(&s->event);
    event_debug_unassign(&s->event);
    free(s);
}

/* c-ares tells what it wants of a socket: nothing means that it is about to close it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = arg;
    struct lookup_socket *s = find_socket(r, fd);
    if (s) free_socket(s);
    if (!readable && !writable) return;
    s = calloc(1, sizeof *s);
    if (!s) return; /* the query times out */
    s->resolver = r;
    s->fd = fd;
    short what = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    (void)event_assign(&s->event, loop_base(r->loop), fd, what, on_socket, s);
    LIST_INSERT_HEAD(&r->sockets, s, entry);
    (void)event_add(&s->event, NULL);
}

/* --- answers --- */

static void answer(resolver_callback on_found, void *owner, const struct name *n, uint16_t port)
{
    struct address found[RESOLVER_MAX];
    for (size_t i = 0; i < n->count; i++) {
        found[i] = n->found[i];
        address_set_port(&found[i], port);
    }
    on_found(owner, found, n->count);
}

static void free_query(struct resolver_query *q)
{
    LIST_REMOVE(q, entry);
    timer_done(&q->timer);
    q->magic = 0;
    free(q);
}

static void answer_query(struct resolver_query *q)
{
    const struct name *n = q->name;
    resolver_callback on_found = q->on_found;
    void *owner = q->owner;
    uint16_t port = q->port;
    free_query(q);
    answer(on_found, owner, n, port);
}

/* Owners may ask, and cancel others, from their callbacks: those who wait now are moved to a list of their own first. */
static void answer_all(struct name *n)
{
    struct waiting now = n->waiting; /* glibc's <sys/queue.h> has no LIST_SWAP */
    struct resolver_query *q = LIST_FIRST(&now);
    if (q) q->entry.le_prev = &now.lh_first;
    LIST_INIT(&n->waiting);
    n->answering = true;
    while ((q = LIST_FIRST(&now))) answer_query(q);
    n->answering = false;
}

static void keep_answer(struct name *n, const struct ares_addrinfo *info)
{
    const struct ares_addrinfo_node *node;
    int ttl = TTL_MAX_S;
    n->count = 0;
    for (node = info->nodes; node && n->count < RESOLVER_MAX; node = node->ai_next) {
        if (node->ai_family != AF_INET && node->ai_family != AF_INET6) continue;
        struct address *a = &n->found[n->count++];
        memset(a, 0, sizeof *a);
        memcpy(&a->at, node->ai_addr, (size_t)node->ai_addrlen);
        a->len = (socklen_t)node->ai_addrlen;
        if (node->ai_ttl < ttl) ttl = node->ai_ttl;
    }
    if (ttl < TTL_MIN_S) ttl = TTL_MIN_S;
    n->extended = false;
    n->fresh_until_ms = loop_now_ms(n->resolver->loop) + (uint64_t)ttl * 1000;
}

/* A name server that does not answer must not stop payments: the old addresses stay, and TLS still proves who answers there.
 * A clear "no such name" is believed at the second time. */
static void keep_failure(struct name *n, bool no_such_name)
{
    uint64_t now = loop_now_ms(n->resolver->loop);
    if (n->count && !(no_such_name && n->extended)) {
        n->extended = true;
        n->fresh_until_ms = now + STALE_MS;
        return;
    }
    n->count = 0;
    n->fresh_until_ms = now + FAILED_MS;
}

static void on_query_late(void *arg)
{
    struct resolver_query *q = arg;
    assert(q->magic == MAGIC_QUERY);
    if (q->name->count) keep_failure(q->name, false);
    answer_query(q); /* with what an earlier query found, if anything */
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct name *n = arg;
    (void)timeouts;
    assert(n->magic == MAGIC_NAME);
    n->asking = false;
    if (status == ARES_SUCCESS && info && info->nodes)
        keep_answer(n, info);
    else
        keep_failure(n, status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_SUCCESS);
    if (info) ares_freeaddrinfo(info);
    if (!n->resolver->ending) answer_all(n);
}

/* --- asking --- */

static void free_name(struct resolver *r, struct name *n)
{
    struct resolver_query *q;
    while ((q = LIST_FIRST(&n->waiting))) {
            free_query(q);
    }
    HASH_DEL(r->names, n);
    n->magic = 0;
    free(n);
}

/* Names come from the configuration, so the table stays small; the bound is for the day when they do not. */
static void make_room(struct resolver *r)
{
    struct name *n, *next;
    if (HASH_COUNT(r->names) < NAMES_MAX) return;
    HASH_ITER(hh, r->names, n, next) {
        if (n->asking || n->answering) continue;
        free_name(r, n);
        return;
    }
}

static struct name *name_of(struct resolver *r, const char *text)
{
    struct name *n;
    size_t len = strlen(text);
    HASH_FIND(hh, r->names, text, len, n);
    if (n) return n;
    make_room(r);
    n = calloc(1, sizeof *n + len + 1);
    if (!n) return NULL;
    n->magic = MAGIC_NAME;
    n->resolver = r;
    LIST_INIT(&n->waiting);
    memcpy(n->text, text, len + 1);
    HASH_ADD_KEYPTR(hh, r->names, n->text, len, n);
    return n;
}

static bool is_fresh(const struct name *n)
{
    return loop_now_ms(n->resolver->loop) < n->fresh_until_ms;
}

static void ask(struct resolver *r, struct name *n)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (n->asking) return;
    n->asking = true;
    ares_getaddrinfo(r->channel, n->text, NULL, &hints, on_answer, n); /* may call back at once; nobody waits yet then */
    arm_timer(r);
}

static struct resolver_query *wait_for(struct resolver *r, struct name *n, uint16_t port, resolver_callback on_found,
                                       void *owner)
{
    struct resolver_query *q = calloc(1, sizeof *q);
    if (!q) return NULL;
    *q = (struct resolver_query){.magic = MAGIC_QUERY, .name = n, .port = port, .on_found = on_found, .owner = owner};
    timer_init(&q->timer, r->loop, on_query_late, q);
    timer_set(&q->timer, QUERY_MS);
    LIST_INSERT_HEAD(&n->waiting, q, entry);
    return q;
}

void resolver_find(struct resolver *r, slice host, uint16_t port, resolver_callback on_found, void *owner,
                   struct resolver_query **query)
{
    char text[RESOLVER_NAME_BYTES];
    struct address found[RESOLVER_MAX];
    struct name *n = NULL;
    *query = NULL;
    if (name_normalise(host, text)) {
        size_t count = hosts_find(r->hosts, text, port, found);
        if (count) {
            on_found(owner, found, count);
            return;
        }
        n = name_of(r, text);
    }
    if (!n) {
        on_found(owner, NULL, 0);
        return;
    }
    if (!is_fresh(n)) {
        ask(r, n);
        if (n->asking) *query = wait_for(r, n, port, on_found, owner);
    }
    if (!*query) answer(on_found, owner, n, port);
}

void resolver_cancel(struct resolver_query *q)
{
    if (!q) return;
    assert(q->magic == MAGIC_QUERY);
    free_query(q);
}

/* --- making --- */

static bool open_channel(struct resolver *r)
{
    /* "b": ask the name servers only. c-ares would open the hosts file, and the file that HOSTALIASES names, at each query. */
    char lookups[] = "b";
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES,
        .timeout = TRY_MS,
        .tries = TRIES,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = r,
    };
    int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    r->open = ares_init_options(&r->channel, &options, given) == ARES_SUCCESS;
    return r->open;
}

struct resolver *resolver_new(struct loop *loop, slice hosts_file)
{
    struct resolver *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->loop = loop;
    LIST_INIT(&r->sockets);
    timer_init(&r->timer, loop, on_time, r);
    r->hosts = hosts_parse(hosts_file);
    r->library = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
    if (r->hosts && r->library && open_channel(r)) return r;
    resolver_free(r);
    return NULL;
}

result resolver_use_servers(struct resolver *r, const char *servers)
{
    ENSURE(ares_set_servers_ports_csv(r->channel, servers) == ARES_SUCCESS, CONFIG);
    return OK;
}

void resolver_free(struct resolver *r)
{
    struct name *n, *next;
    if (!r) return;
    r->ending = true;
    if (r->open) ares_destroy(r->channel); /* calls on_answer for what is still asked */
    if (r->library) ares_library_cleanup();
    HASH_ITER(hh, r->names, n, next) free_name(r, n);
    while (!LIST_EMPTY(&r->sockets)) free_socket(LIST_FIRST(&r->sockets));
    timer_done(&r->timer);
    hosts_free(r->hosts);
    free(r);
}
