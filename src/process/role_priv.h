/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_ROLE_PRIV_H
#define PROCESS_ROLE_PRIV_H

/* What the roles' mains share: a loop, the line to the supervisor, and the way into the sandbox. */

#include "net/loop.h"
#include "process/control.h"
#include "process/role.h"
#include "rules/config.h"

struct role_process {
    const struct role_start *start;
    struct loop *loop;
    struct watch *control;
    uint32_t generation; /* of the configuration in use */
    void (*on_message)(struct role_process *p, const struct control_message *m, int fd /* takes; may be -1 */);
    void *own;
    int exit_status;     /* of a role that ran */
};

/* Parses a bundle. Logs every problem; ERR_CONFIG. Takes fd. */
MUST_USE result role_config(const struct role_process *p, int bundle, struct config **out);
/* Closes the sandbox, says so in the log, tells the supervisor unless it is told later. */
MUST_USE result role_enter_sandbox(const struct role_process *p, enum sandbox_profile profile, slice folder);
void role_say(const struct role_process *p, enum control_type type, uint32_t generation, enum error e);
/* The end of a role that did not start: tells the supervisor why. */
int role_give_up(const struct role_process *p, result why);

/* For keeper_client_on_breach and desk_on_breach; owner: the struct role_process. This process ends, and the supervisor starts it anew,
 * with a new connection to the keeper. */
void role_on_breach(void *owner);

int keeper_main(struct role_process *p);
int relay_main(struct role_process *p);
int registrar_main(struct role_process *p);

#endif
