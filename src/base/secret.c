/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALL_MAX_BYTES = 64 * 1024, HEAP_MIN_BLOCK = 32, SPARE_SIZES = 8 /* 32 to 4096 bytes */, SPARES_EACH = 16,
       MAPPINGS_KEPT = 8, KEPT_MAX_BYTES = 4 << 20 };

static bool locked;

/* Each payment asks for a few small blocks and gives them back, and OpenSSL's heap spends a thousand instructions and two locks
 * on each. So some are kept, wiped and still locked. A spare is all zeros. */
static struct {
    unsigned count;
    void *at[SPARES_EACH];
} spares[SPARE_SIZES];

result secret_start(size_t heap_bytes)
{
    /* 1: allocated and locked; 2: allocated, but mlock or madvise failed; 0: not allocated. */
    int got = CRYPTO_secure_malloc_init(heap_bytes, HEAP_MIN_BLOCK);
    ENSURE(got != 0, MEMORY);
    locked = got == 1;
    return OK;
}

bool secret_is_locked(void)
{
    return locked;
}

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/* A body of a megabyte is held in mapped memory, and to map, lock, fault in and give back a megabyte costs as much as to read the JSON
 * in it. So the last few mappings are kept, wiped and still locked; the oldest makes room. */
static struct mapping {
    void *at;
    size_t size;
} kept[MAPPINGS_KEPT]; /* oldest first, no gaps */
static size_t kept_bytes;

static void forget_kept(size_t i)
{
    kept_bytes -= kept[i].size;
    memmove(kept + i, kept + i + 1, (MAPPINGS_KEPT - 1 - i) * sizeof *kept);
    kept[MAPPINGS_KEPT - 1] = (struct mapping){NULL, 0};
}

static void *take_kept(size_t size)
{
    for (size_t i = 0; i < MAPPINGS_KEPT; i++) {
        void *at = kept[i].at;
        if (kept[i].size != size) continue;
        forget_kept(i);
        return at;
    }
    return NULL;
}

/* Keeps a wiped mapping, or gives it back. */
static void keep_mapping(void *at, size_t size)
{
    if (size > KEPT_MAX_BYTES) {
        (void)munmap(at, size);
        return;
    }
    while (kept[MAPPINGS_KEPT - 1].at || kept_bytes + size > KEPT_MAX_BYTES) {
        (void)munmap(kept[0].at, kept[0].size);
        forget_kept(0);
    }
    size_t i = 0;
    while (kept[i].at) i++;
    kept[i] = (struct mapping){at, size};
    kept_bytes += size;
}

static void *map_locked(size_t bytes)
{
    size_t size = whole_pages(bytes);
    void *spare = take_kept(size);
    if (spare) return spare;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return NULL;
    (void)madvise(at, size, MADV_DONTDUMP);
    if (mlock(at, size) == -1) locked = false;
    return at;
}

/* Which spares are of that size, and the size itself: a power of two, as in OpenSSL's heap; SPARE_SIZES: none are. */
static unsigned spare_index(size_t bytes, size_t *size)
{
    unsigned i = 0;
    for (*size = HEAP_MIN_BLOCK; *size < bytes && i < SPARE_SIZES; i++) *size *= 2;
    return i;
}

void *secret_alloc(size_t bytes)
{
    if (bytes == 0) bytes = 1;
    if (bytes <= SMALL_MAX_BYTES && CRYPTO_secure_malloc_initialized()) {
        size_t size;
        unsigned i = spare_index(bytes, &size);
        if (i < SPARE_SIZES && spares[i].count) return spares[i].at[--spares[i].count];
        void *at = OPENSSL_secure_zalloc(i < SPARE_SIZES ? size : bytes);
        if (at) return at;
    }
    return map_locked(bytes);
}

void secret_free(void *at, size_t bytes)
{
    if (!at) return;
    if (bytes == 0) bytes = 1;
    if (CRYPTO_secure_allocated(at)) {
        size_t size;
        unsigned i = spare_index(bytes, &size);
        if (i == SPARE_SIZES || spares[i].count == SPARES_EACH) {
            OPENSSL_secure_clear_free(at, bytes);
            return;
        }
        secret_wipe(at, bytes); /* the rest of the block was never handed out */
        spares[i].at[spares[i].count++] = at;
        return;
    }
    secret_wipe(at, bytes);
    keep_mapping(at, whole_pages(bytes));
}

/* The C library's: promised not to be optimised away, as OPENSSL_cleanse() is, and as quick as memset(): a payment wipes some
 * kilobytes, a large body its length several times over. */
void secret_wipe(void *at, size_t bytes)
{
    if (at) explicit_bzero(at, bytes);
}
