/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file_name[] = "audit.log";
enum { READ_BYTES = 64 << 10, LINE_MAX_BYTES = 4096, HASH_HEX_BYTES = 2 * AUDIT_HASH_BYTES };

/* Opens a file of the trail, locked, so that no line is seen half, nor the trail while it is cut. */
static int open_locked(int folder, const char *name, struct stat *st)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) return -1;
    int rc;
    while ((rc = flock(fd, LOCK_SH)) == -1 && errno == EINTR) continue;
    if (rc == 0 && fstat(fd, st) == 0) return fd;
    (void)close(fd);
    return -1;
}

/* The file in use, and its size; the lock is given back, since it only grows. */
static int open_whole(int folder, uint64_t *size)
{
    struct stat st;
    int fd = open_locked(folder, file_name, &st);
    if (fd == -1) return -1;
    (void)flock(fd, LOCK_UN);
    *size = (uint64_t)st.st_size;
    return fd;
}

struct chain {
    struct audit_head head;
    const struct audit_head *anchor;
    bool anchored;
    uint64_t first, lines, bad_line; /* first: number of the first line, 0: none read yet */
};

static void hex_of(const uint8_t hash[AUDIT_HASH_BYTES], char out[HASH_HEX_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < AUDIT_HASH_BYTES; i++) {
        out[2 * i] = hex[hash[i] >> 4];
        out[2 * i + 1] = hex[hash[i] & 15];
    }
}

/* The one spelling that a line may have after its body: ,"prev":"<64>","hash":"<64>"} */
static bool line_fits(slice line, const struct audit_head *before, struct audit_head *after)
{
    char ending[9 + HASH_HEX_BYTES + 10 + HASH_HEX_BYTES + 2];
    if (line.len <= sizeof ending || !slice_starts(line, SLICE("{\"seq\":"))) return false;
    slice body = slice_range(line, 0, line.len - sizeof ending), seq = slice_after(body, 7);
    uint64_t number;
    if (!slice_to_u64(slice_range(seq, 0, slice_find(seq, ',')), UINT64_MAX, &number) || number != before->seq + 1) return false;
    if (failed(audit_hash(before->hash, body, after->hash))) return false;
    after->seq = number;
    memcpy(ending, ",\"prev\":\"", 9);
    hex_of(before->hash, ending + 9);
    memcpy(ending + 9 + HASH_HEX_BYTES, "\",\"hash\":\"", 10);
    hex_of(after->hash, ending + 19 + HASH_HEX_BYTES);
    memcpy(ending + sizeof ending - 2, "\"}", 2);
    return slice_eq(slice_after(line, body.len), (slice){ending, sizeof ending});
}

static void check_anchor(struct chain *c)
{
    if (c->head.seq != c->anchor->seq || c->anchor->seq == 0) return;
    c->anchored = memcmp(c->head.hash, c->anchor->hash, AUDIT_HASH_BYTES) == 0;
    if (!c->anchored) c->bad_line = c->head.seq;
}

/* The words of a line cannot hold a quotation mark (audit.c), so this stands where the action does or nowhere. */
static bool begins_a_file(slice line)
{
    static const char action[] = "\",\"action\":\"" AUDIT_CUT_ACTION "\",";
    return memmem(line.at, line.len, action, sizeof action - 1) != NULL;
}

/* A trail whose front was moved away, in whole files, goes on from what its first line says was before it. */
static void begin(struct chain *c, slice line)
{
    static const slice before_seq = {"{\"seq\":", 7};
    const size_t ending = HASH_HEX_BYTES + 10 + HASH_HEX_BYTES + 2;
    uint64_t number;
    c->first = 1;
    if (line.len <= ending || !slice_starts(line, before_seq) || !begins_a_file(line)) return;
    slice seq = slice_after(line, before_seq.len);
    if (!slice_to_u64(slice_range(seq, 0, slice_find(seq, ',')), UINT64_MAX, &number) || number < 2) return;
    if (!audit_get_hash(line.at + line.len - ending, c->head.hash)) return;
    c->first = number;
    c->head.seq = number - 1;
    check_anchor(c);
}

static void check_line(struct chain *c, slice line)
{
    struct audit_head after;
    if (c->lines == 0) begin(c, line);
    c->lines++;
    if (c->bad_line) return;
    if (!line_fits(line, &c->head, &after)) {
        c->bad_line = c->head.seq + 1;
        return;
    }
    c->head = after;
    check_anchor(c);
}

/* Checks the whole lines in buf and returns how many bytes they took. */
static size_t check_lines(struct chain *c, slice text)
{
    slice rest = text;
    for (size_t end; (end = slice_find(rest, '\n')) < rest.len; rest = slice_after(rest, end + 1))
        check_line(c, slice_range(rest, 0, end));
    return text.len - rest.len;
}

static result check_file(struct chain *c, int fd, uint64_t size, char *room)
{
    size_t have = 0;
    for (uint64_t at = 0; at < size;) {
        size_t want = READ_BYTES - have;
        if (want > size - at) want = (size_t)(size - at);
        ssize_t got = pread(fd, room + have, want, (off_t)at);
        if (got == -1 && errno == EINTR) continue;
        ENSURE(got > 0, IO);
        at += (uint64_t)got;
        have += (size_t)got;
        size_t used = check_lines(c, (slice){room, have});
        memmove(room, room + used, have - used);
        have -= used;
        if (have > LINE_MAX_BYTES) break;
    }
    if (have && !c->bad_line) c->bad_line = c->head.seq + 1; /* not ended, or no line of ours */
    if (have) c->lines++;
    return OK;
}

static result check_archived(struct chain *c, int folder, const char *name, const struct stat *current, char *room)
{
    struct stat st;
    int fd = open_locked(folder, name, &st);
    ENSURE(fd != -1, IO);
    /* A cut that was killed before its last step: the file in use has an archive's name too. */
    bool is_current = st.st_ino == current->st_ino && st.st_dev == current->st_dev;
    result r = is_current ? OK : check_file(c, fd, (uint64_t)st.st_size, room);
    (void)close(fd);
    return r;
}

/* The names are read while the file in use is locked, so that no cut comes between. */
static result check_trail(struct chain *c, int folder, int fd, const struct stat *st, char *room)
{
    struct audit_names names;
    TRY(audit_names_read(folder, &names));
    (void)flock(fd, LOCK_UN);
    result r = OK;
    for (size_t i = 0; i < names.count && !failed(r); i++) r = check_archived(c, folder, names.at[i], st, room);
    audit_names_done(&names);
    return failed(r) ? r : check_file(c, fd, (uint64_t)st->st_size, room);
}

/* As open_locked, of the file that has the name when it is locked. */
static int open_current(int folder, struct stat *st)
{
    for (;;) {
        struct stat named;
        int fd = open_locked(folder, file_name, st);
        if (fd == -1 || fstatat(folder, file_name, &named, AT_SYMLINK_NOFOLLOW) == -1) return fd;
        if (named.st_ino == st->st_ino) return fd;
        (void)close(fd);
    }
}

result audit_verify(int folder, const struct audit_head *anchor, struct audit_verdict *out)
{
    struct chain c = {.anchor = anchor, .anchored = anchor->seq == 0};
    struct stat st;
    *out = (struct audit_verdict){.first = 1, .bad_line = 1};
    int fd = open_current(folder, &st);
    if (fd == -1) return errno == ENOENT ? OK : FAIL(IO);
    char *room = malloc(READ_BYTES);
    result r = room ? check_trail(&c, folder, fd, &st, room) : FAIL(MEMORY);
    free(room);
    (void)close(fd);
    if (!c.anchored && !c.bad_line) c.bad_line = c.head.seq + 1; /* cut off behind the last line */
    *out = (struct audit_verdict){.first = c.first ? c.first : 1, .lines = c.lines, .bad_line = c.bad_line};
    return r;
}

/* --- archived files --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b); /* as many digits in each: the order of their lines */
}

static bool is_archive_name(const char *name)
{
    return strlen(name) == AUDIT_NAME_BYTES - 1 && strncmp(name, "audit.", 6) == 0 && strspn(name + 6, "0123456789") == 20 &&
           strcmp(name + 26, ".log") == 0;
}

static result add_name(struct audit_names *n, const char *name)
{
    char(*more)[AUDIT_NAME_BYTES] = realloc(n->at, (n->count + 1) * sizeof *more);
    ENSURE(more != NULL, MEMORY);
    n->at = more;
    memcpy(n->at[n->count++], name, AUDIT_NAME_BYTES);
    return OK;
}

result audit_names_read(int folder, struct audit_names *out)
{
    *out = (struct audit_names){0};
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ENSURE(fd != -1, IO);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return FAIL(MEMORY);
    }
    result r = OK;
    for (struct dirent *e; !failed(r) && (e = readdir(dir));)
        if (is_archive_name(e->d_name)) r = add_name(out, e->d_name);
    (void)closedir(dir);
    if (failed(r)) audit_names_done(out);
    if (out->count) qsort(out->at, out->count, sizeof *out->at, by_name);
    return r;
}

void audit_names_done(struct audit_names *n)
{
    free(n->at);
    *n = (struct audit_names){0};
}

/* --- the copy --- */

static result copy_bytes(int from, int to, uint64_t size)
{
    off_t at = 0;
    while ((uint64_t)at < size) {
        char room[16 << 10];
        size_t want = size - (uint64_t)at < sizeof room ? (size_t)(size - (uint64_t)at) : sizeof room;
        ssize_t got = pread(from, room, want, at);
        if (got == -1 && errno == EINTR) continue;
        ENSURE(got > 0, IO);
        TRY(file_write_all(to, (slice){room, (size_t)got}));
        at += got;
    }
    return fsync(to) == 0 ? OK : FAIL(IO);
}

result audit_copy(int folder, int target_folder)
{
    uint64_t size = 0;
    int from = open_whole(folder, &size);
    ENSURE(from != -1, IO);
    int to = openat(target_folder, file_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    result r = to != -1 ? copy_bytes(from, to, size) : FAIL(IO);
    if (to != -1) (void)close(to);
    (void)close(from);
    file_give_to_owner(target_folder, file_name);
    return r;
}
