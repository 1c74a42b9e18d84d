/* SPDX-License-Identifier: Apache-2.0 */
#include "body_fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 64 };

struct run {
    struct body_fault fault;
    enum error pan, token; /* of the two renderings */
    struct buf pan_out, token_out;
};

static void require(bool condition)
{
    if (!condition) abort();
}

static void put(char *at, uint8_t *len, const char *text)
{
    *len = (uint8_t)strlen(text);
    memcpy(at, text, *len);
}

static const struct credential *card(enum credential_kind kind)
{
    static struct credential cards[2];
    struct credential *c = &cards[kind];
    c->kind = kind;
    c->month = 3;
    c->year = 2031;
    put(c->number, &c->number_len, kind == CREDENTIAL_PAN ? "4111111111111111" : "5555555555554444");
    put(c->holder, &c->holder_len, "ANA \"A\" <\xc3\xa9>&");
    put(c->cvc, &c->cvc_len, "012");
    put(c->cryptogram, &c->cryptogram_len, "AgAAAAAAAIR8C+rX/IhbQAAAAAA=");
    put(c->eci, &c->eci_len, "05");
    put(c->requestor, &c->requestor_len, "40010030273");
    return c;
}

struct plan fuzz_plan(enum body_format format, const struct fuzz_rule *rules, size_t count)
{
    struct plan p = {.format = format, .paths = path_set_new(plan_language(format))};
    p.fields = calloc(count + 1, sizeof *p.fields);
    p.edits = calloc(count + 1, sizeof *p.edits);
    for (size_t i = 0; i < count; i++) {
        const struct fuzz_rule *r = &rules[i];
        uint32_t number;
        size_t at;
        require(!failed(path_set_add(p.paths, slice_of(r->path), &number, &at)));
        if (r->element < 0 || r->set)
            p.edits[p.edit_count++] = (struct plan_edit){.path = number, .drop = r->element < 0, .as_number = r->as_number,
                                                         .element = r->element < 0 ? ELEMENT_NUMBER : (enum element)r->element};
        else
            p.fields[p.field_count++] = (struct plan_field){.path = number, .element = (enum element)r->element,
                                                            .as_number = r->as_number};
    }
    return p;
}

static enum error render(const struct body *b, enum credential_kind kind, struct buf *out)
{
    const struct credential *all[MOST_TOKENS];
    for (size_t i = 0; i < MOST_TOKENS; i++) all[i] = card(kind);
    buf_init(out, 1u << 22);
    return body_render(b, all, out).err;
}

/* The plain meaning of slots: the text, with each slot's range replaced by its element. */
static void check_outside_slots(const struct body *b, const struct token_table *tokens, slice text, enum encoding encoding,
                                slice out)
{
    struct buf expected;
    struct body_slot_info slot;
    size_t at = 0;
    buf_init(&expected, 1u << 22);
    for (uint32_t i = 0; body_slot_info(b, i, &slot); i++) {
        if (slot.is_edit) continue;
        require(slot.start >= at && slot.end <= text.len && slot.end > slot.start);
        require(!failed(buf_append(&expected, slice_range(text, at, (size_t)slot.start))));
        require(!failed(element_write(card(CREDENTIAL_PAN), token_table_id(tokens, slot.token), slot.element, slot.format,
                                      slot.as_number, encoding, &expected)));
        at = (size_t)slot.end;
    }
    require(!failed(buf_append(&expected, slice_after(text, at))));
    require(slice_eq(buf_slice(&expected), out));
    buf_done(&expected);
}

static result feed(struct body *b, slice text, unsigned seed)
{
    for (size_t at = 0; at < text.len;) {
        size_t n = seed == 0 ? text.len : seed == 1 ? 1 : 1 + (size_t)rand_r(&seed) % 40;
        if (n > text.len - at) n = text.len - at;
        char *piece = malloc(n);
        memcpy(piece, text.at + at, n);
        result r = body_feed(b, (slice){piece, n});
        free(piece);
        if (failed(r)) return r;
        at += n;
    }
    return body_end(b);
}

static enum encoding encoding_of(enum body_format format)
{
    switch (format) {
    case BODY_FORM:
        return ENCODING_FORM;
    case BODY_XML:
        return ENCODING_XML;
    case BODY_MULTIPART:
        return ENCODING_TEXT;
    case BODY_CSV: /* without quotes a value that has any is refused */
        return ENCODING_CSV_QUOTED;
    default:
        return ENCODING_JSON_STRING;
    }
}

static struct run run(const struct plan *plan, slice text, unsigned seed)
{
    struct token_table *tokens = token_table_new(MOST_TOKENS, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = 1u << 20, .boundary = SLICE("b")};
    struct body *b = body_new(&options, tokens);
    struct run r = {.pan = ERR_INTERNAL};
    require(b != NULL);
    result fed = feed(b, text, seed);
    r.fault = *body_fault(b);
    require(fed.err == r.fault.err);
    if (!failed(fed)) {
        r.pan = render(b, CREDENTIAL_PAN, &r.pan_out);
        r.token = render(b, CREDENTIAL_NETWORK_TOKEN, &r.token_out);
        if (r.pan == ERR_NONE) check_outside_slots(b, tokens, text, encoding_of(plan->format), buf_slice(&r.pan_out));
    }
    body_free(b);
    token_table_free(tokens);
    return r;
}

static void done(struct run *r)
{
    buf_done(&r->pan_out);
    buf_done(&r->token_out);
}

static void check_same(const struct run *a, const struct run *b)
{
    require(a->fault.err == b->fault.err && a->fault.offset == b->fault.offset);
    require(strcmp(a->fault.path, b->fault.path) == 0);
    require(a->pan == b->pan && a->token == b->token);
    require(a->pan || slice_eq(buf_slice(&a->pan_out), buf_slice(&b->pan_out)));
    require(a->token || slice_eq(buf_slice(&a->token_out), buf_slice(&b->token_out)));
}

/* Members that are inserted may make it deeper, and a value may complete braces around it to what looks like a placeholder
 * ("{{a{{TOKEN1:detokenize}}b:c}}"); nothing else may be wrong with it. */
static bool is_fine(enum error err)
{
    return err == ERR_NONE || err == ERR_JSON_DEPTH || (err >= ERR_PLACEHOLDER_SYNTAX && err <= ERR_PLACEHOLDER_PLACE) ||
           err == ERR_TOKEN_WRONG_KIND || err == ERR_ELEMENT_FORMAT;
}

static void check_again(const struct plan *plan, slice out)
{
    struct run again = run(plan, out, 0);
    require(is_fine(again.fault.err));
    done(&again);
}

void fuzz_body(const struct plan *plan, slice text)
{
    struct run whole = run(plan, text, 0);
    const unsigned seeds[] = {1, 2 + (unsigned)text.len, 3 + 7 * (unsigned)text.len};
    for (size_t i = 0; i < 3; i++) {
        struct run split = run(plan, text, seeds[i]);
        check_same(&whole, &split);
        done(&split);
    }
    if (whole.fault.err == ERR_NONE && whole.token == ERR_NONE) check_again(plan, buf_slice(&whole.token_out));
    if (whole.fault.err == ERR_NONE && whole.pan == ERR_NONE) check_again(plan, buf_slice(&whole.pan_out));
    done(&whole);
}
