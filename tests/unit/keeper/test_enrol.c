/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "fake_network.h"
#include "stage_registrar.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* What the API asks about network tokens, and the queue that brings enrolments to their end. */

static const struct billing_text billing = {.address_1 = CONST_SLICE("Carrera 140"), .city = CONST_SLICE("Bogota"), .country = CONST_SLICE("CO")};

static struct keeper_dialogue *open_api(unsigned permission)
{
    struct keeper_caller c = caller("cvk_all", 0);
    c.purpose = KEEPER_FOR_API;
    c.permission = permission;
    struct keeper_dialogue *d = open_dialogue(c);
    expect("opened NONE 1 all1;");
    return d;
}

static struct keeper_dialogue *enrol(const char *token, const char *cvc)
{
    struct keeper_dialogue *d = open_api(PERMIT_ENROL);
    ck_assert(!failed(keeper_enrol(d, 1, slice_of(token), &billing, slice_of(cvc))));
    return d;
}

START_TEST(enrolled_at_once)
{
    set_up();
    registrar_start();
    struct keeper_dialogue *d = enrol("tok_good1", "123");
    const struct order_seen *o = registrar_order();
    ck_assert_int_eq(o->type, WIRE_ORDER_ENROL);
    ck_assert_ptr_nonnull(strstr(o->text, "ORDER_ENROL cards 4111111111111111 ANNA B 123 "));
    ck_assert_ptr_nonnull(strstr(o->text, "Carrera 140"));
    const struct network_record *r = fake_record("shop", "tok_good1");
    ck_assert(r->state == NETWORK_PENDING && fake_network.job_count == 1); /* on disk before the order left */
    ck_assert_ptr_nonnull(strstr(o->text, (char[]){r->reference_code[0], r->reference_code[1], r->reference_code[2], r->reference_code[3], 0}));
    registrar_state(NETWORK_ACTIVE, "ref-9");
    expect("network 1 NONE ACTIVE;");
    ck_assert(r->state == NETWORK_ACTIVE && r->ref.len == 5 && r->month == 12 && r->year == 2031);
    /* The job stays as the token's renewal, a month before it lapses; one webhook tells of it. */
    ck_assert_uint_eq(fake_network.job_count, 1);
    ck_assert(fake_network.jobs[0].kind == JOB_REFRESH && fake_network.jobs[0].due_ms > clock_wall_ms() && fake_network.jobs[0].payload_len == 0);
    ck_assert_uint_eq(fake_network.event_count, 1);
    ck_assert_ptr_nonnull(strstr(fake.audited, "network.enrol shop queue tok_good1"));
    ck_assert_ptr_nonnull(strstr(fake.audited, "token.enrol shop all1 tok_good1"));
    ck_assert_ptr_nonnull(strstr(fake.audited, "network.state shop network tok_good1"));
    keeper_end(d);
    d = enrol("tok_good1", "");
    expect("network 1 ENROLLED_ALREADY ACTIVE already;");
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(refused_by_the_network)
{
    set_up();
    registrar_start();
    struct keeper_dialogue *d = enrol("tok_good1", "");
    (void)registrar_order();
    registrar_fail(ERR_NETWORK_REFUSED, NETWORK_REASON_CARD_NOT_ALLOWED);
    expect("network 1 NETWORK_REFUSED UNPROVISIONED CARD_NOT_ALLOWED;");
    ck_assert(fake_network.job_count == 0 && fake_network.event_count == 0);
    keeper_end(d);
    d = enrol("tok_good1", ""); /* may be asked again */
    (void)registrar_order();
    registrar_state(NETWORK_ACTIVE, "ref-9");
    expect("network 1 NONE ACTIVE;");
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* The network has deleted the card's token and gives no other: that is no enrolment, and tells of no token. */
START_TEST(enrolled_with_a_token_that_is_deleted)
{
    set_up();
    registrar_start();
    struct keeper_dialogue *d = enrol("tok_good1", "");
    (void)registrar_order();
    registrar_state(NETWORK_DELETED, "ref-9");
    expect("network 1 NETWORK_REFUSED UNPROVISIONED OTHER;");
    ck_assert(fake_network.job_count == 0 && fake_network.event_count == 0);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(who_is_refused_before)
{
    set_up();
    registrar_start();
    struct keeper_dialogue *d = enrol("tok_other1", "");
    expect("network 1 TOKEN_NOT_FOUND;");
    keeper_end(d);
    d = enrol("tok_removed", "");
    expect("network 1 TOKEN_NO_PAN;");
    keeper_end(d);
    d = enrol("tok_good1", "tmp_00000000-0000-4000-8000-000000000000");
    expect("network 1 TOKEN_EXPIRED;");
    keeper_end(d);
    config->networks[0].brands = 1u << BRAND_MASTERCARD;
    d = enrol("tok_good1", "");
    expect("network 1 NETWORK_UNSUPPORTED;");
    keeper_end(d);
    char asked[32], unsupported[32]; /* nobody asked the network, but the report has it */
    (void)snprintf(asked, sizeof asked, "shop  %u 1", COUNTER_ENROL_ASKED);
    (void)snprintf(unsupported, sizeof unsupported, "shop  %u 1", COUNTER_ENROL_UNSUPPORTED_BRAND);
    for (unsigned i = 0; i < 2000 && !fake_network.commits; i++) turn();
    ck_assert_msg(strstr(fake_network.counted, asked) && strstr(fake_network.counted, unsupported), "%s", fake_network.counted);
    config->merchants[1].network = -1;
    d = enrol("tok_good1", "");
    expect("network 1 NETWORK_OFF;");
    keeper_end(d);
    d = open_api(PERMIT_READ); /* opened for something else */
    ck_assert(!failed(keeper_enrol(d, 1, SLICE("tok_good1"), &billing, SLICE_NONE)));
    expect("network 1 KEEPER_REFUSED;");
    keeper_end(d);
    ck_assert(registrar_is_idle());
    ck_assert_uint_eq(fake_network.job_count, 0);
    registrar_stop();
    tear_down();
}
END_TEST

/* The CVC comes from a temporal token, goes out once, and is for no second try. */
START_TEST(a_cvc_goes_out_once)
{
    set_up();
    registrar_start();
    struct keeper_dialogue *d = enrol("tok_good1", "123");
    ck_assert_ptr_nonnull(strstr(registrar_order()->text, " 123 "));
    registrar_fail(ERR_NETWORK_DOWN, NETWORK_REASON_NONE);
    expect("network 1 NONE PENDING;"); /* queued */
    ck_assert(fake_network.job_count == 1 && fake_network.jobs[0].tries == 1 && fake_network.jobs[0].due_ms > clock_wall_ms());
    for (size_t i = 0; i + 3 <= sizeof fake_network.jobs[0].payload; i++) ck_assert_int_ne(memcmp(fake_network.jobs[0].payload + i, "123", 3), 0);
    const struct order_seen *o = registrar_order(); /* after a second, by back-off */
    ck_assert_int_eq(o->type, WIRE_ORDER_ENROL);
    ck_assert_ptr_null(strstr(o->text, " 123 "));
    ck_assert_ptr_nonnull(strstr(o->text, "Carrera 140"));
    registrar_state(NETWORK_PENDING, "ref-9");
    ck_assert(fake_network.jobs[0].kind == JOB_REFRESH && fake_record("shop", "tok_good1")->state == NETWORK_PENDING);
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-9");
    registrar_state(NETWORK_ACTIVE, "");
    ck_assert_int_eq(fake_record("shop", "tok_good1")->state, NETWORK_ACTIVE);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* A keeper that died during an enrolment: the job stands in the vault, and the network knows the repeated try by its code. */
START_TEST(jobs_outlive_the_keeper)
{
    struct network_record *r = fake_record("shop", "tok_good1");
    struct job *j = &fake_network.jobs[fake_network.job_count++];
    *r = (struct network_record){.state = NETWORK_PENDING, .network = "cards", .reference_code = "bfe68a02-51cd-4d66-b2ad-56fc55527e4"};
    *j = (struct job){.id = "an old job", .kind = JOB_ENROL, .merchant = "shop", .token = {9, "tok_good1"}};
    set_up();
    registrar_start();
    const struct order_seen *o = registrar_order();
    ck_assert_ptr_nonnull(strstr(o->text, "ORDER_ENROL cards 4111111111111111"));
    ck_assert_ptr_nonnull(strstr(o->text, "bfe68a02-51cd-4d66-b2ad-56fc55527e4"));
    registrar_stop(); /* lost: it comes again */
    registrar_start();
    o = registrar_order();
    ck_assert_ptr_nonnull(strstr(o->text, "bfe68a02-51cd-4d66-b2ad-56fc55527e4"));
    registrar_state(NETWORK_ACTIVE, "ref-9");
    ck_assert_int_eq(r->state, NETWORK_ACTIVE);
    registrar_stop();
    tear_down();
}
END_TEST

/* What could only fail is not tried: it would back off, and be late when the registrar is back. */
START_TEST(a_registrar_that_is_away_costs_no_try)
{
    struct network_record *r = fake_record("shop", "tok_good1");
    struct job *j = &fake_network.jobs[fake_network.job_count++];
    *r = (struct network_record){.state = NETWORK_PENDING, .network = "cards", .reference_code = "bfe68a02-51cd-4d66-b2ad-56fc55527e4"};
    *j = (struct job){.id = "an old job", .kind = JOB_ENROL, .merchant = "shop", .token = {9, "tok_good1"}};
    set_up();
    turns(20);
    ck_assert(fake_network.jobs[0].tries == 0 && fake_network.jobs[0].due_ms == 0);
    registrar_start();
    ck_assert_ptr_nonnull(strstr(registrar_order()->text, "ORDER_ENROL cards 4111111111111111"));
    ck_assert_uint_eq(fake_network.jobs[0].tries, 0);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(credentials_for_the_api)
{
    set_up();
    registrar_start();
    struct keeper_dialogue *d = open_api(PERMIT_CREDENTIALS);
    ck_assert(!failed(keeper_credentials(d, 1, SLICE("tok_good1"))));
    expect("network 1 NETWORK_TOKEN_NONE NONE;");
    fake_active("tok_good1");
    ck_assert(!failed(keeper_credentials(d, 2, SLICE("tok_good1"))));
    ck_assert_str_eq(registrar_order()->text, "ORDER_CREDENTIALS cards ref-1");
    registrar_credential("AAABBB==");
    expect("network 2 NONE ACTIVE 4895370000000002 AAABBB== ;");
    ck_assert_ptr_nonnull(strstr(fake.audited, "network.credentials shop all1 tok_good1  NONE\n"));
    ck_assert(!failed(keeper_credentials(d, 3, SLICE("tok_good1"))));
    (void)registrar_order();
    registrar_fail(ERR_NETWORK_DOWN, NETWORK_REASON_NONE);
    expect("network 3 NETWORK_DOWN ACTIVE;");
    ck_assert(!failed(keeper_credentials(d, 4, SLICE("tok_other1"))));
    expect("network 4 TOKEN_NOT_FOUND;");
    ck_assert(!failed(keeper_credentials(d, 6, SLICE("tok_good1"))));
    (void)registrar_order();
    fake_record("shop", "tok_good1")->ref = (struct network_text){5, "ref-2"}; /* replaced while the network was asked */
    registrar_credential("AAABBB==");
    expect("network 6 VAULT_CONFLICT ACTIVE;");
    ck_assert(!failed(keeper_credentials(d, 5, SLICE("tok_good1"))));
    (void)registrar_order();
    fake.audit_breaks = true;
    registrar_credential("AAABBB==");
    ck_assert_ptr_nonnull(strstr(story, "network 5 VAULT_AUDIT"));
    ck_assert_ptr_null(strstr(story, "AAABBB"));
    story[0] = '\0';
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* What a stolen relay could take a second: payment credentials can be paid with, as a card can. */
START_TEST(credentials_are_within_the_relays_reveals)
{
    set_up();
    config->reveals_per_second = 2;
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = open_api(PERMIT_CREDENTIALS);
    for (uint32_t i = 1; i <= 3; i++) ck_assert(!failed(keeper_credentials(d, i, SLICE("tok_good1"))));
    expect("network 3 KEEPER_REFUSED;");
    (void)registrar_order();
    (void)registrar_order();
    ck_assert(registrar_is_idle());
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(what_is_known_without_a_call)
{
    set_up();
    registrar_start();
    struct keeper_dialogue *d = open_api(PERMIT_READ);
    ck_assert(!failed(keeper_network_token(d, 1, SLICE("tok_good1"))));
    fake_active("tok_removed")->state = NETWORK_SUSPENDED;
    ck_assert(!failed(keeper_network_token(d, 2, SLICE("tok_removed"))));
    expect("network 1 NONE NONE;network 2 NONE SUSPENDED;");
    ck_assert(registrar_is_idle());
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* The registrar speaks for a network. What it cannot know it may not say: not that a token is unknown, for which its merchant would be
 * taken for one who guesses. */
START_TEST(an_error_that_no_network_has)
{
    char byte;
    set_up();
    fake_active("tok_good1");
    struct keeper_dialogue *d = open_api(PERMIT_CREDENTIALS);
    for (uint32_t i = 1; i <= 21; i++) {
        registrar_start();
        ck_assert(!failed(keeper_credentials(d, i, SLICE("tok_good1"))));
        (void)registrar_order();
        registrar_fail(ERR_TOKEN_NOT_FOUND, NETWORK_REASON_NONE);
        char down[64];
        (void)snprintf(down, sizeof down, "network %u NETWORK_DOWN ACTIVE;", i);
        expect(down);
        ck_assert_int_eq(recv(registrar, &byte, 1, MSG_DONTWAIT), 0); /* cut off */
        registrar_stop();
    }
    keeper_end(d);
    tear_down();
}
END_TEST

/* --- notifications --- */

static struct keeper_dialogue *notice(uint32_t network)
{
    struct keeper_caller c = caller(NULL, 0);
    c.purpose = KEEPER_FOR_NOTICE;
    c.permission = 0;
    struct keeper_dialogue *d = open_dialogue(c);
    ck_assert(!failed(keeper_notice(d, 1, network, SLICE("t=1;keyId=k;sig=s"), SLICE("{\"a\":1}"))));
    return d;
}

START_TEST(a_notification_is_not_believed_but_looked_up)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = notice(0);
    const struct order_seen *o = registrar_order();
    ck_assert_str_eq(o->text, "ORDER_NOTICE cards t=1;keyId=k;sig=s {\"a\":1}");
    const struct wire_result_notice w = {.refs_len = 12};
    registrar_say(o->id, WIRE_RESULT_NOTICE, &w, &(slice){"nobody,ref-1", 12});
    expect("opened NONE 0 ;noticed 1 NONE;");
    ck_assert_uint_eq(fake_network.job_count, 1); /* on disk before the answer */
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    registrar_state(NETWORK_SUSPENDED, "");
    ck_assert_int_eq(fake_record("shop", "tok_good1")->state, NETWORK_SUSPENDED);
    ck_assert_uint_eq(fake_network.event_count, 1);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_notification_that_names_nobody)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = notice(0);
    const struct wire_result_notice w = {.error = ERR_NONE};
    registrar_say(registrar_order()->id, WIRE_RESULT_NOTICE, &w, &(slice){NULL, 0});
    expect("opened NONE 0 ;noticed 1 NONE;");
    ck_assert(registrar_is_idle());
    ck_assert_uint_eq(fake_network.job_count, 0);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_false_notification_counts_against_its_sender)
{
    set_up();
    registrar_start();
    for (unsigned i = 0; i < 20; i++) {
        struct keeper_dialogue *d = notice(0);
        const struct wire_result_notice w = {.error = ERR_SIGNATURE_WRONG};
        registrar_say(registrar_order()->id, WIRE_RESULT_NOTICE, &w, &(slice){NULL, 0});
        expect("opened NONE 0 ;noticed 1 SIGNATURE_WRONG;");
        keeper_end(d);
    }
    struct keeper_dialogue *d = notice(0);
    expect("opened TOO_MANY_BAD_TOKENS 0 ;noticed 1 TOO_MANY_BAD_TOKENS;");
    keeper_end(d);
    ck_assert(registrar_is_idle());
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_notification_that_cannot_be_kept_is_told_again)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = notice(0);
    fake_network.writes_fail = true;
    const struct wire_result_notice w = {.refs_len = 5};
    registrar_say(registrar_order()->id, WIRE_RESULT_NOTICE, &w, &(slice){"ref-1", 5});
    expect("opened NONE 0 ;noticed 1 VAULT_BUSY;");
    fake_network.writes_fail = false;
    keeper_end(d);
    d = notice(7); /* no such network */
    expect("opened NONE 0 ;noticed 1 NOT_FOUND;");
    keeper_end(d);
    registrar_stop();
    d = notice(0); /* nobody can check it */
    expect("opened NONE 0 ;noticed 1 NETWORK_DOWN;");
    ck_assert(!failed(keeper_reveal(d, 2, SLICE("tok_good1"), TOKEN_PERMANENT, wish))); /* and nothing else may be asked */
    ck_assert(!failed(keeper_network_token(d, 3, SLICE("tok_good1"))));
    expect("revealed 2 KEEPER_REFUSED;network 3 KEEPER_REFUSED;");
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(the_report_by_route)
{
    set_up();
    struct keeper_dialogue *d = open_api(PERMIT_REPORT);
    ck_assert(!failed(keeper_report(d, 1, 7, 9, SLICE_NONE)));
    ck_assert(!failed(keeper_report(d, 2, 7, 9, SLICE("cielo"))));
    expect("report 1 NONE rede 0=7 1=9;report 1 NONE cielo 0=7 1=9;report 1 NONE end;report 2 NONE cielo 0=7 1=9;report 2 NONE end;");
    ck_assert_ptr_nonnull(strstr(fake.audited, "report.read shop all1"));
    keeper_end(d);
    tear_down();
}
END_TEST

/* Years of counters take their time to be summed; whoever else asks the keeper is answered in between. */
START_TEST(a_long_report_is_made_in_slices)
{
    const uint32_t now_hour = (uint32_t)(clock_wall_ms() / 3600000), first_hour = now_hour - 20 * 24;
    uint64_t from = first_hour, to = first_hour + 168; /* a week, before anything was found; then day by day */
    char sum[100];
    for (uint32_t hour = first_hour + 168; hour < now_hour; hour += 24) from += hour, to += hour + 24;
    (void)snprintf(sum, sizeof sum, "report 1 NONE rede 0=%llu 1=%llu;report 1 NONE end;", (unsigned long long)from, (unsigned long long)to);
    set_up();
    struct keeper_dialogue *d = open_api(PERMIT_REPORT), *read = open_api(PERMIT_READ);
    fake_network.sum_takes_us = 3000;
    ck_assert(!failed(keeper_report(d, 1, first_hour, now_hour, SLICE("rede"))));
    ck_assert(!failed(keeper_network_token(read, 2, SLICE("tok_good1"))));
    expect("network 2 NONE NONE;");
    ck_assert_ptr_nonnull(wait_for(sum));
    ck_assert_uint_eq(fake_network.sums_in_a_turn, 1);
    keeper_end(d);
    keeper_end(read);
    tear_down();
}
END_TEST

/* --- lifecycle --- */

static void refreshed_from(enum network_state from, int64_t asked_ms, enum network_state state, uint8_t month, enum network_state expected)
{
    struct job *j = &fake_network.jobs[fake_network.job_count++];
    struct network_record *r = fake_active("tok_good1");
    r->state = from;
    r->asked_ms = asked_ms;
    *j = (struct job){.id = "refresh", .kind = JOB_REFRESH, .merchant = "shop", .token = {9, "tok_good1"}};
    set_up();
    registrar_start();
    const struct order_seen *o = registrar_order();
    ck_assert_str_eq(o->text, "ORDER_STATE cards ref-1");
    const struct wire_result w = {.state = (uint8_t)state, .month = month, .year = 2031};
    const slice tails[WIRE_TAILS_MAX] = {SLICE_NONE};
    registrar_say(o->id, WIRE_RESULT, &w, tails);
    ck_assert_int_eq(fake_record("shop", "tok_good1")->state, expected);
}

static void refreshed(enum network_state state, uint8_t month, enum network_state expected)
{
    refreshed_from(NETWORK_ACTIVE, 0, state, month, expected);
}

static int64_t days_ago(int days)
{
    return clock_wall_ms() - (int64_t)days * 24 * 60 * 60 * 1000;
}

START_TEST(a_provisioning_that_takes_its_time)
{
    refreshed_from(NETWORK_PENDING, days_ago(2), NETWORK_PENDING, 0, NETWORK_PENDING);
    ck_assert(fake_network.job_count == 1 && fake_network.event_count == 0);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_provisioning_that_never_ends)
{
    refreshed_from(NETWORK_PENDING, days_ago(4), NETWORK_PENDING, 0, NETWORK_UNPROVISIONED);
    ck_assert(fake_network.job_count == 0 && fake_network.event_count == 0);
    ck_assert_int_eq(fake_record("shop", "tok_good1")->reason, NETWORK_REASON_OTHER);
    ck_assert_ptr_nonnull(enrol("tok_good1", "")); /* and may be asked for again */
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_ENROL);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_token_that_came_after_all)
{
    refreshed_from(NETWORK_UNPROVISIONED, days_ago(5), NETWORK_ACTIVE, 12, NETWORK_ACTIVE);
    ck_assert(fake_network.job_count == 1 && fake_network.event_count == 1);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(nothing_else_comes_after_a_refusal)
{
    refreshed_from(NETWORK_UNPROVISIONED, days_ago(5), NETWORK_PENDING, 0, NETWORK_UNPROVISIONED);
    ck_assert(fake_network.job_count == 0 && fake_network.event_count == 0);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_renewed_token)
{
    refreshed(NETWORK_ACTIVE, 3, NETWORK_ACTIVE);
    ck_assert(fake_record("shop", "tok_good1")->month == 3 && fake_record("shop", "tok_good1")->renewed_ms > 0);
    ck_assert_uint_eq(fake_network.event_count, 1);
    ck_assert_ptr_nonnull(strstr(fake_network.events[0].json, "\"status\":\"ACTIVE\",\"expiration_date\":\"03/2031\"}}"));
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(nothing_new_is_told_to_nobody)
{
    refreshed(NETWORK_ACTIVE, 12, NETWORK_ACTIVE);
    ck_assert_uint_eq(fake_network.event_count, 0);
    ck_assert(fake_network.job_count == 1 && fake_network.jobs[0].due_ms > clock_wall_ms() + 24 * 60 * 60 * 1000 - 10000);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_suspended_token_is_looked_at_daily)
{
    refreshed(NETWORK_SUSPENDED, 0, NETWORK_SUSPENDED);
    ck_assert_uint_eq(fake_network.event_count, 1);
    ck_assert(fake_network.job_count == 1 && fake_network.jobs[0].due_ms < clock_wall_ms() + 25 * 60 * 60 * 1000);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_deleted_token_is_final)
{
    refreshed(NETWORK_DELETED, 0, NETWORK_DELETED);
    ck_assert(fake_network.event_count == 1 && fake_network.job_count == 0);
    ck_assert_uint_eq(fake_record("shop", "tok_good1")->number_len, 0);
    registrar_stop();
    tear_down();
}
END_TEST

RUN_TESTS("enrol", enrolled_at_once, refused_by_the_network, enrolled_with_a_token_that_is_deleted, who_is_refused_before, a_cvc_goes_out_once,
          jobs_outlive_the_keeper, a_registrar_that_is_away_costs_no_try, credentials_for_the_api,
          credentials_are_within_the_relays_reveals, an_error_that_no_network_has, what_is_known_without_a_call,
          a_notification_is_not_believed_but_looked_up, a_notification_that_names_nobody, a_false_notification_counts_against_its_sender,
          a_notification_that_cannot_be_kept_is_told_again, the_report_by_route, a_long_report_is_made_in_slices, a_provisioning_that_takes_its_time,
          a_provisioning_that_never_ends, a_token_that_came_after_all, nothing_else_comes_after_a_refusal, a_renewed_token,
          nothing_new_is_told_to_nobody, a_suspended_token_is_looked_at_daily, a_deleted_token_is_final)
