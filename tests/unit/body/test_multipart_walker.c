/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "fake_finder.h"
#include "help.h"

#include <stdio.h>
#include <string.h>

#define RULES "field pan number\nfield cvc cvc\nfield a\"b\\c holder\nfield who holder"
#define FIELD(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define TOLD(name) "[Content-Disposition: form-data; name=\"" name "\"]"
#define TYPED(fields) "--b\r\nContent-Disposition: form-data; name=n\r\n" fields "\r\n\r\n"
#define TOLD_TYPED(fields) "[Content-Disposition: form-data; name=n][" fields "]"
#define END "\r\n--b--\r\n"

struct multipart_case {
    const char *in;
    const char *told; /* NULL: refused with <err> */
    enum error err;
    const char *path; /* of the fault */
};

static struct plan *multipart_plan(void)
{
    struct plan *plan = plan_of(BODY_MULTIPART, RULES);
    plan->find_pan = true;
    return plan;
}

static void check_in(const struct fake_options *options, const struct multipart_case *c)
{
    struct fake_run r = fake_every_split(options, slice_of(c->in));
    ck_assert_msg(r.err == c->err, "%s: %s at %u '%s', not %s", c->in, error_name(r.err), (unsigned)r.fault.offset, r.fault.path,
                  error_name(c->err));
    if (c->told)
        ck_assert_msg(slice_is(buf_slice(&r.told), c->told), "%s\n tells %.*s\n   not %s", c->in, SLICE_ARG(buf_slice(&r.told)), c->told);
    if (c->path) ck_assert_str_eq(r.fault.path, c->path);
    fake_run_done(&r);
}

static void check_all(const char *boundary, const struct multipart_case *cases, size_t count)
{
    struct plan *plan = multipart_plan();
    const struct fake_options options = {.plan = plan, .boundary = boundary ? slice_of(boundary) : SLICE_NONE};
    for (size_t i = 0; i < count; i++) check_in(&options, &cases[i]);
    plan_drop(plan);
}
#define CHECK_ALL(boundary, cases) check_all(boundary, cases, sizeof(cases) / sizeof *(cases))

START_TEST(parts)
{
    static const struct multipart_case cases[] = {
        {FIELD("pan") "4111111111111111" END, TOLD("pan") "[4111111111111111=number]"},
        {FIELD("pan") "4111111111111111\r\n" FIELD("x") "y" END, TOLD("pan") "[4111111111111111=number]" TOLD("x") "[y]"},
        {FIELD("pan") "1\r\n" FIELD("pan") "2" END, TOLD("pan") "[1=number]" TOLD("pan") "[2=number]"},
        {"pre\r\namble\r\n" FIELD("x") "y\r\n--b--  \r\nepi\r\nlogue", "[pre][amble]" TOLD("x") "[y][epi][logue]"},
        {"\r\n" FIELD("x") "y\r\n--b--", TOLD("x") "[y]"},
        {FIELD("x") END, TOLD("x")},
        {FIELD("x") "--b--", TOLD("x")},
        {FIELD("x") " a\r\nb--b\r\n -- \r\n" END, TOLD("x") "[a\r\nb--b\r\n --]"},
        {FIELD("x") "lone \r and \n stay" END, TOLD("x") "[lone \r and \n stay]"},
        {FIELD("x") "1\r\n--\r\n--a\r\n-" END, TOLD("x") "[1\r\n--\r\n--a\r\n-]"},
        {"--b \t\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny" END, TOLD("x") "[y]"},
        {FIELD("a\\\"b\\\\c") "A B" END, TOLD("a\\\"b\\\\c") "[A B=holder]"},
        {FIELD("who") "\xe9" END, TOLD("who") "[\xe9]"}, /* no UTF-8, so no name to keep */
        {"--b\r\ncontent-DISPOSITION:form-data ; name = x\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\ncontent-DISPOSITION:FORM-DATA ;NAME=pan;\r\nX-Other: 1\r\n\r\n42" END,
         "[content-DISPOSITION:FORM-DATA ;NAME=pan;][X-Other: 1][42=number]"},
        {TYPED("Content-Type: text/plain; charset=\"ISO-8859-1\"") "y" END, TOLD_TYPED("Content-Type: text/plain; charset=\"ISO-8859-1\"") "[y]"},
        {TYPED("Content-Type: application/json") "{\r\n\"a\"\n:1}" END, TOLD_TYPED("Content-Type: application/json") "(([a][1]))"},
        {TYPED("Content-Transfer-Encoding: 8bit") "y" END, TOLD_TYPED("Content-Transfer-Encoding: 8bit") "[y]"},
        {"--b\r\nContent-Disposition: form-data; name=f; filename=\"C:\\a;b.csv\"\r\nContent-Type: text/csv\r\n\r\n1,2\n3,4\r5\r\n\r\n" END,
         "[Content-Disposition: form-data; name=f; filename=\"C:\\a;b.csv\"][Content-Type: text/csv](([1][2])([3][4])([5]))"},
        {"--b\r\nContent-Disposition: form-data; name=pan; filename=x\r\n\r\n1\r\n2" END,
         "[Content-Disposition: form-data; name=pan; filename=x][1\r\n2=number]"},
        {"--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n" END, "[Content-Disposition: form-data; name=f; filename=x]([])"},
    };
    CHECK_ALL("b", cases);
}
END_TEST

/* Where readers differ in what the parts are, and where a card would pass unseen. */
START_TEST(refusals)
{
    static const struct multipart_case cases[] = {
        {"", NULL, ERR_MULTIPART_CUT_OFF},
        {"x", NULL, ERR_MULTIPART_CUT_OFF},
        {"--b--", NULL, ERR_MULTIPART_SYNTAX},
        {"--b", NULL, ERR_MULTIPART_CUT_OFF},
        {"--b\r\n", NULL, ERR_MULTIPART_CUT_OFF},
        {FIELD("x"), NULL, ERR_MULTIPART_CUT_OFF, "x"},
        {FIELD("x") "y", NULL, ERR_MULTIPART_CUT_OFF, "x"},
        {FIELD("x") "y\r\n--b", NULL, ERR_MULTIPART_CUT_OFF},
        {FIELD("x") "y\r\n--b-", NULL, ERR_MULTIPART_CUT_OFF},
        {FIELD("x") "y\r\n--b\r\n", NULL, ERR_MULTIPART_CUT_OFF},
        {FIELD("x") "y\n--b--\r\n", NULL, ERR_MULTIPART_SYNTAX},
        {FIELD("x") "y\r--b--\r\n", NULL, ERR_MULTIPART_SYNTAX},
        {FIELD("x") "y\r\n--b--\nz", NULL, ERR_MULTIPART_SYNTAX},
        {FIELD("x") "y\r\n--bc\r\n" END, NULL, ERR_MULTIPART_SYNTAX, "x"},
        {FIELD("x") "y\r\n--b c\r\n" END, NULL, ERR_MULTIPART_SYNTAX},
        {FIELD("x") "y\r\n--b\n" END, NULL, ERR_MULTIPART_SYNTAX},
        {FIELD("x") "y" END FIELD("z") "4111111111111111" END, NULL, ERR_MULTIPART_SYNTAX},
        {"--b\r\n--b--\r\n", NULL, ERR_MULTIPART_SYNTAX},
        {"--b\nContent-Disposition: form-data; name=x\n\ny\n--b--", NULL, ERR_MULTIPART_SYNTAX},
        {"--b\r\nContent-Disposition: form-data; name=x\n\r\ny" END, NULL, ERR_MULTIPART_SYNTAX},
        {"--b\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition: form-data\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition: attachment; name=x\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition: form-data; name=x; name=y\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition: form-data; name*=UTF-8''x; name=x\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition: form-data; name=\"x\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition: form-data; name=\"x\"y\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition: form-data;\r\n name=x\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition : form-data; name=x\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {"--b\r\nContent-Disposition: form-data; name=x\x01\r\n\r\ny" END, NULL, ERR_MULTIPART_HEAD},
        {TYPED("Content-Disposition: form-data; name=pan") "y" END, NULL, ERR_MULTIPART_HEAD, "n"},
        {TYPED("Content-Type: text/plain\r\nContent-Type: text/plain") "y" END, NULL, ERR_MULTIPART_HEAD},
        {TYPED("Content-Type: multipart/mixed; boundary=c") "y" END, NULL, ERR_MULTIPART_NESTED, "n"},
        {TYPED("Content-Type: MESSAGE/rfc822") "y" END, NULL, ERR_MULTIPART_NESTED},
        {TYPED("Content-Transfer-Encoding: base64") "eQ==" END, NULL, ERR_MULTIPART_CODING, "n"},
        {TYPED("Content-Transfer-Encoding: Quoted-Printable") "=34" END, NULL, ERR_MULTIPART_CODING},
        {TYPED("Content-Type: text/plain; charset=utf-16") "y" END, NULL, ERR_MULTIPART_CHARSET},
        {TYPED("Content-Type: text/plain; charset=gb18030") "y" END, NULL, ERR_MULTIPART_CHARSET},
        {FIELD("_charset_") "shift_jis\r\n" FIELD("x") "y" END, NULL, ERR_MULTIPART_CHARSET, "_charset_"},
        {FIELD("x") "\xff\xfey" END, NULL, ERR_MULTIPART_CHARSET},
        {"--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n\xfe\xffy\n" END, NULL, ERR_MULTIPART_CHARSET, "f"},
    };
    CHECK_ALL("b", cases);
}
END_TEST

START_TEST(boundaries)
{
    static const struct multipart_case any[] = {{"--b--", NULL, ERR_MULTIPART_BOUNDARY}, {"", NULL, ERR_MULTIPART_BOUNDARY}};
    static const struct multipart_case odd[] = {
        {"--'()+_,-./:=? x\r\nContent-Disposition: form-data; name=n\r\n\r\ny\r\n--'()+_,-./:=? x--\r\n",
         "[Content-Disposition: form-data; name=n][y]"}};
    static const struct multipart_case dashes[] = {
        {"------\r\nContent-Disposition: form-data; name=n\r\n\r\ny\r\n---\r\n--------", "[Content-Disposition: form-data; name=n][y\r\n---]"}};
    char longest[72];
    memset(longest, 'x', 71);
    longest[71] = 0;
    CHECK_ALL(NULL, any);
    CHECK_ALL("", any);
    CHECK_ALL("b ", any);
    CHECK_ALL("b\"", any);
    CHECK_ALL("b\n", any);
    CHECK_ALL(longest, any);
    CHECK_ALL("'()+_,-./:=? x", odd);
    CHECK_ALL("----", dashes);
}
END_TEST

static void repeat(struct buf *b, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) ck_assert(!failed(buf_append(b, slice_of(text))));
}

static void check_head(const char *field, size_t times, enum error err)
{
    struct plan *plan = multipart_plan();
    const struct fake_options options = {.plan = plan, .boundary = SLICE("b")};
    struct buf in;
    buf_init(&in, 1 << 20);
    repeat(&in, "--b\r\nContent-Disposition: form-data; name=n\r\n", 1);
    repeat(&in, field, times);
    repeat(&in, "\r\n\r\ny" END, 1);
    struct fake_run r = fake_every_split(&options, buf_slice(&in));
    ck_assert_msg(r.err == err, "%s: %s", field, error_name(r.err));
    fake_run_done(&r);
    buf_done(&in);
    plan_drop(plan);
}

START_TEST(heads_are_bounded)
{
    check_head("X: y\r\n", 31, ERR_NONE); /* and Content-Disposition */
    check_head("X: y\r\n", 32, ERR_MULTIPART_HEAD);
    check_head("X:yyyyyyyyyyyyyy", 500, ERR_NONE);
    check_head("X:yyyyyyyyyyyyyy", 520, ERR_MULTIPART_HEAD);
    check_head("--bxxxxxxxxxxxxx", 600, ERR_MULTIPART_SYNTAX);
}
END_TEST

START_TEST(outbound)
{
    static const struct lines_case cases[] = {
        {FIELD("pan") "{{TOKEN1:detokenize}}\r\n" FIELD("cvc") "{{TOKEN1:detokenize}}\r\n" FIELD("x") "a {{TOKEN1:detokenize|extract:name}}" END,
         FIELD("pan") PAN_TEXT "\r\n" FIELD("cvc") "123\r\n" FIELD("x") "a ANA D'\xc3\x81VILA \"A\"" END},
        {"--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\na;<<TOKEN1:detokenize>>\nb" END,
         "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\na;" PAN_TEXT "\nb" END},
        {FIELD("{{TOKEN1:detokenize}}") "y" END, NULL, ERR_PLACEHOLDER_PLACE},
        {"{{TOKEN1:detokenize}}\r\n" FIELD("x") "y" END, NULL, ERR_PLACEHOLDER_PLACE},
        {FIELD("x") "y" END "{{TOKEN1:detokenize}}", NULL, ERR_PLACEHOLDER_PLACE},
        {FIELD("x") "{{TOKEN1:wrong}}" END, NULL, ERR_PLACEHOLDER_KIND},
        {FIELD("pan") "1\r\n" FIELD("pan") "2" END, NULL, ERR_FORM_DUPLICATE},
        {FIELD("x") "{{TOKEN1:detokenize}}", NULL, ERR_MULTIPART_CUT_OFF},
    };
    struct plan *plan = multipart_plan();
    const struct fake_options options = {.plan = plan, .boundary = SLICE("b")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_run r = fake_outbound_every_split(&options, slice_of(cases[i].in));
        ck_assert_msg(r.err == cases[i].err, "%s: %s", cases[i].in, error_name(r.err));
        if (cases[i].out) ck_assert_msg(slice_is(buf_slice(&r.out), cases[i].out), "%.*s", SLICE_ARG(buf_slice(&r.out)));
        fake_run_done(&r);
    }
    plan_drop(plan);
}
END_TEST

START_TEST(bare_tokens)
{
    static const char in[] = FIELD("pan") "TOKEN1\r\n" FIELD("x") "TOKEN1\r\n" FIELD("who") "TOKEN1" END;
    static const char out[] = FIELD("pan") PAN_TEXT "\r\n" FIELD("x") "TOKEN1\r\n" FIELD("who") "TOKEN1" END;
    struct plan *plan = multipart_plan();
    plan->bare_tokens = true;
    const struct fake_options options = {.plan = plan, .boundary = SLICE("b")};
    struct fake_run r = fake_outbound_every_split(&options, SLICE(in));
    ck_assert_msg(slice_is(buf_slice(&r.out), out), "%s: %.*s", error_name(r.err), SLICE_ARG(buf_slice(&r.out)));
    fake_run_done(&r);
    plan_drop(plan);
}
END_TEST

/* --- property: any body, numbers planted in it --- */

struct planted {
    struct buf in, expected;
    unsigned seed;
    size_t numbers;
};

static unsigned any(struct planted *p, unsigned below)
{
    return (unsigned)rand_r(&p->seed) % below;
}

static void put(struct planted *p, const char *text)
{
    repeat(&p->in, text, 1);
    repeat(&p->expected, text, 1);
}

static void plant(struct planted *p)
{
    static const char *const numbers[] = {"4111111111111111", "5555555555554444", "378282246310005", "6011000990139424"};
    repeat(&p->in, numbers[any(p, 4)], 1);
    repeat(&p->expected, "#", 1);
    p->numbers++;
}

static void put_text(struct planted *p)
{
    static const char *const texts[] = {"word ", "\n", "\r\n", "\r", "--", "-- b", "\xff", "\xc3\xa9", "12 ", "=", "\r\n\r\n", ""};
    for (unsigned n = any(p, 6); n > 0; n--) put(p, texts[any(p, 12)]);
    if (any(p, 2)) return;
    put(p, " ");
    plant(p);
    put(p, ".");
}

START_TEST(planted_numbers_are_found_and_nothing_else_changes)
{
    static const char *const heads[] = {"\r\n", "\r\nContent-Type: text/plain\r\n", "; filename=\"a\"\r\nContent-Type: text/html\r\n", "; filename=a\r\nContent-Type: text/x\r\n"};
    struct plan *plan = multipart_plan();
    const struct fake_options options = {.plan = plan, .boundary = SLICE("b")};
    size_t numbers = 0;
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct planted p = {.seed = seed};
        buf_init(&p.in, 1 << 20);
        buf_init(&p.expected, 1 << 20);
        for (unsigned n = 1 + any(&p, 3); n > 0; n--) {
            char name[60];
            (void)snprintf(name, sizeof name, "--b\r\nContent-Disposition: form-data; name=f%u", n);
            put(&p, name);
            put(&p, heads[any(&p, 4)]);
            put(&p, "\r\n");
            put_text(&p);
            put(&p, "\r\n");
        }
        put(&p, "--b--\r\n");
        struct fake_run r = fake_every_split(&options, buf_slice(&p.in));
        ck_assert_msg(r.err == ERR_NONE, "%u: %s at %u: %.*s", seed, error_name(r.err), (unsigned)r.fault.offset, SLICE_ARG(buf_slice(&p.in)));
        ck_assert_msg(slice_eq(buf_slice(&r.out), buf_slice(&p.expected)), "%u: %.*s\n not %.*s", seed, SLICE_ARG(buf_slice(&r.out)),
                      SLICE_ARG(buf_slice(&p.expected)));
        fake_run_done(&r);
        numbers += p.numbers;
        buf_done(&p.in);
        buf_done(&p.expected);
    }
    ck_assert_uint_gt(numbers, 30); /* else it tests nothing */
    plan_drop(plan);
}
END_TEST

RUN_TESTS("multipart_walker", parts, refusals, boundaries, heads_are_bounded, outbound, bare_tokens,
          planted_numbers_are_found_and_nothing_else_changes)
