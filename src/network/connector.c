/* SPDX-License-Identifier: Apache-2.0 */
#include "network/connector.h"

#include "network/tms.h"

#include <string.h>

bool network_ref_from(slice text, struct network_ref *out)
{
    *out = (struct network_ref){0};
    if (text.len > NETWORK_REF_MAX_BYTES || !slice_is_word(text)) return false;
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
