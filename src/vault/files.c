/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"

#include "base/log.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static result from_errno(void)
{
    if (errno == ENOSPC || errno == EDQUOT) return FAIL(VAULT_FULL);
    return FAIL(IO);
}

result file_read_all(int fd, void *out, size_t cap, size_t *len)
{
    size_t have = 0;
    result r = OK;
    for (;;) {
        char probe;
        bool full = have == cap;
        ssize_t got = read(fd, full ? &probe : (char *)out + have, full ? 1 : cap - have);
        if (got == -1 && errno == EINTR) continue;
        if (got == -1) r = FAIL(IO);
        if (got > 0 && full) r = FAIL(TOO_LARGE);
        if (got <= 0 || full) break;
        have += (size_t)got;
    }
    *len = have;
    return r;
}

result file_read(int folder, const char *name, void *out, size_t cap, size_t *len)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY); /* a pipe is empty, not waited for */
    if (fd == -1) return errno == ENOENT ? FAIL(NOT_FOUND) : FAIL(IO);
    result r = file_read_all(fd, out, cap, len);
    (void)close(fd);
    return r;
}

result file_write_all(int fd, slice content)
{
    while (content.len) {
        ssize_t put = write(fd, content.at, content.len);
        if (put == -1 && errno == EINTR) continue;
        if (put == -1) return from_errno();
        content = slice_after(content, (size_t)put);
    }
    return OK;
}

void file_give_to_owner(int folder, const char *name)
{
    struct stat st;
    if (geteuid() != 0 || fstat(folder, &st) == -1 || st.st_uid == 0) return;
    if (fchownat(folder, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) == -1)
        log_plain(LOG_LEVEL_WARN, "vault_owner", "a file of the vault could not be given to the folder's owner; the keeper may not open it");
}

static result write_new(int folder, const char *name, slice content)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd == -1) return from_errno();
    result r = file_write_all(fd, content);
    if (!failed(r) && fsync(fd) == -1) r = from_errno();
    (void)close(fd);
    file_give_to_owner(folder, name);
    return r;
}

static void temporary_name(const char *name, char out[NAME_MAX])
{
    int len = snprintf(out, NAME_MAX, "%s.%ld.tmp", name, (long)getpid());
    assert(len > 0 && len < NAME_MAX);
}

result file_replace(int folder, const char *name, slice content)
{
    char temporary[NAME_MAX];
    temporary_name(name, temporary);
    result r = write_new(folder, temporary, content);
    if (!failed(r) && renameat(folder, temporary, folder, name) == -1) r = from_errno();
    if (failed(r)) {
        (void)unlinkat(folder, temporary, 0);
        return r;
    }
    return fsync(folder) == -1 ? from_errno() : OK;
}

static void overwrite(int fd)
{
    static const char zeros[512];
    struct stat st;
    if (fstat(fd, &st) == -1) return;
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof zeros) {
        size_t part = (size_t)(st.st_size - at) < sizeof zeros ? (size_t)(st.st_size - at) : sizeof zeros;
        if (pwrite(fd, zeros, part, at) == -1) return;
    }
    (void)fdatasync(fd);
}

result file_replace_shred(int folder, const char *name, slice content)
{
    int old = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    result r = file_replace(folder, name, content);
    /* The name leads to the new file by now, so a crash in here costs nothing. */
    if (!failed(r) && old != -1) overwrite(old);
    if (old != -1) (void)close(old);
    return r;
}

result file_exists(int folder, const char *name, bool *yes)
{
    struct stat st;
    *yes = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return *yes || errno == ENOENT ? OK : FAIL(IO);
}

result file_sync(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) return FAIL(IO);
    result r = fsync(fd) == -1 ? from_errno() : OK;
    (void)close(fd);
    return r;
}

result file_make_folder(int folder, const char *name)
{
    if (mkdirat(folder, name, 0700) == -1) return from_errno();
    file_give_to_owner(folder, name);
    return OK;
}

result file_make_path(slice path)
{
    char text[PATH_MAX];
    ENSURE(path.len > 0 && path.len < sizeof text, IO);
    memcpy(text, path.at, path.len);
    text[path.len] = '\0';
    for (size_t i = 1; i <= path.len; i++) {
        if (text[i] != '/' && text[i] != '\0') continue;
        char kept = text[i];
        text[i] = '\0';
        if (mkdir(text, kept ? 0755 : 0700) == -1 && errno != EEXIST) return from_errno();
        text[i] = kept;
    }
    return OK;
}

result file_remove_folder(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) return errno == ENOENT ? OK : FAIL(IO);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return FAIL(MEMORY);
    }
    result r = OK;
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (unlinkat(dirfd(dir), e->d_name, 0) == -1) r = FAIL(IO);
    }
    (void)closedir(dir);
    if (unlinkat(folder, name, AT_REMOVEDIR) == -1) r = FAIL(IO);
    return r;
}

int file_lock(int folder, const char *name, int how)
{
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd == -1) return -1;
    file_give_to_owner(folder, name);
    while (flock(fd, how) == -1) {
        if (errno == EINTR) continue;
        int why = errno;
        (void)close(fd);
        errno = why;
        return -1;
    }
    return fd;
}
