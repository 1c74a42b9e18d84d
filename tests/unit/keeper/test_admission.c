/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <netinet/in.h>
#include <string.h>

/* --- who may open --- */

static const struct admission {
    const char *name, *key;
    uint32_t listener, route;
    unsigned permission;
    enum keeper_purpose purpose;
    uint32_t peer; /* 0: 192.0.2.1 */
    const char *expected;
} admissions[] = {
    {"a key", "cvk_shop", 0, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened NONE 1 shop1;"},
    {"another merchant's own route", "cvk_other", 0, 1, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened NONE 0 other1;"},
    {"a route of nobody", "cvk_other", 0, 2, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened NONE 0 other1;"},
    {"a listener's merchant", NULL, 1, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened NONE 1 ;"},
    {"its own key there", "cvk_shop", 1, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened NONE 1 shop1;"},
    {"the API", "cvk_shop", 0, 0, PERMIT_TOKENIZE, KEEPER_FOR_API, 0, "opened NONE 1 shop1;"},
    {"the address fits", "cvk_home", 0, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0x0a010203, "opened NONE 1 home1;"},
    {"no key", NULL, 0, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_MISSING 0 ;"},
    {"an unknown key", "cvk_nobody", 0, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_WRONG 0 ;"},
    {"an empty key", "", 0, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_WRONG 0 ;"},
    {"an empty key on a merchant's listener", "", 1, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_WRONG 0 ;"},
    {"a key longer than any", "cvk_shop_______________________________________________________________________", 0, 0,
     PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_WRONG 0 ;"},
    {"a merchant that is not configured", "cvk_lost", 0, 2, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_WRONG 0 lost1;"},
    {"the address does not fit", "cvk_home", 0, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0x0b010203, "opened KEY_ADDRESS 0 home1;"},
    {"a list that does not parse", "cvk_broken", 0, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_ADDRESS 0 brok1;"},
    {"no permission", "cvk_read", 0, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_PERMISSION 0 read1;"},
    {"a listener has no more than the default", NULL, 1, 0, PERMIT_CREDENTIALS, KEEPER_FOR_API, 0, "opened KEY_PERMISSION 0 ;"},
    {"another merchant's route", "cvk_shop", 0, 1, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_MERCHANT 0 shop1;"},
    {"another merchant's listener", "cvk_other", 1, 1, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEY_MERCHANT 0 other1;"},
    {"no such listener", "cvk_shop", 2, 0, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEEPER_REFUSED 0 ;"},
    {"no such route", "cvk_shop", 0, ROUTE_NONE_SUCH, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEEPER_REFUSED 0 shop1;"},
    {"no permission named", "cvk_shop", 0, 0, 0, KEEPER_FOR_PROXY, 0, "opened KEEPER_REFUSED 0 shop1;"},
    {"the API with the proxy's permission", "cvk_shop", 0, 0, PERMIT_PROXY, KEEPER_FOR_API, 0, "opened KEEPER_REFUSED 0 shop1;"},
    {"the proxy with the API's", "cvk_shop", 0, 0, PERMIT_READ, KEEPER_FOR_PROXY, 0, "opened KEEPER_REFUSED 0 shop1;"},
    {"the API with the proxy's permission and its own", "cvk_shop", 0, 0, PERMIT_PROXY | PERMIT_READ, KEEPER_FOR_API, 0,
     "opened KEEPER_REFUSED 0 shop1;"},
    {"a partner's key", "cvk_make", 0, ROUTE_FILTER_PUSH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0, "opened NONE 1 make1;"},
    {"a partner's address", NULL, 0, ROUTE_FILTER_PUSH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0xc6336401, "opened NONE 1 ;"},
    {"a partner's second address", NULL, 0, ROUTE_FILTER_PUSH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0xcb007107, "opened NONE 1 ;"},
    {"a push by the listener's merchant", NULL, 1, ROUTE_FILTER_PUSH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0, "opened NONE 1 ;"},
    {"a push to nobody's route", "cvk_make", 0, ROUTE_OWNERLESS, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0, "opened NONE 1 make1;"},
    {"a partner who takes, by address", NULL, 0, ROUTE_FORWARD_PUSH, PERMIT_PROXY, KEEPER_FOR_PUSH, 0xc6336401, "opened NONE 1 ;"},
    {"a partner who takes, by address and key", "cvk_shop", 0, ROUTE_FORWARD_PUSH, PERMIT_PROXY, KEEPER_FOR_PUSH, 0xc6336401,
     "opened NONE 1 shop1;"},
    {"a key alone does not take", "cvk_shop", 0, ROUTE_FORWARD_PUSH, PERMIT_PROXY, KEEPER_FOR_PUSH, 0, "opened KEY_ADDRESS 0 shop1;"},
    {"the merchant who pulls cards in", "cvk_shop", 0, ROUTE_FILTER_PULL, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened NONE 1 shop1;"},
    {"a push from elsewhere", NULL, 0, ROUTE_FILTER_PUSH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0, "opened KEY_MISSING 0 ;"},
    {"a wrong key from a partner's address", "cvk_nobody", 0, ROUTE_FILTER_PUSH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0xc6336401,
     "opened KEY_WRONG 0 ;"},
    {"another merchant's partner", "cvk_other", 0, ROUTE_FILTER_PUSH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0, "opened KEY_MERCHANT 0 other1;"},
    {"a partner without the permission", "cvk_read", 0, ROUTE_FILTER_PUSH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0, "opened KEY_PERMISSION 0 read1;"},
    {"an address of nobody's route", NULL, 0, ROUTE_OWNERLESS, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0xc6336401, "opened KEY_MISSING 0 ;"},
    {"a listener does not take", NULL, 1, ROUTE_FORWARD_PUSH, PERMIT_PROXY, KEEPER_FOR_PUSH, 0, "opened KEY_MISSING 0 ;"},
    {"who may make may not take", "cvk_make", 0, ROUTE_FORWARD_PUSH, PERMIT_PROXY, KEEPER_FOR_PUSH, 0, "opened KEY_PERMISSION 0 make1;"},
    {"a partner who takes, of another merchant", "cvk_other", 0, ROUTE_FORWARD_PUSH, PERMIT_PROXY, KEEPER_FOR_PUSH, 0,
     "opened KEY_MERCHANT 0 other1;"},
    {"a push that wants to take", "cvk_shop", 0, ROUTE_FILTER_PUSH, PERMIT_PROXY, KEEPER_FOR_PUSH, 0, "opened KEEPER_REFUSED 0 shop1;"},
    {"an address that wants to take", NULL, 0, ROUTE_FILTER_PUSH, PERMIT_PROXY, KEEPER_FOR_PUSH, 0xc6336401, "opened KEEPER_REFUSED 0 ;"},
    {"a push on a route of pulls", "cvk_shop", 0, ROUTE_FILTER_PULL, PERMIT_PROXY, KEEPER_FOR_PUSH, 0, "opened KEEPER_REFUSED 0 shop1;"},
    {"a pull on a route of pushes", "cvk_shop", 0, ROUTE_FORWARD_PUSH, PERMIT_PROXY, KEEPER_FOR_PROXY, 0, "opened KEEPER_REFUSED 0 shop1;"},
    {"a push to no route", "cvk_shop", 0, ROUTE_NONE_SUCH, PERMIT_TOKENIZE, KEEPER_FOR_PUSH, 0, "opened KEEPER_REFUSED 0 shop1;"},
    {"the proxy with more than its own", "cvk_shop", 0, 0, PERMIT_PROXY | PERMIT_READ, KEEPER_FOR_PROXY, 0,
     "opened KEEPER_REFUSED 0 shop1;"},
};

START_TEST(who_may_open)
{
    const struct admission *a = &admissions[_i];
    set_up();
    struct keeper_caller c = caller(a->key, a->listener);
    c.route = a->route;
    c.permission = a->permission;
    c.purpose = a->purpose;
    if (a->peer) ((struct sockaddr_in *)(void *)&c.peer)->sin_addr.s_addr = htonl(a->peer);
    struct keeper_dialogue *d = open_dialogue(c);
    bool is_good = strstr(a->expected, "NONE") != NULL;
    if (!is_good) reveal(d, 1, "tok_good1", TOKEN_PERMANENT); /* asked with the refused OPEN: refused for the same reason */
    turns(4);
    ck_assert_msg(strncmp(story, a->expected, strlen(a->expected)) == 0, "%s: %s", a->name, story);
    if (!is_good) ck_assert_msg(strstr(story, "revealed 1 ") && !strstr(story, "4111"), "%s: %s", a->name, story);
    if (!is_good && !strstr(a->expected, "KEY_MISSING")) ck_assert_ptr_nonnull(strstr(fake.audited, "access.refused "));
    keeper_end(d);
    tear_down();
}
END_TEST

/* --- what the trail says of a refusal: merchant, actor, route and where it came from --- */

static const struct {
    const char *key;
    uint32_t listener, route;
    sa_family_t family;
    const char *audited, *peer;
} refusals[] = {
    {"cvk_nobody", 0, 0, AF_INET, "access.refused  listener  rede KEY_WRONG\n", "192.0.2.1"},
    {"cvk_lost", 0, 2, AF_INET, "access.refused gone lost1  any KEY_WRONG\n", "192.0.2.1"},
    {"cvk_broken", 0, 0, AF_INET6, "access.refused shop brok1  rede KEY_ADDRESS\n", "2001:db8::1"},
    {"cvk_read", 0, 0, AF_UNIX, "access.refused shop read1  rede KEY_PERMISSION\n", "unix"},
    {NULL, 1, 1, AF_INET, "access.refused shop listener  theirs KEY_MERCHANT\n", "192.0.2.1"},
    {"cvk_shop", 0, ROUTE_NONE_SUCH, AF_INET, "access.refused shop shop1   KEEPER_REFUSED\n", "192.0.2.1"},
};

START_TEST(a_refusal_says_who_and_from_where)
{
    set_up();
    struct keeper_caller c = caller(refusals[_i].key, refusals[_i].listener);
    c.route = refusals[_i].route;
    c.peer.ss_family = refusals[_i].family;
    if (c.peer.ss_family == AF_INET6) {
        struct sockaddr_in6 *in = (void *)&c.peer;
        in->sin6_addr = (struct in6_addr){.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
    }
    struct keeper_dialogue *d = open_dialogue(c);
    turns(4);
    ck_assert_str_eq(fake.audited, refusals[_i].audited);
    ck_assert_str_eq(fake.peer, refusals[_i].peer);
    keeper_end(d);
    tear_down();
}
END_TEST

/* --- how often --- */

START_TEST(twenty_one_bad_tokens)
{
    set_up();
    for (uint32_t i = 0; i < 20; i++) {
        struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
        reveal(d, i, "tok_unknown", TOKEN_PERMANENT);
        turns(3);
        ck_assert_ptr_nonnull(strstr(story, "TOKEN_UNKNOWN"));
        story[0] = '\0';
        keeper_end(d);
    }
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT); /* even a good one */
    expect("opened TOO_MANY_BAD_TOKENS 0 shop1;revealed 1 TOO_MANY_BAD_TOKENS;");
    keeper_end(d);
    struct keeper_caller elsewhere = caller("cvk_shop", 0);
    ((struct sockaddr_in *)(void *)&elsewhere.peer)->sin_addr.s_addr = htonl(0xc0000202);
    d = open_dialogue(elsewhere);
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    expect("opened NONE 1 shop1;revealed 1 NONE 4111111111111111 12/2030 ANNA B;");
    keeper_end(d);
    tear_down();
}
END_TEST

/* All in one message: the block begins within it, a good token after it is not revealed. */
START_TEST(bad_tokens_in_one_request)
{
    set_up();
    struct keeper_dialogue *d = open_dialogue(caller(NULL, 1));
    for (uint32_t i = 0; i < 20; i++) reveal(d, i, "tok_unknown", TOKEN_PERMANENT);
    reveal(d, 20, "tok_good1", TOKEN_PERMANENT);
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "revealed 19 TOKEN_UNKNOWN;revealed 20 TOO_MANY_BAD_TOKENS;"));
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(a_relay_has_only_so_many_reveals)
{
    set_up();
    config->reveals_per_second = 5;
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    for (uint32_t i = 0; i < 7; i++) reveal(d, i, "tok_good1", TOKEN_PERMANENT);
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "revealed 4 NONE 4111"));
    ck_assert_ptr_nonnull(strstr(story, "revealed 5 KEEPER_REFUSED;revealed 6 KEEPER_REFUSED;"));
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(a_key_has_its_rate)
{
    set_up();
    config->rate_per_key = 2;
    for (int i = 0; i < 3; i++) {
        struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
        expect(i < 2 ? "opened NONE 1 shop1;" : "opened KEY_RATE 0 shop1;");
        keeper_end(d);
    }
    tear_down();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {twenty_one_bad_tokens, bad_tokens_in_one_request, a_relay_has_only_so_many_reveals,
                                  a_key_has_its_rate};
    TCase *all = tcase_create("admission");
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(all, tests[i]);
    tcase_add_loop_test(all, who_may_open, 0, sizeof admissions / sizeof *admissions);
    tcase_add_loop_test(all, a_refusal_says_who_and_from_where, 0, sizeof refusals / sizeof *refusals);
    Suite *s = suite_create("admission");
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
