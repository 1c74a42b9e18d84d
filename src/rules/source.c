/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/source.h"

#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

/* A bundle, in this machine's byte order (it never leaves the machine):
 *
 *     magic[8] · audience[8] · folder · count · { path · content } × count          text = length[8] · bytes; count[8]
 *
 * It ends exactly after the last content. Folder is what relative paths are relative to. A secret's path is its reference,
 * "file:/PATH" or "env:NAME", so a file that is read as a certificate too is another entry; in a bundle that is not for its
 * audience it stands there without content. */
static const char MAGIC[8] = {'C', 'V', 'B', 'N', 'D', 'L', '0', '2'};

enum {
    FILE_MAX_BYTES = 16 * 1024 * 1024,
    FILES_MAX = 4096,
    REFERENCE_MAX_BYTES = PATH_MAX + 8,
    BUNDLE_MAX_BYTES = 512 * 1024 * 1024,
    /* Locked memory is scarce, and a private key has a few KiB at most. What is larger is certificates: wiped, but not
       locked. */
    LOCKED_MAX_BYTES = 64 * 1024,
    CHANGING_TRIES = 4, /* a file that grows while it is read is read again */
    SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
};

struct entry {
    SIMPLEQ_ENTRY(entry) next;
    char *path_copy;   /* NULL when the bundle's */
    slice path;        /* absolute; of a secret its reference */
    char *bytes;       /* NULL when the bundle's */
    size_t bytes_cap;
    slice content;
    bool is_secret;
    unsigned audience; /* of a secret: everyone it was read for */
};

struct source {
    char *folder_copy; /* NULL when the bundle's */
    slice folder;      /* absolute, without a slash at its end */
    bool is_disk;
    unsigned audience; /* of the bundle */
    void *map;
    size_t map_len;
    size_t count;
    SIMPLEQ_HEAD(, entry) entries;
};

static struct source *source_new(void)
{
    struct source *s = calloc(1, sizeof *s);
    if (s) SIMPLEQ_INIT(&s->entries);
    return s;
}

static void bytes_free(struct entry *e)
{
    if (e->bytes_cap <= LOCKED_MAX_BYTES) {
        secret_free(e->bytes, e->bytes_cap);
    } else {
        secret_wipe(e->bytes, e->bytes_cap);
        free(e->bytes);
    }
    e->bytes = NULL;
}

static void entry_free(struct entry *e)
{
    free(e->path_copy);
    bytes_free(e);
    free(e);
}

void source_free(struct source *s)
{
    if (!s) return;
    while (!SIMPLEQ_EMPTY(&s->entries)) {
        struct entry *e = SIMPLEQ_FIRST(&s->entries);
        SIMPLEQ_REMOVE_HEAD(&s->entries, next);
        entry_free(e);
    }
    /* A bundle's pages are sealed: they cannot be wiped, and go when the last process that has the memfd lets go of it.
     */
    if (s->map) (void)munmap(s->map, s->map_len);
    free(s->folder_copy);
    free(s);
}

struct source *source_disk(void)
{
    struct source *s = source_new();
    if (!s) return NULL;
    s->is_disk = true;
    s->folder_copy = getcwd(NULL, 0);
    if (!s->folder_copy) {
        source_free(s);
        return NULL;
    }
    s->folder = slice_of(s->folder_copy);
    if (slice_is(s->folder, "/")) s->folder.len = 0;
    return s;
}

static bool is_path(slice path)
{
    return path.len > 0 && slice_find(path, '\0') == path.len;
}

/* Returns owned, NUL-terminated: the path as the entries have it. Only "./" in front is taken away: two names of one
 * file are two entries, which is harmless. NULL: no path (empty, or a NUL inside), or no memory. */
static char *absolute_path(const struct source *s, slice path)
{
    if (!is_path(path)) {
        errno = ENOENT;
        return NULL;
    }
    bool is_absolute = path.at[0] == '/';
    while (!is_absolute && slice_starts(path, SLICE("./")))
        path = slice_after(path, 2);
    size_t folder_len = is_absolute ? 0 : s->folder.len + 1;
    char *out = malloc(folder_len + path.len + 1);
    if (!out) return NULL;
    if (!is_absolute) {
        if (s->folder.len) memcpy(out, s->folder.at, s->folder.len);
        out[s->folder.len] = '/';
    }
    if (path.len) memcpy(out + folder_len, path.at, path.len);
    out[folder_len + path.len] = '\0';
    return out;
}

result source_absolute(const struct source *s, slice path, struct pool *pool, slice *out)
{
    errno = 0;
    char *text = absolute_path(s, path);
    if (!text) return errno == ENOENT ? FAIL(NOT_FOUND) : FAIL(MEMORY);
    result r = pool_copy(pool, slice_of(text), out);
    free(text);
    return failed(r) ? FAIL(MEMORY) : OK;
}

static struct entry *find_entry(const struct source *s, slice path)
{
    struct entry *e;
    SIMPLEQ_FOREACH(e, &s->entries, next)
    if (slice_eq(e->path, path)) return e;
    return NULL;
}

/* Reads until the end of the file into e->bytes. *grew: it holds more than fstat said, read it again. */
static result read_once(int fd, struct entry *e, bool *grew)
{
    struct stat about;
    ENSURE(fstat(fd, &about) == 0, IO);
    if (!S_ISREG(about.st_mode)) {
        errno = S_ISDIR(about.st_mode) ? EISDIR : ENOTSUP;
        return FAIL(IO);
    }
    ENSURE(about.st_size <= FILE_MAX_BYTES, TOO_LARGE);
    e->bytes_cap = (size_t)about.st_size + 1;
    e->bytes = e->bytes_cap <= LOCKED_MAX_BYTES ? secret_alloc(e->bytes_cap) : malloc(e->bytes_cap);
    ENSURE(e->bytes != NULL, MEMORY);
    size_t len = 0;
    while (len < e->bytes_cap) {
        ssize_t n = pread(fd, e->bytes + len, e->bytes_cap - len, (off_t)len);
        if (n == -1 && errno == EINTR) continue;
        ENSURE(n >= 0, IO);
        if (n == 0) break;
        len += (size_t)n;
    }
    *grew = len == e->bytes_cap;
    e->content = (slice){e->bytes, len};
    return OK;
}

static result read_whole(int fd, struct entry *e)
{
    for (int i = 0; i < CHANGING_TRIES; i++) {
        bool grew = false;
        TRY(read_once(fd, e, &grew));
        if (!grew) return OK;
        bytes_free(e);
    }
    errno = EBUSY;
    return FAIL(IO);
}

static result read_disk(const char *path, struct entry *e)
{
    /* O_NONBLOCK: a FIFO by this name must not hang the start; it has no effect on regular files. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd == -1) return errno == ENOENT || errno == ENOTDIR ? FAIL(NOT_FOUND) : FAIL(IO);
    result r = read_whole(fd, e);
    int why = errno;
    (void)close(fd);
    errno = why;
    return r;
}

static const char FILE_SCHEME[] = "file:", ENV_SCHEME[] = "env:";

static result read_environment(const char *name, struct entry *e)
{
    const char *value = getenv(name);
    errno = ENOENT;
    ENSURE(value != NULL, NOT_FOUND);
    e->bytes_cap = strlen(value) + 1;
    ENSURE(e->bytes_cap <= LOCKED_MAX_BYTES, TOO_LARGE);
    e->bytes = secret_alloc(e->bytes_cap);
    ENSURE(e->bytes != NULL, MEMORY);
    memcpy(e->bytes, value, e->bytes_cap);
    e->content = (slice){e->bytes, e->bytes_cap - 1};
    return OK;
}

static result read_entry(struct entry *e)
{
    if (!e->is_secret) return read_disk(e->path_copy, e);
    if (slice_starts(e->path, slice_of(ENV_SCHEME))) return read_environment(e->path_copy + strlen(ENV_SCHEME), e);
    return read_disk(e->path_copy + strlen(FILE_SCHEME), e);
}

/* Takes path. */
static result add_from_disk(struct source *s, char *path, unsigned audience, slice *out)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e) {
        free(path);
        return FAIL(MEMORY);
    }
    e->path_copy = path;
    e->path = slice_of(path);
    e->is_secret = audience != 0;
    e->audience = audience;
    result r = s->count < FILES_MAX ? read_entry(e) : FAIL(TOO_LARGE);
    if (failed(r)) {
        int why = errno;
        entry_free(e);
        errno = why;
        return r;
    }
    SIMPLEQ_INSERT_TAIL(&s->entries, e, next);
    s->count++;
    *out = e->content;
    return OK;
}

result source_read(struct source *s, slice path, slice *out)
{
    errno = 0;
    char *whole = absolute_path(s, path);
    if (!whole) return errno == ENOENT ? FAIL(NOT_FOUND) : FAIL(MEMORY);
    const struct entry *known = find_entry(s, slice_of(whole));
    if (!known && s->is_disk) return add_from_disk(s, whole, 0, out);
    free(whole);
    if (!known) {
        errno = ENOENT;
        return FAIL(NOT_FOUND);
    }
    *out = known->content;
    return OK;
}

/* Returns owned: "file:/PATH" or "env:NAME". NULL: neither, or no memory. */
static char *absolute_reference(const struct source *s, slice reference)
{
    size_t scheme = strlen(FILE_SCHEME);
    bool is_environment = slice_starts(reference, slice_of(ENV_SCHEME)) && is_path(slice_after(reference, strlen(ENV_SCHEME)));
    if (is_environment) return strndup(reference.at, reference.len);
    if (!slice_starts(reference, slice_of(FILE_SCHEME))) {
        errno = ENOENT;
        return NULL;
    }
    char *path = absolute_path(s, slice_after(reference, scheme));
    if (!path) return NULL;
    size_t len = strlen(path);
    char *out = malloc(scheme + len + 1);
    if (out) {
        memcpy(out, FILE_SCHEME, scheme);
        memcpy(out + scheme, path, len + 1);
    }
    free(path);
    return out;
}

result source_read_secret(struct source *s, slice reference, unsigned audience, slice *out)
{
    assert(audience != 0);
    errno = 0;
    char *whole = absolute_reference(s, reference);
    if (!whole) return errno == ENOENT ? FAIL(NOT_FOUND) : FAIL(MEMORY);
    struct entry *known = find_entry(s, slice_of(whole));
    if (!known && s->is_disk) return add_from_disk(s, whole, audience, out);
    free(whole);
    if (!known) {
        errno = ENOENT;
        return FAIL(NOT_FOUND);
    }
    known->audience |= audience;
    *out = s->is_disk || s->audience & audience ? known->content : SLICE_NONE;
    return OK;
}

/* --- writing a bundle --- */

static bool write_whole(int fd, slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.at, bytes.len);
        if (n == -1 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes = slice_after(bytes, (size_t)n);
    }
    return true;
}

static bool write_u64(int fd, uint64_t n)
{
    return write_whole(fd, (slice){(const char *)&n, sizeof n});
}

static bool write_text(int fd, slice text)
{
    return write_u64(fd, text.len) && write_whole(fd, text);
}

static bool write_entry(int fd, const struct entry *e, unsigned audience)
{
    bool is_withheld = e->is_secret && !(e->audience & audience);
    return write_text(fd, e->path) && write_text(fd, is_withheld ? SLICE("") : e->content);
}

static bool write_entries(const struct source *s, int fd, unsigned audience)
{
    if (!write_whole(fd, (slice){MAGIC, sizeof MAGIC}) || !write_u64(fd, audience)) return false;
    if (!write_text(fd, s->folder) || !write_u64(fd, s->count)) return false;
    const struct entry *e;
    SIMPLEQ_FOREACH(e, &s->entries, next)
    if (!write_entry(fd, e, audience)) return false;
    return true;
}

int source_bundle(const struct source *s, unsigned audience)
{
    /* No MFD_CLOEXEC: the roles inherit it. */
    int fd = memfd_create("cardveil-bundle", MFD_ALLOW_SEALING);
    if (fd == -1) return -1;
    if (fchmod(fd, S_IRUSR) == 0 && write_entries(s, fd, audience) && fcntl(fd, F_ADD_SEALS, SEALS) == 0) return fd;
    int why = errno ? errno : EIO;
    (void)close(fd);
    errno = why;
    return -1;
}

/* --- reading a bundle --- */

static bool take(slice *rest, size_t len, slice *out)
{
    if (len > rest->len) return false;
    *out = slice_range(*rest, 0, len);
    *rest = slice_after(*rest, len);
    return true;
}

static bool take_u64(slice *rest, uint64_t max, uint64_t *out)
{
    slice raw;
    if (!take(rest, sizeof *out, &raw)) return false;
    memcpy(out, raw.at, sizeof *out);
    return *out <= max;
}

static bool take_text(slice *rest, uint64_t max, slice *out)
{
    uint64_t len;
    return take_u64(rest, max, &len) && take(rest, (size_t)len, out);
}

static bool is_absolute_path(slice path)
{
    return is_path(path) && path.at[0] == '/';
}

static bool is_absolute_reference(slice path)
{
    if (slice_starts(path, slice_of(ENV_SCHEME))) return is_path(slice_after(path, strlen(ENV_SCHEME)));
    return slice_starts(path, slice_of(FILE_SCHEME)) && is_absolute_path(slice_after(path, strlen(FILE_SCHEME)));
}

static bool take_entry(struct source *s, slice *rest)
{
    slice path, content;
    if (!take_text(rest, REFERENCE_MAX_BYTES, &path)) return false;
    bool is_secret = is_absolute_reference(path);
    if (!is_secret && !is_absolute_path(path)) return false;
    if (!take_text(rest, FILE_MAX_BYTES, &content) || find_entry(s, path)) return false;
    struct entry *e = calloc(1, sizeof *e);
    if (!e) return false;
    e->path = path;
    e->content = content;
    e->is_secret = is_secret;
    SIMPLEQ_INSERT_TAIL(&s->entries, e, next);
    s->count++;
    return true;
}

static bool take_entries(struct source *s, slice rest)
{
    slice magic;
    uint64_t count, audience;
    if (!take(&rest, sizeof MAGIC, &magic) || memcmp(magic.at, MAGIC, sizeof MAGIC) != 0) return false;
    if (!take_u64(&rest, SOURCE_FOR_ALL, &audience)) return false;
    s->audience = (unsigned)audience;
    if (!take_text(&rest, PATH_MAX, &s->folder)) return false;
    if (s->folder.len && !is_absolute_path(s->folder)) return false;
    if (!take_u64(&rest, FILES_MAX, &count)) return false;
    for (uint64_t i = 0; i < count; i++)
        if (!take_entry(s, &rest)) return false;
    return rest.len == 0;
}

/* Unsealed, another holder of the memfd could change or cut it while it is read (TOCTOU, SIGBUS). */
static bool is_sealed(int fd, size_t *len)
{
    struct stat about;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals == -1 || (seals & SEALS) != SEALS || fstat(fd, &about) == -1) return false;
    if (about.st_size <= 0 || about.st_size > BUNDLE_MAX_BYTES) return false;
    *len = (size_t)about.st_size;
    return true;
}

struct source *source_from_bundle(int memfd)
{
    size_t len = 0;
    if (!is_sealed(memfd, &len)) return NULL;
    struct source *s = source_new();
    if (!s) return NULL;
    void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, memfd, 0);
    if (map == MAP_FAILED) {
        source_free(s);
        return NULL;
    }
    s->map = map;
    s->map_len = len;
    (void)madvise(map, len, MADV_DONTDUMP); /* TLS keys may be inside */
    (void)mlock(map, len);
    if (take_entries(s, (slice){map, len})) return s;
    source_free(s);
    return NULL;
}
