/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VAULT_H
#define CLI_VAULT_H

/* 'cardveil vault init | stat | rotate [--kek] | backup DIR | archive | verify'. argv[0] is the subcommand's name. Exit status: 0 done, 1 the work
 * failed, 2 wrong usage or configuration. Also what 'key' and 'token' share with it: the way from a configuration file to an
 * open vault, progress, and JSON text. */

#include "vault/vault.h"

int cli_vault(int argc, char **argv);

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
    struct vault *v;
};
/* Each prints what went wrong and what to do, and returns the exit status; cli_vault_end in any case. */
int cli_vault_configure(struct cli_vault *c, const char *command /* borrows */, const char *file);
int cli_vault_open(struct cli_vault *c, bool read_only);
int cli_vault_has_merchant(struct cli_vault *c, slice merchant);
void cli_vault_end(struct cli_vault *c);
int cli_vault_failed(const struct cli_vault *c, result why); /* prints; CLI_FAILED */
/* A word that is no action of the command; known is NULL-ended. Prints, with the nearest or all of them; CLI_WRONG. */
int cli_unknown_action(const char *command, const char *word, const char *const *known);
/* Who runs the command, for the audit trail: "uid:N" of the real user, ",sudo:N" behind it where sudo says who was before. */
slice cli_vault_peer(void);
/* Writes one line of the audit trail for a command. */
int cli_vault_audit(struct cli_vault *c, const char *action, slice merchant, slice token, result outcome);

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
