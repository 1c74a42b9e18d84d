/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include <string.h>

static result is_there(struct vault *v, enum store_table t, slice key)
{
    uint8_t value[SEALED_MAX_BYTES];
    size_t len;
    return vault_read_now(v, t, key, value, sizeof value, &len);
}

/* Its card is there, and its names lead to it. */
static result check_record(struct vault *v, slice key, slice plain, struct network_record *record)
{
    TRY(network_record_decode(plain, record));
    const struct network_text *names[] = {&record->ref, &record->instrument};
    for (size_t i = 0; i < 2; i++) {
        char room[REF_KEY_MAX_BYTES];
        slice entry;
        if (!names[i]->len) continue;
        TRY(ref_key(v, network_text_slice(names[i]), key, room, &entry));
        TRY(is_there(v, STORE_REF, entry));
    }
    return is_there(v, STORE_CARD, key);
}

/* A name's entry: the record that it leads to has that name. */
static result check_ref(struct vault *v, slice entry, uint8_t *plain, struct network_record *record)
{
    uint8_t value[SEALED_MAX_BYTES], hash[KEYRING_INDEX_BYTES];
    size_t value_len = 0, len = 0;
    slice key;
    ENSURE(ref_key_split(entry, &key), VAULT_FORMAT);
    TRY(vault_read_now(v, STORE_NETWORK, key, value, sizeof value, &value_len));
    TRY(vault_unseal_scanned(v, STORE_NETWORK, key, (slice){(char *)value, value_len}, plain, SEALED_MAX_BYTES, &len));
    TRY(network_record_decode((slice){(char *)plain, len}, record));
    const struct network_text *names[] = {&record->ref, &record->instrument};
    for (size_t i = 0; i < 2; i++) {
        if (!names[i]->len) continue;
        TRY(ref_hash(v, network_text_slice(names[i]), hash));
        if (memcmp(hash, entry.at, sizeof hash) == 0) return OK;
    }
    return FAIL(VAULT_SEAL);
}

static result check_count(slice key, slice plain)
{
    slice merchant, route;
    uint32_t hour;
    uint64_t n[COUNTER_COUNT], sequence;
    return count_key_split(key, &merchant, &hour, &route) ? counts_decode(plain, n) : mark_decode(plain, &sequence);
}

result vault_check_network(struct vault *v, enum store_table t, slice key, slice value, uint8_t *plain, struct network_record *record)
{
    struct job job;
    struct event event;
    slice id;
    size_t len = 0;
    if (t == STORE_REF) return check_ref(v, key, plain, record);
    TRY(vault_unseal_scanned(v, t, key, value, plain, SEALED_MAX_BYTES, &len));
    slice text = {(char *)plain, len};
    if (t == STORE_NETWORK) return check_record(v, key, text, record);
    if (t == STORE_JOB) return job_decode(key, text, &job);
    if (t == STORE_EVENT) return event_decode(key, text, &event);
    if (t == STORE_TRAIL) return trail_decode(text, &id);
    return check_count(key, text);
}
