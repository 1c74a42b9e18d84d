/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve.h"

#include "process/supervisor.h"
#include "rules/config.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

enum { EXIT_WRONG = 2 };

static const char USAGE[] =
    "usage: cardveil serve [-c cardveil.yaml]\n\n"
    "Serves until SIGTERM or Ctrl-C: stops accepting then, finishes what runs within 'drain', and ends; a second signal ends it\n"
    "at once. SIGHUP reads the configuration and its rules again for new requests; a bad file changes nothing.\n"
    "Needs a vault (cardveil vault init). Log lines go to stderr, one JSON object a line.\n"
    "Exit status: 0 ended as asked, 1 failed, 2 wrong usage or configuration.\n";

int cli_serve(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *file = "cardveil.yaml";
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (option == 'c') {
            file = optarg;
        } else if (option == 'h') {
            (void)fputs(USAGE, stdout);
            (void)fputs("\nsettings of cardveil.yaml:\n", stdout);
            (void)fflush(stdout);
            config_print_settings(STDOUT_FILENO, false);
            return 0;
        } else {
            (void)fputs(USAGE, stderr);
            return EXIT_WRONG;
        }
    }
    if (optind == argc) return supervisor_run(file);
    (void)fprintf(stderr, "cardveil serve: unexpected argument '%s'\n%s", argv[optind], USAGE);
    return EXIT_WRONG;
}
