/* SPDX-License-Identifier: Apache-2.0 */
#include "role_priv.h"

#include <unistd.h>

/* The registrar will speak with the card networks. Until a configuration gives it one it has nothing to do, and so nothing to
 * hold: it drops everything and waits for the end. */
static void on_message(struct role_process *p, const struct control_message *m, int fd)
{
    if (fd >= 0) close(fd);
    if (m->type == CONTROL_CONFIG) role_say(p, CONTROL_CONFIGURED, m->generation, ERR_NONE);
}

int registrar_main(struct role_process *p)
{
    p->on_message = on_message;
    close(ROLE_FD_BUNDLE);
    result r = role_enter_sandbox(p, SANDBOX_REGISTRAR, SLICE_NONE);
    if (failed(r)) return role_give_up(p, r);
    role_say(p, CONTROL_READY, p->generation, ERR_NONE);
    loop_run(p->loop);
    return 0;
}
