/* SPDX-License-Identifier: Apache-2.0 */
/* Inbound notifications: whether the platform signed them, and whom they speak of. Signatures are made with OpenSSL
 * alone. */
#include "stage.h"

#include "../../../src/network/tms_priv.h"
#include "base/clock.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 4 };
#define NOW_MS INT64_C(1617830804768)

static struct stage stage;
static struct network_ref refs[ROOM];
static size_t count;
static size_t key_bytes = 32;

static slice signed_field(const char *t, const char *key_id, slice signed_bytes, char out[256])
{
    unsigned char key[32], mac[32];
    char text[4096], sig[64];
    for (unsigned char i = 0; i < sizeof key; i++)
        key[i] = i;
    int n = snprintf(text, sizeof text, "%s.%.*s", t, (int)signed_bytes.len, signed_bytes.at);
    ck_assert(n > 0 && (size_t)n < sizeof text);
    ck_assert_ptr_nonnull(HMAC(EVP_sha256(), key, (int)key_bytes, (unsigned char *)text, (size_t)n, mac, NULL));
    EVP_EncodeBlock((unsigned char *)sig, mac, sizeof mac);
    snprintf(out, 256, "t=%s;keyId=%s;sig=%s", t, key_id, sig);
    return slice_of(out);
}

static result take(slice field, slice body)
{
    return tms_notice((struct tms *)(void *)stage.connector, field, body, NOW_MS, refs, ROOM, &count);
}

static result take_signed(const char *body, const char *signed_bytes)
{
    char field[256];
    return take(signed_field("1617830804768", "notice-key", slice_of(signed_bytes), field), slice_of(body));
}

#define PAYLOAD                                                                                                        \
    "{\"data\":{\"id\":\"A1\",\"_links\":{\"instrumentIdentifiers\":[{\"href\":\"/tms/v1/instrumentidentifiers/"       \
    "703\"}]}}}"
#define BODY(payload) "{\"eventType\":\"tms.networktoken.updated\",\"payload\":" payload ",\"retryNumber\":0}"

/* The vector of the facts, made with the same key by other means. */
START_TEST(own_vector)
{
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    slice field = SLICE("t=1617830804768;keyId=notice-key;sig=cDOmvqoCyoJ46ppWmSMeO185afvTeEN8dDjG4c3TJ8E=");
    /* signed rightly as a payload, though it names nobody */
    ck_assert(!failed(take(field, SLICE("{\"payload\":{\"a\":1}}"))) && count == 0);
    ck_assert_int_eq(take(field, SLICE("{\"payload\":{\"a\":2}}")).err, ERR_SIGNATURE_WRONG);
    stage_finish(&stage);
}
END_TEST

/* Who signs what, against what the configuration has pinned. */
START_TEST(forms)
{
    static const char *const body = BODY(PAYLOAD);
    static const struct {
        const char *signed_bytes;
        enum error either, only_body, only_payload;
    } cases[] = {
        {BODY(PAYLOAD), ERR_NONE, ERR_NONE, ERR_SIGNATURE_WRONG},
        {PAYLOAD, ERR_NONE, ERR_SIGNATURE_WRONG, ERR_NONE},
        {BODY("{}"), ERR_SIGNATURE_WRONG, ERR_SIGNATURE_WRONG, ERR_SIGNATURE_WRONG},
        {"", ERR_SIGNATURE_WRONG, ERR_SIGNATURE_WRONG, ERR_SIGNATURE_WRONG},
    };
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const enum error want[] = {cases[i].either, cases[i].only_body, cases[i].only_payload};
        for (enum notice_signs form = NOTICE_SIGNS_EITHER; form <= NOTICE_SIGNS_PAYLOAD; form++) {
            stage.network.notice_signs = form;
            result r = take_signed(body, cases[i].signed_bytes);
            ck_assert_msg(r.err == want[form], "%s, %d: %s", cases[i].signed_bytes, (int)form, error_name(r.err));
            ck_assert_uint_eq(count, failed(r) ? 0 : 2);
            if (failed(r)) continue;
            ck_assert(slice_is(network_ref_slice(&refs[0]), "A1"));
            ck_assert(slice_is(network_ref_slice(&refs[1]), "703"));
        }
    }
    stage_finish(&stage);
}
END_TEST

/* A sender that writes the member anew signs it without the white space that came. Inside strings it stays, escaped
 * quotes and backslashes too. */
START_TEST(payload_with_white_space)
{
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    const char *body =
        "{ \"payload\" :\t{ \"data\" : {\r\n \"id\" : \"A1\" , \"note\" : \"a  \\\" b \\\\\" , \"n\" : [ 1 , 2 ] } } }";
    ck_assert(!failed(take_signed(body, "{\"data\":{\"id\":\"A1\",\"note\":\"a  \\\" b \\\\\",\"n\":[1,2]}}")));
    ck_assert_uint_eq(count, 1);
    ck_assert(!failed(take_signed(
        body, "{ \"data\" : {\r\n \"id\" : \"A1\" , \"note\" : \"a  \\\" b \\\\\" , \"n\" : [ 1 , 2 ] } }")));
    ck_assert(!failed(take_signed(body, body)));
    ck_assert_int_eq(take_signed(body, "{\"data\":{\"id\":\"A1\",\"note\":\"a\\\"b\\\\\",\"n\":[1,2]}}").err,
                     ERR_SIGNATURE_WRONG);
    stage_finish(&stage);
}
END_TEST

START_TEST(whom_it_speaks_of)
{
    static const struct {
        const char *payload;
        const char *names[ROOM]; /* none: taken all the same */
    } cases[] = {
        {PAYLOAD, {"A1", "703"}},
        {"[" PAYLOAD "]", {"A1", "703"}},
        {"{\"data\":{\"id\":\"A1\"}}", {"A1"}},
        {"{\"data\":{\"_links\":{\"instrumentIdentifiers\":[{\"href\":\"/tms/v1/instrumentidentifiers/"
         "703\"},{\"href\":\"704\"}]}}}",
         {"703", "704"}},
        {"{\"data\":{\"id\":\"A1\",\"_links\":{\"customers\":[{\"href\":\"/tms/v2/customers/"
         "C1\"}],\"paymentInstruments\":"
         "[{\"href\":\"/tms/v1/paymentinstruments/P1\"}]}}}",
         {"A1"}},
        {"[{\"data\":{\"id\":\"A1\"}},{\"data\":{\"id\":\"A1\"}},{\"data\":{\"id\":\"B2\"}}]", {"A1", "B2"}},
        {"{}", {NULL}},
        {"[]", {NULL}},
        {"{\"data\":{\"id\":\"\"}}", {NULL}},
        {"{\"data\":{\"id\":\"a/b\"}}", {NULL}},
        {"{\"data\":{\"id\":7}}", {NULL}},
        {"{\"data\":{\"_links\":{\"instrumentIdentifiers\":[{\"href\":\"/tms/\"}]}}}", {NULL}},
        {"{\"data\":{\"id\":\"A1\",\"id\":\"A2\"}}", {"A1"}},
        {"[{\"data\":{\"id\":\"1\"}},{\"data\":{\"id\":\"2\"}},{\"data\":{\"id\":\"3\"}},{\"data\":{\"id\":\"4\"}},"
         "{\"data\":{\"id\":\"5\"}}]",
         {"1", "2", "3", "4"}},
        {"[{\"data\":{\"id\":\"1\"}},{\"data\":{\"id\":\"a/b\"}},{\"data\":{\"id\":\"3\"}},{\"data\":{\"id\":7}},{\"data\":{\"id\":\"5\"}}]",
         {"1", "3"}},
    };
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[2048];
        snprintf(body, sizeof body, "{\"payload\":%s}", cases[i].payload);
        for (int whole = 0; whole < 2; whole++) {
            result r = take_signed(body, whole ? body : cases[i].payload);
            ck_assert_msg(!failed(r), "%s: %s", cases[i].payload, error_name(r.err));
            size_t want = 0;
            while (want < ROOM && cases[i].names[want])
                want++;
            ck_assert_msg(count == want, "%s: %zu", cases[i].payload, count);
            for (size_t k = 0; k < want; k++)
                ck_assert_msg(slice_is(network_ref_slice(&refs[k]), cases[i].names[k]), "%s", cases[i].payload);
        }
    }
    stage_finish(&stage);
}
END_TEST

/* Signed rightly they are genuine, and speak of nobody; else nobody vouches for them. */
START_TEST(bodies_that_cannot_be_read)
{
    static const char *const bodies[] = {
        "",
        "{\"payload\":{",
        "<xml/>",
        "{}",
        "[]",
        "{\"payload\":\"text\"}",
        "{\"payload\":null}",
        "{\"a\":" PAYLOAD "}",
        "{\"payload\":" PAYLOAD ",\"payload\":{}}",
        "{\"payload\":{},\"\\u0070ayload\":" PAYLOAD "}",
    };
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        result r = take_signed(bodies[i], bodies[i]);
        ck_assert_msg(!failed(r) && count == 0, "%s: %s", bodies[i], error_name(r.err));
        r = take_signed(bodies[i], PAYLOAD);
        ck_assert_msg(r.err == ERR_SIGNATURE_WRONG, "%s: %s", bodies[i], error_name(r.err));
        ck_assert_uint_eq(count, 0);
    }
    stage_finish(&stage);
}
END_TEST

START_TEST(signatures)
{
    char field[256];
    slice body = SLICE(BODY(PAYLOAD));
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    ck_assert(!failed(take(signed_field("1617830804768", "notice-key", body, field), body)));
    ck_assert_int_eq(take(signed_field("1617830804768", "other-key", body, field), body).err, ERR_SIGNATURE_WRONG);
    stage.network.notice_key_id = SLICE_NONE; /* not configured: any */
    ck_assert(!failed(take(signed_field("1617830804768", "other-key", body, field), body)));
    field[strlen(field) - 4] ^= 1;
    ck_assert_int_eq(take(slice_of(field), body).err, ERR_SIGNATURE_WRONG);
    ck_assert_int_eq(take(SLICE_NONE, body).err, ERR_SIGNATURE_FORMAT);
    ck_assert_int_eq(take(SLICE("t=1617830804768;sig=AAAA"), body).err, ERR_SIGNATURE_FORMAT);
    ck_assert_int_eq(take(SLICE("AAAA"), body).err, ERR_SIGNATURE_FORMAT);
    ck_assert_uint_eq(count, 0);
    stage_finish(&stage);
}
END_TEST

/* The time is signed with the rest, so an old notification cannot be given a new one. */
START_TEST(age)
{
    static const struct {
        const char *t;
        enum error e;
    } cases[] = {
        {"1617830804768", ERR_NONE},
        {"1617830204768", ERR_NONE},
        {"1617830204767", ERR_SIGNATURE_WRONG},
        {"1617831404768", ERR_NONE},
        {"1617831404769", ERR_SIGNATURE_WRONG},
        {"0", ERR_SIGNATURE_WRONG},
        {"9223372036854775807", ERR_SIGNATURE_WRONG},
        {"9223372036854775808", ERR_SIGNATURE_FORMAT},
        {"-5", ERR_SIGNATURE_FORMAT},
        {"now", ERR_SIGNATURE_FORMAT},
    };
    char field[256];
    slice body = SLICE(BODY(PAYLOAD));
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        result r = take(signed_field(cases[i].t, "notice-key", body, field), body);
        ck_assert_msg(r.err == cases[i].e, "%s: %s", cases[i].t, error_name(r.err));
        stage.network.notice_any_time = true;
        r = take(slice_of(field), body);
        ck_assert_msg(r.err == (cases[i].e == ERR_SIGNATURE_WRONG ? ERR_NONE : cases[i].e), "%s: %s", cases[i].t, error_name(r.err));
        stage.network.notice_any_time = false;
    }
    stage_finish(&stage);
}
END_TEST

/* Through the engine, with this machine's clock. */
START_TEST(as_the_registrar_calls_it)
{
    char field[256], t[32];
    slice body = SLICE(BODY(PAYLOAD));
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    snprintf(t, sizeof t, "%lld", (long long)clock_wall_ms());
    ck_assert(!failed(
        connector_notice(stage.connector, signed_field(t, "notice-key", body, field), body, refs, ROOM, &count)));
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(connector_notice(stage.connector, signed_field("1617830804768", "notice-key", body, field), body,
                                      refs, ROOM, &count)
                         .err,
                     ERR_SIGNATURE_WRONG);
    stage_finish(&stage);
}
END_TEST

/* Not even what is signed with no key. */
START_TEST(without_a_key_none_is_taken)
{
    char field[256];
    slice body = SLICE(BODY(PAYLOAD));
    struct connector *c;
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    stage.network.notice_key = SLICE_NONE;
    key_bytes = 0;
    ck_assert(!failed(connector_new(
        &(struct connector_options){
            .loop = stage.loop, .resolver = stage.resolver, .config = &stage.config, .network = &stage.network},
        &c)));
    ck_assert_int_eq(tms_notice((struct tms *)(void *)c, signed_field("1617830804768", "notice-key", body, field), body,
                                NOW_MS, refs, ROOM, &count)
                         .err,
                     ERR_SIGNATURE_WRONG);
    connector_free(c);
    stage_finish(&stage);
}
END_TEST

RUN_TESTS("network tms notice", own_vector, forms, payload_with_white_space, whom_it_speaks_of,
          bodies_that_cannot_be_read, signatures, age, as_the_registrar_calls_it, without_a_key_none_is_taken)
