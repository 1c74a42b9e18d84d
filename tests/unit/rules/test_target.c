/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"

#include "rules/target.h"

#include <string.h>

static const struct {
    const char *text, *host, *path, *query; /* query NULL: none */
    int port;
    bool tls;
} good[] = {
    {"https://api.example", "api.example", "", NULL, 443, true},
    {"https://api.example/", "api.example", "/", NULL, 443, true},
    {"HTTPS://API.example:8443/v1/x?a=b?c", "API.example", "/v1/x", "a=b?c", 8443, true},
    {"http://api.example/", "api.example", "/", NULL, 80, false},
    {"https://api.example?", "api.example", "", "", 443, true},
    {"https://api.example?x=@y:1", "api.example", "", "x=@y:1", 443, true},
    {"https://api.example/a@b:c//d", "api.example", "/a@b:c//d", NULL, 443, true},
    {"https://192.0.3.1:1/x", "192.0.3.1", "/x", NULL, 1, true},
    {"https://[2606:4700::1]:65535/x", "2606:4700::1", "/x", NULL, 65535, true},
    {"https://[::FFFF:192.0.3.1]", "::FFFF:192.0.3.1", "", NULL, 443, true},
    {"https://xn--bcher-kva.example/%2e%2f", "xn--bcher-kva.example", "/%2e%2f", NULL, 443, true},
    {"https://localhost", "localhost", "", NULL, 443, true},
    {"https://a_b.example/{{6f4a8d4e:detokenize|extract:card}}", "a_b.example", "/{{6f4a8d4e:detokenize|extract:card}}", NULL, 443, true},
};

START_TEST(what_is_taken)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct target t;
        result r = target_parse(slice_of(good[i].text), &t);
        ck_assert_msg(!failed(r), "%s: %s", good[i].text, error_name(r.err));
        ck_assert_msg(slice_is(t.url.host, good[i].host) && slice_is(t.url.path, good[i].path), "%s", good[i].text);
        ck_assert_msg((t.query.at != NULL) == (good[i].query != NULL) && (!good[i].query || slice_is(t.query, good[i].query)), "%s", good[i].text);
        ck_assert_msg(t.url.port == good[i].port && t.url.tls == good[i].tls, "%s", good[i].text);
    }
}
END_TEST

static const struct {
    const char *text;
    enum error why;
} bad[] = {
    {"", ERR_TARGET_SCHEME},
    {"api.example", ERR_TARGET_SCHEME},
    {"//api.example", ERR_TARGET_SCHEME},
    {"https:/api.example", ERR_TARGET_SCHEME},
    {"https:\\\\api.example", ERR_TARGET_SCHEME},
    {"https:api.example", ERR_TARGET_SCHEME},
    {" https://api.example", ERR_TARGET_SCHEME},
    {"ftp://api.example", ERR_TARGET_SCHEME},
    {"file:///etc/passwd", ERR_TARGET_SCHEME},
    {"httpss://api.example", ERR_TARGET_SCHEME},
    {"javascript://api.example", ERR_TARGET_SCHEME},
    {"https://", ERR_TARGET_HOST},
    {"https:///x", ERR_TARGET_HOST},
    {"https://?x", ERR_TARGET_HOST},
    {"https://:443/", ERR_TARGET_HOST},
    {"https://-a.example", ERR_TARGET_HOST},
    {"https://a..example", ERR_TARGET_HOST},
    {"https://.example", ERR_TARGET_HOST},
    {"https://a b.example", ERR_TARGET_HOST},
    {"https://a\tb.example", ERR_TARGET_HOST},
    {"https://*.example", ERR_TARGET_HOST},
    {"https://a;b.example", ERR_TARGET_HOST},
    {"https://a,b.example", ERR_TARGET_HOST},
    {"https://{{t:detokenize}}.example", ERR_TARGET_HOST},
    {"https://a.example%00.evil.example", ERR_TARGET_ENCODED},
    {"https://%61.example", ERR_TARGET_ENCODED},
    {"https://a%2eexample", ERR_TARGET_ENCODED},
    {"https://127.0.0.1%2f@a.example", ERR_TARGET_USERINFO},
    {"https://user@a.example", ERR_TARGET_USERINFO},
    {"https://user:word@a.example/", ERR_TARGET_USERINFO},
    {"https://@a.example", ERR_TARGET_USERINFO},
    {"https://a.example:443@evil.example", ERR_TARGET_USERINFO},
    {"https://a.example@[::1]/", ERR_TARGET_USERINFO},
    {"https://b\xc3\xbc" "cher.example", ERR_TARGET_IDN},
    {"https://\xef\xbd\x81.example", ERR_TARGET_IDN},       /* a fullwidth letter, which IDNA maps to 'a' */
    {"https://a\xe3\x80\x82" "example", ERR_TARGET_IDN},    /* an ideographic full stop, which IDNA maps to '.' */
    {"https://a.example.", ERR_TARGET_DOT},
    {"https://a.example.:443/", ERR_TARGET_DOT},
    {"https://127.0.0.1.", ERR_TARGET_DOT},
    {"https://a.example..", ERR_TARGET_DOT},
    {"https://0x7f.1", ERR_TARGET_ADDRESS_FORM},
    {"https://0x7f000001", ERR_TARGET_ADDRESS_FORM},
    {"https://127.0.0.0x1", ERR_TARGET_ADDRESS_FORM},
    {"https://127.0.0.0X", ERR_TARGET_ADDRESS_FORM},
    {"https://2130706433", ERR_TARGET_ADDRESS_FORM},
    {"https://127.1", ERR_TARGET_ADDRESS_FORM},
    {"https://0177.0.0.1", ERR_TARGET_ADDRESS_FORM},
    {"https://127.0.0.01", ERR_TARGET_ADDRESS_FORM},
    {"https://127.0.0.256", ERR_TARGET_ADDRESS_FORM},
    {"https://1.2.3.4.5", ERR_TARGET_ADDRESS_FORM},
    {"https://0", ERR_TARGET_ADDRESS_FORM},
    {"https://[::1", ERR_TARGET_HOST},
    {"https://[]", ERR_TARGET_ADDRESS_FORM},
    {"https://[127.0.0.1]", ERR_TARGET_ADDRESS_FORM},
    {"https://[0:0:0:0:0:0:0:1]", ERR_TARGET_ADDRESS_FORM},
    {"https://[::ffff:7f00:1]", ERR_TARGET_ADDRESS_FORM},
    {"https://[::1%25lo]", ERR_TARGET_ADDRESS_FORM},
    {"https://[fe80::1%eth0]", ERR_TARGET_ADDRESS_FORM},
    {"https://[v1.x]", ERR_TARGET_ADDRESS_FORM},
    {"https://[::1]x", ERR_TARGET_HOST},
    {"https://[::1].a.example", ERR_TARGET_HOST},
    {"https://::1/", ERR_TARGET_HOST},
    {"https://a.example:", ERR_TARGET_PORT},
    {"https://a.example:/", ERR_TARGET_PORT},
    {"https://a.example:0", ERR_TARGET_PORT},
    {"https://a.example:0443", ERR_TARGET_PORT},
    {"https://a.example:65536", ERR_TARGET_PORT},
    {"https://a.example:18446744073709552059", ERR_TARGET_PORT},
    {"https://a.example:+443", ERR_TARGET_PORT},
    {"https://a.example:443:443", ERR_TARGET_PORT},
    {"https://a.example: 443", ERR_TARGET_PORT},
    {"https://a.example:https", ERR_TARGET_PORT},
    {"https://[::1]:x", ERR_TARGET_PORT},
    {"https://a.example#b", ERR_TARGET_FRAGMENT},
    {"https://a.example/x#", ERR_TARGET_FRAGMENT},
    {"https://a.example#@evil.example/", ERR_TARGET_FRAGMENT},
    {"https://a.example\\@evil.example/", ERR_TARGET_SYNTAX},
    {"https://a.example\\.evil.example", ERR_TARGET_SYNTAX},
    {"https://a.example/x\\y", ERR_TARGET_SYNTAX},
    {"https://a.example/x y", ERR_TARGET_SYNTAX},
    {"https://a.example/x\ty", ERR_TARGET_SYNTAX},
    {"https://a.example/\xc3\xbc", ERR_TARGET_SYNTAX},
    {"https://a.example/?\x7f", ERR_TARGET_SYNTAX},
    {"https://a.example/\"", ERR_TARGET_SYNTAX},
};

START_TEST(what_is_refused)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct target t;
        result r = target_parse(slice_of(bad[i].text), &t);
        ck_assert_msg(r.err == bad[i].why, "%s: %s", bad[i].text, failed(r) ? error_name(r.err) : "taken");
    }
    struct target t;
    ck_assert_int_eq(target_parse((slice){"https://a\0.example", 18}, &t).err, ERR_TARGET_HOST);
    ck_assert_int_eq(target_parse((slice){"https://a.example/\0", 19}, &t).err, ERR_TARGET_SYNTAX);
}
END_TEST

START_TEST(lengths)
{
    char text[TARGET_URL_MAX_BYTES + 2];
    struct target t;
    memset(text, 'x', sizeof text);
    memcpy(text, "https://a.example/", 18);
    ck_assert(!failed(target_parse((slice){text, TARGET_URL_MAX_BYTES}, &t)));
    ck_assert_int_eq(target_parse((slice){text, TARGET_URL_MAX_BYTES + 1}, &t).err, ERR_TARGET_LENGTH);
    for (size_t i = 8; i < 8 + 252; i++) text[i] = i % 2 ? '.' : 'x'; /* 126 labels and as many dots … */
    text[8 + 252] = 'x';
    ck_assert(!failed(target_parse((slice){text, 8 + 253}, &t)));
    text[8 + 253] = 'x';
    ck_assert_int_eq(target_parse((slice){text, 8 + 254}, &t).err, ERR_TARGET_HOST);
    memset(text + 8, 'x', 64); /* a label of 64 */
    ck_assert_int_eq(target_parse((slice){text, 8 + 64}, &t).err, ERR_TARGET_HOST);
    ck_assert(!failed(target_parse((slice){text, 8 + 63}, &t)));
}
END_TEST

START_TEST(authorities_of_connect)
{
    static const struct {
        const char *text;
        enum error why;
    } cases[] = {{"a.example:443", ERR_NONE}, {"[::1]:443", ERR_NONE},           {"a.example", ERR_TARGET_PORT},   {"a.example:", ERR_TARGET_PORT},
                 {":443", ERR_TARGET_HOST},   {"u@a.example:443", ERR_TARGET_USERINFO}, {"a.example:443/", ERR_TARGET_PORT}, {"", ERR_TARGET_HOST},
                 {"a.example.:443", ERR_TARGET_DOT}, {"0x7f.1:443", ERR_TARGET_ADDRESS_FORM}, {"*.example:443", ERR_TARGET_HOST}};
    struct upstream_url url;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(target_parse_authority(slice_of(cases[i].text), &url).err == cases[i].why, "%s", cases[i].text);
    ck_assert(!failed(target_parse_authority(SLICE("a.example:8443"), &url)));
    ck_assert(url.tls && url.port == 8443 && slice_is(url.host, "a.example"));
}
END_TEST

START_TEST(patterns)
{
    static const struct {
        const char *text;
        enum error why;
    } cases[] = {{"https://*.example", ERR_NONE},      {"https://*.example:8443/", ERR_NONE}, {"https://api.example", ERR_NONE}, {"https://*.10.0.0.1", ERR_TARGET_HOST},
                 {"https://*.example/x", ERR_TARGET_ORIGIN}, {"https://a.example?x", ERR_TARGET_ORIGIN}, {"https://*", ERR_TARGET_HOST}, {"https://*.", ERR_TARGET_DOT},
                 {"https://*.*.example", ERR_TARGET_HOST}, {"https://a.*.example", ERR_TARGET_HOST}, {"https://[*]", ERR_TARGET_ADDRESS_FORM}};
    struct upstream_url url;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(target_parse_pattern(slice_of(cases[i].text), &url).err == cases[i].why, "%s", cases[i].text);
}
END_TEST

START_TEST(lists)
{
    struct config_target list[4] = {{.may_be_private = false}};
    static const char *const listed[] = {"https://*.example", "https://api.example", "https://b.example:8443", "http://old.example"};
    static const struct {
        const char *url;
        int entry; /* -1: none */
    } cases[] = {{"https://x.example/", 0},  {"https://API.example:443", 1}, {"https://api.example:8443", -1}, {"https://b.example:8443/x", 2},
                 {"https://b.example", 0},   {"http://old.example", 3},      {"https://old.example", 0},       {"http://api.example", -1},
                 {"https://a.b.example", -1}, {"https://example", -1},       {"https://api.example.evil", -1}, {"http://old.example:8080", -1}};
    for (size_t i = 0; i < 4; i++) ck_assert(!failed(target_parse_pattern(slice_of(listed[i]), &list[i].url)));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct target t;
        ck_assert(!failed(target_parse(slice_of(cases[i].url), &t)));
        const struct config_target *found = target_find(list, 4, &t.url);
        ck_assert_msg((found ? (int)(found - list) : -1) == cases[i].entry, "%s", cases[i].url);
    }
    ck_assert_ptr_null(target_find(NULL, 0, &list[0].url));
}
END_TEST

START_TEST(private_addresses)
{
    static const struct {
        const char *url;
        bool is_private;
    } cases[] = {{"https://10.0.0.1", true}, {"https://192.0.3.1", false}, {"https://[::1]", true}, {"https://[::ffff:127.0.0.1]", true},
                 {"https://[2606:4700::1]", false}, {"https://localhost", false}, {"https://a.example", false}};
    struct target t;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(!failed(target_parse(slice_of(cases[i].url), &t)));
        ck_assert_msg(target_is_private_address(&t.url) == cases[i].is_private, "%s", cases[i].url);
    }
}
END_TEST

RUN_TESTS("target", what_is_taken, what_is_refused, lengths, authorities_of_connect, patterns, lists, private_addresses)
