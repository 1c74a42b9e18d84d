/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/secret.h"
#include "files.h"
#include "vault/ca.h"
#include "vault/store_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCAN_ITEMS = 64, PROGRESS_EVERY = 256 };

/* --- going through a table --- */

struct page { /* what one short scan brought; copied, since the callbacks may use the store */
    size_t count;
    result r;
    size_t key_len[SCAN_ITEMS], value_len[SCAN_ITEMS];
    char key[SCAN_ITEMS][STORE_KEY_MAX_BYTES];
    char value[SCAN_ITEMS][STORE_VALUE_MAX_BYTES];
};

static bool on_page_item(void *owner, slice key, slice value)
{
    struct page *p = owner;
    if (key.len > STORE_KEY_MAX_BYTES || value.len > STORE_VALUE_MAX_BYTES) {
        p->r = FAIL(VAULT_FORMAT);
        return false;
    }
    memcpy(p->key[p->count], key.at, key.len);
    memcpy(p->value[p->count], value.at, value.len);
    p->key_len[p->count] = key.len;
    p->value_len[p->count++] = value.len;
    return true;
}

static void on_page_done(void *owner, result r)
{
    struct page *p = owner;
    if (!failed(p->r)) p->r = r;
}

static result each_page(struct vault *v, enum store_table t, slice prefix, slice from, struct page *p, vault_on_record on_record, void *owner)
{
    char after[STORE_KEY_MAX_BYTES];
    size_t after_len = from.len;
    assert(from.len <= sizeof after);
    if (from.len) memcpy(after, from.at, from.len);
    do {
        p->count = 0;
        p->r = OK;
        store_scan(v->store, t, (slice){after, after_len}, SCAN_ITEMS, on_page_item, on_page_done, p);
        TRY(p->r);
        for (size_t i = 0; i < p->count; i++) {
            if (!slice_starts((slice){p->key[i], p->key_len[i]}, prefix)) return OK;
            TRY(on_record(owner, t, (slice){p->key[i], p->key_len[i]}, (slice){p->value[i], p->value_len[i]}));
        }
        if (p->count == 0) return OK;
        after_len = p->key_len[p->count - 1];
        memcpy(after, p->key[p->count - 1], after_len);
    } while (p->count == SCAN_ITEMS);
    return OK;
}

result vault_each_past(struct vault *v, enum store_table t, slice prefix, slice after, vault_on_record on_record, void *owner)
{
    struct page *p = malloc(sizeof *p);
    ENSURE(p != NULL, MEMORY);
    result r = each_page(v, t, prefix, after, p, on_record, owner);
    free(p);
    return r;
}

result vault_each(struct vault *v, enum store_table t, vault_on_record on_record, void *owner)
{
    return vault_each_past(v, t, SLICE_NONE, SLICE_NONE, on_record, owner);
}

result vault_each_sealed(struct vault *v, vault_on_record on_record, void *owner)
{
    static const enum store_table tables[] = {STORE_CARD, STORE_KEY, STORE_NETWORK, STORE_JOB, STORE_EVENT, STORE_TRAIL, STORE_COUNT,
                                              STORE_ALIAS, STORE_ALIASES};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) TRY(vault_each(v, tables[i], on_record, owner));
    return OK;
}

result vault_unseal_scanned(struct vault *v, enum store_table t, slice key, slice value, uint8_t *out, size_t cap, size_t *len)
{
    uint8_t now[STORE_VALUE_MAX_BYTES];
    size_t now_len = 0;
    struct seal_place place;
    TRY(vault_place(t, key, &place));
    result r = vault_unseal(v, &place, value, out, cap, len);
    if (r.err != ERR_VAULT_SEAL) return r;
    TRY(vault_read_now(v, t, key, now, sizeof now, &now_len));
    return vault_unseal(v, &place, (slice){(char *)now, now_len}, out, cap, len);
}

/* --- stat --- */

struct counting {
    struct vault *v;
    struct vault_stat *out;
};

static result count_record(void *owner, enum store_table t, slice key, slice value)
{
    struct counting *c = owner;
    uint32_t version;
    (void)key;
    if (t == STORE_CARD) c->out->cards++;
    if (t == STORE_ALIAS) c->out->aliases++;
    if (t == STORE_KEY) c->out->keys++;
    if (t == STORE_NETWORK) c->out->network_records++;
    if (t == STORE_JOB) c->out->jobs++;
    if (t == STORE_EVENT) c->out->events++;
    if (seal_key_version(value, &version) && version != c->out->key_version) c->out->records_under_old_keys++;
    return OK;
}

result vault_stat(struct vault *v, struct vault_stat *out)
{
    struct counting c = {v, out};
    *out = (struct vault_stat){0};
    TRY(vault_refresh_ring(v));
    out->key_version = keyring_active(v->ring)->version;
    out->key_versions = keyring_count(v->ring);
    TRY(vault_each_sealed(v, count_record, &c));
    TRY(vault_seals_used(v, out->key_version, &out->seals, &out->seals_max));
    TRY(store_space(v->store, &out->store_bytes, &out->store_max_bytes));
    out->under_old_key = v->under_old_key;
    out->audit_bytes = audit_bytes(v->audit);
    return audit_last(v->folder, &out->audit_lines);
}

/* --- verify --- */

struct verifying {
    struct vault *v;
    struct vault_verdict *out;
    vault_progress progress;
    void *owner;
    uint64_t total;
    struct card_record *record;     /* secret */
    struct network_record *network; /* secret */
    uint8_t *plain;                 /* secret; SEALED_MAX_BYTES */
};

static void report(struct verifying *y)
{
    if (y->progress && y->out->records % PROGRESS_EVERY == 0) y->progress(y->owner, y->out->records, y->total);
}

/* A card's index entry leads to it. */
static result check_index(struct verifying *y, const struct seal_place *place)
{
    uint8_t index[KEYRING_INDEX_BYTES], token[TOKEN_ID_MAX_BYTES];
    size_t len = 0;
    slice number = {y->record->card.number, y->record->card.number_len};
    TRY(keyring_index(y->v->ring, place->merchant, number, index));
    TRY(vault_read_now(y->v, STORE_INDEX, (slice){(char *)index, sizeof index}, token, sizeof token, &len));
    ENSURE(slice_eq((slice){(char *)token, len}, place->id), VAULT_SEAL);
    return OK;
}

static result check_card(struct verifying *y, slice key, slice value)
{
    size_t len = 0;
    struct seal_place place;
    TRY(vault_place(STORE_CARD, key, &place));
    TRY(vault_unseal(y->v, &place, value, y->plain, SEALED_MAX_BYTES, &len));
    TRY(card_record_decode((slice){(char *)y->plain, len}, y->record));
    return y->record->indexed ? check_index(y, &place) : OK;
}

static result still_the_same(struct verifying *y, enum store_table t, slice key, slice value, bool *same)
{
    uint8_t now[STORE_VALUE_MAX_BYTES];
    size_t len = 0;
    result r = vault_read_now(y->v, t, key, now, sizeof now, &len);
    *same = !failed(r) && slice_eq((slice){(char *)now, len}, value);
    return r.err == ERR_NOT_FOUND ? OK : r;
}

static result verify_card(void *owner, enum store_table t, slice key, slice value)
{
    struct verifying *y = owner;
    bool same = true;
    y->out->records++;
    report(y);
    if (failed(check_card(y, key, value))) {
        TRY(still_the_same(y, t, key, value, &same)); /* others write meanwhile: a change is no damage */
        if (same) y->out->bad_records++;
    }
    secret_wipe(y->record, sizeof *y->record);
    return OK;
}

static result verify_key(void *owner, enum store_table t, slice key, slice value)
{
    struct verifying *y = owner;
    uint8_t plain[STORE_VALUE_MAX_BYTES]; /* digests only */
    size_t len = 0;
    struct seal_place place;
    bool same = true;
    y->out->records++;
    result r = vault_place(t, key, &place);
    if (!failed(r)) r = vault_unseal(y->v, &place, value, plain, sizeof plain, &len);
    if (failed(r)) TRY(still_the_same(y, t, key, value, &same));
    if (failed(r) && same) y->out->bad_records++;
    return OK;
}

static result check_other(struct verifying *y, enum store_table t, slice key, slice value)
{
    bool is_alias = t == STORE_ALIAS || t == STORE_ALIASES;
    return is_alias ? vault_check_alias(y->v, t, key, value, y->plain) : vault_check_network(y->v, t, key, value, y->plain, y->network);
}

static result verify_other(void *owner, enum store_table t, slice key, slice value)
{
    struct verifying *y = owner;
    bool same = true;
    y->out->records++;
    report(y);
    if (failed(check_other(y, t, key, value))) {
        TRY(still_the_same(y, t, key, value, &same));
        if (same) y->out->bad_records++;
    }
    secret_wipe(y->network, sizeof *y->network);
    return OK;
}

static result verify_others(struct verifying *y)
{
    static const enum store_table tables[] = {STORE_NETWORK, STORE_REF, STORE_JOB, STORE_EVENT, STORE_TRAIL, STORE_COUNT,
                                              STORE_ALIAS, STORE_ALIASES};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) TRY(vault_each(y->v, tables[i], verify_other, y));
    return OK;
}

static result count_only(void *owner, enum store_table t, slice key, slice value)
{
    (void)t;
    (void)key;
    (void)value;
    ++*(uint64_t *)owner;
    return OK;
}

/* An index entry leads to a card that is there. */
static result verify_index(void *owner, enum store_table t, slice key, slice value)
{
    struct verifying *y = owner;
    bool same = true;
    struct token_id id;
    y->out->records++;
    report(y);
    if (key.len == KEYRING_INDEX_BYTES && token_id_from(value, &id)) return OK;
    TRY(still_the_same(y, t, key, value, &same));
    if (same) y->out->bad_records++;
    return OK;
}

static result verify_audit(struct vault *v, struct vault_verdict *out)
{
    struct audit_head anchor;
    result r = vault_anchor_read(v, &anchor);
    if (r.err == ERR_VAULT_SEAL || r.err == ERR_VAULT_FORMAT) { /* the anchor itself was touched */
        out->bad_records++;
        anchor = (struct audit_head){0};
    } else {
        TRY(r);
    }
    struct audit_verdict trail;
    TRY(audit_verify(v->folder, &anchor, &trail));
    out->audit_first_line = trail.first;
    out->audit_lines = trail.lines;
    out->audit_bad_line = trail.bad_line;
    return OK;
}

static result verify_ca(struct verifying *y)
{
    result r = vault_ca_check(y->v);
    if (r.err == ERR_CA_MISSING) return OK;
    y->out->records++;
    if (r.err == ERR_VAULT_SEAL || r.err == ERR_VAULT_FORMAT) {
        y->out->bad_records++;
        return OK;
    }
    return r;
}

result vault_verify(struct vault *v, vault_progress progress, void *owner, struct vault_verdict *out)
{
    struct verifying y = {.v = v, .out = out, .progress = progress, .owner = owner};
    *out = (struct vault_verdict){0};
    TRY(vault_refresh_ring(v));
    TRY(vault_each_sealed(v, count_only, &y.total));
    TRY(vault_each(v, STORE_INDEX, count_only, &y.total));
    TRY(vault_each(v, STORE_REF, count_only, &y.total));
    y.record = secret_alloc(sizeof *y.record);
    y.network = secret_alloc(sizeof *y.network);
    y.plain = secret_alloc(SEALED_MAX_BYTES);
    result r = y.record && y.network && y.plain ? OK : FAIL(MEMORY);
    if (!failed(r)) r = vault_each(v, STORE_CARD, verify_card, &y);
    if (!failed(r)) r = vault_each(v, STORE_KEY, verify_key, &y);
    if (!failed(r)) r = vault_each(v, STORE_INDEX, verify_index, &y);
    if (!failed(r)) r = verify_others(&y);
    if (!failed(r)) r = verify_ca(&y);
    secret_free(y.plain, SEALED_MAX_BYTES);
    secret_free(y.network, sizeof *y.network);
    secret_free(y.record, sizeof *y.record);
    if (!failed(r)) r = verify_audit(v, out);
    return r;
}

/* --- backup --- */

static result copy_keyring(int from, int to)
{
    char room[4096]; /* sealed */
    size_t len = 0;
    TRY(file_read(from, "keyring", room, sizeof room, &len));
    return file_replace(to, "keyring", (slice){room, len});
}

/* CURRENT comes last: without it the folder is no vault, so a copy that was cut off cannot be taken for one. */
static result fill_backup(struct vault *v, const char *path, int target)
{
    bool there;
    TRY(file_exists(target, "CURRENT", &there));
    ENSURE(!there, VAULT_EXISTS);
    TRY(copy_keyring(v->folder, target));
    TRY(store_lmdb_backup(v->store, path, target));
    TRY(audit_copy(v->folder, target)); /* after the store, whose anchor it must reach */
    return store_lmdb_backup_current(v->store, target);
}

result vault_backup(struct vault *v, slice folder, vault_progress progress, void *owner)
{
    char path[PATH_MAX];
    ENSURE(folder.len > 0 && folder.len < sizeof path - 64, IO);
    memcpy(path, folder.at, folder.len);
    path[folder.len] = '\0';
    int rotating = file_lock(v->folder, "rotate.lock", LOCK_SH | LOCK_NB);
    if (rotating == -1) return errno == EWOULDBLOCK ? FAIL(VAULT_BUSY) : FAIL(IO);
    result r = file_make_path(folder);
    int target = failed(r) ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!failed(r) && target == -1) r = FAIL(IO);
    if (progress) progress(owner, 0, 1);
    if (!failed(r)) r = fill_backup(v, path, target);
    if (progress && !failed(r)) progress(owner, 1, 1);
    if (target != -1) (void)close(target);
    (void)close(rotating);
    return r;
}
