/* SPDX-License-Identifier: Apache-2.0 */
#include "process/role.h"

#include <stdio.h>
#include <string.h>

static const char *const names[ROLE_COUNT] = {[ROLE_KEEPER] = "keeper", [ROLE_REGISTRAR] = "registrar", [ROLE_RELAY] = "relay"};
enum { NUMBERS = 8, LISTENS_MAX = 4096 };

const char *role_name(enum role r)
{
    return names[r];
}

void role_arguments_write(const struct role_start *s, char *config_file, struct role_arguments *out)
{
    const unsigned long numbers[NUMBERS] = {s->number,     s->slot,        s->generation,   s->become.change,
                                            s->become.uid, s->become.gid, s->listen_count, s->has_admin};
    memset(out, 0, sizeof *out);
    (void)snprintf(out->text[0], ROLE_ARGUMENT_BYTES, "cardveil");
    (void)snprintf(out->text[1], ROLE_ARGUMENT_BYTES, "--role");
    (void)snprintf(out->text[2], ROLE_ARGUMENT_BYTES, "%s", names[s->role]);
    for (int i = 0; i < NUMBERS; i++) (void)snprintf(out->text[3 + i], ROLE_ARGUMENT_BYTES, "%lu", numbers[i]);
    for (int i = 0; i < ROLE_ARGUMENTS; i++) out->argv[i] = out->text[i];
    out->argv[ROLE_ARGUMENTS] = config_file;
}

bool role_is_asked_for(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "--role") == 0;
}

bool role_arguments_read(int argc, char **argv, struct role_start *out)
{
    uint64_t n[NUMBERS];
    int role = 0;
    if (argc != ROLE_ARGUMENTS + 1 || !role_is_asked_for(argc, argv)) return false;
    while (role < ROLE_COUNT && strcmp(argv[2], names[role]) != 0) role++;
    if (role == ROLE_COUNT) return false;
    for (int i = 0; i < NUMBERS; i++)
        if (!slice_to_u64(slice_of(argv[3 + i]), UINT32_MAX, &n[i])) return false;
    if (n[3] > 1 || n[6] > LISTENS_MAX || n[7] > 1) return false;
    *out = (struct role_start){.role = (enum role)role, .number = (uint32_t)n[0], .slot = (uint32_t)n[1],
                               .generation = (uint32_t)n[2], .become = {n[3] == 1, (uid_t)n[4], (gid_t)n[5]},
                               .listen_count = (uint32_t)n[6], .has_admin = n[7] == 1,
                               .config_file = slice_of(argv[ROLE_ARGUMENTS])};
    return true;
}
