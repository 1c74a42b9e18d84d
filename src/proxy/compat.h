/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_COMPAT_H
#define PROXY_COMPAT_H

/* Routes with 'compat: pci-proxy' also speak as PCI Proxy does, so that its users change a host name and no more:
 *
 *   POST /v1/pull            x-cc-merchant-id, pci-proxy-api-key, x-cc-url: the route is the one whose upstream the URL lies in
 *   /v1/push/KEY             a push route whose prefix ends before the key; the key is not passed on
 *   x-cc-matches[-ca|-ac], x-cvv-matches[-cvva|-acvv], pci-proxy-masked-aliases, x-cc-proxy-action-id, x-cc-forwarded-for
 *   x-cc-error-code, x-cc-error                                                                                              */

#include "exchange_priv.h"

/* A call of /v1/pull, while there is a route for any: *out is its route. *is_one false: it is none. ERR_COMPAT_HEADER,
 * ERR_COMPAT_MERCHANT, ERR_TARGET_…. */
MUST_USE result compat_find_pull(struct exchange *x, const struct route **out, bool *is_one);
/* Once the keeper has said who calls: is he who the header says? ERR_COMPAT_MERCHANT. */
MUST_USE result compat_check_merchant(const struct exchange *x);
/* The key of a push, cut off *path, which is what follows the route's prefix. ERR_ROUTE_NOT_ACCEPTED. */
MUST_USE result compat_take_key(struct exchange *x, slice *path);
slice compat_api_key(const struct exchange *x); /* where such callers have it; start NULL: not there */
/* A name of theirs, which nobody else may use on such routes. */
bool compat_is_field(const struct exchange *x, slice name);
MUST_USE result compat_write_fields(const struct exchange *x, struct buf *out, bool to_merchant); /* nothing on other routes */
/* Their number and form for a refusal. */
void compat_mark_refusal(const struct exchange *x, enum error e, struct reply *reply);

#endif
