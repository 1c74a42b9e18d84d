/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

/* The vault: cards behind tokens, API keys, the audit trail, over an asynchronous store whose records are sealed one by one.
 * Only the keeper and the administrative commands link this. Answers come by callback: before the call returns where the
 * store can answer at once (LMDB reads), or at vault_flush() (writes: one group commit a loop turn, acknowledged only after

 * it is on disk; while a rotation moves the store they wait, without blocking, for a later vault_flush()). Nothing crosses merchants: every record is bound to its merchant by its additional data.
 *
 *   cards, keys, audit ─► seal (key ring) ─► store: get / put / delete / scan, batches ─► LMDB
 *
 * Folder (0700): keyring (wrapped data keys), store.N/ (the LMDB environment in use), CURRENT, audit.log. Several processes may
 * have the same vault open (the keeper and commands such as 'token create', 'vault rotate'); each sees the others' changes at
 * its next transaction. */

#include "vault/card.h"

struct vault;

struct vault_options {
    slice path;            /* folder */
    slice key;             /* "file:PATH" or "env:NAME": the key-encryption key, 32 bytes as 64 hex digits or base64 */
    slice old_key;         /* the same, from before; opens the key ring where key does not (yet), and may be empty */
    uint64_t size_bytes;   /* largest store; sparse */
    bool read_only;
    bool serves;           /* the keeper: vault_tick is called every second, so locks may be kept between flushes */
};
MUST_USE result vault_init(const struct vault_options *o, bool *key_made); /* makes folder, key ring, and the key file (0600) if missing; ERR_VAULT_EXISTS */
MUST_USE result vault_open(const struct vault_options *o, struct vault **out); /* ERR_VAULT_MISSING, ERR_VAULT_KEY, ERR_VAULT_KEY_… (kek_read), ERR_VAULT_RING_OLD, ERR_VAULT_FORMAT, ERR_IO */
/* Where the key came as "env:NAME": wipes the variable's value in place and takes it out of this process's environment, so that
 * neither /proc/PID/environ nor anything started later has it. Once the vault is open; it keeps its own copy. */
void vault_forget_key(slice key);
void vault_close(struct vault *v); /* flushes; wipes keys; NULL is fine */
/* Group commit of writes, then their callbacks; then appends the audit lines. Call at the end of each loop turn. */
void vault_flush(struct vault *v);
/* For shutdown: vault_flush, and what cannot be written just now (a rotation is moving the store) is answered with
 * ERR_VAULT_BUSY. No call is open after it. */
void vault_settle(struct vault *v);
/* Every second or so, with a vault_flush to follow in the same turn: stale readers, new key versions, fdatasync of the audit
 * trail and its anchor. Never waits for another process, and calls nobody back. */
void vault_tick(struct vault *v);

/* --- cards --- */
enum card_state { CARD_ACTIVE = 0, CARD_PAN_REMOVED = 1 };
struct card_info { /* what a merchant may know */
    struct token_id token, alias; /* alias: the other name that was asked for, or that it was asked by; len 0: none */
    struct card_mask mask;
    uint8_t month;
    uint16_t year;
    bool has_holder, alias_fell; /* fell: the format had no room, so it is longer, or there is none */
    enum card_state state;
    int64_t created_ms, updated_ms;
};
typedef void (*vault_card_callback)(void *owner, result r, const struct card *card, const struct card_info *info);
/* What a put came to. The other calls say CARD_FOUND. */
enum card_deed { CARD_FOUND = 0, CARD_CREATED, CARD_CHANGED };
typedef void (*vault_info_callback)(void *owner, result r, const struct card_info *info, enum card_deed deed);

struct card_put_options {
    bool unique;     /* always a new token */
    bool may_change; /* the caller may change cards, not only make them */
};
/* The same PAN of the same merchant gives the same token unless unique. An existing card's expiry and holder are brought up to
 * date only where may_change, and a later expiry never gives way to an earlier one. */
void vault_card_put(struct vault *v, slice merchant, const struct card *card, struct card_put_options options,
                    vault_info_callback done, void *owner);
void vault_card_get(struct vault *v, slice merchant, slice token, vault_card_callback done, void *owner); /* ERR_TOKEN_NOT_FOUND; the card is valid for the call; CARD_PAN_REMOVED: number_len is 0 */
struct card_change {
    bool set_expiry, set_holder, remove_pan;
    uint8_t month;
    uint16_t year;
    uint8_t holder_len;
    char holder[HOLDER_MAX_BYTES];
};
/* remove_pan: for good, and only while the card's network token is ACTIVE and within its expiry (the same batch expects that), so that
 * it can still be paid with: ERR_NETWORK_TOKEN_NEEDED. Where the number is gone already it changes nothing of it. */
void vault_card_change(struct vault *v, slice merchant, slice token, const struct card_change *change, vault_info_callback done, void *owner);
void vault_card_delete(struct vault *v, slice merchant, slice token, vault_info_callback done, void *owner);

/* --- API keys: stored as hashes; the key itself is shown once --- */
enum permission { /* bit set; names as in 'key create --permit' */
    PERMIT_PROXY = 1u << 0,       /* "proxy": detokenise towards a route */
    PERMIT_TOKENIZE = 1u << 1,    /* "tokenize": POST /v1/tokens, /v1/transactions */
    PERMIT_READ = 1u << 2,        /* "read": GET /v1/tokens/{id} */
    PERMIT_CHANGE = 1u << 3,      /* "change": PATCH */
    PERMIT_DELETE = 1u << 4,      /* "delete": DELETE */
    PERMIT_CREDENTIALS = 1u << 5, /* "credentials": payment-credentials */
    PERMIT_REPORT = 1u << 6,      /* "report" */
    PERMIT_ENROL = 1u << 7,       /* "enroll": POST /v1/tokens/enroll; the merchant needs a network, too */
    PERMIT_DEFAULT = PERMIT_PROXY | PERMIT_TOKENIZE | PERMIT_READ | PERMIT_CHANGE | PERMIT_DELETE,
};
bool permission_parse(slice list /* "proxy,read" or "all" */, unsigned *bits);
const char *permission_name(unsigned bit); /* one bit; NULL: none of ours */
enum { API_KEY_TEXT_BYTES = 64, API_KEY_ID_BYTES = 12, API_KEY_CIDRS_MAX = 16 };
struct api_key_info {
    char id[API_KEY_ID_BYTES + 1];
    slice merchant;        /* valid for the call */
    unsigned permissions;
    slice allow;           /* CIDR list as given; empty: any address */
    int64_t created_ms;
    bool revoked;
};
/* key_text gets "cvk_<id>_<secret>", NUL-terminated, once and never again. */
MUST_USE result vault_key_create(struct vault *v, slice merchant, unsigned permissions, slice allow, char key_text[API_KEY_TEXT_BYTES + 1]);
MUST_USE result vault_key_revoke(struct vault *v, slice id);
typedef void (*vault_key_callback)(void *owner, const struct api_key_info *info);
MUST_USE result vault_key_list(struct vault *v, vault_key_callback each, void *owner);
/* Looks a presented key up; answers from memory, constant time in the secret. ERR_KEY_WRONG. *info valid for the turn. */
MUST_USE result vault_key_check(struct vault *v, slice key_text, const struct api_key_info **info);

/* --- audit: append-only file, each line carries the hash of the one before --- */
struct audit_entry {
    const char *action;   /* literal: "reveal", "token.create", "key.create", "vault.rotate", "keeper.start", … */
    slice merchant, actor /* key id, "listener", "command" */, token, route;
    slice peer;           /* where it came from (PCI DSS 10.2.2): the client's address, "unix", or "uid:N" for a command */
    uint64_t request;     /* request id, 0: none */
    result outcome;
};
MUST_USE result vault_audit(struct vault *v, const struct audit_entry *e); /* buffered; written by vault_flush. ERR_VAULT_AUDIT once a write failed: fail closed */
/* Ends audit.log and begins the next, whose first line tells of it, with e's actor and peer; the chain goes on over both. The
 * ended one stays in the folder as <name>, from where it may be moved. While others serve. ERR_NOT_FOUND: it has no line yet. */
enum { AUDIT_NAME_BYTES = sizeof "audit.00000000000000000000.log" };
MUST_USE result vault_audit_cut(struct vault *v, const struct audit_entry *e, char name[AUDIT_NAME_BYTES]);
/* True from a failed write until one works again. The lines of a turn are written by vault_flush, so what a turn reveals must
 * leave the process after vault_flush, and not at all while this is true. */
bool vault_audit_is_failing(const struct vault *v);

/* --- administration --- */
struct vault_stat {
    uint64_t cards, aliases, keys, network_records, jobs, events, store_bytes, store_max_bytes, audit_lines, audit_bytes;
    uint32_t key_version, key_versions;
    uint64_t records_under_old_keys;
    uint64_t seals, seals_max; /* under the newest key; rotate before they are spent */
    bool under_old_key;        /* vault_options.old_key opened the key ring */
};
typedef void (*vault_progress)(void *owner, uint64_t done, uint64_t total);
MUST_USE result vault_stat(struct vault *v, struct vault_stat *out);
struct vault_verdict {
    uint64_t records, bad_records;
    uint64_t audit_first_line; /* above 1: the ones before it are archived elsewhere */
    uint64_t audit_lines, audit_bad_line /* 0: chain whole */;
};
MUST_USE result vault_verify(struct vault *v, vault_progress progress, void *owner, struct vault_verdict *out);
MUST_USE result vault_backup(struct vault *v, slice folder, vault_progress progress, void *owner);
MUST_USE result vault_rotate(struct vault *v, vault_progress progress, void *owner); /* while others serve; may be repeated after a crash */
/* Seals the key ring under vault_options.key, where old_key opened it so far (PCI DSS 4.0.1 3.7.4); *moved: false where it was
 * under key already. While others serve, if they have both keys; in one step, so a crash leaves it under one of the two. */
MUST_USE result vault_rotate_kek(struct vault *v, bool *moved);

#endif
