/* SPDX-License-Identifier: Apache-2.0 */
#include "process/sandbox.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's interface, written out: Debian 12's headers are older than the kernels it runs on (linux/landlock.h). Rights
 * are numbered by bit; each ABI version added some, and only those it knows may be handled. */
struct ruleset_attr {
    uint64_t handled_access_fs, handled_access_net, scoped;
};
struct __attribute__((packed)) path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
};
enum {
    CALL_CREATE_RULESET = 444,
    CALL_ADD_RULE = 445,
    CALL_RESTRICT_SELF = 446,
    CREATE_RULESET_VERSION = 1,
    RULE_PATH_BENEATH = 1,
};
enum {
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_REFER = 1 << 13,    /* ABI 2 */
    FS_TRUNCATE = 1 << 14, /* ABI 3 */
    NET_BIND_TCP = 1 << 0, /* ABI 4 */
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
    SCOPE_SIGNAL = 1 << 1,
};

/* All file rights of a version: bits 0 to n-1. */
static uint64_t all_file_rights(int abi)
{
    unsigned bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;
    return ((uint64_t)1 << bits) - 1;
}

static size_t attr_size(int abi)
{
    return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

static result refuse(const char *what)
{
    int error_number = errno;
    log_begin(LOG_LEVEL_ERROR, "landlock");
    log_text("failed", what);
    log_errno("errno", error_number);
    log_end();
    return FAIL(PRIVILEGES);
}

static result allow_folder(int ruleset, slice folder, int abi)
{
    char path[PATH_MAX];
    ENSURE(folder.len < sizeof path, PRIVILEGES);
    memcpy(path, folder.at, folder.len);
    path[folder.len] = '\0';
    uint64_t wanted = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |
                      FS_MAKE_REG | FS_REFER | FS_TRUNCATE;
    struct path_beneath_attr beneath = {.allowed_access = wanted & all_file_rights(abi)};
    beneath.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (beneath.parent_fd == -1) return refuse("open the vault folder");
    long done = syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &beneath, 0);
    close(beneath.parent_fd);
    return done == 0 ? OK : refuse("allow the vault folder");
}

static result restrict_self(int ruleset, enum sandbox_profile profile, slice folder, int abi)
{
    if (profile == SANDBOX_KEEPER) TRY(allow_folder(ruleset, folder, abi));
    return syscall(CALL_RESTRICT_SELF, ruleset, 0) == 0 ? OK : refuse("restrict");
}

result sandbox_landlock(enum sandbox_profile profile, slice folder, int *abi)
{
    long version = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
    *abi = version > 0 ? (int)version : 0;
    if (version <= 0) return OK; /* ENOSYS, EOPNOTSUPP: seccomp stands alone */
    struct ruleset_attr attr = {.handled_access_fs = all_file_rights(*abi), .handled_access_net = NET_BIND_TCP,
                                .scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL};
    /* A relay connects to any processor, the registrar to card networks and webhooks; neither binds: a relay's listening sockets
     * are inherited. */
    if (profile == SANDBOX_KEEPER) attr.handled_access_net |= NET_CONNECT_TCP;
    long ruleset = syscall(CALL_CREATE_RULESET, &attr, attr_size(*abi), 0);
    if (ruleset == -1) return refuse("create");
    result r = restrict_self((int)ruleset, profile, folder, *abi);
    close((int)ruleset);
    return r;
}
