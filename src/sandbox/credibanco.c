/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/credibanco.h"

#include "base/clock.h"
#include "sandbox/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_ORDERS = 1000, ORDER_NUMBER_MAX = 32, ORDER_LIFE_MS = 20 * 60 * 1000, RETURN_URL_MAX = 512 };
enum order_state { ORDER_REGISTERED = 0, ORDER_APPROVED = 2, ORDER_DECLINED = 6 }; /* the manual's numbers */
enum { ERROR_EXISTS = 1, ERROR_CURRENCY = 3, ERROR_MISSING = 4, ERROR_VALUE = 5, ERROR_UNKNOWN_ORDER = 6 };

struct order {
    char id[37]; /* 8-4-4-4-12 */
    char number[ORDER_NUMBER_MAX + 1], return_url[RETURN_URL_MAX + 1];
    char masked[24], expiry[7], holder[65], approval[7];
    uint64_t amount;
    int64_t made_ms;
    bool no_cvc; /* features=AUTO_PAYMENT */
    enum order_state state;
    const struct decision *decision; /* NULL: no payment yet */
};

struct credibanco {
    struct order kept[KEPT_ORDERS]; /* a ring */
    size_t made;
};

/* One card call under two sets of names. */
struct card_names {
    const char *order, *number, *cvc, *year, *month, *holder;
};
static const struct card_names usual_names = {"MDORDER", "$PAN", "$CVC", "YYYY", "MM", "TEXT"};
static const struct card_names travel_names = {"orderId", "pan", "cvc", "year", "month", "cardholderName"};

#define CREDENTIALS {"userName", CHECK_TEXT, 1, 30, true}, {"password", CHECK_TEXT, 1, 200, true}
static const struct field_rule register_rules[] = {
    CREDENTIALS,
    {"orderNumber", CHECK_TEXT, 1, ORDER_NUMBER_MAX, true},
    {"amount", CHECK_DIGITS, 1, 12, true},
    {"currency", CHECK_DIGITS, 3, 3, false},
    {"returnUrl", CHECK_TEXT, 1, RETURN_URL_MAX, true},
    {"failUrl", CHECK_TEXT, 1, 512, false},
    {"description", CHECK_TEXT, 0, 512, false},
    {"language", CHECK_TEXT, 2, 2, false},
    {"pageView", CHECK_TEXT, 1, 20, false},
    {"clientId", CHECK_TEXT, 1, 255, false},
    {"merchantLogin", CHECK_TEXT, 1, 255, false},
    {"jsonParams", CHECK_TEXT, 2, 1024, false},
    {"sessionTimeoutSecs", CHECK_DIGITS, 1, 9, false},
    {"expirationDate", CHECK_TEXT, 19, 19, false},
    {"bindingId", CHECK_TEXT, 1, 255, false},
    {"features", CHECK_TEXT, 1, 255, false},
};
static const struct field_rule payment_rules[] = {
    CREDENTIALS,
    {"MDORDER", CHECK_TEXT, 36, 36, true},
    {"$PAN", CHECK_CARD_NUMBER, 12, 19, true},
    {"$CVC", CHECK_DIGITS, 3, 4, false},
    {"YYYY", CHECK_YEAR, 4, 4, true},
    {"MM", CHECK_MONTH, 2, 2, true},
    {"TEXT", CHECK_TEXT, 1, 64, true},
    {"language", CHECK_TEXT, 2, 2, false},
    {"ip", CHECK_TEXT, 2, 39, false},
    {"email", CHECK_TEXT, 3, 100, false},
    {"jsonParams", CHECK_TEXT, 2, 1024, false},
};
static const struct field_rule travel_rules[] = {
    CREDENTIALS,
    {"orderId", CHECK_TEXT, 36, 36, true},
    {"pan", CHECK_CARD_NUMBER, 12, 19, true},
    {"cvc", CHECK_DIGITS, 3, 4, false},
    {"year", CHECK_YEAR, 4, 4, true},
    {"month", CHECK_MONTH, 2, 2, true},
    {"cardholderName", CHECK_TEXT, 1, 64, true},
    {"language", CHECK_TEXT, 2, 2, false},
    {"ip", CHECK_TEXT, 2, 39, false},
    {"email", CHECK_TEXT, 3, 100, false},
    {"jsonParams", CHECK_TEXT, 2, 1024, false},
};
static const struct field_rule status_rules[] = {
    CREDENTIALS,
    {"orderId", CHECK_TEXT, 36, 36, false},
    {"orderNumber", CHECK_TEXT, 1, ORDER_NUMBER_MAX, false},
    {"language", CHECK_TEXT, 2, 2, false},
};
#define COUNT(table) (sizeof(table) / sizeof *(table))

struct credibanco *credibanco_new(void)
{
    return calloc(1, sizeof(struct credibanco));
}

void credibanco_free(struct credibanco *c)
{
    free(c);
}

bool credibanco_takes(slice path)
{
    return slice_starts(path, SLICE("/payment/rest/")) || slice_starts(path, SLICE("/proxy/rest/"));
}

static result answer_error(struct sandbox_answer *a, int code, slice message)
{
    char number[12];
    snprintf(number, sizeof number, "%d", code);
    struct json j = {.out = &a->body};
    a->status = 200;
    json_open(&j, NULL, '{');
    json_text(&j, "errorCode", slice_of(number));
    json_text(&j, "errorMessage", message);
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

static result answer_mistake(struct sandbox_answer *a, enum field_fault fault, slice name)
{
    char message[128];
    const char *what = fault == FAULT_MISSING ? "is empty" : fault == FAULT_UNKNOWN ? "is not a parameter of this call" : "has a bad value";
    snprintf(message, sizeof message, "[%.*s] %s", (int)(name.len < 60 ? name.len : 60), name.at, what);
    return answer_error(a, fault == FAULT_MISSING ? ERROR_MISSING : ERROR_VALUE, slice_of(message));
}

/* jsonParams holds one flat JSON object of strings. */
static bool json_params_are_good(const struct fields *f, struct pool *pool)
{
    if (!fields_get(f, "jsonParams")) return true;
    struct fields inner;
    if (failed(fields_from_json(&inner, pool, fields_text(f, "jsonParams")))) return false;
    for (size_t i = 0; i < inner.count; i++)
        if (inner.at[i].kind != FIELD_STRING) return false;
    return true;
}

/* --- register.do --- */

static struct order *order_by_number(struct credibanco *c, slice number)
{
    for (size_t i = 0; i < KEPT_ORDERS; i++)
        if (number.len > 0 && slice_is(number, c->kept[i].number)) return &c->kept[i];
    return NULL;
}

static struct order *order_by_id(struct credibanco *c, slice id)
{
    for (size_t i = 0; i < KEPT_ORDERS; i++)
        if (id.len > 0 && slice_is(id, c->kept[i].id)) return &c->kept[i];
    return NULL;
}

static void order_make_id(char out[37])
{
    random_digits(out, 36);
    for (size_t i = 8; i < 24; i += 5) out[i] = '-';
}

static result handle_register(struct credibanco *c, const struct fields *f, struct sandbox_answer *a)
{
    slice number = fields_text(f, "orderNumber"), url = fields_text(f, "returnUrl");
    uint64_t amount = 0;
    if (fields_get(f, "currency") && !slice_is(fields_text(f, "currency"), "170"))
        return answer_error(a, ERROR_CURRENCY, SLICE("Unknown currency"));
    if (!slice_to_u64(fields_text(f, "amount"), 999999999999, &amount) || amount == 0)
        return answer_mistake(a, FAULT_FORMAT, SLICE("amount"));
    if (order_by_number(c, number)) return answer_error(a, ERROR_EXISTS, SLICE("Order with this number is already processed"));

    struct order *order = &c->kept[c->made++ % KEPT_ORDERS];
    *order = (struct order){.amount = amount, .made_ms = clock_wall_ms()};
    order_make_id(order->id);
    memcpy(order->number, number.at, number.len);
    memcpy(order->return_url, url.at, url.len);
    order->no_cvc = slice_is(fields_text(f, "features"), "AUTO_PAYMENT");

    char form_url[128];
    snprintf(form_url, sizeof form_url, "/payment/merchants/sandbox/payment_es.html?mdOrder=%s", order->id);
    struct json j = {.out = &a->body};
    a->status = 200;
    json_open(&j, NULL, '{');
    json_text(&j, "orderId", slice_of(order->id));
    json_text(&j, "formUrl", slice_of(form_url));
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

/* --- paymentorder.do --- */

static void order_pay(struct order *order, const struct fields *f, const struct card_names *names)
{
    slice number = fields_text(f, names->number), holder = fields_text(f, names->holder);
    order->decision = decision_for(number, order->amount, false);
    order->state = order->decision->action_code == 0 ? ORDER_APPROVED : ORDER_DECLINED;
    snprintf(order->masked, sizeof order->masked, "%.6s**%.4s", number.at, number.at + number.len - 4);
    snprintf(order->expiry, sizeof order->expiry, "%.4s%.2s", fields_text(f, names->year).at, fields_text(f, names->month).at);
    memcpy(order->holder, holder.at, holder.len);
    random_digits(order->approval, sizeof order->approval - 1);
}

static result answer_payment(struct sandbox_answer *a, const struct order *order, const struct fields *f,
                             const struct card_names *names)
{
    char redirect[RETURN_URL_MAX + 64];
    bool has_query = slice_find(slice_of(order->return_url), '?') < strlen(order->return_url);
    snprintf(redirect, sizeof redirect, "%s%corderId=%s", order->return_url, has_query ? '&' : '?', order->id);
    struct json j = {.out = &a->body};
    a->status = 200;
    a->manner = order->decision->manner;
    json_open(&j, NULL, '{');
    json_number(&j, "errorCode", 0);
    json_text(&j, "info", SLICE("Your order is processed, you will be redirected"));
    json_text(&j, "redirect", slice_of(redirect));
    if (a->manner == MANNER_ECHO) {
        a->echo = fields_text(f, names->number);
        json_open(&j, "echo", '{');
        json_text(&j, "pan", a->echo);
        json_text(&j, "cvc", fields_text(f, names->cvc));
        json_text(&j, "holder", fields_text(f, names->holder));
        json_close(&j, '}');
    }
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

static result handle_payment(struct credibanco *c, const struct fields *f, const struct card_names *names,
                             struct sandbox_answer *a)
{
    uint64_t year = 0, month = 0;
    struct order *order = order_by_id(c, fields_text(f, names->order));
    if (!order) return answer_error(a, ERROR_UNKNOWN_ORDER, SLICE("Unknown order"));
    if (order->decision || clock_wall_ms() - order->made_ms > ORDER_LIFE_MS)
        return answer_error(a, ERROR_VALUE, SLICE("The order's time is over, or it is processed already"));
    if (!fields_get(f, names->cvc) && !order->no_cvc) return answer_mistake(a, FAULT_MISSING, slice_of(names->cvc));
    if (!slice_to_u64(fields_text(f, names->year), 2099, &year) || !slice_to_u64(fields_text(f, names->month), 12, &month) ||
        !expiry_is_current((unsigned)year, (unsigned)month))
        return answer_error(a, ERROR_VALUE, SLICE("The card's expiry date is past"));
    order_pay(order, f, names);
    return answer_payment(a, order, f, names);
}

/* --- getOrderStatusExtended.do --- */

static void put_card(struct json *j, const struct order *order)
{
    json_open(j, "cardAuthInfo", '{');
    json_text(j, "expiration", slice_of(order->expiry));
    json_text(j, "cardholderName", slice_of(order->holder));
    if (order->state == ORDER_APPROVED) json_text(j, "approvalCode", slice_of(order->approval));
    json_text(j, "pan", slice_of(order->masked));
    json_close(j, '}');
}

static result handle_status(struct credibanco *c, const struct fields *f, struct sandbox_answer *a)
{
    const struct order *order = fields_get(f, "orderId") ? order_by_id(c, fields_text(f, "orderId"))
                                                         : order_by_number(c, fields_text(f, "orderNumber"));
    if (!fields_get(f, "orderId") && !fields_get(f, "orderNumber")) return answer_mistake(a, FAULT_MISSING, SLICE("orderId"));
    if (!order) return answer_error(a, ERROR_UNKNOWN_ORDER, SLICE("Unknown order"));
    struct json j = {.out = &a->body};
    a->status = 200;
    json_open(&j, NULL, '{');
    json_text(&j, "errorCode", SLICE("0"));
    json_text(&j, "errorMessage", SLICE("Success"));
    json_text(&j, "orderNumber", slice_of(order->number));
    json_number(&j, "orderStatus", order->state);
    json_number(&j, "actionCode", order->decision ? order->decision->action_code : -100);
    json_text(&j, "actionCodeDescription", order->decision ? slice_of(order->decision->action_text) : SLICE_NONE);
    json_number(&j, "amount", (int64_t)order->amount);
    json_text(&j, "currency", SLICE("170"));
    json_number(&j, "date", order->made_ms);
    if (order->decision) put_card(&j, order);
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

/* --- dispatch --- */

static const struct {
    const char *path;
    const struct field_rule *rules;
    size_t count;
    const struct card_names *names; /* of a payment */
    bool is_register;
} calls[] = {
    {"/payment/rest/register.do", register_rules, COUNT(register_rules), NULL, true},
    {"/proxy/rest/register.do", register_rules, COUNT(register_rules), NULL, true},
    {"/payment/rest/paymentorder.do", payment_rules, COUNT(payment_rules), &usual_names, false},
    {"/proxy/rest/paymentorder.do", travel_rules, COUNT(travel_rules), &travel_names, false},
    {"/payment/rest/getOrderStatusExtended.do", status_rules, COUNT(status_rules), NULL, false},
    {"/proxy/rest/getOrderStatusExtended.do", status_rules, COUNT(status_rules), NULL, false},
};

result credibanco_handle(struct credibanco *c, const struct sandbox_request *q, struct sandbox_answer *a)
{
    struct fields f;
    slice name, form = q->body;
    size_t i = 0;
    while (i < COUNT(calls) && !slice_is(q->head->path, calls[i].path)) i++;
    if (i == COUNT(calls)) {
        a->status = 404;
        return buf_append(&a->body, SLICE("{\"error\":\"no such call\"}"));
    }
    if (slice_is(q->head->method, "GET") && !calls[i].names) form = q->head->query;
    else if (!slice_is(q->head->method, "POST") || !request_has_content_type(q, "application/x-www-form-urlencoded"))
        return answer_error(a, ERROR_VALUE, SLICE("POST a form (application/x-www-form-urlencoded)"));

    result read = fields_from_form(&f, q->pool, form);
    if (read.err == ERR_MEMORY) return read;
    if (failed(read)) return answer_error(a, ERROR_VALUE, SLICE("The form cannot be read"));
    enum field_fault fault = fields_check(&f, calls[i].rules, calls[i].count, &name);
    if (fault == FAULT_MISSING && (slice_is(name, "userName") || slice_is(name, "password")))
        return answer_error(a, ERROR_VALUE, SLICE("Access denied"));
    if (fault) return answer_mistake(a, fault, name);
    if (!json_params_are_good(&f, q->pool)) return answer_mistake(a, FAULT_FORMAT, SLICE("jsonParams"));
    if (calls[i].is_register) return handle_register(c, &f, a);
    return calls[i].names ? handle_payment(c, &f, calls[i].names, a) : handle_status(c, &f, a);
}
