/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

static char *pem_of(EVP_PKEY *key, bool private)
{
    char *at;
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(
        private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) : PEM_write_bio_PUBKEY(bio, key), 1);
    long len = BIO_get_mem_data(bio, &at);
    char *pem = strndup(at, (size_t)len);
    BIO_free(bio);
    return pem;
}

static void make_keys(struct stage *s)
{
    s->rsa = EVP_RSA_gen(2048);
    ck_assert_ptr_nonnull(s->rsa);
    s->private_pem = pem_of(s->rsa, true);
    char *public_pem = pem_of(s->rsa, false);
    ck_assert(!failed(rsa_key_public(slice_of(public_pem), &s->public_key)));
    free(public_pem);
}

void stage_start(struct stage *s, enum network_auth auth)
{
    *s = (struct stage){.loop = loop_new(), .config = {.idle_upstream_ms = 60000}};
    s->resolver = resolver_new(s->loop, SLICE_NONE);
    player_init(&s->player, s->loop);
    make_keys(s);
    s->network = (struct config_network){
        .name = SLICE("cybersource"),
        .type = NETWORK_TYPE_CYBERSOURCE,
        .upstream = {.host = SLICE("127.0.0.1"), .port = s->player.port, .path = SLICE("")},
        .merchant_id = SLICE("demo_mid"),
        .key_id = SLICE("demo-key"),
        .auth = auth,
        .secret = SLICE(STAGE_SECRET),
        .jwt_key = slice_of(s->private_pem),
        .answer_key = slice_of(s->private_pem),
        .notice_key_id = SLICE("notice-key"),
        .notice_key = SLICE(STAGE_SECRET),
        .brands = 1U << BRAND_VISA | 1U << BRAND_MASTERCARD | 1U << BRAND_AMEX | 1U << BRAND_ELO,
        .timeout_ms = 60000,
    };
    ck_assert(!failed(connector_new(
        &(struct connector_options){
            .loop = s->loop, .resolver = s->resolver, .config = &s->config, .network = &s->network},
        &s->connector)));
}

void stage_finish(struct stage *s)
{
    connector_free(s->connector);
    player_done(&s->player);
    resolver_free(s->resolver);
    turn(s->loop);
    loop_free(s->loop);
    rsa_key_free(s->public_key);
    EVP_PKEY_free(s->rsa);
    free(s->private_pem);
}

void stage_turns(struct stage *s)
{
    for (int i = 0; i < 10; i++)
        turn(s->loop);
}

void on_told(void *owner, const struct network_answer *a)
{
    struct told *t = owner;
    t->count++;
    t->answer = *a;
    if (!a->credential) return;
    t->credential = *a->credential;
    t->answer.credential = &t->credential;
}

struct network_card stage_card(void)
{
    return (struct network_card){
        .number = SLICE("4111111111111111"),
        .holder = SLICE("Ana Souza"),
        .cvc = SLICE("123"),
        .month = 3,
        .year = 2031,
        .brand = BRAND_VISA,
        .billing = {.address_1 = SLICE("1 \"Main\" Street"),
                    .city = SLICE("Austin"),
                    .state = SLICE("TX"),
                    .postal_code = SLICE("78701"),
                    .country = SLICE("US")},
        .correlation = SLICE("enrol-1"),
    };
}

void stage_answer_jwe(struct stage *s, slice json)
{
    struct buf jwe;
    buf_init(&jwe, 64 * 1024);
    ck_assert(!failed(jwe_encrypt(s->public_key, SLICE("1"), json, &jwe)));
    player_answer(&s->player, 200, "application/jose", buf_slice(&jwe));
    buf_done(&jwe);
}
