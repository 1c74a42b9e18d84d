/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

/* Memory for keys and card data: locked (never swapped), left out of core dumps, wiped when freed. There is no function
 * here that prints, logs or duplicates a secret. Small blocks come from OpenSSL's secure heap (guard pages, mlock,
 * MADV_DONTDUMP); larger ones are mapped and locked one by one, and a few megabytes of those are kept, wiped, for the
 * next large body. PCI DSS 4.0.1 requirements 3.3, 3.5, 3.7. */

#include "base/result.h"

#include <stddef.h>

MUST_USE result secret_start(size_t heap_bytes /* power of two */); /* once per process, before any other call */
bool secret_is_locked(void); /* false where RLIMIT_MEMLOCK did not allow locking; still wiped and not dumped */

void *secret_alloc(size_t bytes);           /* returns owned, zeroed; NULL when memory is short */
void secret_free(void *at, size_t bytes);   /* wipes; NULL is fine; <bytes> as given to secret_alloc */
void secret_wipe(void *at, size_t bytes);   /* wipes in place, cannot be optimised away; any memory */

#endif
