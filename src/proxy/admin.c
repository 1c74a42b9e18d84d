/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/admin.h"

#include "base/metrics.h"
#include "http/reader.h"
#include "http/writer.h"
#include "net/link.h"
#include "net/listener.h"
#include "proxy_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { ADMIN_MAGIC = 0x61646d6e, REQUEST_MS = 5000, PAGE_MAX_BYTES = 256 * 1024, VISITORS_MAX = 32 };

struct visitor {
    unsigned magic;
    struct admin *admin;
    struct link *link;
    struct http_reader *reader;
    bool ending;
    LIST_ENTRY(visitor) all;
};
LIST_HEAD(visitor_list, visitor);

struct admin {
    struct proxy *proxy;
    struct listener *listener;
    struct visitor_list visitors;
    unsigned count;
};

static void visitor_free(void *object)
{
    struct visitor *v = object;
    http_reader_free(v->reader);
    v->magic = 0;
    free(v);
}

static void visitor_end(struct visitor *v, enum link_end how)
{
    if (v->ending) return;
    v->ending = true;
    link_end(v->link, how);
    LIST_REMOVE(v, all);
    v->admin->count--;
    loop_free_later(v->admin->proxy->loop, visitor_free, v);
}

static const char *refusal_by_number(unsigned i)
{
    return i < REFUSAL_COUNT ? refusal_name((enum http_refusal)i) : NULL;
}

struct page {
    int status;
    slice type;
};

static result make_page(struct admin *a, const struct http_head *h, struct buf *body, struct page *page)
{
    *page = (struct page){.status = 200, .type = SLICE("text/plain; charset=utf-8")};
    if (!slice_is(h->method, "GET") && !h->is_head_method) {
        page->status = 405;
        return buf_append(body, SLICE("only GET\n"));
    }
    if (slice_is(h->path, "/metrics")) {
        page->type = SLICE("text/plain; version=0.0.4; charset=utf-8");
        return metrics_print(body, refusal_by_number);
    }
    if (slice_is(h->path, "/healthz")) return buf_append(body, SLICE("ok\n"));
    if (!slice_is(h->path, "/readyz")) {
        page->status = 404;
        return buf_append(body, SLICE("there are /metrics, /healthz and /readyz\n"));
    }
    bool keeper = keeper_client_is_connected(a->proxy->keeper);
    if (keeper && !a->proxy->draining) return buf_append(body, SLICE("ready\n"));
    page->status = 503;
    return buf_append(body, keeper ? SLICE("not ready: draining\n") : SLICE("not ready: the keeper is restarting\n"));
}

static result write_page(struct buf *out, const struct page *page, slice body, bool without_body)
{
    TRY(http_write_status_line(out, page->status));
    TRY(http_write_field(out, SLICE("content-type"), page->type));
    if (page->status == 405) TRY(http_write_field(out, SLICE("allow"), SLICE("GET, HEAD")));
    TRY(http_write_field_u64(out, SLICE("content-length"), body.len));
    TRY(http_write_field(out, SLICE("connection"), SLICE("close")));
    TRY(http_write_end_of_head(out));
    return without_body ? OK : buf_append(out, body);
}

static void answer(struct visitor *v)
{
    const struct http_head *h = http_reader_head(v->reader);
    struct buf body;
    struct page page;
    buf_init(&body, PAGE_MAX_BYTES);
    result r = make_page(v->admin, h, &body, &page);
    if (!failed(r)) r = write_page(link_output(v->link), &page, buf_slice(&body), h->is_head_method);
    buf_done(&body);
    if (!failed(r)) link_flush(v->link);
    visitor_end(v, failed(r) ? LINK_END_ABORT : LINK_END_FLUSH);
}

static void pump(struct visitor *v)
{
    enum http_step step;
    do {
        size_t used = 0;
        step = http_reader_feed(v->reader, link_input(v->link), &used);
        link_consume(v->link, used);
        if (step == HTTP_END) answer(v);
        if (step == HTTP_REFUSED) visitor_end(v, LINK_END_ABORT);
    } while (step != HTTP_MORE && !v->ending);
}

static void on_visitor(void *owner, struct link *l, enum link_event event)
{
    struct visitor *v = owner;
    assert(v->magic == ADMIN_MAGIC && v->link == l);
    if (v->ending || event == LINK_WRITABLE) return;
    if (event == LINK_CONNECTED)
        link_set_deadline(l, REQUEST_MS);
    else if (event == LINK_READABLE)
        pump(v);
    else
        visitor_end(v, LINK_END_ABORT);
}

static void on_accept(void *owner, struct listener *l, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct admin *a = owner;
    (void)l;
    (void)peer;
    (void)peer_len;
    struct http_limits limits = {.head_bytes = 8192, .fields = 50};
    struct visitor *v = a->count < VISITORS_MAX ? calloc(1, sizeof *v) : NULL;
    if (!v) {
        close(fd);
        return;
    }
    *v = (struct visitor){.magic = ADMIN_MAGIC, .admin = a};
    v->reader = http_reader_new(HTTP_REQUESTS, &limits);
    v->link = link_accept(a->proxy->loop, fd, NULL, 0, on_visitor, v);
    if (!v->reader || !v->link) {
        link_end(v->link, LINK_END_ABORT);
        visitor_free(v);
        return;
    }
    LIST_INSERT_HEAD(&a->visitors, v, all);
    a->count++;
}

struct admin *admin_new(struct proxy *p, int fd)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a) {
        close(fd);
        return NULL;
    }
    a->proxy = p;
    LIST_INIT(&a->visitors);
    a->listener = listener_new(p->loop, fd, on_accept, a);
    if (a->listener) return a;
    free(a);
    return NULL;
}

void admin_free(struct admin *a)
{
    if (!a) return;
    while (!LIST_EMPTY(&a->visitors)) visitor_end(LIST_FIRST(&a->visitors), LINK_END_ABORT);
    listener_free(a->listener);
    free(a);
}
