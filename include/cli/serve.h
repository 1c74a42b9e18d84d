/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

/* 'cardveil serve': runs the proxy until it is told to end. argv[0] is the subcommand's name. Returns the exit status. */
int cli_serve(int argc, char **argv);

#endif
