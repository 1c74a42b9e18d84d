/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/secret.h"

#include <openssl/rand.h>
#include <string.h>

result vault_job_new_id(char out[JOB_ID_BYTES])
{
    ENSURE(RAND_bytes((unsigned char *)out, JOB_ID_BYTES) == 1, CRYPTO);
    return OK;
}

void vault_job_put(struct vault *v, const struct job *j, vault_done done, void *owner)
{
    uint8_t plain[JOB_RECORD_MAX_BYTES];
    size_t len = 0;
    result r = job_encode(j, plain, &len);
    if (failed(r))
        done(owner, r);
    else
        vault_put_sealed(v, STORE_JOB, (slice){j->id, JOB_ID_BYTES}, (slice){(char *)plain, len}, done, owner);
    secret_wipe(plain, len); /* an address may stand in it */
}

void vault_job_delete(struct vault *v, slice id, vault_done done, void *owner)
{
    struct store_write step = {STORE_DELETE, STORE_JOB, id, SLICE_NONE};
    if (id.len == JOB_ID_BYTES)
        store_batch(v->store, &step, 1, done, owner);
    else
        done(owner, FAIL(NOT_FOUND));
}

void vault_watch_removals(struct vault *v, vault_removal_queued queued, void *owner)
{
    v->on_removal = queued;
    v->removal_owner = owner;
}

struct listing {
    struct vault *v;
    vault_job_each each;
    void *owner;
    bool ended;
    result worst;
};

static result list_one(void *owner, enum store_table t, slice key, slice value)
{
    struct listing *l = owner;
    struct job job;
    uint8_t plain[JOB_RECORD_MAX_BYTES];
    size_t len = 0;
    result r = vault_unseal_scanned(l->v, t, key, value, plain, sizeof plain, &len);
    if (!failed(r)) r = job_decode(key, (slice){(char *)plain, len}, &job);
    secret_wipe(plain, len);
    if (failed(r)) {
        if (r.err != ERR_NOT_FOUND && !failed(l->worst)) l->worst = r;
        return OK;
    }
    l->ended = !l->each(l->owner, &job);
    secret_wipe(&job, sizeof job);
    return l->ended ? FAIL(NOT_FOUND) : OK;
}

result vault_job_list(struct vault *v, vault_job_each each, void *owner)
{
    struct listing l = {.v = v, .each = each, .owner = owner, .worst = OK};
    result r = vault_each(v, STORE_JOB, list_one, &l);
    return failed(r) && !l.ended ? r : l.worst;
}
