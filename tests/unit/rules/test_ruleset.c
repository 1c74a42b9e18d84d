/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "body/inbound.h"
#include "rules/ruleset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void enter(void)
{
    help_enter();
    help_copy("tests/corpus/rules", ".");
    help_copy("rules", "rules");
}

static struct ruleset *load(const char *file, char **said)
{
    struct source *s = source_disk();
    struct problems *p = problems_new();
    struct ruleset *rules;
    result r = ruleset_load(s, slice_of(file), p, &rules);
    ck_assert((rules != NULL) == !failed(r));
    ck_assert((problems_count(p) > 0) == (r.err == ERR_CONFIG));
    *said = help_problems(p);
    problems_free(p);
    source_free(s); /* what is loaded stands on its own */
    return rules;
}

static struct ruleset *must_load(const char *file)
{
    char *said;
    struct ruleset *rules = load(file, &said);
    ck_assert_msg(rules != NULL, "%s", said);
    free(said);
    return rules;
}

static char *on_case(const char *file)
{
    char *said;
    struct ruleset *rules = load(file, &said);
    if (rules) {
        free(said);
        said = strdup("good\n");
    }
    ruleset_free(rules);
    return said;
}

START_TEST(every_case_says_what_is_expected)
{
    help_corpus("rules", on_case);
}
END_TEST

/* What the plan has at a path: the field's element, or -1. */
static const struct plan_field *field_at(const struct ruleset *r, const char *path)
{
    for (size_t i = 0; i < r->plan.field_count; i++)
        if (slice_is(path_set_text(r->plan.paths, r->plan.fields[i].path), path)) return &r->plan.fields[i];
    ck_abort_msg("no field at %s", path);
    return NULL;
}

static const struct plan_edit *edit_at(const struct ruleset *r, const char *path)
{
    for (size_t i = 0; i < r->plan.edit_count; i++)
        if (slice_is(path_set_text(r->plan.paths, r->plan.edits[i].path), path)) return &r->plan.edits[i];
    ck_abort_msg("no edit at %s", path);
    return NULL;
}

static void check_field(const struct ruleset *r, const char *path, enum element e, enum date_format f, bool as_number)
{
    const struct plan_field *field = field_at(r, path);
    ck_assert_msg(field->element == e && field->format == f && field->as_number == as_number, "%s", path);
}

static void check_literal(const struct ruleset *r, const char *path, const char *literal)
{
    ck_assert_msg(slice_is(edit_at(r, path)->literal, literal) && edit_at(r, path)->literal.at, "%s", path);
}

START_TEST(card_fields)
{
    struct ruleset *r = must_load("good.yaml");
    ck_assert(slice_is(r->name, "good") && slice_is(r->processor, "Some Processor"));
    ck_assert(slice_is(r->upstream, "https://api.example.com") && r->pass_other && !r->any_body);
    ck_assert_int_eq(r->plan.format, BODY_JSON);
    ck_assert_uint_eq(r->plan.field_count, 10);
    check_field(r, "$.card.number", ELEMENT_NUMBER, DATE_DEFAULT, false);
    check_field(r, "$.cards[*].pan", ELEMENT_NUMBER, DATE_DEFAULT, true);
    check_field(r, "$['a b']", ELEMENT_NUMBER, DATE_DEFAULT, true);
    check_field(r, "$.m", ELEMENT_EXP_MONTH, DATE_MM, true);
    check_field(r, "$.y", ELEMENT_EXP_YEAR, DATE_YY, false);
    check_field(r, "$.e1", ELEMENT_EXPIRY, DATE_MM_YY, false);
    check_field(r, "$.e2", ELEMENT_EXPIRY, DATE_YYYY_MM_DASH, false);
    check_field(r, "$.e3", ELEMENT_EXPIRY, DATE_MMYY, false);
    check_field(r, "$..cvc", ELEMENT_CVC, DATE_DEFAULT, false);
    check_field(r, "$.holder", ELEMENT_HOLDER, DATE_DEFAULT, false);
    ruleset_free(r);
}
END_TEST

START_TEST(network_token_edits)
{
    struct ruleset *r = must_load("good.yaml");
    ck_assert(r->has_network_token && r->network_token_mit_without_cryptogram);
    ck_assert_uint_eq(r->plan.edit_count, 10);
    ck_assert(edit_at(r, "$.cryptogram")->element == ELEMENT_CRYPTOGRAM && !edit_at(r, "$.cryptogram")->literal.at);
    ck_assert(edit_at(r, "$.auth.eci")->element == ELEMENT_ECI);
    ck_assert(edit_at(r, "$.month")->element == ELEMENT_EXP_MONTH && edit_at(r, "$.month")->as_number);
    check_literal(r, "$.isToken", "true");
    check_literal(r, "$.count", "-1.5e3");
    check_literal(r, "$.nothing", "null");
    check_literal(r, "$.type", "\"networkToken\"");
    check_literal(r, "$['with quote']", "\"a\\\"b\\\\c\"");
    ck_assert(edit_at(r, "$..cvc")->drop && edit_at(r, "$.card.type")->drop);
    ck_assert_uint_eq(edit_at(r, "$..cvc")->path, field_at(r, "$..cvc")->path); /* one path, one number */
    ruleset_free(r);

    r = must_load("good_form.yaml");
    ck_assert_int_eq(r->plan.format, BODY_FORM);
    check_field(r, "card[expiry]", ELEMENT_EXPIRY, DATE_DEFAULT, false);
    check_literal(r, "is_token", "true");
    check_literal(r, "a[b]", "3");
    ruleset_free(r);
}
END_TEST

START_TEST(network_token_edits_by_brand_and_with_formats)
{
    struct ruleset *r = must_load("good_network.yaml");
    const struct plan_edit *e = edit_at(r, "$.source.expiry");
    ck_assert(e->element == ELEMENT_EXPIRY && e->format == DATE_MM_YYYY && !e->as_number && e->when == EDIT_WITH_NETWORK_TOKEN);
    e = edit_at(r, "$.source.year");
    ck_assert(e->element == ELEMENT_EXP_YEAR && e->format == DATE_YY && e->as_number);
    e = edit_at(r, "$.source.type");
    ck_assert(!e->literal.at && slice_is(e->by_brand[BRAND_VISA], "\"vts\"") && slice_is(e->by_brand[BRAND_MASTERCARD], "\"mdes\""));
    ck_assert(slice_is(e->by_brand[BRAND_AMEX], "3") && e->by_brand[BRAND_ELO].len == 0 && e->by_brand[BRAND_UNKNOWN].len == 0);
    ck_assert(edit_at(r, "$.source.last4")->element == ELEMENT_CARD_LAST4);
    e = edit_at(r, "$.mpi.directory");
    ck_assert(slice_is(e->literal, "\"Y\"") && e->has_with && e->with == ELEMENT_CRYPTOGRAM && !edit_at(r, "$.mpi.eci")->has_with);
    ck_assert(edit_at(r, "$.previous")->element == ELEMENT_NETWORK_TRANSACTION_ID);
    e = edit_at(r, "$.scheme.previous_id");
    ck_assert(e->when == EDIT_WITH_TRANSACTION_ID && e->element == ELEMENT_NETWORK_TRANSACTION_ID && !e->drop);
    ruleset_free(r);
    r = must_load("good_network_form.yaml");
    ck_assert(slice_is(edit_at(r, "card[scheme]")->by_brand[BRAND_VISA], "v"));
    ck_assert(edit_at(r, "card[exp]")->format == DATE_MMYY && edit_at(r, "card[ntid]")->when == EDIT_WITH_TRANSACTION_ID);
    ck_assert(slice_is(path_set_text(r->plan.paths, r->plan.capture), "off_session"));
    ruleset_free(r);
}
END_TEST

START_TEST(what_answers_have_and_what_is_looked_for)
{
    struct ruleset *r = must_load("good_answer.yaml");
    ck_assert(r->plan.format == BODY_MULTIPART && r->plan.field_count == 2 && r->plan.find_pan && ruleset_finds_cards(r));
    ck_assert(slice_is(path_set_text(r->plan.paths, r->plan.fields[1].path), "cvc") && r->plan.fields[1].element == ELEMENT_CVC);
    ck_assert(r->has_answer && !r->any_answer && r->answer.format == BODY_JSON && r->answer.field_count == 3 && r->answer.find_pan);
    ck_assert(slice_is(path_set_text(r->answer.paths, r->answer.fields[1].path), "$.cards[*].expiry"));
    ck_assert(r->answer.fields[1].element == ELEMENT_EXPIRY && r->answer.fields[1].format == DATE_MM_YY);
    ruleset_free(r);
    r = must_load("good.yaml");
    ck_assert(!r->has_answer && !r->plan.find_pan && ruleset_finds_cards(r));
    ruleset_free(r);
    r = must_load("rules/passthrough.yaml");
    ck_assert(r->any_body && !r->has_answer && r->plan.find_pan && ruleset_finds_cards(r));
    ruleset_free(r);
}
END_TEST

START_TEST(declines_initiator_and_idempotency)
{
    struct ruleset *r = must_load("good_network.yaml");
    ck_assert(r->approved_count == 2 && r->approved[0].is_status && !r->approved[1].is_status);
    ck_assert(slice_is(r->approved[0].values[1], "201") && slice_is(r->approved[1].values[0], "true"));
    ck_assert_uint_eq(r->decline_count, 5);
    ck_assert(r->never_retry_count == 2 && slice_is(r->never_retry[0].values[1], "21") && slice_is(r->never_retry[1].values[0], "stop"));
    ck_assert(slice_is(r->declines[1].code, "20005") && r->declines[1].reason == DECLINE_DO_NOT_HONOR);
    ck_assert(slice_is(r->declines[2].code, "82") && r->declines[2].reason == DECLINE_TOKEN_REFUSED);
    ck_assert(r->declines[4].reason == DECLINE_HARD && ruleset_may_retry(r) && r->pan_retry_count == 2);
    ck_assert(slice_is(path_set_text(r->reply_paths, (uint32_t)r->network_transaction_id_path), "$.scheme_id"));
    ck_assert(r->plan.has_capture && slice_is(path_set_text(r->plan.paths, r->plan.capture), "$.merchant_initiated"));
    ck_assert(r->merchant_initiated_count == 2 && slice_is(r->merchant_initiated[0], "true"));
    ck_assert(ruleset_means_merchant(r, SLICE("yes")) && !ruleset_means_merchant(r, SLICE("no")));
    ck_assert(!ruleset_means_merchant(r, SLICE("")) && !ruleset_means_merchant(r, SLICE_NONE));
    ck_assert(slice_is(r->idempotency_field, "Cko-Idempotency-Key") && r->sign.kind == SIGN_DIGEST);
    ruleset_free(r);
    r = must_load("good.yaml");
    ck_assert(ruleset_may_retry(r) && !r->plan.has_capture && !r->idempotency_field.at && r->sign.kind == SIGN_NONE);
    ruleset_free(r);
}
END_TEST

static void check_piece(const struct sign_piece *p, enum sign_part part, const char *text)
{
    ck_assert_int_eq(p->part, part);
    ck_assert_msg(slice_is(p->text, text), "%.*s", SLICE_ARG(p->text));
}

START_TEST(signatures)
{
    struct ruleset *r = must_load("good_sign_dlocal.yaml");
    const struct sign_rule *s = &r->sign;
    ck_assert(s->kind == SIGN_HMAC_SHA256 && s->encoding == SIGN_HEX && slice_is(s->field, "Authorization"));
    ck_assert(s->over_count == 3 && s->value_count == 2);
    check_piece(&s->over[0], SIGN_PART_FIELD, "X-Login");
    check_piece(&s->over[1], SIGN_PART_FIELD, "X-Date");
    check_piece(&s->over[2], SIGN_PART_BODY, "");
    check_piece(&s->value[0], SIGN_PART_TEXT, "V2-HMAC-SHA256, Signature: ");
    check_piece(&s->value[1], SIGN_PART_SIGNATURE, "");
    ck_assert(!sign_rule_has(s, SIGN_PART_KEY_ID) && sign_rule_has(s, SIGN_PART_BODY));
    ruleset_free(r);

    r = must_load("good_sign_hmac.yaml");
    s = &r->sign;
    ck_assert(s->encoding == SIGN_BASE64 && s->over_count == 12 && s->value_count == 8);
    check_piece(&s->over[0], SIGN_PART_METHOD, "");
    check_piece(&s->over[1], SIGN_PART_TEXT, "\n");
    check_piece(&s->over[3], SIGN_PART_TEXT, "?");
    check_piece(&s->over[11], SIGN_PART_BODY_SHA256, "");
    check_piece(&s->value[1], SIGN_PART_TIMESTAMP, "");
    check_piece(&s->value[2], SIGN_PART_TEXT, ",k=");
    ck_assert(sign_rule_has(s, SIGN_PART_KEY_ID));
    ruleset_free(r);

    r = must_load("good_sign_jwt.yaml");
    ck_assert(r->sign.kind == SIGN_CYBERSOURCE_JWT && r->sign.rs256);
    ruleset_free(r);
}
END_TEST

START_TEST(reply)
{
    struct ruleset *r = must_load("good.yaml");
    ck_assert_uint_eq(r->approved_count, 2);
    ck_assert(slice_is(path_set_text(r->reply_paths, r->approved[0].path), "$.code"));
    ck_assert(r->approved[0].value_count == 2 && slice_is(r->approved[0].values[1], "11"));
    ck_assert(r->approved[1].value_count == 1 && slice_is(r->approved[1].values[0], "approved"));
    ck_assert_uint_eq(r->decline_code_count, 2);
    ck_assert_uint_eq(r->decline_code_paths[1], r->approved[0].path);
    ck_assert(r->pan_retry_count == 2 && slice_is(r->pan_retry[1], "57"));
    ck_assert(slice_is(path_set_text(r->reply_paths, (uint32_t)r->network_transaction_id_path), "$.brand.id"));
    ruleset_free(r);
    r = must_load("good_form.yaml");
    ck_assert(r->reply_paths && r->approved_count == 0 && r->network_transaction_id_path == -1);
    ruleset_free(r);
}
END_TEST

static void check_accepts(const struct ruleset *r, const char *method, const char *path, bool want)
{
    ck_assert_msg(ruleset_accepts(r, slice_of(method), slice_of(path)) == want, "%s %s", method, path);
}

START_TEST(accepts)
{
    struct ruleset *r = must_load("good.yaml");
    check_accepts(r, "POST", "/v1/pay", true);
    check_accepts(r, "POST", "/v1/pay/", false);
    check_accepts(r, "POST", "/v1/Pay", false);
    check_accepts(r, "post", "/v1/pay", false);
    check_accepts(r, "POST", "", false);
    check_accepts(r, "PUT", "/v1/pay/", true);
    check_accepts(r, "PUT", "/v1/pay/123", true);
    check_accepts(r, "PUT", "/v1/pay", false);
    check_accepts(r, "GET", "/whatever", true);
    check_accepts(r, "DELETE", "/any", true);
    check_accepts(r, "DELETE", "/any/more", false);
    ruleset_free(r);
}
END_TEST

START_TEST(rede)
{
    struct ruleset *r = must_load("rules/rede.yaml");
    ck_assert(slice_is(r->name, "rede") && slice_is(r->processor, "rede"));
    check_accepts(r, "POST", "/erede/v1/transactions", true);
    check_accepts(r, "POST", "/erede/v2/transactions", true);
    check_accepts(r, "GET", "/erede/v1/transactions", false);
    check_field(r, "$.cardNumber", ELEMENT_NUMBER, DATE_DEFAULT, false);
    check_field(r, "$.expirationMonth", ELEMENT_EXP_MONTH, DATE_MM, false);
    check_field(r, "$.expirationYear", ELEMENT_EXP_YEAR, DATE_YYYY, false);
    check_field(r, "$.securityCode", ELEMENT_CVC, DATE_DEFAULT, false);
    check_field(r, "$.cardholderName", ELEMENT_HOLDER, DATE_DEFAULT, false);
    check_field(r, "$.cardHolderName", ELEMENT_HOLDER, DATE_DEFAULT, false);
    ck_assert(r->has_network_token && edit_at(r, "$.securityCode")->drop);
    ck_assert(ruleset_may_retry(r) && r->network_token_mit_without_cryptogram && edit_at(r, "$.brandTid")->when == EDIT_WITH_TRANSACTION_ID);
    ck_assert(ruleset_means_merchant(r, SLICE("07")) && !ruleset_means_merchant(r, SLICE("01")));
    ruleset_free(r);
}
END_TEST

/* Every file that is shipped: right, and no decline is both retried and final. */
START_TEST(all_shipped_rules)
{
    static const char *const names[] = {"adyen",       "booking-webhook", "braintree",   "checkout", "cielo", "credibanco",
                                        "cybersource", "ota-reservation", "passthrough", "rede",     "stripe"};
    static const char *const without_tokens[] = {"booking-webhook", "credibanco", "ota-reservation", "passthrough"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char file[64];
        (void)snprintf(file, sizeof file, "rules/%s.yaml", names[i]);
        struct ruleset *r = must_load(file);
        ck_assert(slice_is(r->name, names[i]) && slice_is(r->processor, names[i]));
        bool pays_with_tokens = true;
        for (size_t j = 0; j < sizeof without_tokens / sizeof *without_tokens; j++)
            pays_with_tokens = pays_with_tokens && strcmp(names[i], without_tokens[j]) != 0;
        ck_assert_msg(r->has_network_token == pays_with_tokens && ruleset_may_retry(r) == pays_with_tokens, "%s", names[i]);
        if (pays_with_tokens) ck_assert(r->plan.has_capture && r->network_transaction_id_path >= 0 && r->merchant_initiated_count > 0);
        ck_assert((r->sign.kind == SIGN_CYBERSOURCE) == slice_is(r->name, "cybersource"));
        ruleset_free(r);
    }
}
END_TEST

START_TEST(credibanco)
{
    struct ruleset *r = must_load("rules/credibanco.yaml");
    ck_assert_int_eq(r->plan.format, BODY_FORM);
    static const char *const calls[] = {"register.do", "paymentorder.do", "getOrderStatusExtended.do"};
    for (int i = 0; i < 3; i++) {
        char path[100];
        (void)snprintf(path, sizeof path, "/payment/rest/%s", calls[i]);
        check_accepts(r, "POST", path, true);
        (void)snprintf(path, sizeof path, "/%s", calls[i]);
        check_accepts(r, "POST", path, true);
    }
    check_accepts(r, "POST", "/payment/rest/refund.do", false);
    check_field(r, "$PAN", ELEMENT_NUMBER, DATE_DEFAULT, false);
    check_field(r, "pan", ELEMENT_NUMBER, DATE_DEFAULT, false);
    check_field(r, "$CVC", ELEMENT_CVC, DATE_DEFAULT, false);
    check_field(r, "YYYY", ELEMENT_EXP_YEAR, DATE_YYYY, false);
    check_field(r, "month", ELEMENT_EXP_MONTH, DATE_MM, false);
    check_field(r, "TEXT", ELEMENT_HOLDER, DATE_DEFAULT, false);
    ck_assert(!r->has_network_token);
    ruleset_free(r);
}
END_TEST

/* One message with cards, by the plan of shipped rules: what comes out has "alias" and "cvc" where numbers and CVCs stood. */
static void check_inbound(const struct plan *plan, const char *in, const char *out, size_t cards)
{
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 1 << 20, .max_cards = 10};
    struct inbound_alias aliases[10];
    struct inbound *b = inbound_new(&options);
    struct buf rendered;
    buf_init(&rendered, 1 << 20);
    for (size_t i = 0; i < 10; i++) aliases[i] = (struct inbound_alias){.number = SLICE("alias"), .cvc = SLICE("cvc")};
    ck_assert_int_eq(inbound_feed(b, slice_of(in)).err, ERR_NONE);
    ck_assert_int_eq(inbound_end(b).err, ERR_NONE);
    ck_assert_uint_eq(inbound_card_count(b), cards);
    for (size_t i = 0; i < cards; i++) {
        const struct credential *c = inbound_card(b, i);
        ck_assert_int_eq(c->number_len, 16);
        ck_assert(c->month == 12 && c->year == 2030);
        ck_assert_int_eq(c->cvc_len, 3);
        ck_assert(slice_is((slice){c->holder, c->holder_len}, "A & B"));
    }
    ck_assert(!failed(inbound_render(b, aliases, &rendered)));
    ck_assert_msg(slice_is(buf_slice(&rendered), out), "%.*s", SLICE_ARG(buf_slice(&rendered)));
    buf_done(&rendered);
    inbound_free(b);
}

#define OTA(first, first_cvc, second, second_cvc)                                                                                  \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\n"       \
    "<o:OTA_HotelResNotifRQ xmlns:o=\"http://www.opentravel.org/OTA/2003/05\" Version=\"1.0\"><o:HotelReservations>\n"              \
    "<o:HotelReservation><o:Guarantee><o:GuaranteesAccepted><o:GuaranteeAccepted>\n"                                              \
    "  <o:PaymentCard CardCode=\"VI\" CardNumber=\"" first "\" SeriesCode=\"" first_cvc "\" ExpireDate=\"1230\">\n"                   \
    "    <o:CardHolderName>A &amp; B</o:CardHolderName></o:PaymentCard>\n"                                                        \
    "</o:GuaranteeAccepted></o:GuaranteesAccepted></o:Guarantee></o:HotelReservation>\n"                                          \
    "<o:HotelReservation><PaymentCard xmlns=\"http://www.opentravel.org/OTA/2003/05\" ExpireDate='1230'>\n"                       \
    "  <CardHolderName><![CDATA[A & B]]></CardHolderName>\n"                                                                      \
    "  <CardNumber Mask='************4444'><PlainText>" second "</PlainText></CardNumber>\n"                                      \
    "  <SeriesCode><PlainText>\n" second_cvc "\n</PlainText></SeriesCode></PaymentCard>\n"                                        \
    "<o:Text>call +49 30 1234567, room 42</o:Text></o:HotelReservation>\n"                                                        \
    "</o:HotelReservations></o:OTA_HotelResNotifRQ></s:Body></s:Envelope>\n"

START_TEST(ota_reservation)
{
    struct ruleset *r = must_load("rules/ota-reservation.yaml");
    ck_assert_int_eq(r->plan.format, BODY_XML);
    ck_assert(r->plan.find_pan && r->has_answer && r->answer.find_pan && r->answer.field_count == r->plan.field_count);
    check_accepts(r, "POST", "/any", true);
    check_accepts(r, "GET", "/any", true);
    check_accepts(r, "HEAD", "/any", true);
    check_accepts(r, "DELETE", "/any", false);
    static const char in[] = OTA("4111111111111111", "123", "5555555555554444", "456");
    static const char out[] = OTA("alias", "cvc", "alias", "cvc");
    check_inbound(&r->plan, in, out, 2);
    check_inbound(&r->answer, in, out, 2);
    ruleset_free(r);
}
END_TEST

#define BOOKING(number, cvc)                                                                                                      \
    "{\"event\": \"reservation.created\", \"reservation\": {\"id\": \"R-411111\", \"guest\": {\"phone\": \"+49 30 1234567\"},\n"         \
    " \"guarantee\": {\"card\": {\"number\": \"" number "\", \"expiry\": \"12/30\", \"cvc\": \"" cvc "\", \"holder\": \"A \\u0026 B\"}}}}"

START_TEST(booking_webhook)
{
    struct ruleset *r = must_load("rules/booking-webhook.yaml");
    ck_assert_int_eq(r->plan.format, BODY_JSON);
    ck_assert(r->plan.find_pan && r->has_answer);
    check_accepts(r, "GET", "/any", true);
    check_inbound(&r->plan, BOOKING("4111 1111 1111 1111", "123"), BOOKING("alias", "cvc"), 1);
    check_inbound(&r->answer, BOOKING("4111111111111111", "123"), BOOKING("alias", "cvc"), 1);
    ruleset_free(r);
}
END_TEST

START_TEST(passthrough)
{
    struct ruleset *r = must_load("rules/passthrough.yaml");
    ck_assert(r->any_body && r->plan.field_count == 0 && r->upstream.len == 0);
    check_accepts(r, "PATCH", "/any/thing", true);
    check_accepts(r, "POST", "/", true);
    ruleset_free(r);
}
END_TEST

START_TEST(too_many_paths_are_said)
{
    char *text = NULL, *said;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    fputs("processor: x\naccept: [ POST /x ]\nbody: json\ncard:\n  number:\n", f);
    for (int i = 0; i < 300; i++)
        fprintf(f, "    - $.p%d\n", i);
    fclose(f);
    help_write("many.yaml", text);
    free(text);
    ck_assert_ptr_null(load("many.yaml", &said));
    ck_assert_msg(slice_starts(slice_of(said), SLICE("many.yaml:262:7: more than 256 different paths\n")), "%s", said);
    free(said);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ruleset");
    TCase *t = tcase_create("ruleset");
    tcase_add_checked_fixture(t, enter, help_leave);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, every_case_says_what_is_expected);
    tcase_add_test(t, card_fields);
    tcase_add_test(t, network_token_edits);
    tcase_add_test(t, network_token_edits_by_brand_and_with_formats);
    tcase_add_test(t, what_answers_have_and_what_is_looked_for);
    tcase_add_test(t, declines_initiator_and_idempotency);
    tcase_add_test(t, signatures);
    tcase_add_test(t, reply);
    tcase_add_test(t, accepts);
    tcase_add_test(t, rede);
    tcase_add_test(t, all_shipped_rules);
    tcase_add_test(t, credibanco);
    tcase_add_test(t, ota_reservation);
    tcase_add_test(t, booking_webhook);
    tcase_add_test(t, passthrough);
    tcase_add_test(t, too_many_paths_are_said);
    suite_add_tcase(s, t);
    return help_run(s);
}
