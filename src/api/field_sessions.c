/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/field-sessions: the merchant's server opens a session of hosted card fields for a page of its own. */
#include "base/clock.h"
#include "body/json_pick.h"
#include "call.h"
#include "rules/url.h"

#include <ctype.h>
#include <string.h>

enum { PATH_ORIGIN = 0, PATH_KIND, PATH_TTL, PATH_COUNT, KIND_MAX_BYTES = 16 };

struct session_call {
    struct service_call base;
    result verdict;        /* of the document, then of the keeper */
    bool seen[PATH_COUNT];
    enum field_kind kind;
    uint32_t ttl_s;
    size_t origin_len;
    char origin[ORIGIN_MAX_BYTES];
    char id[FIELD_SESSION_ID_BYTES];
};

static struct session_call *of(struct service_call *c)
{
    return (struct session_call *)c;
}

static bool takes(slice path)
{
    return slice_is(path, "/v1/field-sessions");
}

static result understand(struct service_call *c)
{
    ENSURE(slice_is(c->request.head->method, "POST"), METHOD);
    c->request.caller.permission = PERMIT_TOKENIZE;
    return OK;
}

/* --- the request --- */

/* As browsers spell an origin (WHATWG HTML, "ASCII serialisation of an origin"): it is compared to theirs byte by byte. */
static result read_origin(struct session_call *s, slice text)
{
    struct upstream_url url;
    struct buf out;
    ENSURE(text.len <= sizeof s->origin && text.len > 0 && text.at[text.len - 1] != '/', FIELD_SESSION_ORIGIN);
    ENSURE(url_parse(text, &url) == NULL && url.path.len == 0 && (url.tls || url_is_loopback(&url)), FIELD_SESSION_ORIGIN);
    buf_init(&out, sizeof s->origin);
    result r = url_write(&url, &out);
    if (failed(r)) r = FAIL(FIELD_SESSION_ORIGIN);
    for (size_t i = 0; !failed(r) && i < out.len; i++) s->origin[i] = (char)tolower((unsigned char)out.at[i]);
    s->origin_len = failed(r) ? 0 : out.len;
    buf_done(&out);
    return r;
}

static result read_kind(struct session_call *s, slice text)
{
    static const char *const names[] = {[FIELD_TOKEN] = "token", [FIELD_TRANSACTION] = "transaction", [FIELD_BOTH] = "both"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!slice_is(text, names[i])) continue;
        s->kind = (enum field_kind)i;
        return OK;
    }
    return FAIL(FIELD_SESSION_FIELD);
}

static result read_ttl(struct session_call *s, slice text)
{
    uint64_t seconds;
    ENSURE(slice_to_u64(text, FIELD_SESSION_TTL_MAX_S, &seconds) && seconds > 0, FIELD_SESSION_FIELD);
    s->ttl_s = (uint32_t)seconds;
    return OK;
}

static void on_value(void *owner, uint32_t path, slice value, bool is_text)
{
    struct session_call *s = owner;
    result r = s->seen[path] ? FAIL(JSON_DUPLICATE_KEY) : OK;
    s->seen[path] = true;
    if (!failed(r) && is_text != (path != PATH_TTL)) r = FAIL(FIELD_SESSION_FIELD);
    if (!failed(r)) r = path == PATH_ORIGIN ? read_origin(s, value) : path == PATH_KIND ? read_kind(s, value) : read_ttl(s, value);
    if (failed(r) && !failed(s->verdict)) s->verdict = r;
}

static result read_body(struct session_call *s)
{
    static const char *const paths[PATH_COUNT] = {[PATH_ORIGIN] = "$.origin", [PATH_KIND] = "$.kind", [PATH_TTL] = "$.ttl"};
    struct path_set *set = path_set_new(PATH_JSON);
    result r = set ? OK : FAIL(MEMORY);
    for (size_t i = 0; !failed(r) && i < PATH_COUNT; i++) {
        uint32_t number;
        size_t error_at;
        r = path_set_add(set, slice_of(paths[i]), &number, &error_at);
    }
    s->ttl_s = FIELD_SESSION_TTL_DEFAULT_S;
    if (!failed(r)) r = json_pick(set, s->base.request.body, on_value, s);
    path_set_free(set);
    TRY(r);
    TRY(s->verdict);
    ENSURE(s->seen[PATH_ORIGIN], FIELD_SESSION_FIELD);
    return OK;
}

/* --- asking and answering --- */

static void on_fields(void *owner, uint32_t index, result r, const struct field_session_info *info)
{
    struct session_call *s = of(call_from(owner));
    (void)index;
    if (!failed(r) && info->id.len != sizeof s->id) r = FAIL(INTERNAL);
    if (!failed(r)) memcpy(s->id, info->id.at, sizeof s->id);
    s->verdict = r;
    call_settle(&s->base);
}

static result ask(struct service_call *c)
{
    struct session_call *s = of(c);
    ENSURE(call_is_json(c), CARD_CONTENT_TYPE);
    TRY(read_body(s));
    TRY(keeper_fields_open(c->dialogue, 0, (slice){s->origin, s->origin_len}, s->kind, s->ttl_s));
    c->waiting++;
    return OK;
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    struct session_call *s = of(c);
    slice id = {s->id, sizeof s->id};
    if (!failed(r)) r = s->verdict;
    if (failed(r)) return call_write_failure(r, out, a);
    a->status = 201;
    TRY(buf_append(out, SLICE("{\"status\":\"success\",\"message\":\"Session opened\",\"data\":{")));
    TRY(json_append_member(out, SLICE("\"session\":\""), id));
    TRY(buf_append(out, SLICE(",\"url\":\"/fields/")));
    TRY(buf_append(out, id));
    TRY(json_append_member(out, SLICE("\",\"origin\":\""), (slice){s->origin, s->origin_len}));
    TRY(append_time(out, SLICE(",\"expires_at\":\""), clock_wall_ms() + (int64_t)s->ttl_s * 1000));
    return buf_append(out, SLICE("}}\n"));
}

const struct endpoint field_sessions_endpoint = {
    .takes = takes,
    .methods = {"POST", 4},
    .bytes = sizeof(struct session_call),
    .answer_max_bytes = 4096,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .handlers = {.on_opened = call_opened, .on_fields = on_fields},
};
