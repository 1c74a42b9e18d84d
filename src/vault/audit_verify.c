/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file_name[] = "audit.log";
enum { READ_BYTES = 64 << 10, LINE_MAX_BYTES = 4096, HASH_HEX_BYTES = 2 * AUDIT_HASH_BYTES };

/* Opens the file and takes its size between two writers' batches, so that no line is seen half. */
static int open_whole(int folder, uint64_t *size)
{
    struct stat st;
    int fd = openat(folder, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) return -1;
    int rc;
    while ((rc = flock(fd, LOCK_SH)) == -1 && errno == EINTR) continue;
    if (rc == 0) rc = fstat(fd, &st);
    (void)flock(fd, LOCK_UN);
    if (rc == -1) {
        (void)close(fd);
        return -1;
    }
    *size = (uint64_t)st.st_size;
    return fd;
}

struct chain {
    struct audit_head head;
    const struct audit_head *anchor;
    bool anchored;
    uint64_t lines, bad_line;
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

static void check_line(struct chain *c, slice line)
{
    struct audit_head after;
    c->lines++;
    if (c->bad_line) return;
    if (!line_fits(line, &c->head, &after)) {
        c->bad_line = c->lines;
        return;
    }
    c->head = after;
    if (after.seq != c->anchor->seq) return;
    c->anchored = memcmp(after.hash, c->anchor->hash, AUDIT_HASH_BYTES) == 0;
    if (!c->anchored) c->bad_line = c->lines;
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
    if (have && !c->bad_line) c->bad_line = c->lines + 1; /* not ended, or no line of ours */
    if (have) c->lines++;
    return OK;
}

result audit_verify(int folder, const struct audit_head *anchor, uint64_t *lines, uint64_t *bad_line)
{
    struct chain c = {.anchor = anchor, .anchored = anchor->seq == 0};
    uint64_t size = 0;
    *lines = 0;
    *bad_line = 1;
    int fd = open_whole(folder, &size);
    if (fd == -1) return errno == ENOENT ? OK : FAIL(IO);
    char *room = malloc(READ_BYTES);
    result r = room ? check_file(&c, fd, size, room) : FAIL(MEMORY);
    free(room);
    (void)close(fd);
    if (!c.anchored && !c.bad_line) c.bad_line = c.lines + 1; /* cut off behind the last line */
    *lines = c.lines;
    *bad_line = c.bad_line;
    return r;
}

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
