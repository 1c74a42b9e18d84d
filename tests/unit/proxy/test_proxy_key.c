/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_key.h"

#include "../base/suite.h"

#include <string.h>

START_TEST(fields)
{
    static const struct {
        const char *value, *key; /* key NULL: none was given */
    } cases[] = {
        {"Bearer cvk_a_b", "cvk_a_b"},
        {"bearer   cvk_a_b ", "cvk_a_b"},
        {"Basic YTpjdmtfYQ==", "cvk_a"},   /* a:cvk_a */
        {"BASIC Y3ZrX2E6", "cvk_a"},       /* cvk_a: */
        {"Basic Y3ZrX2E=", "cvk_a"},       /* cvk_a */
        {"Basic YTpiOmM=", "b:c"},         /* a:b:c */
        {"Basic Og==", ""},
        {"Basic", ""},
        {"Basic ", ""},
        {"Basic !", ""},
        {"Basic YTpjdmtfYQ", ""},
        {"Bearer", ""},
        {"Bearercvk_a_b", ""},
        {"Digest cvk_a_b", ""},
        {"cvk_a_b", ""},
        {"", ""},
        {"Bearer 01234567890123456789012345678901234567890123456789012345678901234", ""}, /* longer than any of ours */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_field field = {SLICE("Proxy-Authorization"), slice_trim(slice_of(cases[i].value))};
        struct http_head head = {.fields = &field, .field_count = 1};
        struct proxy_key key;
        proxy_key_read(&head, &key);
        ck_assert_msg(key.is_given && slice_is((slice){key.text, key.len}, cases[i].key), "%s", cases[i].value);
    }
}
END_TEST

START_TEST(none_and_two)
{
    struct http_field two[] = {{SLICE("proxy-authorization"), SLICE("Bearer a")}, {SLICE("Proxy-Authorization"), SLICE("Bearer a")}};
    struct http_head head = {.fields = two, .field_count = 2};
    struct proxy_key key;
    proxy_key_read(&head, &key);
    ck_assert(key.is_given && key.len == 0);
    two[0].name = two[1].name = SLICE("authorization");
    proxy_key_read(&head, &key);
    ck_assert(!key.is_given);
}
END_TEST

RUN_TESTS("proxy_key", fields, none_and_two)
