/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

/* 'cardveil report [--from T] [--to T] [--route R] [--merchant M] [--json]'. argv[0] is the subcommand's name.
 * Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration. */
int cli_report(int argc, char **argv);

#endif
