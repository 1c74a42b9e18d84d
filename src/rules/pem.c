/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static BIO *open_pem(slice pem)
{
    return pem.len && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
}

/* Without this OpenSSL would ask on the terminal. */
static int on_passphrase(char *out, int size, int writing, void *was_asked)
{
    (void)out, (void)size, (void)writing;
    *(bool *)was_asked = true;
    return -1;
}

const char *pem_check_certificates(slice pem)
{
    BIO *in = open_pem(pem);
    if (!in) return "the file is empty";
    size_t count = 0;
    X509 *one;
    while ((one = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
        X509_free(one);
        count++;
    }
    /* "No start line" is how OpenSSL says that no further certificate follows. */
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(in);
    if (!at_end) return "a certificate in the file is damaged";
    return count ? NULL : "no certificate in the file; expected PEM";
}

static EVP_PKEY *read_key(slice pem, bool *is_encrypted)
{
    BIO *in = open_pem(pem);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, on_passphrase, is_encrypted) : NULL;
    BIO_free(in);
    ERR_clear_error();
    return key;
}

const char *pem_check_private_key(slice pem)
{
    if (pem.len == 0) return "the file is empty";
    bool is_encrypted = false;
    EVP_PKEY *key = read_key(pem, &is_encrypted);
    EVP_PKEY_free(key);
    if (key) return NULL;
    if (is_encrypted)
        return "the private key is encrypted; nobody could enter its passphrase at start: store it decrypted, mode "
               "0600";
    return "no private key in the file; expected PEM";
}

const char *pem_check_pair(slice certificates, slice key)
{
    bool is_encrypted = false;
    BIO *in = open_pem(certificates);
    X509 *leaf = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    EVP_PKEY *private_key = read_key(key, &is_encrypted);
    bool fits = leaf && private_key && X509_check_private_key(leaf, private_key) == 1;
    EVP_PKEY_free(private_key);
    X509_free(leaf);
    ERR_clear_error();
    return fits ? NULL : "the private key does not belong to the certificate (the file's first one)";
}
