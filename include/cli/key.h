/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_KEY_H
#define CLI_KEY_H

/* 'cardveil key create --merchant M [--permit LIST] [--allow CIDR,…] | list | revoke ID'. argv[0] is the subcommand's name.
 * Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration. */
int cli_key(int argc, char **argv);

#endif
