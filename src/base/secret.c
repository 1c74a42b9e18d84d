/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALL_MAX_BYTES = 64 * 1024, HEAP_MIN_BLOCK = 32 };

static bool locked;

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

static void *map_locked(size_t bytes)
{
    size_t size = whole_pages(bytes);
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return NULL;
    (void)madvise(at, size, MADV_DONTDUMP);
    if (mlock(at, size) == -1) locked = false;
    return at;
}

void *secret_alloc(size_t bytes)
{
    if (bytes == 0) bytes = 1;
    if (bytes <= SMALL_MAX_BYTES && CRYPTO_secure_malloc_initialized()) {
        void *at = OPENSSL_secure_zalloc(bytes);
        if (at) return at;
    }
    return map_locked(bytes);
}

void secret_free(void *at, size_t bytes)
{
    if (!at) return;
    if (bytes == 0) bytes = 1;
    if (CRYPTO_secure_allocated(at)) {
        OPENSSL_secure_clear_free(at, bytes);
        return;
    }
    OPENSSL_cleanse(at, bytes);
    (void)munmap(at, whole_pages(bytes));
}

void secret_wipe(void *at, size_t bytes)
{
    if (at) OPENSSL_cleanse(at, bytes);
}
