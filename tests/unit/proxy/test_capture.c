/* SPDX-License-Identifier: Apache-2.0 */
/* Cards of a head and a body, numbered through; the keeper is played here. */
#include "../../../src/proxy/capture.h"

#include "base/secret.h"

#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define VISA "4111111111111111"
#define MASTERCARD "5555555555554444"
#define AMEX "378282246310005"

static struct capture *c;
static struct plan plan = {.format = BODY_JSON, .find_pan = true};
static struct buf out;
static char asked[16][PAN_MAX_DIGITS + 1];
static uint32_t asked_count;
static enum error keeper_says;

result __wrap_keeper_capture(struct keeper_dialogue *d, uint32_t index, const struct credential *found);
result __wrap_keeper_capture(struct keeper_dialogue *d, uint32_t index, const struct credential *found)
{
    (void)d;
    if (keeper_says) return (result){keeper_says};
    ck_assert_uint_eq(index, asked_count);
    memcpy(asked[asked_count], found->number, found->number_len);
    asked[asked_count++][found->number_len] = '\0';
    return OK;
}

/* What is given back to the heap, while a test looks for <left_behind> in it. */
static const char *left_behind;
static bool is_left_behind;
void __real_free(void *at);
void __wrap_free(void *at);
void __wrap_free(void *at)
{
    if (at && left_behind && memmem(at, malloc_usable_size(at), left_behind, strlen(left_behind))) is_left_behind = true;
    __real_free(at);
}

static void set_up(void)
{
    ck_assert(!failed(secret_start(1 << 20)));
    plan.paths = path_set_new(PATH_JSON);
    c = capture_new();
    buf_init_secret(&out, 65536);
    memset(asked, 0, sizeof asked);
    asked_count = 0;
    keeper_says = ERR_NONE;
}

static void tear_down(void)
{
    capture_free(c);
    plan_done(&plan);
    buf_done(&out);
}

static void body(const char *text)
{
    struct inbound_options o = {.plan = &plan, .max_held_bytes = 65536, .max_cards = 16};
    ck_assert(!failed(capture_open_body(c, &o)) && !failed(capture_feed(c, slice_of(text))));
}

static void ask(uint32_t want)
{
    uint32_t count;
    ck_assert(!failed(capture_end(c)) && !failed(capture_ask(c, NULL, &count)));
    ck_assert_uint_eq(count, want);
    ck_assert_uint_eq(asked_count, want);
}

static void answer_all(void)
{
    char alias[32];
    for (uint32_t i = 0; i < asked_count; i++) {
        (void)snprintf(alias, sizeof alias, "alias-%u", i);
        const struct captured what = {.alias = slice_of(alias), .fell = i == 1};
        ck_assert(!failed(capture_take(c, i, &what)));
    }
}

static bool rendered(result r, const char *want)
{
    bool same = !failed(r) && slice_is(buf_slice(&out), want);
    buf_clear(&out);
    return same;
}

START_TEST(cards_of_head_and_body_are_numbered_through)
{
    uint32_t path, none, field;
    ck_assert(!failed(capture_add_text(c, SLICE("/a/" MASTERCARD), ENCODING_PATH, &path)));
    ck_assert(!failed(capture_add_text(c, SLICE("nothing"), ENCODING_FIELD_VALUE, &none)));
    body("{\"n\":\"" VISA "\"}");
    ck_assert(!failed(capture_add_text(c, SLICE(AMEX ", " VISA), ENCODING_FIELD_VALUE, &field)));
    ck_assert(path == 1 && none == 0 && field == 2);
    ask(4);
    ck_assert_str_eq(asked[0], MASTERCARD);
    ck_assert_str_eq(asked[1], AMEX);
    ck_assert_str_eq(asked[3], VISA);
    answer_all();
    ck_assert(rendered(capture_render_text(c, path, &out), "/a/alias-0"));
    ck_assert(rendered(capture_render_text(c, field, &out), "alias-1, alias-2"));
    ck_assert(rendered(capture_render_body(c, &out), "{\"n\":\"alias-3\"}"));
    ck_assert(rendered(capture_write_masked(c, &out), "alias-0=555555xxxxxx4444; alias-1=378282xxxxx0005; "
                                                      "alias-2=411111xxxxxx1111; alias-3=411111xxxxxx1111"));
    struct capture_counts counts = capture_counts(c);
    ck_assert(counts.cards == 4 && counts.cvcs == 0 && counts.fell == 1 && counts.invalid == 0 && capture_changes_body(c));
}
END_TEST

/* Of a short number six and four digits would leave hardly any to guess. */
START_TEST(a_short_number_shows_its_last_four)
{
    body("{\"n\":\"4222222222222\"}");
    ask(1);
    answer_all();
    ck_assert(rendered(capture_write_masked(c, &out), "alias-0=xxxxxxxxx2222"));
}
END_TEST

START_TEST(nothing_found_changes_nothing)
{
    body("{\"n\": 1}");
    ask(0);
    ck_assert(!capture_changes_body(c) && rendered(capture_render_body(c, &out), "{\"n\": 1}"));
    ck_assert(rendered(capture_write_masked(c, &out), ""));
}
END_TEST

START_TEST(a_head_alone)
{
    uint32_t field;
    ck_assert(!failed(capture_add_text(c, SLICE(VISA), ENCODING_FIELD_VALUE, &field)) && !failed(capture_feed(c, SLICE("x"))));
    ask(1);
    answer_all();
    ck_assert(!capture_changes_body(c) && !capture_fault(c) && rendered(capture_render_text(c, field, &out), "alias-0"));
}
END_TEST

START_TEST(an_alias_that_is_none_is_not_taken)
{
    body("{\"n\":\"" VISA "\"}");
    ask(1);
    static const char *const wrong[] = {"", "a b", "a\"b", "a\r\nb"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct captured what = {.alias = slice_of(wrong[i])};
        ck_assert_int_eq(capture_take(c, 0, &what).err, ERR_INTERNAL);
    }
    ck_assert_int_eq(capture_render_body(c, &out).err, ERR_INTERNAL); /* never without it */
}
END_TEST

/* Whoever has a CVC's alias can have the CVC, once: it does not stay in the heap. */
START_TEST(aliases_are_wiped)
{
    body("{\"n\":\"" VISA "\"}");
    ask(1);
    const struct captured what = {.alias = SLICE("tmp_0a1b2c3d")};
    ck_assert(!failed(capture_take(c, 0, &what)));
    left_behind = "tmp_0a1b2c3d";
    capture_free(c);
    left_behind = NULL;
    c = NULL;
    ck_assert(!is_left_behind);
}
END_TEST

START_TEST(a_keeper_that_cannot_be_asked)
{
    uint32_t count;
    body("{\"n\":\"" VISA "\"}");
    keeper_says = ERR_KEEPER_AWAY;
    ck_assert(!failed(capture_end(c)));
    ck_assert_int_eq(capture_ask(c, NULL, &count).err, ERR_KEEPER_AWAY);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("capture");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, cards_of_head_and_body_are_numbered_through);
    tcase_add_test(t, a_short_number_shows_its_last_four);
    tcase_add_test(t, nothing_found_changes_nothing);
    tcase_add_test(t, a_head_alone);
    tcase_add_test(t, an_alias_that_is_none_is_not_taken);
    tcase_add_test(t, aliases_are_wiped);
    tcase_add_test(t, a_keeper_that_cannot_be_asked);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? 1 : 0;
}
