/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

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

/* --- wrong usage --- */

int cli_wrong_usage(const struct cli_command *command, const char *why)
{
    fprintf(stderr, "cardveil %s: %s\n%s", command->name, why, command->usage);
    return CLI_WRONG;
}

static void unknown_action(const char *command, const char *word, const char *const *known)
{
    char hint[NAME_HINT_BYTES];
    slice shown = slice_of(word);
    name_write_hint(shown, known, hint);
    fprintf(stderr, "cardveil %s: there is no action '%.*s'%s\n", command, name_shown(shown), word, hint);
}

const struct cli_action *cli_find_action(const struct cli_command *command, int argc, char **argv, int *status)
{
    const char *known[CLI_ACTIONS_MAX + 1] = {NULL};
    *status = CLI_WRONG;
    if (argc == 0) {
        (void)cli_wrong_usage(command, "say what to do");
        return NULL;
    }
    for (size_t i = 0; i < CLI_ACTIONS_MAX && command->actions[i].name; i++) {
        const struct cli_action *action = &command->actions[i];
        known[i] = action->name;
        if (strcmp(action->name, argv[0]) != 0) continue;
        *status = CLI_DONE;
        if (argc < action->words) *status = cli_wrong_usage(command, action->lacking);
        if (argc > action->words) *status = cli_wrong_usage(command, action->surplus ? action->surplus : "too many words");
        return *status ? NULL : action;
    }
    unknown_action(command->name, argv[0], known);
    return NULL;
}

/* --- what was typed --- */

enum { FIRST_LONG = 256 }; /* above all letters */

static int take_option(const struct cli_command *command, const struct cli_option *o, void *arguments, const char *value)
{
    const char *why = o->take ? o->take(arguments, value) : NULL;
    if (o->value) *o->value = value;
    if (o->flag) *o->flag = true;
    return why ? cli_wrong_usage(command, why) : CLI_DONE;
}

static bool read_options(const struct cli_command *command, const struct cli_option *options, void *arguments, int argc, char **argv,
                         struct cli_typed *out, int *status)
{
    struct option all[CLI_OPTIONS_MAX + 3] = {{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}};
    for (int i = 0; i < CLI_OPTIONS_MAX && options[i].name; i++)
        all[i + 2] = (struct option){options[i].name, options[i].flag ? no_argument : required_argument, NULL, FIRST_LONG + i};
    optind = 1;
    for (int got; *status == CLI_DONE && (got = getopt_long(argc, argv, "c:h", all, NULL)) != -1;) {
        if (got == 'c') {
            out->file = optarg;
        } else if (got == 'h') {
            fputs(command->usage, stdout);
            *status = cli_finish_output(command->name, CLI_DONE);
            return false;
        } else if (got >= FIRST_LONG) {
            *status = take_option(command, &options[got - FIRST_LONG], arguments, optarg);
        } else {
            *status = cli_wrong_usage(command, "unknown option, or one without its value");
        }
    }
    return *status == CLI_DONE;
}

bool cli_read(const struct cli_command *command, const struct cli_option *options, void *arguments, int argc, char **argv,
              struct cli_typed *out, int *status)
{
    *out = (struct cli_typed){.file = "cardveil.yaml"};
    *status = CLI_DONE;
    if (!read_options(command, options, arguments, argc, argv, out, status)) return false;
    if (command->actions) {
        out->action = cli_find_action(command, argc - optind, argv + optind, status);
        if (out->action && out->action->words > 1) out->word = argv[optind + 1];
    } else if (optind < argc) {
        *status = cli_wrong_usage(command, "too many words");
    }
    return *status == CLI_DONE;
}

/* --- the vault --- */

int cli_vault_failed(const struct cli_vault *c, result why)
{
    if (why.err == ERR_IO && errno) /* its own sentence points to a log, and a command has none */
        fprintf(stderr, "cardveil %s: a file could not be read or written: %s\n", c->command, strerror(errno));
    else
        fprintf(stderr, "cardveil %s: %s\n", c->command, error_text(why.err));
    return CLI_FAILED;
}

static int configure(struct cli_vault *c, const char *command, const char *file)
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
int cli_vault_open_failed(const struct cli_vault *c, result why)
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
    return failed(r) ? cli_vault_open_failed(c, r) : CLI_DONE;
}

static int has_merchant(struct cli_vault *c, slice merchant)
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

static void close_all(struct cli_vault *c)
{
    vault_close(c->v);
    config_free(c->config);
    problems_free(c->problems);
    source_free(c->source);
}

int cli_vault_run(const struct cli_work *w, const void *arguments)
{
    struct cli_vault c;
    int status = configure(&c, w->command, w->file);
    if (!status && w->merchant) status = has_merchant(&c, slice_of(w->merchant));
    if (!status && w->access != CLI_VAULT_SHUT) status = cli_vault_open(&c, w->access == CLI_VAULT_READ);
    if (!status) status = w->run(&c, arguments);
    close_all(&c);
    return cli_finish_output(w->command, status);
}

/* --- what it prints --- */

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
