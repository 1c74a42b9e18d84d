/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_priv.h"

#include "rules/host.h"
#include "vault/ca.h"

#include <string.h>

/* A server's certificate for a host that the forward proxy reads, signed by the local CA. From the relay come a host name, which must be
 * one of the caller's routes in the configuration as it is here, and a point on a curve: no DER is parsed here that was made outside. */

static result make_leaf(const struct question *q, const struct wire_frame *f, struct buf *out)
{
    slice host = wire_tail(f, 0), point = wire_tail(f, 1);
    uint8_t bytes[CA_POINT_BYTES];
    ENSURE(point.len == CA_POINT_BYTES, KEEPER_REFUSED);
    ENSURE(config_route_for_host(q->standing.version->config, answer_merchant(q), host, 0), KEEPER_REFUSED);
    memcpy(bytes, point.at, sizeof bytes);
    return vault_ca_sign(q->relay->server->vault, host, bytes, out);
}

void answer_leaf(struct question *q, const struct wire_frame *f)
{
    struct buf der;
    buf_init(&der, CA_LEAF_MAX_BYTES);
    result r = make_leaf(q, f, &der);
    result written = answer_audit(q, "ca.sign", wire_tail(f, 0), r);
    if (!failed(r)) r = written;
    if (failed(r)) {
        answer_error(q->relay, WIRE_LEAF_MADE, q->dialogue, q->sequence, r.err);
    } else {
        const slice tail = buf_slice(&der);
        const struct wire_leaf_made w = {.certificate_len = (uint16_t)tail.len};
        server_put(q->relay, WIRE_LEAF_MADE, q->dialogue, q->sequence, &w, &tail);
    }
    buf_done(&der);
    answer_finish(q);
}
