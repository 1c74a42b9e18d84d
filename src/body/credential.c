/* SPDX-License-Identifier: Apache-2.0 */
#include "body/credential.h"

#include <assert.h>

const char *credential_kind_name(enum credential_kind k)
{
    switch (k) {
    case CREDENTIAL_PAN:
        return "CARD_PAN";
    case CREDENTIAL_NETWORK_TOKEN:
        return "NETWORK_TOKEN";
    }
    assert(!"a credential kind of the enum");
    return NULL;
}
