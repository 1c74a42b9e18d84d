/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include "base/ascii.h"
#include "base/clock.h"
#include "base/log.h"
#include "files.h"
#include "lmdb_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file_name[] = "audit.log";
enum {
    LOCK_KEPT_MS = 20,
    PENDING_MAX_BYTES = 4 << 20,
    WORD_MAX_BYTES = 128,
    BODY_MAX_BYTES = 1536,
    HASH_HEX_BYTES = 2 * AUDIT_HASH_BYTES,
    TIME_BYTES = CLOCK_RFC3339_BYTES - 1,
    TAIL_BYTES = 4096, /* holds the longest line */
    REQUEST_DIGITS = 16,
};

struct audit {
    int folder, fd; /* folder: borrowed */
    struct audit_head head;
    uint64_t size;       /* of the file when the head was its end */
    struct buf pending;  /* bodies that wait for the flush: length 2, text */
    struct buf out;
    bool read_only, failing, unsynced;
    bool keeps_lock, locked; /* audit_keep_lock; the file is ours and its end is where we left it */
    uint64_t locked_ms;
    int64_t second;      /* whose text stands in time_text */
    char time_text[CLOCK_RFC3339_BYTES];
};

/* --- the chain --- */

result audit_hash(const uint8_t prev[AUDIT_HASH_BYTES], slice body, uint8_t out[AUDIT_HASH_BYTES])
{
    static EVP_MD *sha256; /* fetched once; the context is kept, since one line per payment goes through here */
    static EVP_MD_CTX *ctx;
    if (!sha256) sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!ctx) ctx = EVP_MD_CTX_new();
    bool good = sha256 && ctx && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1 &&
                EVP_DigestUpdate(ctx, prev, AUDIT_HASH_BYTES) == 1 && EVP_DigestUpdate(ctx, body.at, body.len) == 1 &&
                EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    return good ? OK : FAIL(CRYPTO);
}

static char *put_hex(char *at, const uint8_t *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *at++ = hex[bytes[i] >> 4];
        *at++ = hex[bytes[i] & 15];
    }
    return at;
}

bool audit_get_hash(const char at[2 * AUDIT_HASH_BYTES], uint8_t out[AUDIT_HASH_BYTES])
{
    for (size_t i = 0; i < AUDIT_HASH_BYTES; i++) {
        unsigned n = 0;
        for (size_t j = 0; j < 2; j++) {
            char c = at[2 * i + j];
            if (c >= '0' && c <= '9') n = n * 16 + (unsigned)(c - '0');
            else if (c >= 'a' && c <= 'f') n = n * 16 + (unsigned)(c - 'a' + 10);
            else return false;
        }
        out[i] = (uint8_t)n;
    }
    return true;
}

/* --- one line: hand-made, since it is written for each payment --- */

static char *put(char *at, slice text)
{
    if (text.len) memcpy(at, text.at, text.len);
    return at + text.len;
}

/* A word that is taken as it is: nothing in it is to be hidden or escaped. */
static bool is_harmless(slice s)
{
    unsigned digits = 0, odd = 0;
    if (s.len > WORD_MAX_BYTES) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        digits += ascii_is_digit(c);
        odd += (c <= ' ') | (c >= 0x7F) | (c == '"') | (c == '\\');
    }
    return digits < PAN_MIN_DIGITS && odd == 0;
}

/* How many digits stand in the run that starts at s.at[from], looking past separators; *end: just behind the last. */
static size_t digit_run(slice s, size_t from, size_t *end)
{
    size_t digits = 0;
    for (size_t i = from; i < s.len && (ascii_is_digit(s.at[i]) || s.at[i] == '-' || s.at[i] == '_' || s.at[i] == ' '); i++) {
        if (!ascii_is_digit(s.at[i])) continue;
        digits++;
        *end = i + 1;
    }
    return digits;
}

/* A caller may send a PAN where a token should be, and with separators in it: what could be one is cut (PCI DSS 3.4.1). */
static char *put_word(char *at, slice s)
{
    if (token_id_has_form(s, TOKEN_PERMANENT) || token_id_has_form(s, TOKEN_TEMPORAL) || is_harmless(s)) return put(at, s);
    if (s.len > WORD_MAX_BYTES) s.len = WORD_MAX_BYTES;
    for (size_t i = 0; i < s.len;) {
        char c = s.at[i];
        size_t end = 0;
        if (ascii_is_digit(c) && digit_run(s, i, &end) >= PAN_MIN_DIGITS) {
            at = put(at, slice_range(s, i, i + 6));
            *at++ = 'x';
            at = put(at, slice_range(s, end - 4, end));
            i = end;
            continue;
        }
        *at++ = c > ' ' && c < 0x7F && c != '"' && c != '\\' ? c : '?';
        i++;
    }
    return at;
}

static char *put_time(struct audit *a, char *at)
{
    int64_t now = clock_wall_ms(), second = now / 1000;
    if (second != a->second) {
        clock_rfc3339(now, a->time_text);
        a->second = second;
    }
    memcpy(at, a->time_text, TIME_BYTES);
    unsigned ms = (unsigned)(now % 1000);
    at[TIME_BYTES - 4] = (char)('0' + ms / 100); /* "….mmmZ" */
    at[TIME_BYTES - 3] = (char)('0' + ms / 10 % 10);
    at[TIME_BYTES - 2] = (char)('0' + ms % 10);
    return at + TIME_BYTES;
}

static char *put_request(char *at, uint64_t request)
{
    uint8_t bytes[REQUEST_DIGITS / 2];
    if (request == 0) return at;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(request >> (56 - 8 * i));
    at = put_hex(at, bytes, sizeof bytes / 2);
    *at++ = '-';
    return put_hex(at, bytes + sizeof bytes / 2, sizeof bytes / 2);
}

/* Everything between the number and the chain. */
static size_t format_body(struct audit *a, const struct audit_entry *e, char body[BODY_MAX_BYTES])
{
    char *at = put(body, SLICE(",\"time\":\""));
    at = put_time(a, at);
    at = put(at, SLICE("\",\"action\":\""));
    at = put_word(at, slice_of(e->action));
    at = put(at, SLICE("\",\"merchant\":\""));
    at = put_word(at, e->merchant);
    at = put(at, SLICE("\",\"actor\":\""));
    at = put_word(at, e->actor);
    at = put(at, SLICE("\",\"peer\":\""));
    at = put_word(at, e->peer);
    at = put(at, SLICE("\",\"token\":\""));
    at = put_word(at, e->token);
    at = put(at, SLICE("\",\"route\":\""));
    at = put_word(at, e->route);
    at = put(at, SLICE("\",\"request\":\""));
    at = put_request(at, e->request);
    at = put(at, SLICE("\",\"outcome\":\""));
    at = put(at, e->outcome.err ? slice_of(error_name(e->outcome.err)) : SLICE("OK"));
    at = put(at, SLICE("\""));
    return (size_t)(at - body);
}

/* Bounded by construction: seven words of at most WORD_MAX_BYTES, the rest is ours. */
_Static_assert(7 * WORD_MAX_BYTES + 512 <= BODY_MAX_BYTES, "a body holds its words");

result audit_add(struct audit *a, const struct audit_entry *e)
{
    ENSURE(!a->failing, VAULT_AUDIT);
    TRY(buf_reserve(&a->pending, BODY_MAX_BYTES + 2));
    char *room = buf_room(&a->pending);
    size_t len = format_body(a, e, room + 2);
    room[0] = (char)(len >> 8);
    room[1] = (char)(len & 0xFF);
    buf_added(&a->pending, len + 2);
    return OK;
}

/* --- the file --- */

static slice last_line(slice tail)
{
    if (tail.len == 0) return tail;
    size_t from = tail.len - 1; /* its newline */
    while (from > 0 && tail.at[from - 1] != '\n') from--;
    return slice_range(tail, from, tail.len - 1);
}

static bool line_head(slice line, struct audit_head *out)
{
    static const slice before_hash = {",\"hash\":\"", 9}, before_seq = {"{\"seq\":", 7};
    size_t ending = before_hash.len + HASH_HEX_BYTES + 2;
    if (line.len < ending + before_seq.len || !slice_starts(line, before_seq) || !slice_ends(line, SLICE("\"}"))) return false;
    slice seq = slice_after(line, before_seq.len);
    seq = slice_range(seq, 0, slice_find(seq, ','));
    const char *hash = line.at + line.len - 2 - HASH_HEX_BYTES;
    return slice_to_u64(seq, UINT64_MAX, &out->seq) && audit_get_hash(hash, out->hash);
}

/* Takes the file's end for the head: at start, and when another process has appended. A last line that was cut off (power
 * failure) is removed, as it was never acknowledged; the anchor would tell if it was more than that. */
static result take_up_tail(struct audit *a)
{
    char room[TAIL_BYTES];
    struct stat st;
    ENSURE(fstat(a->fd, &st) == 0, IO);
    uint64_t size = (uint64_t)st.st_size;
    if (size == a->size) return OK;
    size_t want = size < sizeof room ? (size_t)size : sizeof room;
    ssize_t got = pread(a->fd, room, want, (off_t)(size - want));
    ENSURE(got == (ssize_t)want, IO);
    slice tail = {room, want};
    while (tail.len && tail.at[tail.len - 1] != '\n') tail.len--;
    ENSURE(tail.len > 0 || want == size, VAULT_AUDIT_CHAIN);
    if (tail.len < want && !a->read_only) {
        log_plain(LOG_LEVEL_WARN, "audit_cut_line", "the last line of the audit trail was incomplete and was removed");
        size -= want - tail.len;
        ENSURE(ftruncate(a->fd, (off_t)size) == 0, IO);
    }
    struct audit_head head = {0};
    ENSURE(tail.len == 0 || line_head(last_line(tail), &head), VAULT_AUDIT_CHAIN);
    a->head = head;
    a->size = size;
    return OK;
}

static result lock_file(int fd, int how)
{
    while (flock(fd, how) == -1) ENSURE(errno == EINTR, IO);
    return OK;
}

static int open_file(int folder, bool read_only)
{
    return openat(folder, file_name, (read_only ? O_RDONLY : O_RDWR | O_APPEND) | O_CLOEXEC | O_NOFOLLOW);
}

/* The open file is still the one of that name: audit_cut gives the name to another. */
static bool is_current(const struct audit *a)
{
    struct stat mine, named;
    return fstat(a->fd, &mine) == 0 && fstatat(a->folder, file_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

/* Asking for the lock and looking at the file's end cost more than a line does: a process that writes all the time keeps the
 * lock for some milliseconds. */
static result take_lock(struct audit *a)
{
    if (a->locked) return OK;
    for (;;) {
        TRY(lock_file(a->fd, LOCK_EX));
        if (is_current(a)) break;
        int next = open_file(a->folder, false);
        (void)flock(a->fd, LOCK_UN);
        ENSURE(next != -1, IO); /* somebody took the file away: nothing more is told until it is back */
        (void)close(a->fd);
        a->fd = next;
        a->size = UINT64_MAX;
    }
    a->locked = true;
    a->locked_ms = clock_now_ms();
    return take_up_tail(a);
}

static void release_lock(struct audit *a)
{
    if (a->locked) (void)flock(a->fd, LOCK_UN);
    a->locked = false;
}

result audit_create(int folder)
{
    return file_replace(folder, file_name, SLICE_NONE);
}

result audit_open(int folder, bool read_only, struct audit **out)
{
    struct audit *a = calloc(1, sizeof *a);
    ENSURE(a != NULL, MEMORY);
    buf_init(&a->pending, PENDING_MAX_BYTES);
    buf_init(&a->out, 2 * PENDING_MAX_BYTES);
    a->size = UINT64_MAX;
    a->read_only = read_only;
    a->folder = folder;
    a->fd = open_file(folder, read_only);
    result r = a->fd != -1 ? OK : errno == ENOENT ? FAIL(VAULT_AUDIT_CHAIN) : FAIL(IO);
    if (!failed(r) && !read_only) {
        r = take_lock(a);
        release_lock(a);
    }
    if (failed(r)) {
        audit_close(a);
        return r;
    }
    *out = a;
    return OK;
}

void audit_close(struct audit *a)
{
    if (!a) return;
    if (a->fd != -1) (void)close(a->fd);
    buf_done(&a->pending);
    buf_done(&a->out);
    free(a);
}

/* --- writing a turn's lines --- */

static result append_line(struct buf *out, slice body, struct audit_head *head)
{
    enum { CHAIN_BYTES = 64 + 2 * HASH_HEX_BYTES };
    TRY(buf_reserve(out, body.len + CHAIN_BYTES));
    size_t start = out->len;
    TRY(buf_append(out, SLICE("{\"seq\":")));
    TRY(buf_append_u64(out, head->seq + 1));
    TRY(buf_append(out, body));
    uint8_t hash[AUDIT_HASH_BYTES];
    TRY(audit_hash(head->hash, slice_after(buf_slice(out), start), hash));
    char *room = buf_room(out), *at = put(room, SLICE(",\"prev\":\""));
    at = put_hex(at, head->hash, sizeof head->hash);
    at = put(at, SLICE("\",\"hash\":\""));
    at = put_hex(at, hash, sizeof hash);
    at = put(at, SLICE("\"}\n"));
    buf_added(out, (size_t)(at - room));
    memcpy(head->hash, hash, sizeof hash);
    head->seq++;
    return OK;
}

static result format_pending(struct audit *a, struct audit_head *head)
{
    slice rest = buf_slice(&a->pending);
    buf_clear(&a->out);
    while (rest.len) {
        size_t len = (size_t)(uint8_t)rest.at[0] << 8 | (uint8_t)rest.at[1];
        TRY(append_line(&a->out, slice_range(rest, 2, 2 + len), head));
        rest = slice_after(rest, 2 + len);
    }
    return OK;
}

void audit_keep_lock(struct audit *a)
{
    a->keeps_lock = true;
}

static result write_lines(struct audit *a)
{
    struct audit_head head = a->head;
    TRY(format_pending(a, &head));
    result r = file_write_all(a->fd, buf_slice(&a->out));
    if (failed(r)) {
        if (ftruncate(a->fd, (off_t)a->size) == -1) log_plain(LOG_LEVEL_WARN, "audit_write", "a half line stays until the next write");
        a->size = UINT64_MAX;                   /* looked at again before the next try */
        return r;
    }
    a->head = head;
    a->size += a->out.len;
    a->unsynced = true;
    return OK;
}

void audit_flush(struct audit *a)
{
    if (a->pending.len == 0) return;
    result r = take_lock(a);
    if (!failed(r)) r = write_lines(a);
    if (failed(r) || !a->keeps_lock || clock_now_ms() - a->locked_ms >= LOCK_KEPT_MS) release_lock(a);
    if (failed(r)) {
        if (!a->failing) log_failure("audit_write", r);
        a->failing = true; /* the lines stay and are tried again; nothing new is taken meanwhile */
        return;
    }
    if (a->failing) log_plain(LOG_LEVEL_WARN, "audit_write", "the audit trail can be written again");
    a->failing = false;
    buf_clear(&a->pending);
    buf_clear(&a->out);
}

bool audit_is_failing(const struct audit *a)
{
    return a->failing;
}

result audit_sync(struct audit *a)
{
    release_lock(a);
    if (!a->unsynced) return OK;
    if (fdatasync(a->fd) == -1) {
        a->failing = true;
        return FAIL(VAULT_AUDIT);
    }
    a->unsynced = false;
    return OK;
}

struct audit_head audit_head(const struct audit *a)
{
    return a->head;
}

uint64_t audit_bytes(const struct audit *a)
{
    struct stat st;
    return fstat(a->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

result audit_last(int folder, uint64_t *seq)
{
    struct audit a = {.size = UINT64_MAX, .read_only = true};
    *seq = 0;
    a.fd = open_file(folder, true);
    ENSURE(a.fd != -1, IO);
    result r = lock_file(a.fd, LOCK_SH);
    if (!failed(r)) r = take_up_tail(&a);
    (void)flock(a.fd, LOCK_UN);
    (void)close(a.fd);
    if (!failed(r)) *seq = a.head.seq;
    return r;
}

/* --- one file ends, the next begins --- */

/* What a cut that was killed before its last step left: archive names of the file that is still written. */
static result drop_early_names(const struct audit *a)
{
    struct stat mine, named;
    struct audit_names names;
    ENSURE(fstat(a->fd, &mine) == 0, IO);
    TRY(audit_names_read(a->folder, &names));
    result r = OK;
    for (size_t i = 0; i < names.count && !failed(r); i++) {
        if (fstatat(a->folder, names.at[i], &named, AT_SYMLINK_NOFOLLOW) == -1) r = FAIL(IO);
        else if (named.st_ino == mine.st_ino && unlinkat(a->folder, names.at[i], 0) == -1) r = FAIL(IO);
    }
    audit_names_done(&names);
    return r;
}

/* The archive's name first, then the new file in one step with its first line in it: at no time is there no trail, or one whose
 * head nobody knows. */
static result cut_locked(struct audit *a, const struct audit_entry *e, char name[AUDIT_NAME_BYTES])
{
    char body[BODY_MAX_BYTES];
    struct audit_head head = a->head;
    ENSURE(head.seq > 0, NOT_FOUND);
    ENSURE(fsync(a->fd) == 0, IO);
    TRY(drop_early_names(a));
    (void)snprintf(name, AUDIT_NAME_BYTES, "audit.%020" PRIu64 ".log", head.seq);
    ENSURE(linkat(a->folder, file_name, a->folder, name, 0) == 0, IO);
    CRASH_POINT("audit_named");
    buf_clear(&a->out);
    struct audit_entry first = *e;
    first.action = AUDIT_CUT_ACTION;
    TRY(append_line(&a->out, (slice){body, format_body(a, &first, body)}, &head));
    return file_replace(a->folder, file_name, buf_slice(&a->out));
}

result audit_cut(struct audit *a, const struct audit_entry *e, char name[AUDIT_NAME_BYTES])
{
    audit_flush(a);
    ENSURE(!a->failing && !a->read_only, VAULT_AUDIT);
    ENSURE(fsync(a->fd) == 0, IO); /* most of it now: a keeper waits while the file is locked */
    TRY(take_lock(a));
    result r = cut_locked(a, e, name);
    release_lock(a);
    TRY(r);
    TRY(take_lock(a)); /* of the new file, whose head is ours now */
    release_lock(a);
    return OK;
}
