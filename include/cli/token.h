/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

/* 'cardveil token create --merchant M [--unique]': JSON cards, one a line, on stdin; token ids, one a line, on stdout. argv[0] is
 * the subcommand's name. Exit status: 0 done, 1 the work failed or a line was bad, 2 wrong usage or configuration. */
int cli_token(int argc, char **argv);

#endif
