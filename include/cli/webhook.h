/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WEBHOOK_H
#define CLI_WEBHOOK_H

/* 'cardveil webhook list [--merchant M] [--state S] | show ID | resend ID'. argv[0] is the subcommand's name.
 * Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration. */
int cli_webhook(int argc, char **argv);

#endif
