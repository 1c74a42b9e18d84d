/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/tokens/{id}/payment-credentials: number, expiry, a fresh cryptogram and ECI of a card's network token, for a merchant who
 * pays elsewhere. Each call has a cryptogram of its own, so there is no HEAD. */
#include "base/secret.h"
#include "call.h"

#include <stdio.h>
#include <string.h>

static const slice suffix = {"/payment-credentials", 20};
static const slice response_type = {"get_payment_credentials_response", 32};

struct credentials_call {
    struct service_call base;
    result verdict;
    bool is_known; /* info is */
    struct network_info info;
    struct credential *credential; /* secret memory; NULL: none */
};

static struct credentials_call *of(struct service_call *c)
{
    return (struct credentials_call *)c;
}

static bool takes(slice path)
{
    return slice_starts(path, SLICE("/v1/tokens/")) && slice_ends(path, suffix) && path.len > suffix.len + sizeof "/v1/tokens/" - 1;
}

static result understand(struct service_call *c)
{
    TRY(call_take_token(c, suffix));
    ENSURE(slice_is(c->request.head->method, "GET"), METHOD);
    c->request.caller.permission = PERMIT_CREDENTIALS;
    return OK;
}

static void on_network(void *owner, uint32_t index, result r, const struct network_info *info, const struct credential *credential)
{
    struct credentials_call *t = of(call_from(owner));
    (void)index;
    t->verdict = r;
    t->is_known = info != NULL;
    if (info) t->info = *info;
    if (!failed(r) && credential) {
        t->credential = secret_alloc(sizeof *t->credential);
        if (t->credential)
            *t->credential = *credential;
        else
            t->verdict = FAIL(MEMORY);
    }
    call_settle(&t->base);
}

static result ask(struct service_call *c)
{
    ENSURE(call_has_network(c), NETWORK_OFF);
    TRY(keeper_credentials(c->dialogue, 0, c->subject));
    c->waiting++;
    return OK;
}

/* --- answering --- */

static slice reference_of(const struct credentials_call *t)
{
    return t->is_known ? slice_of(t->info.reference_code) : SLICE_NONE;
}

static result append_credential(struct buf *out, const struct credential *k)
{
    char month[4], year[8];
    int month_len = snprintf(month, sizeof month, "%02u", k->month % 100u), year_len = snprintf(year, sizeof year, "%04u", k->year % 10000u);
    ENSURE(month_len == 2 && year_len == 4, INTERNAL);
    TRY(json_append_member(out, SLICE(",\"card\":{\"number\":\""), (slice){k->number, k->number_len}));
    TRY(json_append_member(out, SLICE(",\"expiration_month\":\""), (slice){month, 2}));
    TRY(json_append_member(out, SLICE(",\"expiration_year\":\""), (slice){year, 4}));
    TRY(json_append_member(out, SLICE(",\"cryptogram\":\""), (slice){k->cryptogram, k->cryptogram_len}));
    TRY(buf_append(out, SLICE("}")));
    return k->eci_len ? json_append_member(out, SLICE(",\"eci\":\""), (slice){k->eci, k->eci_len}) : OK;
}

static result write_provisioned(const struct credentials_call *t, struct buf *out)
{
    slice status = slice_of(network_state_name(t->is_known ? t->info.state : NETWORK_ACTIVE));
    TRY(buf_append(out, SLICE("{\"status\":\"success\",\"message\":\"Payment credentials found\",\"data\":{")));
    TRY(append_transaction_info(&t->base, response_type, reference_of(t), SLICE("Provisioned"), out));
    TRY(json_append_member(out, SLICE(",\"network_token_info\":{\"status\":\""), status));
    TRY(append_credential(out, t->credential));
    return buf_append(out, SLICE("}}}\n"));
}

static result write_not_found(const struct credentials_call *t, result r, struct buf *out, struct service_answer *a)
{
    a->status = 404;
    a->error = r.err;
    TRY(buf_append(out, SLICE("{\"status\":\"fail\",\"message\":\"No active network token found\",\"data\":{")));
    TRY(json_append_member(out, SLICE("\"code\":\""), slice_of(error_name(r.err))));
    TRY(json_append_member(out, SLICE(",\"description\":\""), slice_of(error_text(r.err))));
    TRY(buf_append(out, SLICE(",")));
    TRY(append_transaction_info(&t->base, response_type, reference_of(t), SLICE("Not_found"), out));
    if (t->is_known && (t->info.state == NETWORK_SUSPENDED || t->info.state == NETWORK_DELETED)) {
        TRY(json_append_member(out, SLICE(",\"network_token_info\":{\"status\":\""), slice_of(network_state_name(t->info.state))));
        TRY(buf_append(out, SLICE("}")));
    }
    return buf_append(out, SLICE("}}\n"));
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    const struct credentials_call *t = of(c);
    if (!failed(r)) r = t->verdict;
    if (!failed(r) && !t->credential) r = FAIL(NETWORK_TOKEN_NONE);
    switch (r.err) {
    case ERR_NONE: return write_provisioned(t, out);
    case ERR_NETWORK_TOKEN_NONE:
    case ERR_NETWORK_TOKEN_GONE:
    case ERR_NETWORK_REFUSED:
    case ERR_NETWORK_UNSUPPORTED: return write_not_found(t, r, out, a);
    default: return call_write_failure(r, out, a);
    }
}

static void end(struct service_call *c)
{
    secret_free(of(c)->credential, sizeof(struct credential));
}

const struct endpoint credentials_endpoint = {
    .takes = takes,
    .methods = {"GET", 3},
    .bytes = sizeof(struct credentials_call),
    .answer_max_bytes = 4096,
    .answer_is_secret = true,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .end = end,
    .handlers = {.on_opened = call_opened, .on_network = on_network},
};
