/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/pool.h"
#include "proxy/target_pools.h"
#include "rules/target.h"

#include <stdlib.h>
#include <string.h>

/* On routes with target_header each request names its target: a whole URL, or a base that the rest of the request's path is put behind.
 * What the URL says is settled here, from the head; whether the merchant may send there once the keeper has told who he is; whether
 * the address is one that may be connected to, when it is (http/upstream.h). */

static const char *const fields[] = {"x-cardveil-url", "x-cc-url", "ft-url-destiny"};

struct request_target {
    struct target target;     /* borrows <text> */
    struct target_pool *pool; /* taken; NULL: not yet */
    bool is_allowed, may_be_private;
    char *text, *path, *query; /* owned; the last two are joined of the URL's and the request's */
    slice joined_query;
};

bool target_is_field(slice name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (slice_ieq(name, slice_of(fields[i]))) return true;
    return false;
}

static result find_url(const struct http_head *h, slice *out)
{
    *out = SLICE_NONE;
    for (size_t i = 0; i < h->field_count; i++) {
        const struct http_field *f = &h->fields[i];
        if (!target_is_field(f->name)) continue;
        ENSURE(!out->at || slice_eq(*out, f->value), TARGET_TWICE);
        *out = f->value.at ? f->value : SLICE("");
    }
    ENSURE(out->at != NULL, TARGET_MISSING);
    return OK;
}

/* a and b, with <between> where there is something on both sides, at <at>, which has room for all three. */
static slice write_joined(slice a, slice between, slice b, char *at)
{
    slice out = {at, 0};
    const slice parts[] = {a, a.len && b.len ? between : SLICE(""), b};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len) memcpy(at + out.len, parts[i].at, parts[i].len);
        out.len += parts[i].len;
    }
    return out;
}

static result join(slice a, slice between, slice b, char **owned, slice *out)
{
    char *at = malloc(a.len + between.len + b.len + 1);
    ENSURE(at != NULL, MEMORY);
    *owned = at;
    *out = write_joined(a, between, b, at);
    return OK;
}

result target_join_query(struct exchange *x, slice of_url)
{
    slice own = x->head->query;
    x->called_query = of_url.at ? of_url : own;
    if (!of_url.at || !own.at) return OK;
    char *at = pool_alloc(x->call_pool, of_url.len + 1 + own.len);
    ENSURE(at != NULL, TOO_LARGE);
    x->called_query = write_joined(of_url, SLICE("&"), own, at);
    return OK;
}

result target_read(struct exchange *x, slice rest, slice *path)
{
    slice text;
    TRY(find_url(x->head, &text));
    struct request_target *t = x->target = calloc(1, sizeof *t);
    ENSURE(t != NULL, MEMORY);
    TRY(join(text, SLICE(""), SLICE(""), &t->text, &text)); /* outlives the request's head, for the log */
    TRY(target_parse(text, &t->target));
    slice base = t->target.url.path;
    bool is_whole = slice_is(rest, "/"); /* nothing behind the route's prefix: the URL stands as it is */
    if (!is_whole && slice_ends(base, SLICE("/"))) base.len--;
    if (is_whole && base.len) rest = SLICE("");
    TRY(join(base, SLICE(""), rest, &t->path, path));
    t->target.url.path = SLICE("");
    if (!t->target.query.at && !x->head->query.at) return OK;
    return join(t->target.query, SLICE("&"), x->head->query, &t->query, &t->joined_query);
}

result target_allow(struct exchange *x)
{
    const struct config *config = x->gate->config;
    struct request_target *t = x->target;
    if (!t) return OK;
    ENSURE(x->merchant >= 0 && (size_t)x->merchant < config->merchant_count, TARGET_NOT_ALLOWED);
    const struct config_merchant *m = &config->merchants[x->merchant];
    const struct config_target *entry = target_find(m->targets, m->target_count, &t->target.url);
    ENSURE(entry != NULL, TARGET_NOT_ALLOWED);
    t->is_allowed = true;
    t->may_be_private = entry->may_be_private;
    return OK;
}

result target_take_pool(struct exchange *x, struct upstream_pool **out)
{
    struct request_target *t = x->target;
    *out = x->route->pool;
    if (!t) return OK;
    ENSURE(t->is_allowed, TARGET_NOT_ALLOWED);
    if (!t->pool) TRY(target_pools_take(x->route->targets, &t->target.url, t->may_be_private, &t->pool));
    *out = target_pool_upstream(t->pool);
    return OK;
}

void target_let_go(struct exchange *x)
{
    if (!x->target) return;
    target_pool_release(x->target->pool);
    x->target->pool = NULL;
}

void target_free(struct exchange *x)
{
    if (!x->target) return;
    target_let_go(x);
    free(x->target->text);
    free(x->target->path);
    free(x->target->query);
    free(x->target);
    x->target = NULL;
}

slice target_host(const struct exchange *x)
{
    return x->target && x->target->is_allowed ? x->target->target.url.host : SLICE_NONE;
}

const struct upstream_url *exchange_upstream(const struct exchange *x)
{
    return x->target ? &x->target->target.url : &x->route->config->upstream;
}

slice exchange_query(const struct exchange *x)
{
    if (x->target) return x->target->joined_query;
    return x->called ? x->called_query : x->head->query;
}
