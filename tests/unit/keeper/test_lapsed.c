/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_network.h"
#include "stage_registrar.h"

#include <string.h>

/* A network token that is past its own expiry, by our record or by what the network gives; and one that the network gives otherwise than
 * our record has it. */

/* ACTIVE in our record, past its own expiry, and nobody told of its renewal: it goes out in no payment, and its state is read back at once,
 * but not for each payment anew. */
START_TEST(a_token_past_its_expiry_is_not_paid_with)
{
    set_up();
    registrar_start();
    struct network_record *r = fake_active("tok_good1");
    r->year = 2025;
    r->number_len = 16;
    memcpy(r->number, "4895370000000002", 16);
    config->routes[0].rules->network_token_mit_without_cryptogram = true;
    wish.merchant_initiated = true;
    struct keeper_dialogue *d = pay();
    expect(PAN);
    ck_assert(chosen.fallback == FALLBACK_NOT_PROVISIONED && !chosen.card_has_token);
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    const uint64_t asked = last_order()->id;
    for (unsigned mit = 0; mit < 2; mit++) {
        wish.merchant_initiated = mit;
        reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
        expect(PAN);
        ck_assert_int_eq(chosen.fallback, FALLBACK_NOT_PROVISIONED);
    }
    ck_assert(registrar_is_idle());
    ck_assert_uint_eq(last_order()->id, asked);
    registrar_state(NETWORK_ACTIVE, "ref-1"); /* renewed: to 12/2031 */
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_DELIVER);
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    ck_assert_str_eq(registrar_order()->text, "ORDER_CREDENTIALS cards ref-1");
    registrar_credential("");
    expect(TOKEN);
    ck_assert(chosen.card_has_token && fake_record("shop", "tok_good1")->renewed_ms > 0);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(without_a_pan_a_token_past_its_expiry_is_refused)
{
    set_up();
    registrar_start();
    fake_active("tok_removed")->year = 2025;
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 1, "tok_removed", TOKEN_PERMANENT);
    expect("opened NONE 1 shop1;revealed 1 TOKEN_NO_PAN;");
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    registrar_state(NETWORK_ACTIVE, "ref-1");
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_DELIVER);
    reveal(d, 1, "tok_removed", TOKEN_PERMANENT);
    ck_assert_str_eq(registrar_order()->text, "ORDER_CREDENTIALS cards ref-1");
    registrar_credential("AAABBB==");
    expect(TOKEN);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* The network itself gives one that has lapsed, while our record knows no better. */
START_TEST(a_credential_past_its_expiry_is_none)
{
    const struct wire_result w = {.state = NETWORK_ACTIVE, .has_credential = 1, .credential_month = 12, .credential_year = 2025, .number_len = 16,
                                  .cryptogram_len = 8};
    const slice tails[WIRE_TAILS_MAX] = {[2] = SLICE("4895370000000002"), [3] = SLICE("AAABBB==")};
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = pay();
    registrar_say(registrar_order()->id, WIRE_RESULT, &w, tails);
    expect(PAN);
    ck_assert_int_eq(chosen.fallback, FALLBACK_CRYPTOGRAM_FAILED);
    ck_assert_uint_eq(fake_record("shop", "tok_good1")->number_len, 0);
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    registrar_state(NETWORK_ACTIVE, "ref-1");
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

static void give(uint8_t month, uint16_t year)
{
    const struct wire_result w = {.state = NETWORK_ACTIVE, .has_credential = 1, .credential_month = month, .credential_year = year,
                                  .number_len = 16, .cryptogram_len = 8};
    const slice tails[WIRE_TAILS_MAX] = {[2] = SLICE("4895370000000002"), [3] = SLICE("AAABBB==")};
    registrar_say(registrar_order()->id, WIRE_RESULT, &w, tails);
}

static void store_number(struct network_record *r, size_t len)
{
    r->number_len = (uint8_t)len;
    memset(r->number, '5', len);
}

/* A payment is the first to see the renewal: its state is read back, and the merchant is told, as if the network had told of it. */
static void renewal_seen_by_a_payment(size_t stored)
{
    const struct wire_result renewed = {.state = NETWORK_ACTIVE, .month = 11, .year = 2034};
    const slice tails[WIRE_TAILS_MAX] = {SLICE_NONE};
    set_up();
    registrar_start();
    struct network_record *r = fake_active("tok_good1");
    store_number(r, stored);
    struct keeper_dialogue *d = pay();
    give(11, 2034);
    expect("revealed 1 NONE 4895370000000002 11/2034 ANNA B;"); /* as the network gave it */
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    ck_assert(r->month == 12 && r->year == 2031 && r->number_len == stored && fake_network.event_count == 0);
    registrar_say(last_order()->id, WIRE_RESULT, &renewed, tails);
    ck_assert(r->month == 11 && r->year == 2034 && r->number_len == 0 && r->renewed_ms > 0);
    ck_assert_uint_eq(fake_network.event_count, 1);
    ck_assert_ptr_nonnull(strstr(fake_network.events[0].json, "\"status\":\"ACTIVE\",\"expiration_date\":\"11/2034\"}}"));
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_DELIVER);
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT); /* from now on it is what the record has */
    give(11, 2034);
    expect("revealed 1 NONE 4895370000000002 11/2034 ANNA B;");
    ck_assert(registrar_is_idle());
    ck_assert(slice_is((slice){r->number, r->number_len}, "4895370000000002"));
    keeper_end(d);
    registrar_stop();
    tear_down();
}

START_TEST(a_newer_expiry_in_a_credential_is_a_renewal)
{
    renewal_seen_by_a_payment(0);
}
END_TEST

START_TEST(a_newer_expiry_where_a_number_is_stored)
{
    renewal_seen_by_a_payment(16);
}
END_TEST

START_TEST(another_number_of_the_same_expiry)
{
    set_up();
    registrar_start();
    struct network_record *r = fake_active("tok_good1");
    store_number(r, 16);
    struct keeper_dialogue *d = pay();
    give(12, 2031);
    expect(TOKEN);
    ck_assert(slice_is((slice){r->number, r->number_len}, "4895370000000002")); /* merchant-initiated payments go with it */
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    registrar_state(NETWORK_ACTIVE, "ref-1");
    ck_assert_uint_eq(fake_network.event_count, 0);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* An enrolment that came without one: the state's answer plans the renewal from here. */
START_TEST(the_first_expiry_that_is_known)
{
    set_up();
    registrar_start();
    struct network_record *r = fake_active("tok_good1");
    r->month = 0;
    r->year = 0;
    struct keeper_dialogue *d = pay();
    give(12, 2031);
    expect(TOKEN);
    ck_assert(r->month == 12 && r->year == 2031 && r->number_len == 16);
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    registrar_state(NETWORK_ACTIVE, "ref-1");
    ck_assert(fake_network.job_count == 1 && fake_network.event_count == 0);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* The same where a merchant asks for the credentials himself. */
START_TEST(a_newer_expiry_in_credentials_for_the_api)
{
    struct keeper_caller c = caller("cvk_all", 0);
    set_up();
    registrar_start();
    fake_active("tok_good1");
    c.purpose = KEEPER_FOR_API;
    c.permission = PERMIT_CREDENTIALS;
    struct keeper_dialogue *d = open_dialogue(c);
    ck_assert(!failed(keeper_credentials(d, 1, SLICE("tok_good1"))));
    give(12, 2031);
    ck_assert(registrar_is_idle());
    ck_assert(!failed(keeper_credentials(d, 2, SLICE("tok_good1"))));
    give(11, 2034);
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

RUN_TESTS("lapsed", a_token_past_its_expiry_is_not_paid_with, without_a_pan_a_token_past_its_expiry_is_refused,
          a_credential_past_its_expiry_is_none, a_newer_expiry_in_a_credential_is_a_renewal, a_newer_expiry_where_a_number_is_stored,
          another_number_of_the_same_expiry, the_first_expiry_that_is_known, a_newer_expiry_in_credentials_for_the_api)
