/* SPDX-License-Identifier: Apache-2.0 */
#include "network/connector.h"

#include "network/tms.h"

#include <string.h>

static bool is_ref_character(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool network_ref_from(slice text, struct network_ref *out)
{
    *out = (struct network_ref){0};
    if (text.len == 0 || text.len > NETWORK_REF_MAX_BYTES) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_ref_character(text.at[i])) return false;
    memcpy(out->at, text.at, text.len);
    out->len = (uint8_t)text.len;
    return true;
}

slice network_ref_slice(const struct network_ref *r)
{
    return (slice){r->at, r->len};
}

result connector_new(const struct connector_options *options, struct connector **out)
{
    *out = NULL;
    switch (options->network->type) {
    case NETWORK_TYPE_CYBERSOURCE:
        return tms_connector_new(options, out);
    }
    return FAIL(CONFIG);
}
