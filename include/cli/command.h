/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

/* What the commands that work on the vault have in common: finding the action that was typed, the way from a configuration file to an
 * open vault and back, progress, and JSON text.
 *
 *     words ─► cli_find_action ─► cli_vault_run: configuration ─► merchant ─► vault ─► run ─► all closed, output flushed
 *
 * Whatever goes wrong is printed, with what to do about it, where it is found; what is returned is the exit status. */

#include "vault/vault.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_WRONG = 2 };
struct source;
struct problems;
struct config;

struct cli_vault {
    const char *command; /* "vault stat": for messages */
    struct source *source;
    struct problems *problems;
    struct config *config;
    struct vault_options options;
    struct vault *v;     /* NULL: not open */
};
typedef int (*cli_run)(struct cli_vault *c, const void *arguments /* the command's own */);

/* --- wrong usage --- */

enum cli_access { CLI_VAULT_SHUT, CLI_VAULT_READ, CLI_VAULT_WRITE };
enum { CLI_ACTIONS_MAX = 8 };
struct cli_action {
    const char *name, *command; /* "list", "webhook list" */
    cli_run run;
    enum cli_access access;
    int words;                  /* its name and what must stand behind it */
    const char *lacking;        /* what to say where a word is missing */
    const char *surplus;        /* where there is one too many; NULL: "too many words" */
};
struct cli_command {
    const char *name, *usage;
    const struct cli_action *actions; /* up to CLI_ACTIONS_MAX, the last without a name; NULL: it has none */
};
int cli_wrong_usage(const struct cli_command *command, const char *why); /* prints, with the usage; CLI_WRONG */
/* argv: what stands behind the options. NULL: *status says how it went; told, with the nearest action or all of them. */
const struct cli_action *cli_find_action(const struct cli_command *command, int argc, char **argv, int *status);

/* --- what was typed --- */

struct cli_option { /* long; exactly one of the pointers is set */
    const char *name;                                        /* "merchant" */
    const char **value;                                      /* where its value goes */
    bool *flag;                                              /* becomes true */
    const char *(*take)(void *arguments, const char *value); /* reads its value; what is wrong with it, or NULL */
};
enum { CLI_OPTIONS_MAX = 8 };
struct cli_typed {
    const char *file;                /* of -c, --config */
    const struct cli_action *action; /* NULL: the command has none */
    const char *word;                /* what stands behind the action; NULL: it takes none */
};
/* Reads the options, the last without a name, besides -c and --help, into the command's arguments, and the action. False: there is
 * nothing to do, and *status says how it went; told, with the usage. */
bool cli_read(const struct cli_command *command, const struct cli_option *options, void *arguments, int argc, char **argv,
              struct cli_typed *out, int *status);

/* --- the vault --- */

struct cli_work {
    const char *command, *file;
    const char *merchant; /* must be one of the configuration's; NULL: none was named */
    enum cli_access access;
    cli_run run;
};
int cli_vault_run(const struct cli_work *work, const void *arguments);
/* For those that begin with it shut. */
int cli_vault_open(struct cli_vault *c, bool read_only);
int cli_vault_open_failed(const struct cli_vault *c, result why); /* prints, with the paths; CLI_FAILED */
int cli_vault_failed(const struct cli_vault *c, result why);      /* prints; CLI_FAILED */
/* Who runs the command, for the audit trail: "uid:N" of the real user, ",sudo:N" behind it where sudo says who was before. */
slice cli_vault_peer(void);
/* Writes one line of the audit trail for a command. */
int cli_vault_audit(struct cli_vault *c, const char *action, slice merchant, slice token, result outcome);

/* --- what it prints --- */

/* A line on stderr, drawn anew on a terminal; elsewhere one line in ten seconds. Nothing for work under a second. */
struct cli_progress {
    const char *what; /* "cards" */
    bool terminal, shown;
    uint64_t started_ms, last_ms;
};
void cli_progress_start(struct cli_progress *p, const char *what);
void cli_progress_show(struct cli_progress *p, uint64_t done, uint64_t total /* 0: unknown */);
bool cli_progress_end(struct cli_progress *p, uint64_t *took_ms); /* true where a summary is worth a line */

void cli_print_json_text(slice text); /* quoted and escaped, on stdout */
int cli_finish_output(const char *command, int status); /* CLI_FAILED where stdout could not be written */

#endif
