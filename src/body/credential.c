/* SPDX-License-Identifier: Apache-2.0 */
#include "body/credential.h"

const char *credential_kind_name(enum credential_kind k)
{
    return k == CREDENTIAL_NETWORK_TOKEN ? "NETWORK_TOKEN" : "CARD_PAN";
}
