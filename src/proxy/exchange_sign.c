/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/clock.h"
#include "rules/url.h"

/* Before an attempt of a signed route is sent, its request is rendered once to be signed, and wiped; the sending renders it again,
 * to the same bytes. */

/* A field as the caller wrote it: one that a signature is over may not hold a placeholder (its value would have to be rendered). */
static slice field_of(void *owner, slice name)
{
    const struct exchange *x = owner;
    for (size_t i = 0; i < x->head->field_count; i++)
        if (slice_ieq(x->head->fields[i].name, name)) return x->head->fields[i].value;
    return SLICE_NONE;
}

/* In the scratch buffer: target, host, body. */
static result make(struct exchange *x)
{
    struct buf *scratch = &x->proxy->scratch;
    TRY(request_append_target(x, scratch));
    size_t target = scratch->len;
    TRY(url_write_host(exchange_upstream(x), scratch));
    size_t host = scratch->len;
    if (x->body) TRY(body_render(x->body, x->credentials.at, scratch));
    slice all = buf_slice(scratch);
    const struct signing_request request = {.route = x->route->config,
                                            .method = x->head->method,
                                            .target = slice_range(all, 0, target),
                                            .host = slice_range(all, target, host),
                                            .body = x->body ? slice_after(all, host) : SLICE_NONE,
                                            .wall_ms = clock_wall_ms(),
                                            .field = field_of,
                                            .owner = x};
    return signing_new(&request, &x->signing);
}

result exchange_make_signing(struct exchange *x)
{
    result r = make(x);
    buf_clear(&x->proxy->scratch);
    return r;
}

bool exchange_sign(struct exchange *x)
{
    if (x->is_signed || x->route->config->rules->sign.kind == SIGN_NONE) return true;
    if (x->signing) return false; /* asked for */
    if (!x->head) {               /* the client is gone, and nothing was sent */
        exchange_abort(x, ERR_CLIENT_GONE);
        return false;
    }
    result r = exchange_make_signing(x);
    if (!failed(r) && signing_needs_keeper(x->signing)) {
        r = signing_ask(x->signing, x->dialogue);
        if (!failed(r)) return false;
    }
    if (!failed(r)) return true;
    exchange_refuse(x, r.err);
    return false;
}
