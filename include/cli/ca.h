/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CA_H
#define CLI_CA_H

/* 'cardveil ca init [--name HOST]… [--replace] | export'. Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration. */
int cli_ca(int argc, char **argv);

#endif
