/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/tokens/enroll: a stored card is enrolled with its network. Bodies and statuses are those of the published interface this
 * API keeps to, by which "Not_enrolled" is a success of the call: the network was asked, and said no. */
#include "api/enrol_json.h"
#include "call.h"

struct enrol_call {
    struct service_call base;
    struct enrol_json *json;
    result verdict;
    bool is_known; /* info is */
    struct network_info info;
};

static struct enrol_call *of(struct service_call *c)
{
    return (struct enrol_call *)c;
}

static bool takes(slice path)
{
    return slice_is(path, "/v1/tokens/enroll");
}

static result understand(struct service_call *c)
{
    ENSURE(slice_is(c->request.head->method, "POST"), METHOD);
    c->request.caller.permission = PERMIT_ENROL;
    c->nothing_left = true;
    return OK;
}

/* --- asking --- */

/* Decided before the network was asked, so the CVC of a temporal token was not used. */
static bool is_decided_here(enum error e)
{
    switch (e) {
    case ERR_NONE:
    case ERR_NETWORK_REFUSED:
    case ERR_NETWORK_DOWN:
    case ERR_NETWORK_ANSWER:
    case ERR_NETWORK_CREDENTIALS:
    case ERR_KEEPER_AWAY:
    case ERR_KEEPER_SLOW: return false;
    default: return true;
    }
}

static void on_network(void *owner, uint32_t index, result r, const struct network_info *info, const struct credential *credential)
{
    struct enrol_call *e = of(call_from(owner));
    (void)index;
    (void)credential;
    e->verdict = r;
    e->is_known = info != NULL;
    if (info) e->info = *info;
    e->base.nothing_left = is_decided_here(r.err);
    call_settle(&e->base);
}

static result ask(struct service_call *c)
{
    struct enrol_call *e = of(c);
    ENSURE(call_has_network(c), NETWORK_OFF);
    ENSURE(call_is_json(c), CARD_CONTENT_TYPE);
    e->json = enrol_json_new();
    ENSURE(e->json != NULL, MEMORY);
    TRY(enrol_json_parse(c->request.body, e->json));
    TRY(keeper_enrol(c->dialogue, 0, token_id_slice(&e->json->token), &e->json->billing, e->json->cvc));
    c->nothing_left = false;
    c->waiting++;
    return OK;
}

/* --- answering --- */

static result write_decision(const struct enrol_call *e, slice message, slice status, slice refusal, struct buf *out)
{
    slice reference = e->is_known ? slice_of(e->info.reference_code) : SLICE_NONE;
    TRY(json_append_member(out, SLICE("{\"status\":\"success\",\"message\":\""), message));
    TRY(buf_append(out, SLICE(",\"data\":{")));
    TRY(append_transaction_info(&e->base, SLICE("enroll_card_response"), reference, status, out));
    if (refusal.len) {
        TRY(json_append_member(out, SLICE(",\"error_info\":{\"reason\":\"Unprovisioned\",\"message\":\""), refusal));
        TRY(buf_append(out, SLICE("}")));
    }
    return buf_append(out, SLICE("}}\n"));
}

static result write_success(const struct enrol_call *e, struct buf *out)
{
    return write_decision(e, SLICE("Network token successfully stored"), SLICE("Enrolled"), SLICE_NONE, out);
}

static result write_conflict(const struct enrol_call *e, enum error why, struct buf *out, struct service_answer *a)
{
    static const char unsaid[] = "INVALID_REQUEST";
    slice reason = slice_of(e->is_known && e->info.reason[0] ? e->info.reason : unsaid);
    a->status = 409;
    a->error = why;
    if (why == ERR_ENROLLED_ALREADY)
        return write_decision(e, SLICE("Network token already exists"), SLICE("Already_enrolled"), SLICE_NONE, out);
    if (why == ERR_NETWORK_UNSUPPORTED)
        return write_decision(e, SLICE("Workflow not implemented"), SLICE("Not_enrolled"), slice_of(unsaid), out);
    return write_decision(e, SLICE("Network token is unavailable"), SLICE("Not_enrolled"), reason, out);
}

static result write_invalid(const struct enrol_call *e, result r, struct buf *out, struct service_answer *a)
{
    struct failure f = {.code = error_name(r.err), .text = "Invalid request", .description = slice_of(error_text(r.err))};
    if (r.err == ERR_ENROL_FIELD && e->json && e->json->path) {
        f.description = slice_of(e->json->fault);
        f.path = slice_of(e->json->path);
    } else if (r.err == ERR_TOKEN_EXPIRED) {
        f.path = SLICE("card.security_code");
    } else if (r.err == ERR_TOKEN_NOT_FOUND || r.err == ERR_TOKEN_UNKNOWN || r.err == ERR_TOKEN_WRONG_KIND || r.err == ERR_TOKEN_NO_PAN) {
        f.path = SLICE("card.number");
    }
    a->status = 400;
    a->error = r.err;
    return envelope_append_failure(out, &f);
}

static result write_internal(result r, struct buf *out, struct service_answer *a)
{
    a->status = 500;
    a->error = r.err;
    return envelope_append_failure(out, &(struct failure){.code = error_name(r.err),
                                                          .text = "Internal server error",
                                                          .description = SLICE("An unexpected error occurred while processing the request")});
}

/* What the keeper and the network said, as one of the errors that the answer depends on. */
static result decided(const struct enrol_call *e)
{
    TRY(e->verdict);
    if (e->is_known && e->info.already) return FAIL(ENROLLED_ALREADY);
    if (e->is_known && e->info.state == NETWORK_UNPROVISIONED) return FAIL(NETWORK_REFUSED);
    return OK;
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    struct enrol_call *e = of(c);
    if (!failed(r)) r = decided(e);
    if (!failed(r)) return write_success(e, out);
    switch (r.err) {
    case ERR_ENROLLED_ALREADY:
    case ERR_NETWORK_REFUSED:
    case ERR_NETWORK_UNSUPPORTED: return write_conflict(e, r.err, out, a);
    case ERR_TOKEN_NOT_FOUND:
    case ERR_TOKEN_UNKNOWN:
    case ERR_TOKEN_WRONG_KIND:
    case ERR_TOKEN_NO_PAN:
    case ERR_TOKEN_EXPIRED: return write_invalid(e, r, out, a);
    case ERR_NETWORK_ANSWER:
    case ERR_NETWORK_CREDENTIALS: return write_internal(r, out, a);
    default: break;
    }
    int status = error_status(r.err);
    if (status == 400) return write_invalid(e, r, out, a);
    return status == 500 ? write_internal(r, out, a) : call_write_failure(r, out, a);
}

static void end(struct service_call *c)
{
    enrol_json_free(of(c)->json);
}

const struct endpoint enrol_endpoint = {
    .takes = takes,
    .methods = {"POST", 4},
    .bytes = sizeof(struct enrol_call),
    .answer_max_bytes = 8192,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .end = end,
    .handlers = {.on_opened = call_opened, .on_network = on_network},
};
