/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/proxy/media.h"

#include <check.h>

static struct http_field fields[1];
static struct http_head head = {.fields = fields, .field_count = 1};

static const struct http_head *with(const char *content_type)
{
    fields[0] = (struct http_field){SLICE("Content-Type"), slice_of(content_type)};
    return &head;
}

START_TEST(types)
{
    ck_assert(slice_is(media_type(with("Application/JSON ; charset=utf-8")), "Application/JSON"));
    ck_assert(slice_is(media_type(with(" text/csv;header=present")), "text/csv"));
    ck_assert(slice_is(media_type(with("")), "") && slice_is(media_type(with(";")), ""));
}
END_TEST

START_TEST(parameters)
{
    static const struct {
        const char *type, *name, *value;
    } cases[] = {{"text/xml; charset=ISO-8859-1", "charset", "ISO-8859-1"},
                 {"text/xml;Charset=\"utf-8\" ; x=y", "charset", "utf-8"},
                 {"text/xml; a=\"; charset=no\"; charset=yes", "charset", "yes"},
                 {"text/xml; a=\"\\\"; charset=no\"; charset=yes", "charset", "yes"},
                 {"multipart/form-data; boundary=\"a b;c\"", "boundary", "a b;c"},
                 {"multipart/form-data; boundary=", "boundary", ""},
                 {"multipart/form-data; boundary=a; x=y; Boundary=\"b\"", "boundary", ""}, /* nobody's, then */
                 {"text/xml; xcharset=no", "charset", NULL},
                 {"text/xml; charset", "charset", NULL},
                 {"text/xml;;;", "charset", NULL},
                 {"text/xml; a=\"charset=no", "charset", NULL},
                 {"", "charset", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slice got = media_parameter(with(cases[i].type), cases[i].name);
        ck_assert_msg(cases[i].value ? got.at && slice_is(got, cases[i].value) : !got.at, "%s: %.*s", cases[i].type, SLICE_ARG(got));
    }
}
END_TEST

START_TEST(digests)
{
    ck_assert(media_is_digest_field(SLICE("Digest")) && media_is_digest_field(SLICE("content-MD5")));
    ck_assert(media_is_digest_field(SLICE("Content-Digest")) && media_is_digest_field(SLICE("repr-digest")));
    ck_assert(!media_is_digest_field(SLICE("want-digest")) && !media_is_digest_field(SLICE("etag")));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("media");
    TCase *t = tcase_create("all");
    tcase_add_test(t, types);
    tcase_add_test(t, parameters);
    tcase_add_test(t, digests);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? 1 : 0;
}
