/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_KEK_H
#define VAULT_KEK_H

/* What kek.c reads and keyring.c uses; secret memory. */

#include "vault/keyring.h"

struct kek {
    uint8_t key[SEAL_KEY_BYTES];
    struct gcm gcm;
};

#endif
