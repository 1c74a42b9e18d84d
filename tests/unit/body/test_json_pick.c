/* SPDX-License-Identifier: Apache-2.0 */
#include "body/json_pick.h"

#include "../base/suite.h"

#include <stdio.h>
#include <string.h>

struct seen {
    char text[256];
    unsigned texts; /* of the values: strings */
};

static void on_value(void *owner, uint32_t path, slice value, bool is_text)
{
    struct seen *s = owner;
    s->texts += is_text;
    size_t len = strlen(s->text);
    (void)snprintf(s->text + len, sizeof s->text - len, "%u=%.*s;", (unsigned)path, SLICE_ARG(value));
}

static void on_other(void *owner, uint32_t path, enum json_pick_kind kind)
{
    static const char *const names[] = {[JSON_PICK_NULL] = "null", [JSON_PICK_OBJECT] = "{}", [JSON_PICK_ARRAY] = "[]"};
    on_value(owner, path, slice_of(names[kind]), false);
}

static struct path_set *paths_of(const char *const *texts)
{
    struct path_set *s = path_set_new(PATH_JSON);
    for (; *texts; texts++) {
        uint32_t number;
        size_t at;
        ck_assert_int_eq(path_set_add(s, slice_of(*texts), &number, &at).err, ERR_NONE);
    }
    return s;
}

START_TEST(test_picks)
{
    static const char *const texts[] = {"$.returnCode", "$.brand.returnCode", "$.list[1].a", "$..deep", "$.list[*].b", NULL};
    static const struct {
        const char *json, *seen;
        enum error err;
        unsigned texts;
    } cases[] = {
        {"{\"returnCode\":\"00\"}", "0=00;", ERR_NONE, 1},
        {"{\"brand\":{\"returnCode\":\"05\"},\"returnCode\":58}", "1=05;0=58;", ERR_NONE, 1},
        {"{\"list\":[{\"a\":1,\"b\":2},{\"a\":true,\"b\":\"\\u0041\"}]}", "4=2;2=true;4=A;", ERR_NONE, 1},
        {"{\"x\":[{\"y\":{\"deep\":-1.50e3}}],\"deep\":false}", "3=-1.50e3;3=false;", ERR_NONE},
        {"{\"returnCode\":null,\"brand\":{\"returnCode\":{}},\"list\":[]}", "", ERR_NONE},
        {"[{\"returnCode\":\"00\"}]", "", ERR_NONE},
        {"\"returnCode\"", "", ERR_NONE},
        {"{\"returnCode\":\"00\"", "0=00;", ERR_JSON_SYNTAX, 1},
        {"{\"returnCode\":\"00\"} {}", "0=00;", ERR_JSON_SYNTAX, 1},
        {"{\"returnCode\":\"00\"}\"{}", "0=00;", ERR_JSON_SYNTAX, 1},
        {"", "", ERR_JSON_SYNTAX},
        {"<html>", "", ERR_JSON_SYNTAX},
        {"{\"returnCode\":\"\xff\"}", "", ERR_UTF8},
    };
    struct path_set *paths = paths_of(texts);
    struct seen s = {.text = ""};
    result r = json_pick(paths, slice_of(cases[_i].json), on_value, &s);
    ck_assert_str_eq(s.text, cases[_i].seen);
    ck_assert_int_eq(r.err, cases[_i].err);
    ck_assert_uint_eq(s.texts, cases[_i].texts);
    path_set_free(paths);
}
END_TEST

/* {"a":1} inside <depth> arrays. */
static result pick_at_depth(unsigned depth, struct seen *s)
{
    static const char *const texts[] = {"$..a", NULL};
    char json[512], *at = json;
    struct path_set *paths = paths_of(texts);
    memset(at, '[', depth);
    at += depth;
    memcpy(at, "{\"a\":1}", 7);
    at += 7;
    memset(at, ']', depth);
    result r = json_pick(paths, (slice){json, 2 * depth + 7}, on_value, s);
    path_set_free(paths);
    return r;
}

START_TEST(test_depth)
{
    struct seen s = {.text = ""};
    ck_assert_int_eq(pick_at_depth(63, &s).err, ERR_NONE);
    ck_assert_str_eq(s.text, "0=1;");
    ck_assert_int_eq(pick_at_depth(64, &s).err, ERR_JSON_DEPTH);
}
END_TEST

START_TEST(test_what_has_no_text)
{
    static const char *const texts[] = {"$", "$.a", "$.a[*]", "$.a[*].b", NULL};
    static const struct {
        const char *json, *seen;
    } cases[] = {
        {"{\"a\":[{\"b\":1},null,[],{\"b\":{\"b\":2}},{\"b\":[]}],\"x\":{\"a\":[]}}", "0={};1=[];2={};3=1;2=null;2=[];2={};3={};2={};3=[];"},
        {"{\"a\":null}", "0={};1=null;"},
        {"[{\"a\":1}]", "0=[];"},
        {"null", "0=null;"},
        {"\"t\"", "0=t;"},
    };
    struct path_set *paths = paths_of(texts);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen s = {.text = ""};
        ck_assert_int_eq(json_pick_all(paths, slice_of(cases[i].json), on_value, on_other, &s).err, ERR_NONE);
        ck_assert_str_eq(s.text, cases[i].seen);
    }
    path_set_free(paths);
}
END_TEST

static TCase *cases_of_picks(void)
{
    TCase *c = tcase_create("json_pick");
    tcase_add_loop_test(c, test_picks, 0, 12);
    tcase_add_test(c, test_depth);
    tcase_add_test(c, test_what_has_no_text);
    return c;
}

int main(void)
{
    Suite *s = suite_create("json_pick");
    suite_add_tcase(s, cases_of_picks());
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
