/* SPDX-License-Identifier: Apache-2.0 */
#include "compat_dialects.h"

#include "base/pool.h"
#include "proxy/ft_headers.h"

/* /proxy/ as Firstoken's users call it. Its errors are not published, so they get ours; of their statuses it is known that 403 tells
 * missing or wrong credentials. */

#define CALL_PATH "/proxy"
#define URL_FIELD "ft-url-destiny"
#define KEY_FIELD "ft-access-key"
#define HEADERS_FIELD "ft-headers"
#define RAW_FIELD "ft-keep-response-format"
#define ENCRYPTION_FIELD "ft-encryption"

/* --- calls --- */

/* Paths of theirs that do more than pass a request on. */
static enum error refusal_of(slice path)
{
    static const struct {
        const char *path;
        enum error err;
    } others[] = {{CALL_PATH "/hash", ERR_COMPAT_HASH}, {CALL_PATH "/jose", ERR_COMPAT_JOSE}, {CALL_PATH "/wssec", ERR_COMPAT_WSSEC}};
    if (slice_ends(path, SLICE("/"))) path.len--;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (slice_is(path, others[i].path)) return others[i].err;
    return ERR_NONE;
}

bool firstoken_is_call(slice path)
{
    return slice_is(path, CALL_PATH) || slice_is(path, CALL_PATH "/") || refusal_of(path) != ERR_NONE;
}

static result read_raw(const struct http_head *h, bool *raw)
{
    slice said = http_head_get(h, RAW_FIELD);
    *raw = slice_ieq(said, SLICE("true"));
    if (http_head_count(h, RAW_FIELD) == 0) return OK;
    ENSURE(http_head_count(h, RAW_FIELD) == 1 && (*raw || slice_ieq(said, SLICE("false"))), COMPAT_RAW);
    return OK;
}

static bool is_named(const struct ft_headers *headers, slice name)
{
    for (size_t i = 0; i < headers->count; i++)
        if (slice_ieq(headers->fields[i].name, name)) return true;
    return false;
}

/* The caller's head with <headers> in the place of his own fields of these names. */
static result put_into_head(struct exchange *x, const struct ft_headers *headers)
{
    const struct http_head *h = x->head;
    struct http_head *merged = pool_alloc(x->call_pool, sizeof *merged);
    ENSURE(merged != NULL, MEMORY);
    *merged = *h;
    merged->field_count = 0;
    merged->fields = pool_alloc(x->call_pool, (h->field_count + headers->count) * sizeof *merged->fields);
    ENSURE(merged->fields != NULL, MEMORY);
    for (size_t i = 0; i < h->field_count; i++)
        if (!is_named(headers, h->fields[i].name)) merged->fields[merged->field_count++] = h->fields[i];
    x->own_fields = merged->field_count;
    for (size_t i = 0; i < headers->count; i++) merged->fields[merged->field_count++] = headers->fields[i];
    x->head = merged;
    return OK;
}

static result read_headers(struct exchange *x)
{
    struct ft_headers headers;
    size_t count = http_head_count(x->head, HEADERS_FIELD);
    if (count == 0) return OK;
    ENSURE(count == 1, FT_HEADERS_JSON);
    result r = ft_headers_read(http_head_get(x->head, HEADERS_FIELD), x->call_pool, &headers);
    x->blamed = headers.blamed;
    TRY(r);
    return put_into_head(x, &headers);
}

result firstoken_read_call(struct exchange *x, struct compat_call *out)
{
    bool is_raw;
    enum error refusal = refusal_of(x->head->path);
    if (refusal) return (result){refusal};
    TRY(compat_get_one(x->head, URL_FIELD, ERR_COMPAT_URL, &out->url));
    ENSURE(http_head_count(x->head, ENCRYPTION_FIELD) == 0, COMPAT_ENCRYPTION);
    TRY(read_raw(x->head, &is_raw));
    x->has_envelope = !is_raw;
    return read_headers(x);
}

/* In a call ft-headers may name an x-api-key, and that is the destination's. */
bool firstoken_api_key(const struct exchange *x, slice *key)
{
    size_t count = http_head_count(x->head, KEY_FIELD);
    if (count == 0 && x->called != COMPAT_FIRSTOKEN) return false;
    *key = count > 1 ? SLICE("") : http_head_get(x->head, KEY_FIELD);
    return true;
}

bool firstoken_is_field(slice name)
{
    return compat_begins_with(name, SLICE("ft-"));
}

/* --- errors --- */

enum error firstoken_error(enum error e)
{
    return e == ERR_KEY_MISSING ? ERR_COMPAT_ACCESS_KEY : e;
}

void firstoken_mark_refusal(const struct exchange *x, struct reply *reply)
{
    enum { UNAUTHORIZED = 401, FORBIDDEN = 403 };
    if (reply->status == UNAUTHORIZED) reply->status = FORBIDDEN;
    reply->place = x->blamed;
}
