/* SPDX-License-Identifier: Apache-2.0 */
/* Values out of a stranger's JSON: where they stand, what may not stand there. */
#include "../base/suite.h"

#include "../../../src/network/json.h"
#include "base/buf.h"

#include <string.h>

static const char *const paths[] = {"id", "a.b", "a.c", "list.[].x", "[].id", "raw{}", "a.list.[].[].y"};
enum { PATHS = sizeof paths / sizeof paths[0] };

/* "0=one;1=two;": what was given, in order. */
static result note(void *owner, size_t path, slice value)
{
    struct buf *b = owner;
    TRY(buf_append_u64(b, path));
    TRY(buf_append(b, SLICE("=")));
    TRY(buf_append(b, value));
    return buf_append(b, SLICE(";"));
}

static const struct {
    const char *text, *given;
    enum error e;
} cases[] = {
    {"{\"id\":\"one\"}", "0=one;", ERR_NONE},
    {" { \"x\" : {\"id\":\"no\"}, \"id\" : \"one\" } ", "0=one;", ERR_NONE},
    {"{\"a\":{\"c\":\"3\",\"b\":\"2\"},\"b\":\"no\",\"a.b\":\"no\"}", "2=3;1=2;", ERR_NONE},
    {"{\"a\":[{\"b\":\"no\"}]}", "", ERR_NONE},
    {"{\"list\":[{\"x\":\"1\"},{},[{\"x\":\"no\"}],\"s\",7,{\"x\":\"2\"}]}", "3=1;3=2;", ERR_NONE},
    {"[{\"id\":\"one\"},{\"id\":\"two\"}]", "4=one;4=two;", ERR_NONE},
    {"{\"[]\":{\"id\":\"in a member of that name\"}}", "", ERR_NONE},
    {"{\"raw\" : { \"a\" : [1, 2 ] } , \"id\":\"x\"}", "5={ \"a\" : [1, 2 ] };0=x;", ERR_NONE},
    {"{\"raw\":[]}", "5=[];", ERR_NONE},
    {"{\"a\":{\"list\":[[{\"y\":\"1\"}],[{\"y\":\"2\"},{\"y\":\"3\"}]]}}", "6=1;6=2;6=3;", ERR_NONE},
    {"{\"\\u0069d\":\"\\u006fne\"}", "0=one;", ERR_NONE},
    {"{\"id\":null,\"a\":null}", "", ERR_NONE},
    {"{\"x\":1,\"x\":2}", "", ERR_NONE}, /* not on a path: nobody reads either */
    {"\"id\"", "", ERR_NONE},
    {"{\"id\":\"\"}", "0=;", ERR_NONE},
    {"{\"id\":\"one\",\"id\":\"two\"}", "0=one;", ERR_JSON_DUPLICATE_KEY},
    {"{\"id\":\"one\",\"\\u0069d\":\"two\"}", "0=one;", ERR_JSON_DUPLICATE_KEY},
    {"{\"a\":{\"b\":\"2\"},\"a\":{\"c\":\"3\"}}", "1=2;", ERR_JSON_DUPLICATE_KEY},
    {"{\"raw\":{},\"raw\":{}}", "5={};", ERR_JSON_DUPLICATE_KEY},
    {"{\"id\":7}", "", ERR_NETWORK_ANSWER},
    {"{\"id\":true}", "", ERR_NETWORK_ANSWER},
    {"{\"id\":{}}", "", ERR_NETWORK_ANSWER},
    {"{\"id\":[\"one\"]}", "", ERR_NETWORK_ANSWER},
    {"{\"raw\":\"{}\"}", "", ERR_NETWORK_ANSWER},
    {"", "", ERR_JSON_CUT_OFF},
    {"{\"id\":\"one\"", "0=one;", ERR_JSON_CUT_OFF},
    {"{\"id\":\"one\"}x", "0=one;", ERR_JSON_SYNTAX},
    {"{\"id\":\"one\"}{}", "0=one;", ERR_JSON_SYNTAX},
    {"{\"id\":\"one\"}\"{}", "0=one;", ERR_JSON_CUT_OFF},
    {"{id:1}", "", ERR_JSON_SYNTAX},
    {"<html>", "", ERR_JSON_SYNTAX},
    {"{\"id\":\"\xff\"}", "", ERR_JSON_SYNTAX},
};

START_TEST(values)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf given;
        buf_init(&given, 1000);
        result r = json_take(slice_of(cases[i].text), paths, PATHS, note, &given);
        ck_assert_msg(r.err == cases[i].e, "%s: %s", cases[i].text, error_name(r.err));
        ck_assert_msg(slice_is(buf_slice(&given), cases[i].given), "%s: %.*s", cases[i].text, (int)given.len, given.at);
        buf_done(&given);
    }
}
END_TEST

static void nest(char *text, size_t depth)
{
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
}

START_TEST(depth)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    struct buf given;
    buf_init(&given, 10);
    nest(text, JSON_DEPTH_MAX);
    ck_assert(!failed(json_take((slice){text, 2 * JSON_DEPTH_MAX}, paths, PATHS, note, &given)));
    nest(text, JSON_DEPTH_MAX + 1);
    ck_assert_int_eq(json_take((slice){text, sizeof text}, paths, PATHS, note, &given).err, ERR_JSON_DEPTH);
    buf_done(&given);
}
END_TEST

START_TEST(what_the_taker_says_ends_it)
{
    struct buf given;
    buf_init(&given, 4);
    ck_assert_int_eq(json_take(SLICE("{\"id\":\"far too long\",\"a\":7"), paths, PATHS, note, &given).err,
                     ERR_TOO_LARGE);
    buf_done(&given);
}
END_TEST

START_TEST(fields)
{
    char text[200];
    struct json_field f[PATHS];
    ck_assert(!failed(json_take_fields(SLICE("{\"a\":{\"b\":\"two\"}}"), paths, 3, f)));
    ck_assert(slice_is(json_field_text(&f[1]), "two"));
    ck_assert_uint_eq(f[0].len + f[2].len, 0);
    memset(text, 'x', sizeof text);
    memcpy(text, "{\"id\":\"", 7);
    memcpy(text + 7 + JSON_FIELD_MAX_BYTES, "\"}", 2);
    ck_assert(!failed(json_take_fields((slice){text, 9 + JSON_FIELD_MAX_BYTES}, paths, 3, f)));
    ck_assert_uint_eq(f[0].len, JSON_FIELD_MAX_BYTES);
    memcpy(text + 7 + JSON_FIELD_MAX_BYTES, "x\"}", 3);
    ck_assert_int_eq(json_take_fields((slice){text, 10 + JSON_FIELD_MAX_BYTES}, paths, 3, f).err, ERR_NETWORK_ANSWER);
}
END_TEST

RUN_TESTS("network json", values, depth, what_the_taker_says_ends_it, fields)
