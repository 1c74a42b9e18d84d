/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/log.h"
#include "bytes.h"

#include <string.h>

/* The head of the audit trail, sealed in the store: seq 8 | hash 32. A line changed makes the chain break; lines cut off its
 * end, or a chain computed anew, do not fit the anchor, and an anchor cannot be made without the data key. */

enum { ANCHOR_BYTES = 8 + AUDIT_HASH_BYTES };

static struct seal_place anchor_place(void)
{
    return (struct seal_place){STORE_META, SLICE_NONE, meta_anchor};
}

static result read_sealed(struct vault *v, uint8_t sealed[ANCHOR_BYTES + SEAL_OVERHEAD_BYTES], size_t *sealed_len, struct audit_head *out)
{
    uint8_t plain[ANCHOR_BYTES];
    size_t len = 0;
    *out = (struct audit_head){0};
    *sealed_len = 0;
    result r = vault_read_now(v, STORE_META, meta_anchor, sealed, ANCHOR_BYTES + SEAL_OVERHEAD_BYTES, sealed_len);
    if (r.err == ERR_NOT_FOUND) return OK;
    TRY(r);
    struct seal_place place = anchor_place();
    TRY(vault_unseal(v, &place, (slice){(char *)sealed, *sealed_len}, plain, sizeof plain, &len));
    ENSURE(len == ANCHOR_BYTES, VAULT_FORMAT);
    out->seq = get_u64(plain);
    memcpy(out->hash, plain + 8, sizeof out->hash);
    return OK;
}

result vault_anchor_read(struct vault *v, struct audit_head *out)
{
    uint8_t sealed[ANCHOR_BYTES + SEAL_OVERHEAD_BYTES];
    size_t len;
    return read_sealed(v, sealed, &len, out);
}

struct anchor_steps { /* the batch, and the room its slices point to */
    uint8_t old[ANCHOR_BYTES + SEAL_OVERHEAD_BYTES], sealed[ANCHOR_BYTES + SEAL_OVERHEAD_BYTES];
    struct store_write steps[3];
    size_t count; /* 0: nothing to write */
};

/* Forward only: a process that has seen less of the trail than another does not set the anchor back. */
static result prepare(struct vault *v, const struct audit_head *head, struct anchor_steps *out)
{
    uint8_t plain[ANCHOR_BYTES];
    size_t old_len, len = 0;
    struct audit_head anchored;
    out->count = 0;
    TRY(read_sealed(v, out->old, &old_len, &anchored));
    if (anchored.seq >= head->seq) return OK;
    put_u64(plain, head->seq);
    memcpy(plain + 8, head->hash, sizeof head->hash);
    struct seal_place place = anchor_place();
    TRY(vault_seal(v, &place, (slice){(char *)plain, sizeof plain}, out->sealed, &len));
    out->steps[0] = vault_expect_ring(v);
    out->steps[1] = (struct store_write){STORE_EXPECT, STORE_META, meta_anchor, {(char *)out->old, old_len}};
    out->steps[2] = (struct store_write){STORE_PUT, STORE_META, meta_anchor, {(char *)out->sealed, len}};
    out->count = 3;
    return OK;
}

result vault_anchor_write(struct vault *v)
{
    struct audit_head head = audit_head(v->audit);
    struct anchor_steps a;
    result r = OK;
    if (head.seq == v->anchored_seq) return OK;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        TRY(prepare(v, &head, &a));
        r = a.count ? store_commit(v->store, a.steps, a.count) : OK;
        if (r.err != ERR_VAULT_CONFLICT) break;
        TRY(vault_refresh_ring(v));
    }
    if (!failed(r)) v->anchored_seq = head.seq;
    return r;
}

/* A conflict (another process anchored, or a rotation began) is left to the next tick. */
static void on_anchored(void *owner, result r)
{
    struct vault *v = owner;
    if (!failed(r)) v->anchored_seq = v->anchoring_seq;
    v->anchoring_seq = 0;
    if (failed(r) && r.err != ERR_VAULT_CONFLICT && r.err != ERR_VAULT_BUSY) log_failure("audit_anchor", r);
}

void vault_anchor_queue(struct vault *v)
{
    struct audit_head head = audit_head(v->audit);
    struct anchor_steps a;
    if (head.seq == v->anchored_seq || v->anchoring_seq) return;
    result r = prepare(v, &head, &a);
    if (failed(r)) {
        log_failure("audit_anchor", r);
    } else if (a.count) {
        v->anchoring_seq = head.seq;
        store_batch(v->store, a.steps, a.count, on_anchored, v);
    } else {
        v->anchored_seq = head.seq;
    }
}
