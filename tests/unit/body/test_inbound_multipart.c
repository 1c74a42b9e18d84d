/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "inbound_help.h"

#define FIELD(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART "--b\r\nContent-Disposition: form-data; name=list; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n"
#define END "\r\n--b--\r\n"

static const char rules[] = "field pan number\nfield exp expiry\nfield cvc cvc\nfield name holder\n";

static void check(bool find_pan, const char *in, const char *out, const char *cards, enum error err, const char *path)
{
    struct plan *plan = plan_of(BODY_MULTIPART, rules);
    plan->find_pan = find_pan;
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 1 << 20, .max_cards = 10, .boundary = SLICE("b")};
    struct inbound_outcome o = run_inbound_every_split(&options, slice_of(in));
    ck_assert_msg(o.err == err, "%s: %s", in, error_name(o.err));
    if (path) ck_assert_str_eq(o.fault.path, path);
    if (out) {
        ck_assert_msg(slice_is(buf_slice(&o.out), out), "%.*s", SLICE_ARG(buf_slice(&o.out)));
        ck_assert_msg(slice_is(buf_slice(&o.cards), cards), "%.*s", SLICE_ARG(buf_slice(&o.cards)));
    }
    inbound_outcome_done(&o);
    plan_drop(plan);
}

START_TEST(one_card_of_a_form)
{
    check(false, FIELD("name") "ANA\r\n" FIELD("pan") "4111 1111 1111 1111\r\n" FIELD("exp") "12/30\r\n" FIELD("cvc") "123" END,
          FIELD("name") "ANA\r\n" FIELD("pan") "alias_0\r\n" FIELD("exp") "12/30\r\n" FIELD("cvc") "cvc_0" END,
          "4111111111111111 12/2030 [ANA] 123", ERR_NONE, NULL);
    check(false, FIELD("pan") "4111111111111112" END, NULL, NULL, ERR_INBOUND_CARD, "pan");
    check(false, FIELD("note") "4111111111111111" END, FIELD("note") "4111111111111111" END, "", ERR_NONE, NULL);
    check(false, FIELD("pan") "4111111111111111\r\n" FIELD("pan") "5555555555554444" END, FIELD("pan") "alias_0\r\n" FIELD("pan") "alias_1" END,
          "4111111111111111; 5555555555554444", ERR_NONE, NULL);
}
END_TEST

START_TEST(numbers_anywhere)
{
    check(true, "4111111111111111\r\n" FIELD("note") "my card: 5555-5555-5555-4444, thanks\r\n" FILE_PART "id;pan\r\n1;378282246310005\n2;x\r\n" END "6011000990139424",
          "alias_0\r\n" FIELD("note") "my card: alias_1, thanks\r\n" FILE_PART "id;pan\r\n1;alias_2\n2;x\r\n" END "alias_3",
          "4111111111111111; 5555555555554444; 378282246310005; 6011000990139424", ERR_NONE, NULL);
    check(true, "--b\r\nContent-Disposition: form-data; name=f; filename=\"4111111111111111.txt\"\r\n\r\n\r\n\x1a\n" END,
          "--b\r\nContent-Disposition: form-data; name=f; filename=\"alias_0.txt\"\r\n\r\n\r\n\x1a\n" END, "4111111111111111", ERR_NONE, NULL);
    check(true, "--b\r\nContent-Disposition: form-data; name=f; filename=a.png\r\n\r\n\x89PNG\r\n\x1a\n" END, NULL, NULL, ERR_INBOUND_UNTYPED, "f");
    check(true, "--b\r\nContent-Disposition: form-data; name=f\r\nContent-Transfer-Encoding: base64\r\n\r\nNDExMTExMTExMTExMTExMQ==" END, NULL, NULL,
          ERR_MULTIPART_CODING, "f");
    check(true, FIELD("x") "4111111111111111", NULL, NULL, ERR_MULTIPART_CUT_OFF, "x");
}
END_TEST

RUN_TESTS("inbound_multipart", one_card_of_a_form, numbers_anywhere)
