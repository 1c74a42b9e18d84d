/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/webhook.h"

#include "../base/suite.h"

#include <string.h>

static const slice secret = CONST_SLICE("whsec-test"), body = CONST_SLICE("{\"event\":\"network_token.active\"}");
enum { SENT_S = 1751328000, AGE_S = 300 };
/* python3 -c "import hmac; print(hmac.new(b'whsec-test', b'1751328000.{\"event\":\"network_token.active\"}',
 * 'sha256').hexdigest())" */
static const char KNOWN[] = "t=1751328000,s=ea7f9f256e133a417704bfc369016e21457ae86d883cd0fd4ce6504eb91dc421";

START_TEST(known_signature)
{
    struct buf field;
    buf_init(&field, 256);
    ck_assert(!failed(webhook_signature_write(secret, SENT_S, body, &field)));
    ck_assert_msg(slice_is(buf_slice(&field), KNOWN), "%.*s", SLICE_ARG(buf_slice(&field)));
    buf_done(&field);
}
END_TEST

START_TEST(age_has_two_ends)
{
    slice field = slice_of(KNOWN);
    ck_assert(webhook_signature_matches(field, secret, body, SENT_S, AGE_S));
    ck_assert(webhook_signature_matches(field, secret, body, SENT_S + AGE_S, AGE_S));
    ck_assert(webhook_signature_matches(field, secret, body, SENT_S - AGE_S, AGE_S));
    ck_assert(!webhook_signature_matches(field, secret, body, SENT_S + AGE_S + 1, AGE_S));
    ck_assert(!webhook_signature_matches(field, secret, body, SENT_S - AGE_S - 1, AGE_S));
}
END_TEST

START_TEST(every_byte_counts)
{
    char field[sizeof KNOWN], changed[64];
    for (size_t i = 0; i < sizeof KNOWN - 1; i++) {
        memcpy(field, KNOWN, sizeof KNOWN);
        field[i] ^= 1;
        ck_assert_msg(!webhook_signature_matches(slice_of(field), secret, body, SENT_S, INT32_MAX), "%s", field);
        ck_assert(!webhook_signature_matches((slice){KNOWN, i}, secret, body, SENT_S, AGE_S));
    }
    for (size_t i = 0; i < body.len; i++) {
        memcpy(changed, body.at, body.len);
        changed[i] ^= 1;
        ck_assert(!webhook_signature_matches(slice_of(KNOWN), secret, (slice){changed, body.len}, SENT_S, AGE_S));
    }
    ck_assert(!webhook_signature_matches(slice_of(KNOWN), SLICE("whsec-tesu"), body, SENT_S, AGE_S));
    ck_assert(!webhook_signature_matches(slice_of(KNOWN), SLICE_NONE, body, SENT_S, AGE_S));
}
END_TEST

START_TEST(malformed_fields)
{
    static const char *const fields[] = {"",
                                         "t=",
                                         "t=1751328000",
                                         "t=1751328000,",
                                         "t=1751328000,s=",
                                         "s=00,t=1751328000",
                                         "t=-1,s=",
                                         "t=,s=00",
                                         "t=99999999999999999999,s=00",
                                         "t=0x10,s=00"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        ck_assert(!webhook_signature_matches(slice_of(fields[i]), secret, body, SENT_S, INT64_MAX));
}
END_TEST

RUN_TESTS("webhook", known_signature, age_has_two_ends, every_byte_counts, malformed_fields)
