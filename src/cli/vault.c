/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vault.h"

#include "cli/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "usage: cardveil vault init   [-c cardveil.yaml]\n"
    "       cardveil vault stat   [-c cardveil.yaml] [--json]\n"
    "       cardveil vault verify [-c cardveil.yaml] [--json]\n"
    "       cardveil vault rotate [-c cardveil.yaml] [--kek]\n"
    "       cardveil vault backup DIR [-c cardveil.yaml]\n"
    "       cardveil vault archive [-c cardveil.yaml]\n\n"
    "init    makes the vault that the configuration names, and its key file (0600) if that is missing.\n"
    "stat    prints what is in it.\n"
    "verify  opens every record, follows the PAN index and the audit trail's hash chain. Exit status 1 if anything is wrong.\n"
    "rotate  seals every record under a new data key, compacts the store, and destroys the old key; also while 'serve' runs.\n"
    "        Interrupted, it may simply be run again.\n"
    "        --kek: seals the keys under another key-encryption key instead. Set vault.key to the new key and vault.old_key to the\n"
    "        present one, restart 'serve', run this, and take vault.old_key out again.\n"
    "backup  copies the vault to DIR, also while 'serve' runs. To restore, point vault.path at the copy. The key file is not\n"
    "        copied: keep it elsewhere, because the copy cannot be opened without it. Archived audit files are not copied either.\n"
    "archive ends audit.log, also while 'serve' runs: it is audit.<number of its last line>.log from then on, and a new audit.log\n"
    "        carries its hash chain on. 'verify' reads the archived files that lie in the vault's folder; they may be moved away,\n"
    "        the oldest first, and copied back to be verified.\n\n"
    "Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.\n";

/* --- the actions --- */

struct arguments {
    const char *folder; /* of 'backup' */
    bool json, kek;
};

static void on_progress(void *owner, uint64_t done, uint64_t total)
{
    cli_progress_show(owner, done, total);
}

static int init(struct cli_vault *c, const void *arguments)
{
    (void)arguments;
    bool key_made;
    result r = vault_init(&c->options, &key_made);
    if (failed(r)) return cli_vault_open_failed(c, r);
    printf("vault made at %.*s\n", SLICE_ARG(c->options.path));
    if (key_made)
        printf("key file made: %.*s\nkeep a copy of it in another place: without it the vault cannot be opened by anybody\n",
               SLICE_ARG(slice_after(c->options.key, strlen("file:"))));
    int status = cli_vault_open(c, false);
    return status ? status : cli_vault_audit(c, "vault.init", SLICE_NONE, SLICE_NONE, OK);
}

static int stat_vault(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct vault_stat s;
    result r = vault_stat(c->v, &s);
    if (failed(r)) return cli_vault_failed(c, r);
    const struct {
        const char *name, *text;
        uint64_t n;
    } rows[] = {
        {"cards", "cards", s.cards},
        {"aliases", "aliases of cards", s.aliases},
        {"keys", "API keys, revoked ones too", s.keys},
        {"network_records", "network token records", s.network_records},
        {"jobs", "jobs for card networks, waiting", s.jobs},
        {"events", "webhooks, kept a week", s.events},
        {"store_bytes", "store, bytes in use", s.store_bytes},
        {"store_max_bytes", "store, bytes at most (vault.size)", s.store_max_bytes},
        {"audit_lines", "audit trail, lines", s.audit_lines},
        {"audit_bytes", "audit trail, bytes", s.audit_bytes},
        {"key_version", "data key, version", s.key_version},
        {"key_versions", "data keys in the key ring", s.key_versions},
        {"records_under_old_keys", "records under older data keys", s.records_under_old_keys},
        {"seals", "seals under this data key", s.seals},
        {"seals_max", "seals after which it must be rotated", s.seals_max},
        {"under_old_key", "key ring still under vault.old_key", s.under_old_key},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (a->json) {
            printf("%s\"%s\":%" PRIu64, i ? "," : "{", rows[i].name, rows[i].n);
        } else {
            printf("%-38s %" PRIu64 "\n", rows[i].text, rows[i].n);
        }
    }
    if (a->json) printf("}\n");
    if (s.key_versions > 1) fprintf(stderr, "cardveil vault stat: a rotation was interrupted; run 'cardveil vault rotate' again\n");
    return CLI_DONE;
}

static int verify(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct vault_verdict verdict;
    struct cli_progress p;
    uint64_t took_ms;
    cli_progress_start(&p, "records");
    result r = vault_verify(c->v, on_progress, &p, &verdict);
    (void)cli_progress_end(&p, &took_ms);
    if (failed(r)) return cli_vault_failed(c, r);
    bool good = verdict.bad_records == 0 && verdict.audit_bad_line == 0;
    if (a->json) {
        printf("{\"good\":%s,\"records\":%" PRIu64 ",\"bad_records\":%" PRIu64 ",\"audit_first_line\":%" PRIu64 ",\"audit_lines\":%" PRIu64
               ",\"audit_bad_line\":%" PRIu64 "}\n",
               good ? "true" : "false", verdict.records, verdict.bad_records, verdict.audit_first_line, verdict.audit_lines,
               verdict.audit_bad_line);
        return good ? CLI_DONE : CLI_FAILED;
    }
    printf("%" PRIu64 " records, %" PRIu64 " bad; %" PRIu64 " audit lines", verdict.records, verdict.bad_records, verdict.audit_lines);
    if (verdict.audit_first_line > 1) printf(" from number %" PRIu64 " on (those before it are archived elsewhere)", verdict.audit_first_line);
    printf(", ");
    if (verdict.audit_bad_line) {
        printf("chain broken at line %" PRIu64 "\n", verdict.audit_bad_line);
    } else {
        printf("chain whole\n");
    }
    if (verdict.bad_records)
        fprintf(stderr, "cardveil vault verify: records were altered or damaged; restore them from a backup ('cardveil vault backup')\n");
    if (verdict.audit_bad_line)
        fprintf(stderr, "cardveil vault verify: the audit trail was altered or cut off at that line, or an archived file with it is missing; compare it with "
                        "a backup, or put the file back beside audit.log\n");
    return good ? CLI_DONE : CLI_FAILED;
}

static int rotate_kek(struct cli_vault *c)
{
    bool moved = false;
    int status = cli_vault_open(c, false);
    if (status) return status;
    result r = vault_rotate_kek(c->v, &moved);
    int audited = cli_vault_audit(c, "vault.rotate_kek", SLICE_NONE, SLICE_NONE, r);
    if (failed(r)) return cli_vault_failed(c, r);
    if (moved)
        printf("rotated: the key ring is under vault.key now\ntake vault.old_key out of the configuration; the old key opens only backups "
               "made before this\n");
    else
        printf("nothing to do: the key ring is under vault.key already; take vault.old_key out of the configuration\n");
    return audited;
}

static int rotate(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct cli_progress p;
    uint64_t took_ms;
    if (a->kek && !c->options.old_key.len) {
        fprintf(stderr, "cardveil vault rotate: --kek moves the vault from vault.old_key to vault.key; set vault.old_key to the present key and "
                        "vault.key to a new one first, and restart 'serve' with both\n");
        return CLI_WRONG;
    }
    if (a->kek) return rotate_kek(c);
    int status = cli_vault_open(c, false);
    if (status) return status;
    cli_progress_start(&p, "records sealed anew");
    result r = vault_rotate(c->v, on_progress, &p);
    (void)cli_progress_end(&p, &took_ms);
    int audited = cli_vault_audit(c, "vault.rotate", SLICE_NONE, SLICE_NONE, r);
    if (failed(r)) {
        status = cli_vault_failed(c, r);
        if (r.err != ERR_VAULT_BUSY) fprintf(stderr, "  nothing is lost; run 'cardveil vault rotate' again to go on\n");
        return status;
    }
    printf("rotated: every record is under a new data key, the old one is destroyed\n");
    return audited;
}

static int archive(struct cli_vault *c, const void *arguments)
{
    (void)arguments;
    char name[AUDIT_NAME_BYTES];
    const struct audit_entry e = {.actor = SLICE("command"), .peer = cli_vault_peer(), .outcome = OK};
    result r = vault_audit_cut(c->v, &e, name);
    if (r.err == ERR_NOT_FOUND) {
        fprintf(stderr, "cardveil %s: the audit trail has no line yet; nothing to archive\n", c->command);
        return CLI_FAILED;
    }
    if (failed(r)) return cli_vault_failed(c, r);
    printf("archived: %.*s/%s\nthe trail goes on in audit.log; move the archived file where it is kept\n", SLICE_ARG(c->options.path), name);
    return CLI_DONE;
}

static int backup(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    int status = cli_vault_audit(c, "vault.backup", SLICE_NONE, SLICE_NONE, OK); /* before, so that the copy says so too */
    if (status) return status;
    errno = 0;
    result r = vault_backup(c->v, slice_of(a->folder), NULL, NULL);
    if (failed(r)) {
        (void)cli_vault_failed(c, r); /* before errno is another's */
        fprintf(stderr, "  backup to: %s\n", a->folder);
        (void)cli_vault_audit(c, "vault.backup", SLICE_NONE, SLICE_NONE, r);
        return CLI_FAILED;
    }
    printf("backup made at %s\nthe key (vault.key) is not in it: keep that in another place\n", a->folder);
    return CLI_DONE;
}

static const struct cli_action actions[CLI_ACTIONS_MAX] = {
    {"init", "vault init", init, CLI_VAULT_SHUT, .words = 1},
    {"stat", "vault stat", stat_vault, CLI_VAULT_READ, .words = 1},
    {"verify", "vault verify", verify, CLI_VAULT_READ, .words = 1},
    {"rotate", "vault rotate", rotate, CLI_VAULT_SHUT, .words = 1},
    {"backup", "vault backup", backup, CLI_VAULT_WRITE, .words = 2, .lacking = "backup needs a folder to copy to"},
    {"archive", "vault archive", archive, CLI_VAULT_WRITE, .words = 1},
};
static const struct cli_command command = {"vault", USAGE, actions};

int cli_vault(int argc, char **argv)
{
    struct arguments a = {0};
    const struct cli_option options[] = {{"json", .flag = &a.json}, {"kek", .flag = &a.kek}, {NULL}};
    struct cli_typed typed;
    int status;
    if (!cli_read(&command, options, &a, argc, argv, &typed, &status)) return status;
    if (a.kek && typed.action->run != rotate) return cli_wrong_usage(&command, "--kek belongs to rotate");
    a.folder = typed.word;
    return cli_vault_run(&(struct cli_work){typed.action->command, typed.file, NULL, typed.action->access, typed.action->run}, &a);
}
