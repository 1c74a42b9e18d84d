/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_AUDIT_H
#define VAULT_AUDIT_H

/* The audit trail: one JSON object a line, each carrying the hash of the line before.
 *
 *     {"seq":2,"time":"…","action":"reveal","merchant":"shop",…,"outcome":"OK","prev":"<hash of line 1>","hash":"…"}
 *     hash = SHA-256(prev, 32 bytes | the line up to ,"prev")            prev of line 1: 32 zero bytes
 *
 * Several processes append: under flock, after taking up what others have appended. Lines of a turn go out as one write().
 * Each field is checked text; a run of 12 or more digits that is no token of ours shows as its first six, 'x', its last four. */

#include "base/buf.h"
#include "vault/vault.h"

enum { AUDIT_HASH_BYTES = 32 };
struct audit_head {
    uint64_t seq;
    uint8_t hash[AUDIT_HASH_BYTES];
};
struct audit;

MUST_USE result audit_create(int folder);
MUST_USE result audit_open(int folder, bool read_only, struct audit **out);
void audit_close(struct audit *a);
MUST_USE result audit_add(struct audit *a, const struct audit_entry *e); /* ERR_VAULT_AUDIT while writing fails; ERR_MEMORY */
void audit_flush(struct audit *a);
/* For a process that serves: the lock is kept from flush to flush for up to 20 ms, and given back by audit_sync, which that
 * process calls every second; others wait that long at most. */
void audit_keep_lock(struct audit *a);
bool audit_is_failing(const struct audit *a);
/* Ends the file and begins the next, which carries the chain on: the old one is audit.<its last line's number, 20 digits>.log from
 * then on, whole and on disk, and the new one's first line says so: who is e's, its action is this. Others go on in the new one.
 * ERR_NOT_FOUND: no line yet. */
#define AUDIT_CUT_ACTION "vault.archive"
MUST_USE result audit_cut(struct audit *a, const struct audit_entry *e, char name[AUDIT_NAME_BYTES]);
MUST_USE result audit_sync(struct audit *a); /* fdatasync of what was written since the last */
/* Head after what this process wrote or took up last. */
struct audit_head audit_head(const struct audit *a);
uint64_t audit_bytes(const struct audit *a);

/* The archived files of a folder, oldest first. */
struct audit_names {
    size_t count;
    char (*at)[AUDIT_NAME_BYTES];
};
MUST_USE result audit_names_read(int folder, struct audit_names *out);
void audit_names_done(struct audit_names *n);

/* Reads every archived file that is there, then the one in use. Archived files from the front on may be elsewhere: the first
 * line, which must be one that begins a file, says then what the chain goes on from, and it is the anchor (seq 0: none) behind it
 * that proves the lines. first: the number of the first line; bad_line: of the first that does not fit, or is missing; 0: whole. */
struct audit_verdict {
    uint64_t first, lines, bad_line;
};
MUST_USE result audit_verify(int folder, const struct audit_head *anchor, struct audit_verdict *out);
/* Number of the last line. */
MUST_USE result audit_last(int folder, uint64_t *seq);
/* Copies the file, whole lines only, into another folder. */
MUST_USE result audit_copy(int folder, int target_folder);

/* The chain, for writer and verifier. */
bool audit_get_hash(const char at[2 * AUDIT_HASH_BYTES], uint8_t out[AUDIT_HASH_BYTES]); /* from lower-case hex; false: it is none */
MUST_USE result audit_hash(const uint8_t prev[AUDIT_HASH_BYTES], slice body, uint8_t out[AUDIT_HASH_BYTES]);

#endif
