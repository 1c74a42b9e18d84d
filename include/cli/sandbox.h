/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SANDBOX_H
#define CLI_SANDBOX_H

/* 'cardveil sandbox': simulated processors on loopback. argv[0] is the subcommand's name. Returns the exit status. */
int cli_sandbox(int argc, char **argv);

#endif
