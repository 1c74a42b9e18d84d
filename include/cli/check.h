/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

/* 'cardveil check': reads the configuration, its rules and certificates, and prints every mistake, or what it would serve.
 * argv[0] is the subcommand's name. Returns the exit status: 0 good, 1 out of memory, 2 wrong usage or configuration. */
int cli_check(int argc, char **argv);

#endif
