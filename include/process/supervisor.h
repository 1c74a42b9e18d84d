/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_SUPERVISOR_H
#define PROCESS_SUPERVISOR_H

/* 'cardveil serve': reads the configuration, binds the sockets, starts the roles and keeps them running.
 *
 *   SIGHUP            reads the configuration again; new requests use it. A bad file changes nothing and says why
 *   SIGTERM, SIGINT   stops accepting, finishes what runs within drain, ends; a second one ends at once
 *
 * Returns the exit status: 0 ended as asked, 1 failed, 2 wrong configuration. */
int supervisor_run(const char *config_file);

#endif
