/* SPDX-License-Identifier: Apache-2.0 */
#include "about.h"

static struct about_call *of(struct service_call *c)
{
    return (struct about_call *)c;
}

result about_take_method(struct service_call *c)
{
    static const struct {
        const char *method;
        enum about_operation operation;
        unsigned permission;
    } methods[] = {{"GET", ABOUT_GET, PERMIT_READ},
                   {"HEAD", ABOUT_GET, PERMIT_READ},
                   {"PATCH", ABOUT_CHANGE, PERMIT_CHANGE},
                   {"DELETE", ABOUT_DELETE, PERMIT_DELETE}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (!slice_is(c->request.head->method, methods[i].method)) continue;
        of(c)->operation = methods[i].operation;
        c->request.caller.permission = methods[i].permission;
        return OK;
    }
    return FAIL(METHOD);
}

void about_on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    struct about_call *a = of(call_from(owner));
    struct token_id asked;
    (void)index;
    (void)created;
    if (failed(r)) a->verdict = r;
    if (info) a->info = *info;
    if (info && token_id_from(a->base.subject, &asked) && !slice_eq(a->base.subject, token_id_slice(&info->token))) a->info.alias = asked;
    call_settle(&a->base);
}

/* What it says of a card that there is not is what the other question says, too. */
void about_on_network(void *owner, uint32_t index, result r, const struct network_info *info, const struct credential *credential)
{
    struct about_call *a = of(call_from(owner));
    (void)index;
    (void)credential;
    bool is_none = r.err == ERR_NETWORK_OFF || r.err == ERR_NETWORK_TOKEN_NONE;
    if (failed(r) && !is_none && !failed(a->verdict)) a->verdict = r;
    if (!failed(r) && info) a->network = *info;
    call_settle(&a->base);
}

result about_ask(struct service_call *c)
{
    TRY(keeper_token_get(c->dialogue, ABOUT_CARD, c->subject));
    c->waiting++;
    if (!call_has_network(c)) return OK;
    TRY(keeper_network_token(c->dialogue, ABOUT_NETWORK_TOKEN, c->subject));
    c->waiting++;
    return OK;
}
