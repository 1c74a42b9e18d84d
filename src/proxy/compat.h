/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_COMPAT_H
#define PROXY_COMPAT_H

/* Routes with 'compat' also speak as another proxy does, so that its users change a host name and no more. What each of the two says is
 * in a file of its own; what they share, a path that takes the destination's URL from a field, is compat.c.
 *
 *   pci-proxy    POST /v1/pull            x-cc-merchant-id, pci-proxy-api-key, x-cc-url
 *                /v1/push/KEY             a push route whose prefix ends before the key; the key is not passed on
 *                x-cc-matches[-ca|-ac], x-cvv-matches[-cvva|-acvv], pci-proxy-masked-aliases, x-cc-proxy-action-id, x-cc-forwarded-for
 *                x-cc-error-code, x-cc-error
 *   firstoken    /proxy/                  ft-url-destiny, ft-access-key, ft-headers, ft-keep-response-format; answers in an envelope
 *                /routes/ID               a filter-push route, with or without an upstream                                             */

#include "exchange_priv.h"

/* A call of /v1/pull or /proxy/, while there is a route for any: *out is its route, the one whose upstream the URL lies in. *is_one
 * false: it is none. ERR_COMPAT_…, ERR_FT_HEADERS_…, ERR_TARGET_…. */
MUST_USE result compat_find_call(struct exchange *x, const struct route **out, bool *is_one);
/* Once the keeper has said who calls: is he who the header says? ERR_COMPAT_MERCHANT. */
MUST_USE result compat_check_merchant(const struct exchange *x);
/* Of *path, which is what follows the route's prefix, what such a push has there beyond the destination's path: PCI Proxy's key.
 * ERR_ROUTE_NOT_ACCEPTED. */
MUST_USE result compat_take_path(struct exchange *x, slice *path);
/* *key: where such callers have it; start NULL: they sent none. False: it stands where everybody's does. */
bool compat_api_key(const struct exchange *x, slice *key);
/* A name of theirs, which nobody else may use on such routes. */
bool compat_is_field(const struct exchange *x, slice name);
MUST_USE result compat_write_fields(const struct exchange *x, struct buf *out, bool to_merchant); /* nothing on other routes */
enum error compat_error(const struct exchange *x, enum error e); /* the same one, in words for these callers */
/* Their number and form for a refusal. */
void compat_mark_refusal(const struct exchange *x, enum error e, struct reply *reply);

#endif
