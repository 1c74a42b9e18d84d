/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_ROLE_H
#define PROCESS_ROLE_H

/* What one role is started with. The supervisor executes its own binary again; numbers go as arguments, everything else as
 * inherited descriptors at fixed places, and nothing more is inherited:
 *
 *     0 /dev/null   1, 2 as they were   3 control   4 bundle   5 metrics   6… listening sockets, one per listener   then admin */

#include "process/sandbox.h"

#include <stdint.h>

enum role { ROLE_KEEPER, ROLE_REGISTRAR, ROLE_RELAY, ROLE_COUNT };
const char *role_name(enum role r);

enum { ROLE_FD_CONTROL = 3, ROLE_FD_BUNDLE, ROLE_FD_METRICS, ROLE_FD_LISTEN };

struct role_start {
    enum role role;
    uint32_t number;       /* of the relay; 0 for the others */
    uint32_t slot;         /* of the metrics */
    uint32_t generation;   /* of the bundle */
    struct identity become;
    uint32_t listen_count; /* inherited sockets; 0 for all but relays */
    bool has_admin;
    slice config_file;     /* its name in the bundle */
};

/* How it looks on a command line: "--role relay 0 2 1 1 65534 65534 2 1 FILE". */
enum { ROLE_ARGUMENTS = 11, ROLE_ARGUMENT_BYTES = 24 };
struct role_arguments {
    char text[ROLE_ARGUMENTS][ROLE_ARGUMENT_BYTES];
    char *argv[ROLE_ARGUMENTS + 3];
};
void role_arguments_write(const struct role_start *s, char *config_file, struct role_arguments *out);
bool role_arguments_read(int argc, char **argv, struct role_start *out);
bool role_is_asked_for(int argc, char **argv); /* argv[1] is --role */

/* The whole life of a role process; returns its exit status. */
int role_main(int argc, char **argv);

#endif
