/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_network.h"
#include "stage_registrar.h"

#include <string.h>

/* An alias wherever a token may stand: what is done, written down and answered is the card's own. */

#define ALIAS "411111ABCDEF1111"

static struct keeper_dialogue *open_api(unsigned permission)
{
    struct keeper_caller c = caller("cvk_all", 0);
    c.purpose = KEEPER_FOR_API;
    c.permission = permission;
    struct keeper_dialogue *d = open_dialogue(c);
    expect("opened NONE 1 all1;");
    return d;
}

START_TEST(an_alias_pays)
{
    set_up();
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 1, ALIAS, TOKEN_PERMANENT);
    reveal(d, 2, ALIAS, TOKEN_TEMPORAL);
    reveal(d, 3, "411111XXXXXX1111", TOKEN_PERMANENT);
    expect("opened NONE 1 shop1;revealed 1 NONE 4111111111111111 12/2030 ANNA B;revealed 2 TOKEN_WRONG_KIND;revealed 3 TOKEN_UNKNOWN;");
    ck_assert_ptr_nonnull(strstr(fake.audited, "reveal shop shop1 tok_good1 rede NONE\n"));
    keeper_end(d);
    struct keeper_caller theirs = caller("cvk_other", 0);
    theirs.route = 1;
    d = open_dialogue(theirs);
    reveal(d, 1, ALIAS, TOKEN_PERMANENT); /* another merchant's alias is nobody's */
    expect("opened NONE 0 other1;revealed 1 TOKEN_UNKNOWN;");
    keeper_end(d);
    tear_down();
}
END_TEST

/* The network's record stands by the card's own token, and so does the volume. */
START_TEST(an_alias_pays_with_the_card_s_network_token)
{
    set_up();
    registrar_start();
    (void)fake_active("tok_good1");
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 1, ALIAS, TOKEN_PERMANENT);
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_CREDENTIALS);
    registrar_credential("AAAA");
    turns(6);
    ck_assert_ptr_nonnull(strstr(story, "revealed 1 NONE"));
    ck_assert_int_eq(chosen.kind, CREDENTIAL_NETWORK_TOKEN);
    ck_assert_ptr_nonnull(strstr(fake.audited, "network.credential shop shop1 tok_good1 rede NONE\n"));
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(an_alias_in_the_api)
{
    static const struct billing_text billing = {.city = CONST_SLICE("Bogota")};
    struct card_change change = {.set_expiry = true, .month = 3, .year = 2031};
    set_up();
    registrar_start();
    struct keeper_dialogue *d = open_api(PERMIT_READ | PERMIT_CHANGE | PERMIT_DELETE | PERMIT_ENROL | PERMIT_CREDENTIALS);
    ck_assert(!failed(keeper_token_get(d, 1, SLICE(ALIAS))) && !failed(keeper_network_token(d, 2, SLICE(ALIAS))));
    ck_assert(!failed(keeper_token_change(d, 3, SLICE(ALIAS), &change)) && !failed(keeper_token_delete(d, 4, SLICE(ALIAS))));
    expect("token 1 NONE tok_good1 411111******1111 visa 12/2030;network 2 NONE NONE;token 3 NONE tok_good1 411111******1111 visa 3/2030;"
           "token 4 NONE tok_good1 411111******1111 visa 12/2030;");
    ck_assert(!failed(keeper_enrol(d, 5, SLICE(ALIAS), &billing, SLICE_NONE)));
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_ENROL);
    registrar_state(NETWORK_ACTIVE, "ref-9");
    expect("network 5 NONE ACTIVE;");
    ck_assert_int_eq(fake_record("shop", "tok_good1")->state, NETWORK_ACTIVE);
    ck_assert(!failed(keeper_credentials(d, 6, SLICE(ALIAS))));
    while (registrar_order()->type != WIRE_ORDER_CREDENTIALS) continue; /* the webhook goes out meanwhile */
    registrar_credential("AAAA");
    turns(6);
    ck_assert_ptr_nonnull(strstr(story, "network 6 NONE ACTIVE"));
    ck_assert_ptr_null(strstr(fake.audited, ALIAS));
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(nobody_s_alias_in_the_api_is_a_guess)
{
    struct card_change change = {.set_expiry = true, .month = 3, .year = 2031};
    set_up();
    struct keeper_dialogue *d = open_api(PERMIT_READ | PERMIT_CHANGE | PERMIT_DELETE);
    for (uint32_t i = 0; i < 20; i += 4) {
        ck_assert(!failed(keeper_token_get(d, i, SLICE("411111XXXXXX1111"))) && !failed(keeper_network_token(d, i + 1, SLICE("411111XXXXXX1111"))));
        ck_assert(!failed(keeper_token_change(d, i + 2, SLICE("411111XXXXXX1111"), &change)) && !failed(keeper_token_delete(d, i + 3, SLICE("411111XXXXXX1111"))));
    }
    turns(6);
    ck_assert(!failed(keeper_token_get(d, 20, SLICE(ALIAS))));
    turns(6);
    ck_assert_ptr_nonnull(strstr(story, "token 0 TOKEN_NOT_FOUND;network 1 TOKEN_NOT_FOUND;"));
    ck_assert_ptr_nonnull(strstr(story, "token 20 TOO_MANY_BAD_TOKENS;"));
    keeper_end(d);
    tear_down();
}
END_TEST

/* A vault that fails is no vault without that alias: nobody is told that his token is unknown. */
START_TEST(an_alias_that_cannot_be_read)
{
    struct card_change change = {.set_expiry = true, .month = 3, .year = 2031};
    set_up();
    fake.resolve_result = FAIL(VAULT_STORE);
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0)), *api;
    reveal(d, 1, ALIAS, TOKEN_PERMANENT);
    expect("opened NONE 1 shop1;revealed 1 VAULT_STORE;");
    api = open_api(PERMIT_READ | PERMIT_CHANGE);
    ck_assert(!failed(keeper_token_get(api, 1, SLICE(ALIAS))) && !failed(keeper_token_change(api, 2, SLICE(ALIAS), &change)));
    ck_assert(!failed(keeper_network_token(api, 3, SLICE(ALIAS))));
    expect("token 1 VAULT_STORE;token 2 VAULT_STORE;network 3 VAULT_STORE;");
    keeper_end(d);
    keeper_end(api);
    tear_down();
}
END_TEST

/* Trail, first payment and counts are the card's. */
START_TEST(an_alias_that_was_paid_with)
{
    set_up();
    const struct payment_outcome outcome = {.merchant = 1, .route = 0, .token = SLICE(ALIAS), .first = CREDENTIAL_PAN,
                                            .fallback = FALLBACK_NOT_PROVISIONED, .first_verdict = PAYMENT_APPROVED,
                                            .network_transaction_id = SLICE("MCC12")};
    keeper_payment(client, &outcome);
    turns(8);
    ck_assert_ptr_nonnull(strstr(fake_network.trails, "shop tok_good1 rede MCC12\n"));
    ck_assert(fake_record("shop", "tok_good1")->first_paid_ms > 0);
    tear_down();
}
END_TEST

RUN_TESTS("alias", an_alias_pays, an_alias_pays_with_the_card_s_network_token, an_alias_in_the_api, nobody_s_alias_in_the_api_is_a_guess,
          an_alias_that_cannot_be_read, an_alias_that_was_paid_with)
