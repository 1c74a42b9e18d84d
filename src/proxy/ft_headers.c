/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/ft_headers.h"

#include "body/yajl_memory.h"
#include "http/writer.h"

#include <string.h>

struct reading {
    struct ft_headers *out;
    struct pool *pool;
    bool is_in;     /* the object has begun */
    slice name;     /* of the member whose value comes next */
    result verdict;
};

/* --- what may stand there --- */

static bool begins_with(slice name, slice start)
{
    return name.len >= start.len && slice_ieq(slice_range(name, 0, start.len), start);
}

/* Where a message ends, where it goes and who may send it is said by us. */
static bool is_ours(slice name)
{
    static const char *const names[] = {"content-encoding", "proxy-authorization", "proxy-authenticate", "x-cc-url"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(name, slice_of(names[i]))) return true;
    return http_field_is_written_anew(name) || begins_with(name, SLICE("ft-")) || begins_with(name, SLICE("x-cardveil-"));
}

static bool is_value(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.at[i] < ' ' && s.at[i] != '\t') || s.at[i] > '~') return false;
    return true;
}

/* yajl makes a question mark of half a surrogate pair, and no character beyond ASCII may stand in a field: none is left to be looked at. */
static bool is_ascii(slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.at[i] >= 0x80) return false;
        if (text.at[i] != '\\') continue;
        slice escape = slice_after(text, ++i);
        if (escape.len >= 5 && escape.at[0] == 'u' && !slice_eq(slice_range(escape, 1, 3), SLICE("00"))) return false;
    }
    return true;
}

/* --- the members --- */

static int stop(struct reading *r, result why)
{
    if (!failed(r->verdict)) r->verdict = why;
    r->out->blamed = r->name;
    return 0;
}

static result take_name(struct reading *r, slice name)
{
    struct ft_headers *out = r->out;
    TRY(pool_copy(r->pool, name, &r->name));
    ENSURE(http_is_token(name), FT_HEADERS_NAME);
    ENSURE(!is_ours(name), FT_HEADERS_OURS);
    for (size_t i = 0; i < out->count; i++) ENSURE(!slice_ieq(out->fields[i].name, name), FT_HEADERS_TWICE);
    ENSURE(out->count < FT_HEADERS_MAX, FT_HEADERS_COUNT);
    return OK;
}

static int on_key(void *context, const unsigned char *at, size_t len)
{
    struct reading *r = context;
    result taken = take_name(r, (slice){(const char *)at, len});
    return failed(taken) ? stop(r, taken) : 1;
}

static result take_value(struct reading *r, slice value)
{
    struct http_field *f = &r->out->fields[r->out->count];
    ENSURE(r->is_in, FT_HEADERS_JSON);
    ENSURE(is_value(value), FT_HEADERS_VALUE);
    f->name = r->name;
    TRY(pool_copy(r->pool, slice_trim(value), &f->value));
    r->out->count++;
    r->name = SLICE_NONE;
    return OK;
}

static int on_value(struct reading *r, slice value)
{
    result taken = take_value(r, value);
    return failed(taken) ? stop(r, taken) : 1;
}

static int on_string(void *context, const unsigned char *at, size_t len)
{
    return on_value(context, (slice){(const char *)at, len});
}

static int on_number(void *context, const char *at, size_t len)
{
    return on_value(context, (slice){at, len});
}

static int on_boolean(void *context, int yes)
{
    return on_value(context, yes ? SLICE("true") : SLICE("false"));
}

static int on_other(void *context)
{
    struct reading *r = context;
    return stop(r, r->is_in ? FAIL(FT_HEADERS_VALUE) : FAIL(FT_HEADERS_JSON));
}

static int on_map(void *context)
{
    struct reading *r = context;
    if (r->is_in) return on_other(r);
    r->is_in = true;
    return 1;
}

static int on_end(void *context)
{
    (void)context;
    return 1;
}

static const yajl_callbacks callbacks = {.yajl_null = on_other, .yajl_boolean = on_boolean, .yajl_number = on_number, .yajl_string = on_string,
                                         .yajl_map_key = on_key, .yajl_start_map = on_map, .yajl_end_map = on_end,
                                         .yajl_start_array = on_other};

static result parse(struct reading *r, struct yajl_memory *memory, slice text)
{
    if (setjmp(memory->escape)) return FAIL(MEMORY); /* yajl is gone with its memory */
    yajl_handle y = yajl_alloc(&callbacks, &memory->functions, r);
    yajl_status status = yajl_parse(y, (const unsigned char *)text.at, text.len);
    if (status == yajl_status_ok) status = yajl_memory_complete(y);
    if (failed(r->verdict)) return r->verdict;
    return status == yajl_status_ok ? OK : FAIL(FT_HEADERS_JSON);
}

result ft_headers_read(slice text, struct pool *pool, struct ft_headers *out)
{
    struct reading r = {.out = out, .pool = pool};
    struct yajl_memory memory;
    *out = (struct ft_headers){.count = 0};
    ENSURE(is_ascii(text), FT_HEADERS_JSON);
    out->fields = pool_alloc(pool, FT_HEADERS_MAX * sizeof *out->fields);
    ENSURE(out->fields != NULL, MEMORY);
    yajl_memory_init(&memory);
    result read = parse(&r, &memory, text);
    yajl_memory_done(&memory);
    return read;
}
