/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VAULT_H
#define CLI_VAULT_H

/* 'cardveil vault init | stat | rotate [--kek] | backup DIR | archive | verify'. argv[0] is the subcommand's name. Exit status: 0 done, 1 the work
 * failed, 2 wrong usage or configuration. */
int cli_vault(int argc, char **argv);

#endif
