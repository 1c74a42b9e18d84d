/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vault.h"

#include "base/clock.h"
#include "base/secret.h"
#include "rules/config.h"
#include "rules/names.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECRET_HEAP_BYTES = 1 << 20, PROGRESS_TERMINAL_MS = 200, PROGRESS_FILE_MS = 10000, PROGRESS_WORTH_MS = 1000 };

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

/* --- shared with 'key' and 'token' --- */

int cli_vault_failed(const struct cli_vault *c, result why)
{
    if (why.err == ERR_IO && errno) /* its own sentence points to a log, and a command has none */
        fprintf(stderr, "cardveil %s: a file could not be read or written: %s\n", c->command, strerror(errno));
    else
        fprintf(stderr, "cardveil %s: %s\n", c->command, error_text(why.err));
    return CLI_FAILED;
}

int cli_unknown_action(const char *command, const char *word, const char *const *known)
{
    char hint[NAME_HINT_BYTES];
    slice shown = slice_of(word);
    name_write_hint(shown, known, hint);
    fprintf(stderr, "cardveil %s: there is no action '%.*s'%s\n", command, name_shown(shown), word, hint);
    return CLI_WRONG;
}

int cli_vault_configure(struct cli_vault *c, const char *command, const char *file)
{
    *c = (struct cli_vault){.command = command};
    if (!CRYPTO_secure_malloc_initialized() && failed(secret_start(SECRET_HEAP_BYTES))) return cli_vault_failed(c, FAIL(MEMORY));
    c->source = source_disk();
    c->problems = problems_new();
    if (!c->source || !c->problems) return cli_vault_failed(c, FAIL(MEMORY));
    result r = config_load_alone(c->source, slice_of(file), c->problems, &c->config);
    if (failed(r)) {
        problems_print(c->problems, STDERR_FILENO);
        if (problems_count(c->problems) == 0) (void)cli_vault_failed(c, r);
        return r.err == ERR_MEMORY ? CLI_FAILED : CLI_WRONG;
    }
    c->options = (struct vault_options){.path = c->config->vault_path, .key = c->config->vault_key,
                                        .old_key = c->config->vault_old_key, .size_bytes = c->config->vault_size_bytes};
    return CLI_DONE;
}

/* What the user has to look at, besides the error's own sentence. */
static int open_failed(const struct cli_vault *c, result why)
{
    int status = cli_vault_failed(c, why);
    fprintf(stderr, "  vault.path: %.*s\n  vault.key:  %.*s\n", SLICE_ARG(c->options.path), SLICE_ARG(c->options.key));
    if (c->options.old_key.len) fprintf(stderr, "  vault.old_key: %.*s\n", SLICE_ARG(c->options.old_key));
    return status;
}

int cli_vault_open(struct cli_vault *c, bool read_only)
{
    c->options.read_only = read_only;
    errno = 0;
    result r = vault_open(&c->options, &c->v);
    vault_forget_key(c->options.key);
    vault_forget_key(c->options.old_key);
    return failed(r) ? open_failed(c, r) : CLI_DONE;
}

int cli_vault_has_merchant(struct cli_vault *c, slice merchant)
{
    if (config_merchant_index(c->config, merchant) >= 0) return CLI_DONE;
    fprintf(stderr, "cardveil %s: no merchant '%.*s' in %.*s; name one of its merchants:", c->command, SLICE_ARG(merchant), SLICE_ARG(c->config->file));
    for (size_t i = 0; i < c->config->merchant_count; i++) fprintf(stderr, " %.*s", SLICE_ARG(c->config->merchants[i].name));
    fputc('\n', stderr);
    return CLI_WRONG;
}

slice cli_vault_peer(void)
{
    static char text[48]; /* two numbers of 32 bits */
    uint64_t before;
    const char *sudo = getenv("SUDO_UID");
    int len = snprintf(text, sizeof text, "uid:%" PRIu32, (uint32_t)getuid());
    if (sudo && slice_to_u64(slice_of(sudo), UINT32_MAX, &before))
        len += snprintf(text + len, sizeof text - (size_t)len, ",sudo:%" PRIu64, before);
    return (slice){text, (size_t)len};
}

int cli_vault_audit(struct cli_vault *c, const char *action, slice merchant, slice token, result outcome)
{
    struct audit_entry e = {.action = action, .merchant = merchant, .actor = SLICE("command"), .peer = cli_vault_peer(),
                            .token = token, .outcome = outcome};
    result r = vault_audit(c->v, &e);
    if (failed(r)) return cli_vault_failed(c, r);
    vault_flush(c->v);
    return vault_audit_is_failing(c->v) ? cli_vault_failed(c, FAIL(VAULT_AUDIT)) : CLI_DONE;
}

void cli_vault_end(struct cli_vault *c)
{
    vault_close(c->v);
    config_free(c->config);
    problems_free(c->problems);
    source_free(c->source);
}

void cli_progress_start(struct cli_progress *p, const char *what)
{
    uint64_t now = clock_now_ms();
    *p = (struct cli_progress){.what = what, .terminal = isatty(STDERR_FILENO) == 1, .started_ms = now, .last_ms = now};
}

void cli_progress_show(struct cli_progress *p, uint64_t done, uint64_t total)
{
    uint64_t now = clock_now_ms();
    uint64_t pause = p->terminal ? PROGRESS_TERMINAL_MS : PROGRESS_FILE_MS;
    if (now - p->last_ms < pause || now - p->started_ms < PROGRESS_WORTH_MS) return;
    p->last_ms = now;
    p->shown = true;
    fprintf(stderr, p->terminal ? "\r%" PRIu64 : "%" PRIu64, done);
    if (total) fprintf(stderr, " of %" PRIu64, total);
    fprintf(stderr, p->terminal ? " %s  " : " %s\n", p->what);
    fflush(stderr);
}

bool cli_progress_end(struct cli_progress *p, uint64_t *took_ms)
{
    *took_ms = clock_now_ms() - p->started_ms;
    if (p->terminal && p->shown) fputc('\n', stderr);
    return p->terminal || *took_ms >= PROGRESS_WORTH_MS;
}

void cli_print_json_text(slice text)
{
    putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

int cli_finish_output(const char *command, int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    fprintf(stderr, "cardveil %s: cannot write the result: %s\n", command, strerror(errno));
    return CLI_FAILED;
}

/* --- the actions --- */

struct arguments {
    const char *file, *folder; /* folder: of 'backup' */
    bool json, kek;
};

static void on_progress(void *owner, uint64_t done, uint64_t total)
{
    cli_progress_show(owner, done, total);
}

static int init(struct cli_vault *c, const struct arguments *a)
{
    (void)a;
    bool key_made;
    result r = vault_init(&c->options, &key_made);
    if (failed(r)) return open_failed(c, r);
    printf("vault made at %.*s\n", SLICE_ARG(c->options.path));
    if (key_made)
        printf("key file made: %.*s\nkeep a copy of it in another place: without it the vault cannot be opened by anybody\n",
               SLICE_ARG(slice_after(c->options.key, strlen("file:"))));
    int status = cli_vault_open(c, false);
    return status ? status : cli_vault_audit(c, "vault.init", SLICE_NONE, SLICE_NONE, OK);
}

static int stat_vault(struct cli_vault *c, const struct arguments *a)
{
    struct vault_stat s;
    int status = cli_vault_open(c, true);
    if (status) return status;
    result r = vault_stat(c->v, &s);
    if (failed(r)) return cli_vault_failed(c, r);
    const struct {
        const char *name, *text;
        uint64_t n;
    } rows[] = {
        {"cards", "cards", s.cards},
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

static int verify(struct cli_vault *c, const struct arguments *a)
{
    struct vault_verdict verdict;
    struct cli_progress p;
    uint64_t took_ms;
    int status = cli_vault_open(c, true);
    if (status) return status;
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

static int rotate(struct cli_vault *c, const struct arguments *a)
{
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

static int archive(struct cli_vault *c, const struct arguments *a)
{
    (void)a;
    char name[AUDIT_NAME_BYTES];
    int status = cli_vault_open(c, false);
    if (status) return status;
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

static int backup(struct cli_vault *c, const struct arguments *a)
{
    int status = cli_vault_open(c, false);
    if (status) return status;
    status = cli_vault_audit(c, "vault.backup", SLICE_NONE, SLICE_NONE, OK); /* before, so that the copy says so too */
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

static const struct action {
    const char *name, *command;
    int (*run)(struct cli_vault *c, const struct arguments *a);
    int words;
} actions[] = {
    {"init", "vault init", init, 1},         {"stat", "vault stat", stat_vault, 1}, {"verify", "vault verify", verify, 1},
    {"rotate", "vault rotate", rotate, 1}, {"backup", "vault backup", backup, 2},   {"archive", "vault archive", archive, 1},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].name, name) == 0) return &actions[i];
    return NULL;
}

static int unknown_action(const char *word)
{
    const char *known[sizeof actions / sizeof actions[0] + 1] = {NULL};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) known[i] = actions[i].name;
    return cli_unknown_action("vault", word, known);
}

static int wrong_usage(const char *why)
{
    fprintf(stderr, "cardveil vault: %s\n%s", why, USAGE);
    return CLI_WRONG;
}

static int run(const struct action *action, const struct arguments *a)
{
    struct cli_vault c;
    int status = cli_vault_configure(&c, action->command, a->file);
    if (!status) status = action->run(&c, a);
    cli_vault_end(&c);
    return cli_finish_output(action->command, status);
}

int cli_vault(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'}, {"kek", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct arguments a = {.file = "cardveil.yaml"};
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(USAGE, stdout);
            return cli_finish_output("vault", CLI_DONE);
        }
        if (option == 'j') {
            a.json = true;
        } else if (option == 'k') {
            a.kek = true;
        } else if (option == 'c') {
            a.file = optarg;
        } else {
            return wrong_usage("unknown option, or one without its value");
        }
    }
    if (optind == argc) return wrong_usage("say what to do");
    const struct action *action = find_action(argv[optind]);
    if (!action) return unknown_action(argv[optind]);
    if (argc - optind < action->words) return wrong_usage("backup needs a folder to copy to");
    if (argc - optind > action->words) return wrong_usage("too many words");
    if (a.kek && action->run != rotate) return wrong_usage("--kek belongs to rotate");
    a.folder = argc - optind > 1 ? argv[optind + 1] : NULL;
    return run(action, &a);
}
