/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/ft_headers.h"

#include "../base/suite.h"
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

static struct pool *pool;

static result read(const char *text, struct ft_headers *out)
{
    pool_free(pool);
    pool = pool_new(1024 * 1024);
    ck_assert_ptr_nonnull(pool);
    return ft_headers_read(slice_of(text), pool, out);
}

/* "name=value;name=value;" */
static void check_taken(const char *text, const char *expected)
{
    struct ft_headers h;
    struct buf out;
    result r = read(text, &h);
    ck_assert_msg(!failed(r), "%s: %s", text, error_name(r.err));
    buf_init(&out, 8192);
    for (size_t i = 0; i < h.count; i++) {
        const slice parts[] = {h.fields[i].name, SLICE("="), h.fields[i].value, SLICE(";")};
        for (size_t k = 0; k < 4; k++) ck_assert(!failed(buf_append(&out, parts[k])));
    }
    ck_assert_msg(slice_is(buf_slice(&out), expected), "%s: %.*s", text, SLICE_ARG(buf_slice(&out)));
    ck_assert(h.blamed.at == NULL);
    buf_done(&out);
}

START_TEST(members)
{
    check_taken("{}", "");
    check_taken(" {\"Authorization\" : \"Basic YTpi\"} ", "Authorization=Basic YTpi;");
    check_taken("{\"a\":1.50e2,\"B\":true,\"c\":false,\"d\":-0}", "a=1.50e2;B=true;c=false;d=-0;");
    check_taken("{\"x-api-key\":\"k\",\"content-type\":\"application/xml\",\"accept\":\"*/*\"}",
                "x-api-key=k;content-type=application/xml;accept=*/*;");
    check_taken("{\"\\u0061\":\"\\u0041\\t\\/\\\\u1234\\\"\"}", "a=A\t/\\u1234\";");
    check_taken("{\"a\":\" \\t b \\t\",\"c\":\"\"}", "a=b;c=;");
    check_taken("{\"a\":\"{{ TOKEN1 : detokenize }}\"}", "a={{ TOKEN1 : detokenize }};");
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *text;
        enum error err;
        const char *blamed; /* NULL: none */
    } cases[] = {
        {"", ERR_FT_HEADERS_JSON, NULL},
        {"{", ERR_FT_HEADERS_JSON, NULL},
        {"[]", ERR_FT_HEADERS_JSON, NULL},
        {"1", ERR_FT_HEADERS_JSON, NULL},
        {"\"a\"", ERR_FT_HEADERS_JSON, NULL},
        {"null", ERR_FT_HEADERS_JSON, NULL},
        {"{} {}", ERR_FT_HEADERS_JSON, NULL},
        {"{}x", ERR_FT_HEADERS_JSON, NULL},
        {"{} \"", ERR_FT_HEADERS_JSON, NULL},
        {"{'a':'b'}", ERR_FT_HEADERS_JSON, NULL},
        {"{/**/}", ERR_FT_HEADERS_JSON, NULL},
        {"{\"a\":\"b\",}", ERR_FT_HEADERS_JSON, NULL},
        {"a: b", ERR_FT_HEADERS_JSON, NULL},
        {"{\"a\":\"\\ud83d\\ude00\"}", ERR_FT_HEADERS_JSON, NULL},
        {"{\"a\":\"\\ud83d\"}", ERR_FT_HEADERS_JSON, NULL},
        {"{\"a\":\"\\u2028\"}", ERR_FT_HEADERS_JSON, NULL},
        {"{\"a\":\"\xc3\xa9\"}", ERR_FT_HEADERS_JSON, NULL},
        {"{\"a\":\"x\\r\\nHost: evil\"}", ERR_FT_HEADERS_VALUE, "a"},
        {"{\"a\":\"x\\u000aHost: evil\"}", ERR_FT_HEADERS_VALUE, "a"},
        {"{\"a\":\"x\\u0000\"}", ERR_FT_HEADERS_VALUE, "a"},
        {"{\"a\":\"x\\u007f\"}", ERR_FT_HEADERS_VALUE, "a"},
        {"{\"a\":\"x\\u00e9\"}", ERR_FT_HEADERS_VALUE, "a"},
        {"{\"a\":null}", ERR_FT_HEADERS_VALUE, "a"},
        {"{\"a\":[\"b\"]}", ERR_FT_HEADERS_VALUE, "a"},
        {"{\"b\":1,\"a\":{\"c\":1}}", ERR_FT_HEADERS_VALUE, "a"},
        {"{\"\":\"b\"}", ERR_FT_HEADERS_NAME, ""},
        {"{\"a b\":\"c\"}", ERR_FT_HEADERS_NAME, "a b"},
        {"{\"a:\":\"c\"}", ERR_FT_HEADERS_NAME, "a:"},
        {"{\"a\\r\\nb\":\"c\"}", ERR_FT_HEADERS_NAME, "a\r\nb"},
        {"{\"a\":1,\"A\":1}", ERR_FT_HEADERS_TWICE, "A"},
        {"{\"a\":1,\"a\":1}", ERR_FT_HEADERS_TWICE, "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ft_headers h;
        result r = read(cases[i].text, &h);
        ck_assert_msg(r.err == cases[i].err, "%s: %s", cases[i].text, error_name(r.err));
        ck_assert_msg(cases[i].blamed ? slice_is(h.blamed, cases[i].blamed) : !h.blamed.at, "%s: %.*s", cases[i].text, SLICE_ARG(h.blamed));
    }
}
END_TEST

START_TEST(names_that_are_ours)
{
    static const char *const names[] = {"Host", "content-length", "Content_Length", "Transfer-Encoding", "transfer_encoding", "TE", "Trailer",
                                        "Connection", "keep-alive", "Proxy-Connection", "Upgrade", "Expect", "HTTP2-Settings",
                                        "proxy-authorization", "Content-Encoding", "ft-url-destiny", "FT-Access-Key", "ft-", "x-cardveil-url",
                                        "X-Cardveil-Card-Token-Type", "x-cc-url"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[128];
        struct ft_headers h;
        (void)snprintf(text, sizeof text, "{\"%s\":\"1\"}", names[i]);
        ck_assert_msg(read(text, &h).err == ERR_FT_HEADERS_OURS && slice_is(h.blamed, names[i]), "%s", names[i]);
    }
}
END_TEST

START_TEST(how_many)
{
    for (unsigned count = FT_HEADERS_MAX; count <= FT_HEADERS_MAX + 1; count++) {
        char text[2048] = "{\"first\":1";
        struct ft_headers h;
        for (unsigned i = 1; i < count; i++) (void)snprintf(text + strlen(text), sizeof text - strlen(text), ",\"h%u\":%u", i, i);
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "}");
        result r = read(text, &h);
        ck_assert(count == FT_HEADERS_MAX ? !failed(r) && h.count == count : r.err == ERR_FT_HEADERS_COUNT);
    }
}
END_TEST

/* A pool that is too small is told, whichever copy it is that finds no room. */
START_TEST(no_room)
{
    const char *text = "{\"some-name\":\"some value that is longer than a piece of memory\",\"other\":\"another value of that kind\"}";
    bool is_taken = false;
    for (size_t max = 0; max < 8192 && !is_taken; max += 16) {
        struct ft_headers h;
        struct pool *small = pool_new(max);
        result r = ft_headers_read(slice_of(text), small, &h);
        is_taken = !failed(r);
        ck_assert(is_taken || r.err == ERR_MEMORY || r.err == ERR_TOO_LARGE);
        pool_free(small);
    }
    ck_assert(is_taken);
}
END_TEST

RUN_TESTS("ft_headers", members, refusals, names_that_are_ours, how_many, no_room)
