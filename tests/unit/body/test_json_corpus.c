/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tests/corpus/json: every file is accepted and comes out byte for byte, or is refused with the error that 'expected' names, in
 * every split of its bytes. */

struct item {
    char name[128];
    enum error err;
    struct buf text;
};
static struct item items[400];
static size_t item_count;

static void read_file(const char *name, struct buf *out)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", CORPUS_FOLDER, name);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    buf_init(out, 1u << 20);
    ck_assert(!failed(buf_reserve(out, 1u << 19)));
    buf_added(out, fread(buf_room(out), 1, 1u << 19, f));
    ck_assert(!ferror(f));
    fclose(f);
}

static enum error error_named(slice name)
{
    if (slice_is(name, "accept")) return ERR_NONE;
    for (unsigned e = 1; e < ERR_COUNT; e++)
        if (slice_is(name, error_name((enum error)e))) return (enum error)e;
    ck_abort_msg("no error is called '%.*s'", SLICE_ARG(name));
    return ERR_INTERNAL;
}

static void read_corpus(void)
{
    struct buf list;
    slice rest, line, name, err;
    read_file("expected", &list);
    rest = buf_slice(&list);
    while (slice_next(&rest, '\n', &line)) {
        if (line.len == 0 || line.at[0] == '#') continue;
        struct item *i = &items[item_count++];
        ck_assert_uint_lt(item_count, sizeof items / sizeof *items);
        ck_assert(slice_next(&line, ' ', &name) && slice_next(&line, ' ', &err));
        snprintf(i->name, sizeof i->name, "%.*s", SLICE_ARG(name));
        i->err = error_named(err);
        /* What the names promise. */
        ck_assert(name.at[0] != 'y' || i->err == ERR_NONE);
        ck_assert(name.at[0] != 'n' || i->err != ERR_NONE);
        read_file(i->name, &i->text);
    }
    buf_done(&list);
    ck_assert_uint_gt(item_count, 200);
}

static void forget_corpus(void)
{
    for (size_t i = 0; i < item_count; i++) buf_done(&items[i].text);
    item_count = 0;
}

static void check_item(const struct plan *plan, const struct item *i, const struct credential *c)
{
    slice text = buf_slice(&i->text);
    struct outcome o = run_every_split(plan, text, c);
    ck_assert_msg(o.err == i->err, "%s: %s, not %s", i->name, error_name(o.err), error_name(i->err));
    if (!o.err) ck_assert_msg(slice_eq(buf_slice(&o.out), text), "%s is not what it was", i->name);
    outcome_done(&o);
}

START_TEST(identity_without_rules)
{
    struct plan *plan = plan_of(BODY_JSON, "");
    read_corpus();
    for (size_t i = 0; i < item_count; i++) check_item(plan, &items[i], card_pan());
    forget_corpus();
    plan_drop(plan);
}
END_TEST

/* Rules that are true of every place change nothing where no placeholder stands. */
START_TEST(identity_with_rules)
{
    struct plan *plan = plan_of(BODY_JSON, "field $..* number number\nfield $.cardNumber number\nfield $[*][0] holder\n"
                                           "set $.a.b eci\nset $..x cryptogram\ndrop $.securityCode\ndrop $..z");
    read_corpus();
    for (size_t i = 0; i < item_count; i++) check_item(plan, &items[i], card_network_token());
    forget_corpus();
    plan_drop(plan);
}
END_TEST

static struct outcome run_wrapped(const struct plan *plan, const struct item *i, const char *before, const char *after,
                                  const struct credential *c)
{
    struct buf in;
    buf_init(&in, 1u << 20);
    ck_assert(!failed(buf_append(&in, slice_of(before))));
    ck_assert(!failed(buf_append(&in, buf_slice(&i->text))));
    ck_assert(!failed(buf_append(&in, slice_of(after))));
    struct outcome o = run_body(plan, buf_slice(&in), -1, c);
    buf_done(&in);
    return o;
}

static void check_wrapped(const struct plan *plan, const struct item *i, const struct credential *c, const char *after)
{
    struct outcome o = run_wrapped(plan, i, "{ \"document\" : ", ", \"number\":\"{{TOKEN1:detokenize}}\" }", c);
    slice out = buf_slice(&o.out), before = SLICE("{ \"document\" : "), text = buf_slice(&i->text);
    if (o.err == ERR_JSON_DEPTH) return; /* it was as deep as can be by itself */
    ck_assert_msg(o.err == ERR_NONE, "%s: %s", i->name, error_name(o.err));
    ck_assert(slice_starts(out, before) && slice_starts(slice_after(out, before.len), text));
    ck_assert_msg(slice_is(slice_after(out, before.len + text.len), after), "%s: %.*s", i->name, SLICE_ARG(out));
    outcome_done(&o);
}

/* With slots: every byte outside them is what it was, with either credential. */
START_TEST(bytes_outside_slots)
{
    struct plan *plan = plan_of(BODY_JSON, "field $.number number\nset $.eci eci");
    read_corpus();
    for (size_t i = 0; i < item_count; i++) {
        if (items[i].err) continue;
        check_wrapped(plan, &items[i], card_pan(), ", \"number\":\"" PAN_TEXT "\" }");
        check_wrapped(plan, &items[i], card_network_token(), ", \"number\":\"" NETWORK_NUMBER_TEXT "\",\"eci\":\"05\" }");
    }
    forget_corpus();
    plan_drop(plan);
}
END_TEST

RUN_TESTS("json_corpus", identity_without_rules, identity_with_rules, bytes_outside_slots)
