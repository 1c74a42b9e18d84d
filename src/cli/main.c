/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/ca.h"
#include "cli/check.h"
#include "cli/explain.h"
#include "cli/key.h"
#include "cli/report.h"
#include "cli/sandbox.h"
#include "cli/serve.h"
#include "cli/token.h"
#include "cli/vault.h"
#include "cli/webhook.h"
#include "process/role.h"
#include "rules/names.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_WRONG = 2 };

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments, *help;
} commands[] = {
    {"serve", cli_serve, "-c cardveil.yaml", "run the proxy"},
    {"check", cli_check, "-c cardveil.yaml", "check configuration, rules and certificates; says all mistakes at once"},
    {"explain", cli_explain, "-c cardveil.yaml --route NAME < request.http", "show, masked, what would go out and why"},
    {"vault", cli_vault, "init | stat | rotate | backup DIR | verify", "the vault and its keys"},
    {"key", cli_key, "create --merchant NAME | list | revoke ID", "API keys"},
    {"token", cli_token, "create --merchant NAME < cards.ndjson", "store cards, a line each; prints their tokens"},
    {"ca", cli_ca, "init | export", "the local CA of the forward proxy, whose key stays in the vault"},
    {"report", cli_report, "[--from TIME] [--to TIME] [--route NAME]", "what network tokens did: counts, rates, their differences"},
    {"webhook", cli_webhook, "list | show ID | resend ID", "what merchants are told of their network tokens"},
    {"sandbox", cli_sandbox, "[--listen 127.0.0.1:9100]", "simulated processors, for trying and testing"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *to)
{
    (void)fputs("usage: cardveil COMMAND [OPTIONS]\n\n"
                "Keeps card numbers out of a merchant's systems: swaps placeholders for card data on the way to a processor or partner, and card\n"
                "data for tokens in what comes from one.\n\n",
                to);
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(to, "  %-8s %-46s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    (void)fputs("\n'cardveil COMMAND --help' tells more. Results go to stdout, everything else to stderr.\n"
                "Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.\n",
                to);
}

static int complain(const char *name)
{
    const char *known[COMMANDS + 1] = {NULL};
    for (size_t i = 0; i < COMMANDS; i++) known[i] = commands[i].name;
    const char *nearest = name_nearest(slice_of(name), known);
    (void)fprintf(stderr, "cardveil: there is no command '%s'", name);
    if (nearest) (void)fprintf(stderr, "; did you mean '%s'?", nearest);
    (void)fputs("\n\n", stderr);
    print_usage(stderr);
    return EXIT_WRONG;
}

static int run_command(int argc, char **argv)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("cardveil " CARDVEIL_VERSION);
        return 0;
    }
    return complain(argv[1]);
}

int main(int argc, char **argv)
{
    if (role_is_asked_for(argc, argv)) {
        int status = role_main(argc, argv);
        log_flush();
        _exit(status); /* in its sandbox a role can do nothing that belongs to an orderly exit() */
    }
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_WRONG;
    }
    return run_command(argc, argv);
}
