/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_of.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void put(int fd, slice bytes)
{
    if (bytes.len && write(fd, bytes.at, bytes.len) != (ssize_t)bytes.len) abort();
}

static void put_u64(int fd, uint64_t n)
{
    put(fd, (slice){(const char *)&n, sizeof n});
}

struct source *bundle_of(const struct bundle_file *files, size_t count)
{
    int fd = memfd_create("fuzz", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (fd == -1) abort();
    put(fd, SLICE("CVBNDL02"));
    put_u64(fd, SOURCE_FOR_ALL);
    put_u64(fd, 0);
    put_u64(fd, count);
    for (size_t i = 0; i < count; i++) {
        slice path = slice_of(files[i].path);
        put_u64(fd, path.len);
        put(fd, path);
        put_u64(fd, files[i].content.len);
        put(fd, files[i].content);
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1) abort();
    struct source *s = source_from_bundle(fd);
    if (!s) abort();
    close(fd);
    return s;
}
