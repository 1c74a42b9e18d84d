/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_SUPERVISOR_PRIV_H
#define PROCESS_SUPERVISOR_PRIV_H

/* The supervisor inside: supervisor.c starts and ends the whole, children.c one role's life, reload.c SIGHUP, sockets.c what the
 * relays listen on. It parses nothing from outside: its own configuration, and 16-byte messages of its roles.
 *
 *     phases:  STARTING ─► SERVING ─► DRAINING ─► STOPPING ─► (loop ends)
 *              a role that fails in STARTING ends the whole; in SERVING it is started again, later and later                */

#include "net/loop.h"
#include "process/control.h"
#include "process/role.h"
#include "rules/config.h"

#include <sys/types.h>

enum phase { PHASE_STARTING, PHASE_SERVING, PHASE_DRAINING, PHASE_STOPPING };

struct supervisor;
struct child {
    struct supervisor *supervisor;
    enum role role;
    uint32_t number;
    pid_t pid;            /* 0: not running */
    int control;          /* -1: not running */
    struct watch *watch;
    bool is_ready;
    uint32_t pair;        /* number of its last introduction to the keeper; 0: none yet */
    enum error failure;   /* what it said before it ended */
    uint64_t started_ms, delay_ms;
    struct timer *restart;
};

struct sockets {
    size_t listen_count, relays;
    int *fds;             /* listener-major: fds[listen * relays + relay]; unix sockets have one, shared by all relays */
    int admin;            /* -1: none */
    struct config_paths {
        char **at;        /* unix sockets to remove at the end */
        size_t count;
    } paths;
};
MUST_USE result sockets_bind(struct sockets *s, const struct config *config, size_t relays); /* logs what failed */
void sockets_close(struct sockets *s); /* our copies; removes unix sockets; safe to call twice */
int sockets_of_relay(const struct sockets *s, size_t listen, size_t relay);

/* The configuration, once for each role: with the secrets that it may know, and of the others only that they are there. */
struct bundles {
    int of[ROLE_COUNT];                 /* by enum role; -1: none */
};
extern const struct bundles no_bundles;
void bundles_close(struct bundles *b); /* those that are there */

struct reload {
    bool is_running, taken_back, again; /* again: SIGHUP came meanwhile */
    struct bundles old_bundles;
    uint32_t old_generation;
    struct config *config;              /* the new one, until it counts */
    size_t unanswered;                  /* relays and the registrar */
};

struct supervisor {
    struct loop *loop;
    enum phase phase;
    int exit_status;
    char *file;                         /* of the configuration, as the user named it */
    struct config *config;
    struct key_variable {
        char *text;                     /* "NAME=key" in secret memory, for the keeper only; NULL: that key is a file */
        size_t bytes;
    } keys[2];                          /* vault.key, vault.old_key */
    struct bundles bundles;
    int metrics;
    uint32_t generation, last_generation;
    uint32_t last_pair;
    struct identity keeper_user, other_user;
    struct sockets sockets;
    struct child *children;             /* keeper, registrar, relays */
    size_t child_count;
    struct timer *deadline;
    struct reload reload;
};

/* children.c */
MUST_USE result children_new(struct supervisor *s, size_t relays);
void children_free(struct supervisor *s);
void child_start(struct child *c);
bool child_configure(struct child *c); /* tells it the current configuration; false: it is not there */
bool child_tell(struct child *c, enum control_type type, uint32_t generation, int fd); /* false: it is not there */
void child_kill(struct child *c);
void children_reap(struct supervisor *s);
/* Where vault.key or vault.old_key is env:NAME, moves that variable out of the environment into secret memory, for each keeper to come. */
MUST_USE result children_take_key(struct supervisor *s);
struct child *supervisor_keeper(struct supervisor *s);
bool child_is_keeper(const struct child *c);
bool child_is_relay(const struct child *c);

/* supervisor.c */
void supervisor_on_ready(struct supervisor *s, struct child *c);
void supervisor_on_ended(struct supervisor *s, struct child *c); /* may it be started again? decides by phase */
/* Reads the configuration and makes its bundles. Prints and logs what is wrong. Both returned are owned. */
MUST_USE result supervisor_read_config(const char *file, struct config **config, struct bundles *bundles);

/* reload.c */
void reload_begin(struct supervisor *s);
void reload_on_answer(struct supervisor *s, struct child *c, uint32_t generation, enum error e);
void reload_on_child_ended(struct supervisor *s, const struct child *c);

#endif
