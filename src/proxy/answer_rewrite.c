/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/pool.h"
#include "http/writer.h"
#include "media.h"

#include <assert.h>
#include <stdlib.h>

/* An answer that is held whole: its card data becomes aliases (filter-pull, or rules with 'answer'), or its tokens become card
 * data (forward-push). It is collected as a guarded answer is, walked once it is complete, and written when the keeper has
 * answered for every card or token. What the other side was asked for is done by then: each failure here is a 502 that says so. */

enum { KEPT_MAX_BYTES = 1024 * 1024 };

/* --- which part of the rules it is read by --- */

/* Rules that only say 'find: pan' mean whatever comes in: on filter-pull that is the answer. Of another type than the rules name,
 * an answer could have card data where nobody looks: it must be an error page, or be searched as a whole. So must one of no type where
 * the rules expect a form, since anything is one. */
static result choose_plan(struct exchange *x, const struct http_head *h, const struct plan **out)
{
    const struct ruleset *rules = x->route->config->rules;
    slice type = media_type(h);
    enum body_format format = media_type_format(type);
    bool is_text = rules->answer.format == BODY_TEXT, is_captured = x->answer_work == MESSAGE_CAPTURED;
    bool is_untyped = type.len == 0 && (!is_captured || rules->answer.format != BODY_FORM);
    *out = is_captured ? &x->gate->finding[format] : &x->gate->plain[format];
    if (!rules->has_answer || rules->any_answer || (is_text && is_captured)) return OK;
    if (is_untyped || format == rules->answer.format || is_text || h->framing == HTTP_NO_BODY) {
        *out = &x->route->answer_plan;
        return OK;
    }
    ENSURE(h->status >= 400 || rules->answer.find_pan || !is_captured, ANSWER_TYPE);
    return OK;
}

/* --- while it arrives --- */

static bool is_left_out(const struct exchange *x, slice name)
{
    if (x->inflater && slice_ieq(name, SLICE("content-encoding"))) return true;
    if (envelope_is_worn(x) && envelope_replaces(name)) return true;
    return slice_ieq(name, SLICE("accept-ranges"));
}

static result keep_field(struct exchange *x, const struct http_field *f)
{
    struct kept_field *kept = &x->kept[x->kept_count];
    struct buf *scratch = &x->proxy->scratch;
    bool passes = true;
    bool is_searched = x->capture && x->answer_plan->find_pan;
    if (is_left_out(x, f->name) || (is_searched && capture_finds(f->name))) return OK; /* no alias can stand in a name */
    result r = answer_guard_value(x, f, scratch, &passes);
    if (!failed(r) && passes && is_searched)
        r = capture_add_text(x->capture, buf_slice(scratch), ENCODING_FIELD_VALUE, &kept->text);
    if (!failed(r) && passes) r = pool_copy(x->kept_pool, f->name, &kept->name);
    if (!failed(r) && passes && !kept->text) r = pool_copy(x->kept_pool, buf_slice(scratch), &kept->value);
    buf_clear(scratch);
    if (passes) x->kept_count++;
    return r;
}

static result keep_fields(struct exchange *x, const struct http_head *h)
{
    x->kept_pool = pool_new(KEPT_MAX_BYTES);
    ENSURE(x->kept_pool != NULL, MEMORY);
    x->kept = pool_alloc(x->kept_pool, (h->field_count + 1) * sizeof *x->kept);
    ENSURE(x->kept != NULL, MEMORY);
    for (size_t i = 0; i < h->field_count; i++) TRY(keep_field(x, &h->fields[i]));
    slice charset = media_parameter(h, "charset"), boundary = media_parameter(h, "boundary");
    if (charset.at) TRY(pool_copy(x->kept_pool, charset, &x->answer_charset));
    if (boundary.at) TRY(pool_copy(x->kept_pool, boundary, &x->answer_boundary));
    return OK;
}

result rewrite_begin(struct exchange *x, const struct http_head *h)
{
    size_t most = x->route->config->body_buffer_bytes;
    bool has_content = h->framing != HTTP_NO_BODY && (h->framing != HTTP_LENGTH || h->length > 0);
    ENSURE(h->status != 206, ANSWER_PARTIAL);
    ENSURE(h->framing != HTTP_LENGTH || h->length <= most, ANSWER_TOO_LARGE);
    ENSURE(http_head_count(h, "content-type") <= 1, ANSWER_TYPE);
    TRY(choose_plan(x, h, &x->answer_plan));
    if (x->answer_work == MESSAGE_CAPTURED) {
        assert(!x->capture); /* the request's tokens are revealed, and there is no second attempt ('check') */
        x->capture = capture_new();
        ENSURE(x->capture != NULL, MEMORY);
        if (has_content) TRY(capture_open_body_of(x, h, x->answer_plan, CODING_IDENTITY));
    }
    TRY(keep_fields(x, h));
    buf_done(&x->collected);
    buf_init_secret(&x->collected, most);
    x->framing = has_content ? ANSWER_WITH_LENGTH : ANSWER_WITHOUT_BODY;
    x->answer = ANSWER_COLLECTED;
    return OK;
}

/* --- once it is complete --- */

static result capture_answer(struct exchange *x)
{
    TRY(capture_feed(x->capture, buf_slice(&x->collected)));
    TRY(capture_end(x->capture));
    buf_clear(&x->collected);
    return capture_ask_all(x);
}

static result reveal_answer(struct exchange *x)
{
    if (x->framing == ANSWER_WITHOUT_BODY) return OK;
    x->body = body_new(&(struct body_options){.plan = x->answer_plan,
                                              .max_held_bytes = x->route->config->body_buffer_bytes,
                                              .expected_bytes = x->collected.len,
                                              .charset = x->answer_charset,
                                              .boundary = x->answer_boundary},
                       x->tokens);
    ENSURE(x->body != NULL, MEMORY);
    TRY(body_feed(x->body, buf_slice(&x->collected)));
    TRY(body_end(x->body));
    buf_clear(&x->collected);
    return (result){x->error};
}

void rewrite_run(struct exchange *x)
{
    answer_release_upstream(x);
    if (!x->client) { /* nobody waits for it, so nothing is stored or shown */
        exchange_finish(x, false);
        return;
    }
    exchange_to(x, EXCHANGE_REWRITE);
    result r = x->answer_work == MESSAGE_CAPTURED ? capture_answer(x) : reveal_answer(x);
    if (failed(r))
        exchange_refuse(x, r.err);
    else
        rewrite_step(x);
}

/* --- once the keeper has answered --- */

static bool is_changed(const struct exchange *x)
{
    return x->capture ? capture_changes_body(x->capture) : x->body && body_slot_count(x->body);
}

static result write_kept(struct exchange *x, const struct kept_field *kept)
{
    struct buf *scratch = &x->proxy->scratch;
    if (media_is_digest_field(kept->name) && (is_changed(x) || x->inflater)) return OK;
    if (!kept->text) return http_write_field(&x->answer_head, kept->name, kept->value);
    result r = capture_render_text(x->capture, kept->text, scratch);
    if (!failed(r)) r = http_write_field(&x->answer_head, kept->name, buf_slice(scratch));
    buf_clear(scratch);
    return r;
}

static result render(struct exchange *x)
{
    for (size_t i = 0; i < x->kept_count; i++) TRY(write_kept(x, &x->kept[i]));
    if (x->framing == ANSWER_WITHOUT_BODY) return OK;
    if (x->capture) return capture_render_body(x->capture, &x->collected);
    return body_render(x->body, x->credentials.at, &x->collected);
}

/* Room for what is written: an alias may be longer than a card number, a card number longer than its token. */
static void make_room(struct exchange *x)
{
    buf_done(&x->collected);
    buf_init_secret(&x->collected, SCRATCH_MAX_BYTES);
}

void rewrite_step(struct exchange *x)
{
    if (x->waiting || x->refusal_due) return;
    make_room(x);
    result r = render(x);
    if (failed(r)) {
        exchange_refuse(x, r.err);
        return;
    }
    r = envelope_put_on(x);
    if (failed(r)) {
        exchange_refuse(x, r.err);
        return;
    }
    r = answer_write_collected(x);
    if (failed(r))
        exchange_abort(x, r.err);
    else
        answer_complete(x);
}
