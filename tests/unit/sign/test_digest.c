/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/digest.h"

#include "../base/suite.h"
#include "base/buf.h"
#include "sign/encoding.h"

#include <string.h>

static void check_hex(const uint8_t got[SHA256_BYTES], const char *expected, size_t bytes)
{
    struct buf hex;
    buf_init(&hex, 128);
    ck_assert(!failed(hex_write((slice){(const char *)got, bytes}, &hex)));
    ck_assert_msg(slice_is(buf_slice(&hex), expected), "%.*s", SLICE_ARG(buf_slice(&hex)));
    buf_done(&hex);
}

START_TEST(sha256_of_nothing_and_abc)
{
    uint8_t out[SHA256_BYTES];
    ck_assert(!failed(sha256(SLICE_NONE, out)));
    check_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", sizeof out);
    ck_assert(!failed(sha256(SLICE("abc"), out)));
    check_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sizeof out);
}
END_TEST

struct vector {
    char key_byte; /* repeated; 0: <key> */
    size_t key_len;
    const char *key;
    char data_byte;
    size_t data_len;
    const char *data;
    const char *mac;
    size_t mac_bytes;
};

/* RFC 4231 4.2 to 4.8 */
static const struct vector vectors[] = {
    {0x0b, 20, NULL, 0, 0, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", 32},
    {0, 0, "Jefe", 0, 0, "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 32},
    {(char)0xaa, 20, NULL, (char)0xdd, 50, NULL, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
     32},
    {0, 0, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19",
     (char)0xcd, 50, NULL, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b", 32},
    {0x0c, 20, NULL, 0, 0, "Test With Truncation", "a3b6167473100ee06e0c796c2955552b", 16},
    {(char)0xaa, 131, NULL, 0, 0, "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", 32},
    {(char)0xaa, 131, NULL, 0, 0,
     "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed "
     "before "
     "being used by the HMAC algorithm.",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2", 32},
};

static slice filled(char *room, char byte, size_t len, const char *text)
{
    if (text) return slice_of(text);
    memset(room, byte, len);
    return (slice){room, len};
}

START_TEST(hmac_of_rfc_4231)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *v = &vectors[i];
        char key_room[256], data_room[256];
        uint8_t out[SHA256_BYTES];
        slice key = filled(key_room, v->key_byte, v->key_len, v->key),
              data = filled(data_room, v->data_byte, v->data_len, v->data);
        ck_assert(!failed(hmac_sha256(key, data, out)));
        check_hex(out, v->mac, v->mac_bytes);
    }
}
END_TEST

START_TEST(pieces_are_the_whole)
{
    uint8_t whole[SHA256_BYTES], pieces[SHA256_BYTES];
    slice text = SLICE("1617830804768.{\"a\":1}");
    ck_assert(!failed(hmac_sha256(SLICE("k"), text, whole)));
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct hmac *h;
        ck_assert(!failed(hmac_new(SLICE("k"), &h)));
        ck_assert(!failed(hmac_feed(h, slice_range(text, 0, cut))));
        ck_assert(!failed(hmac_feed(h, slice_after(text, cut))));
        ck_assert(!failed(hmac_end(h, pieces)));
        hmac_free(h);
        ck_assert_mem_eq(whole, pieces, sizeof whole);
    }
    ck_assert(!failed(hmac_sha256_timed(SLICE("k"), SLICE("1617830804768"), SLICE("{\"a\":1}"), pieces)));
    ck_assert_mem_eq(whole, pieces, sizeof whole);
    hmac_free(NULL);
}
END_TEST

START_TEST(an_empty_key_is_a_key)
{
    uint8_t out[SHA256_BYTES];
    ck_assert(!failed(hmac_sha256(SLICE_NONE, SLICE_NONE, out)));
    check_hex(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", sizeof out);
}
END_TEST

RUN_TESTS("digest", sha256_of_nothing_and_abc, hmac_of_rfc_4231, pieces_are_the_whole, an_empty_key_is_a_key)
