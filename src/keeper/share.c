/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static result add(struct shares *s, slice merchant, struct share **out)
{
    struct share *one = calloc(1, sizeof *one);
    ENSURE(one != NULL, MEMORY);
    one->merchant_len = (uint8_t)merchant.len;
    memcpy(one->merchant, merchant.at, merchant.len);
    HASH_ADD_KEYPTR(hh, s->by_merchant, one->merchant, one->merchant_len, one);
    if (!one->hh.tbl) {
        free(one);
        return FAIL(MEMORY);
    }
    *out = one;
    return OK;
}

result share_take(struct shares *s, slice merchant, enum error full, struct share **out)
{
    assert(merchant.len >= 1 && merchant.len <= MERCHANT_NAME_MAX_BYTES);
    HASH_FIND(hh, s->by_merchant, merchant.at, merchant.len, *out);
    size_t held = *out ? (*out)->held : 0;
    if (held >= s->places - s->used) return (result){full};
    if (!*out) TRY(add(s, merchant, out));
    (*out)->held++;
    s->used++;
    return OK;
}

void share_give_back(struct shares *s, struct share *one)
{
    s->used--;
    if (--one->held) return;
    HASH_DEL(s->by_merchant, one);
    free(one);
}

slice share_merchant(const struct share *one)
{
    return (slice){one->merchant, one->merchant_len};
}
