/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_COMPAT_DIALECTS_H
#define PROXY_COMPAT_DIALECTS_H

/* The two languages of compat.h, as compat.c asks them. */

#include "compat.h"

struct compat_call {
    slice url;      /* of the destination, as the caller wrote it */
    slice merchant; /* who he says he is; start NULL: his key tells, once the keeper has looked at it */
};
/* The field <name>, which must be there once: else <otherwise>. */
MUST_USE result compat_get_one(const struct http_head *h, const char *name, enum error otherwise, slice *out);
bool compat_begins_with(slice name, slice start); /* in any case of letters, and goes on */

/* compat_pci_proxy.c */
bool pci_proxy_is_call(slice path);
MUST_USE result pci_proxy_read_call(const struct exchange *x, struct compat_call *out);
MUST_USE result pci_proxy_check_merchant(const struct exchange *x);
MUST_USE result pci_proxy_take_key(struct exchange *x, slice *path);
bool pci_proxy_api_key(const struct exchange *x, slice *key);
bool pci_proxy_is_field(slice name);
MUST_USE result pci_proxy_write_fields(const struct exchange *x, struct buf *out, bool to_merchant);
enum error pci_proxy_error(enum error e);
void pci_proxy_mark_refusal(const struct exchange *x, enum error e, struct reply *reply);

/* compat_firstoken.c */
bool firstoken_is_call(slice path);
MUST_USE result firstoken_read_call(struct exchange *x, struct compat_call *out); /* x->head has ft-headers' fields in it then */
bool firstoken_api_key(const struct exchange *x, slice *key);
bool firstoken_is_field(slice name);
enum error firstoken_error(enum error e);
void firstoken_mark_refusal(const struct exchange *x, struct reply *reply);

#endif
