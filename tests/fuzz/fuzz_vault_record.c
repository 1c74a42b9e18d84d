/* SPDX-License-Identifier: Apache-2.0 */

/* A vault record on arbitrary bytes: as it stands in the store (sealed), and as it stands inside its seal. The first byte says
 * which, and which kind of record. Sealed bytes that nobody sealed must not open; a plaintext that decodes must come out of encoding
 * and decoding as it was, and its number must be one. */

#include "vault/alias_record.h"
#include "vault/network_record.h"
#include "vault/record.h"
#include "vault/seal.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gcm *key(void)
{
    static const uint8_t bytes[SEAL_KEY_BYTES] = {1};
    static struct gcm gcm;
    if (!gcm.seal && failed(gcm_init(&gcm, bytes))) abort();
    return &gcm;
}

static void decode(slice plain)
{
    struct card_record record, again;
    struct card_info info;
    struct token_id token = {.len = 6, .at = "abcdef"};
    uint8_t room[CARD_RECORD_MAX_BYTES];
    if (failed(card_record_decode(plain, &record))) return;
    assert(record.card.number_len == 0 || slice_is_digits((slice){record.card.number, record.card.number_len}));
    size_t len = card_record_encode(&record, room);
    assert(len <= sizeof room);
    assert(!failed(card_record_decode((slice){(char *)room, len}, &again)));
    assert(memcmp(&record, &again, sizeof record) == 0);
    card_record_info(&record, &token, &info);
    card_record_remove_pan(&record);
}

/* --- records of network tokens; decoding clears the whole structure, so that two of them can be compared --- */

static void decode_network(slice plain)
{
    struct network_record record, again;
    uint8_t room[NETWORK_RECORD_MAX_BYTES];
    size_t len;
    if (failed(network_record_decode(plain, &record))) return;
    assert(record.number_len == 0 || slice_is_digits((slice){record.number, record.number_len}));
    assert(!failed(network_record_encode(&record, room, &len)) && len <= sizeof room);
    assert(slice_eq((slice){(char *)room, len}, plain));
    assert(!failed(network_record_decode((slice){(char *)room, len}, &again)) && memcmp(&record, &again, sizeof record) == 0);
}

static void decode_job(slice plain)
{
    struct job job;
    uint8_t room[JOB_RECORD_MAX_BYTES];
    size_t len;
    slice network, ref;
    if (failed(job_decode(SLICE("0123456789abcdef"), plain, &job))) return;
    assert(!failed(job_encode(&job, room, &len)) && len <= sizeof room);
    assert(slice_eq((slice){(char *)room, len}, plain));
    if (job_removal(&job, &network, &ref)) assert(network.len + ref.len + 1 == job.payload_len);
}

static void decode_event(slice plain)
{
    static const char key[] = "\0\0\0\0\0\0\1\0" "00112233-4455-4677-8899-aabbccddeeff";
    struct event event;
    uint8_t room[EVENT_RECORD_MAX_BYTES];
    char key_room[EVENT_KEY_BYTES];
    size_t len;
    if (failed(event_decode((slice){key, EVENT_KEY_BYTES}, plain, &event))) return;
    assert(!failed(event_encode(&event, room, &len)) && len <= sizeof room);
    assert(slice_eq((slice){(char *)room, len}, plain));
    event_key(&event, key_room);
    assert(memcmp(key_room, key, EVENT_KEY_BYTES) == 0);
}

static void decode_small(slice plain)
{
    slice id;
    uint64_t n[COUNTER_COUNT], again[COUNTER_COUNT], sequence;
    uint8_t room[COUNTS_RECORD_MAX_BYTES];
    size_t len;
    if (!failed(trail_decode(plain, &id))) {
        assert(!failed(trail_encode(id, room, &len)));
        assert(slice_eq((slice){(char *)room, len}, plain));
    }
    if (!failed(mark_decode(plain, &sequence))) {
        assert(mark_encode(sequence, room) == plain.len);
        assert(memcmp(room, plain.at, plain.len) == 0);
    }
    if (failed(counts_decode(plain, n))) return;
    len = counts_encode(n, room);
    assert(!failed(counts_decode((slice){(char *)room, len}, again)) && memcmp(n, again, sizeof n) == 0);
}

static void decode_alias(slice plain)
{
    struct token_id token, alias;
    struct alias_list list;
    uint8_t room[ALIAS_LIST_MAX_BYTES];
    if (!failed(alias_record_decode(plain, &token, &alias)))
        assert(slice_eq((slice){(char *)room, alias_record_encode(&token, &alias, room)}, plain));
    if (!failed(alias_list_decode(plain, &list)))
        assert(slice_eq((slice){(char *)room, alias_list_encode(&list, room)}, plain));
}

static void open_sealed(slice sealed)
{
    uint8_t plain[CARD_RECORD_MAX_BYTES];
    size_t len;
    struct seal_place place = {'C', SLICE("shop"), SLICE("token-1")};
    result r = seal_open(key(), &place, sealed, plain, sizeof plain, &len);
    assert(r.err == ERR_VAULT_SEAL);
}

static void seal_and_open(slice text)
{
    uint8_t sealed[CARD_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES], plain[CARD_RECORD_MAX_BYTES];
    size_t len = 0;
    struct seal_place place = {'C', SLICE("shop"), SLICE("token-1")};
    if (text.len > sizeof plain) return;
    assert(!failed(seal_record(key(), 1, &place, text, sealed)));
    assert(!failed(seal_open(key(), &place, (slice){(char *)sealed, text.len + SEAL_OVERHEAD_BYTES}, plain, sizeof plain, &len)));
    assert(slice_eq((slice){(char *)plain, len}, text));
    decode((slice){(char *)plain, len});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    slice rest = {(const char *)data + 1, size - 1};
    static void (*const kinds[])(slice) = {open_sealed, decode, seal_and_open, decode_network, decode_job, decode_event, decode_small,
                                          decode_alias};
    kinds[data[0] % (sizeof kinds / sizeof kinds[0])](rest);
    return 0;
}
