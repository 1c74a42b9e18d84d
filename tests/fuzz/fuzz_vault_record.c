/* SPDX-License-Identifier: Apache-2.0 */

/* A vault record on arbitrary bytes: as it stands in the store (sealed), and as it stands inside its seal. The first byte says
 * which. Sealed bytes that nobody sealed must not open; a plaintext that decodes must come out of encoding and decoding as it
 * was, and its number must be one. */

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
    if (data[0] % 3 == 0) open_sealed(rest);
    if (data[0] % 3 == 1) decode(rest);
    if (data[0] % 3 == 2) seal_and_open(rest);
    return 0;
}
