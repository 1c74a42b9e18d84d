/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_SANDBOX_H
#define PROCESS_SANDBOX_H

/* What a role gives up before it meets anything from outside. Every step is read back; a role that could not give something up
 * does not run.
 *
 *     sandbox_limits ─► sandbox_become ─► (open, bind and read what is needed) ─► sandbox_close ─► the loop
 *
 *              relay                              keeper                          registrar
 *   files      none                               the vault folder                none
 *   network    TCP and UDP out; TCP in only       none (its sockets are inherited)  TCP and UDP out
 *              on inherited sockets
 *   both       no exec, fork, ptrace, other processes' memory, kernel modules, namespaces, new executable memory          */

#include "base/result.h"
#include "base/slice.h"

#include <sys/types.h>

enum sandbox_profile { SANDBOX_RELAY, SANDBOX_KEEPER, SANDBOX_REGISTRAR };

/* No core dumps, not dumpable (so no ptrace and no /proc/PID/mem by processes of the same user), as many descriptors as
 * wanted where the system allows it, room to lock secrets. ERR_IO when a core dump limit did not hold. */
MUST_USE result sandbox_limits(size_t descriptors);
size_t sandbox_descriptors(void); /* what the soft limit is now */

struct identity {
    bool change; /* false: stay who we are; capabilities go all the same */
    uid_t uid;
    gid_t gid;
};
/* Becomes this user without groups and without any capability, for good, and reads all of it back; no_new_privs.
 * ERR_PRIVILEGES with errno in the log. */
MUST_USE result sandbox_become(const struct identity *who);
/* For the supervisor, when it is root: keeps only the capabilities it needs to start roles again. */
MUST_USE result sandbox_keep_little(void);

struct sandbox_report {
    int landlock_abi; /* 0: this kernel has none */
    bool seccomp;
};
/* Landlock where the kernel has it, then seccomp. folder: the vault's, for SANDBOX_KEEPER. ERR_PRIVILEGES. */
MUST_USE result sandbox_close(enum sandbox_profile profile, slice folder, struct sandbox_report *out);

/* The two halves, for tests. */
MUST_USE result sandbox_landlock(enum sandbox_profile profile, slice folder, int *abi);
MUST_USE result sandbox_seccomp(enum sandbox_profile profile);

#endif
