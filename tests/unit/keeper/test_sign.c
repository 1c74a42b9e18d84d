/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/jwe.h"
#include "stage.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* RFC 4231, test case 2: the key is "Jefe". */
#define MAC "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

START_TEST(a_text_in_any_pieces_has_one_signature)
{
    const slice text = SLICE("what do ya want for nothing?");
    set_up();
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
        ck_assert(!failed(keeper_sign(d, 3, slice_range(text, 0, cut), false, false)));
        ck_assert(!failed(keeper_sign(d, 3, slice_after(text, cut), true, false)));
        expect("opened NONE 1 shop1;signed 3 NONE " MAC ";");
        keeper_end(d);
    }
    tear_down();
}
END_TEST

START_TEST(two_texts_of_one_dialogue)
{
    set_up();
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    ck_assert(!failed(keeper_sign(d, 1, SLICE("something else"), false, false))); /* begun and given up */
    ck_assert(!failed(keeper_sign(d, 2, SLICE("what do ya want "), false, false)));
    ck_assert(!failed(keeper_sign(d, 2, SLICE("for nothing?"), true, false)));
    expect("opened NONE 1 shop1;signed 2 NONE " MAC ";");
    keeper_end(d);
    tear_down();
}
END_TEST

/* Shared secrets of Cybersource are Base64: "SmVmZQ==" is "Jefe". */
START_TEST(a_cybersource_secret_is_base64)
{
    set_up();
    config->routes[0].rules->sign.kind = SIGN_CYBERSOURCE;
    config->routes[0].sign_secret = SLICE("SmVmZQ==");
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    ck_assert(!failed(keeper_sign(d, 1, SLICE("what do ya want for nothing?"), true, false)));
    expect("opened NONE 1 shop1;signed 1 NONE " MAC ";");
    config->routes[0].sign_secret = SLICE("not base64");
    ck_assert(!failed(keeper_sign(d, 2, SLICE("text"), true, false)));
    expect("signed 2 SIGN_KEY ;");
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(without_a_secret_nothing_is_signed)
{
    set_up();
    struct keeper_caller c = caller("cvk_shop", 0);
    c.route = 2;
    struct keeper_dialogue *d = open_dialogue(c);
    ck_assert(!failed(keeper_sign(d, 1, SLICE("text"), true, false)));
    ck_assert(!failed(keeper_sign(d, 2, SLICE("text"), true, true)));
    expect("opened NONE 1 shop1;signed 1 SIGN_KEY ;signed 2 SIGN_KEY ;");
    keeper_end(d);
    c = caller("cvk_shop", 0);
    c.purpose = KEEPER_FOR_API;
    c.permission = PERMIT_READ;
    d = open_dialogue(c);
    ck_assert(!failed(keeper_sign(d, 1, SLICE("text"), true, false)));
    expect("opened NONE 1 shop1;signed 1 KEEPER_REFUSED ;");
    keeper_end(d);
    d = open_dialogue(caller("nonsense", 0)); /* a caller that was refused */
    ck_assert(!failed(keeper_sign(d, 1, SLICE("text"), true, false)));
    expect("opened KEY_WRONG 0 ;signed 1 KEY_WRONG ;");
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(rs256_with_the_route_s_private_key)
{
    char *pem = NULL;
    set_up();
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &pem);
    config->routes[0].sign_private_key = (slice){pem, (size_t)len};
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert(!failed(keeper_sign(d, i, SLICE("head"), false, true)));
        ck_assert(!failed(keeper_sign(d, i, SLICE(".claims"), true, true)));
    }
    turns(4);
    struct rsa_key *key = NULL;
    struct buf signature;
    char first[80] = "";
    buf_init(&signature, 1024);
    ck_assert(!failed(rsa_key_private((slice){pem, (size_t)len}, &key)));
    ck_assert(!failed(rs256_sign(key, SLICE("head.claims"), &signature)));
    for (size_t i = 0; i < 32; i++) (void)snprintf(first + 2 * i, 3, "%02x", (unsigned char)signature.at[i]);
    char told[300];
    (void)snprintf(told, sizeof told, "opened NONE 1 shop1;signed 0 NONE %s;signed 1 NONE %s;", first, first); /* PKCS#1 v1.5 is deterministic */
    expect(told);
    rsa_key_free(key);
    buf_done(&signature);
    keeper_end(d);
    tear_down();
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}
END_TEST

/* A stolen relay that begins texts and ends none may not fill the keeper's memory with them. */
START_TEST(only_so_many_texts_are_begun)
{
    enum { BEGUN = 256 };
    static struct keeper_dialogue *d[BEGUN + 1];
    set_up();
    for (size_t i = 0; i <= BEGUN; i++) {
        d[i] = open_dialogue(caller("cvk_shop", 0));
        if (i < BEGUN) ck_assert(!failed(keeper_sign(d[i], 1, SLICE("what do ya want "), false, false)));
        expect("opened NONE 1 shop1;");
    }
    ck_assert(!failed(keeper_sign(d[BEGUN], 1, SLICE("what do ya want for nothing?"), true, false)));
    expect("signed 1 KEEPER_REFUSED ;");
    ck_assert(!failed(keeper_sign(d[0], 1, SLICE("for nothing?"), true, false))); /* it has its place, and gives it back */
    expect("signed 1 NONE " MAC ";");
    ck_assert(!failed(keeper_sign(d[BEGUN], 2, SLICE("what do ya want for nothing?"), true, false)));
    expect("signed 2 NONE " MAC ";");
    for (size_t i = 0; i <= BEGUN; i++) keeper_end(d[i]);
    tear_down();
}
END_TEST

RUN_TESTS("sign", a_text_in_any_pieces_has_one_signature, two_texts_of_one_dialogue, a_cybersource_secret_is_base64,
          without_a_secret_nothing_is_signed, rs256_with_the_route_s_private_key, only_so_many_texts_are_begun)
