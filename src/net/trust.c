/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { DIGEST_BYTES = 32 };

struct trust {
    LIST_ENTRY(trust) entry;
    unsigned users;
    X509_STORE *store;
    unsigned char digest[DIGEST_BYTES];
};

static LIST_HEAD(, trust) known = LIST_HEAD_INITIALIZER(known);

/* PEM_read_bio_X509 ends a good file with "no start line"; anything else is damage. */
static bool ended_cleanly(void)
{
    unsigned long e = ERR_peek_last_error();
    bool clean = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return clean;
}

static result add_all(X509_STORE *store, BIO *pem)
{
    size_t count = 0;
    X509 *anchor;
    ERR_clear_error();
    while ((anchor = PEM_read_bio_X509(pem, NULL, NULL, NULL))) {
        int added = X509_STORE_add_cert(store, anchor); /* twice the same is fine */
        X509_free(anchor);
        ENSURE(added == 1, MEMORY);
        count++;
    }
    ENSURE(ended_cleanly() && count > 0, CONFIG);
    return OK;
}

static result load(struct trust *t, slice pem)
{
    ENSURE(pem.len > 0 && pem.len <= INT_MAX, CONFIG);
    t->store = X509_STORE_new();
    ENSURE(t->store != NULL, MEMORY);
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    ENSURE(bio != NULL, MEMORY);
    result r = add_all(t->store, bio);
    BIO_free(bio);
    return r;
}

result trust_hold(slice pem, struct trust **out)
{
    unsigned char digest[DIGEST_BYTES];
    struct trust *t;
    ENSURE(EVP_Digest(pem.at, pem.len, digest, NULL, EVP_sha256(), NULL) == 1, CRYPTO);
    LIST_FOREACH(t, &known, entry) {
        if (memcmp(t->digest, digest, sizeof digest) != 0) continue;
        t->users++;
        *out = t;
        return OK;
    }
    t = calloc(1, sizeof *t);
    ENSURE(t != NULL, MEMORY);
    t->users = 1;
    memcpy(t->digest, digest, sizeof digest);
    LIST_INSERT_HEAD(&known, t, entry);
    result r = load(t, pem);
    if (failed(r)) {
        trust_release(t);
        return r;
    }
    *out = t;
    return OK;
}

X509_STORE *trust_store(const struct trust *t)
{
    return t->store;
}

void trust_release(struct trust *t)
{
    if (!t || --t->users) return;
    LIST_REMOVE(t, entry);
    X509_STORE_free(t->store);
    free(t);
}
