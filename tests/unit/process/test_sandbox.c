/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each trial runs in a child of its own that gives up everything for good, and tells how it went by its exit status:
 * 0 as wanted, 1 not, 77 the sandbox did not close; or a signal. */

enum { FINE = 0, WRONG = 1, NO_SANDBOX = 77, PATH_BYTES = 300 };
static char folder[256];
static int listening = -1;
static struct sockaddr_in listening_at;

static void make_surroundings(void)
{
    char inside[PATH_BYTES];
    const char *temporary = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/cardveil-test-XXXXXX", temporary ? temporary : P_tmpdir);
    if (!mkdtemp(folder)) abort();
    (void)snprintf(inside, sizeof inside, "%s/vault", folder);
    if (mkdir(inside, 0700) == -1) abort();
    listening = socket(AF_INET, SOCK_STREAM, 0);
    listening_at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof listening_at;
    if (bind(listening, (struct sockaddr *)&listening_at, len) == -1 || listen(listening, 16) == -1) abort();
    if (getsockname(listening, (struct sockaddr *)&listening_at, &len) == -1) abort();
}

static void remove_surroundings(void)
{
    char command[4][PATH_BYTES];
    (void)snprintf(command[0], sizeof command[0], "%s/vault/new", folder);
    (void)snprintf(command[1], sizeof command[1], "%s/vault/renamed", folder);
    (void)snprintf(command[2], sizeof command[2], "%s/vault", folder);
    (void)snprintf(command[3], sizeof command[3], "%s/outside", folder);
    (void)unlink(command[0]);
    (void)unlink(command[1]);
    (void)rmdir(command[2]);
    (void)unlink(command[3]);
    (void)rmdir(folder);
    close(listening);
}

static int run(int (*trial)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) _exit(trial());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool closed(enum sandbox_profile profile)
{
    char vault[PATH_BYTES];
    struct sandbox_report report = {0};
    const struct identity same = {false, getuid(), getgid()};
    (void)snprintf(vault, sizeof vault, "%s/vault", folder);
    return !failed(sandbox_limits(64)) && !failed(sandbox_become(&same)) &&
           !failed(sandbox_close(profile, slice_of(vault), &report)) && report.seccomp;
}

#define TRIAL(name, profile, condition)                                                                                \
    static int name(void)                                                                                              \
    {                                                                                                                  \
        if (!closed(profile)) return NO_SANDBOX;                                                                       \
        return (condition) ? FINE : WRONG;                                                                             \
    }

static bool refused(long returned)
{
    return returned == -1;
}

static int open_in(const char *name, int flags)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return open(path, flags, 0600);
}

static bool connects(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) return false;
    int r = connect(fd, (const struct sockaddr *)&listening_at, sizeof listening_at);
    return r == 0 || errno == EINPROGRESS;
}

static bool binds(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd != -1 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0;
}

static bool pairs(int type)
{
    int pair[2];
    return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0;
}

static bool writes_in_vault(void)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    int fd = open_in("vault/new", O_CREAT | O_RDWR);
    (void)snprintf(from, sizeof from, "%s/vault/new", folder);
    (void)snprintf(to, sizeof to, "%s/vault/renamed", folder);
    return fd != -1 && write(fd, "x", 1) == 1 && fdatasync(fd) == 0 && ftruncate(fd, 0) == 0 && rename(from, to) == 0 &&
           unlink(to) == 0;
}

static bool executable_memory(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return true;
    return mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0 ||
           mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

TRIAL(relay_opens_nothing, SANDBOX_RELAY, refused(open("/etc/passwd", O_RDONLY)) && refused(open_in("vault/new", O_CREAT | O_RDWR)))
TRIAL(relay_connects, SANDBOX_RELAY, connects())
TRIAL(relay_uses_udp, SANDBOX_RELAY, socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0) != -1 || errno == EAFNOSUPPORT)
TRIAL(relay_accepts, SANDBOX_RELAY, fcntl(listening, F_SETFL, O_NONBLOCK) == 0 && (accept(listening, NULL, NULL) != -1 || errno == EAGAIN))
TRIAL(relay_binds_nothing, SANDBOX_RELAY, !binds())
TRIAL(relay_has_no_unix_sockets, SANDBOX_RELAY, refused(socket(AF_UNIX, SOCK_STREAM, 0)))
TRIAL(relay_has_pairs_of_its_own, SANDBOX_RELAY, pairs(SOCK_STREAM) && !pairs(SOCK_DGRAM))
TRIAL(relay_has_no_raw_sockets, SANDBOX_RELAY, refused(socket(AF_INET, SOCK_RAW, IPPROTO_TCP)) && refused(socket(AF_PACKET, SOCK_RAW, 0)))
TRIAL(relay_signals_nobody, SANDBOX_RELAY, refused(kill(getppid(), 0)))
TRIAL(relay_makes_no_code, SANDBOX_RELAY, !executable_memory())
TRIAL(relay_reads_its_memory_file_not, SANDBOX_RELAY, refused(open("/proc/self/mem", O_RDWR)))
TRIAL(keeper_has_no_pairs, SANDBOX_KEEPER, !pairs(SOCK_STREAM))
TRIAL(keeper_has_no_sockets, SANDBOX_KEEPER, refused(socket(AF_INET, SOCK_STREAM, 0)) && refused(socket(AF_UNIX, SOCK_STREAM, 0)))
TRIAL(keeper_connects_nothing, SANDBOX_KEEPER, refused(connect(listening, (const struct sockaddr *)&listening_at, sizeof listening_at)))
TRIAL(keeper_accepts_nothing, SANDBOX_KEEPER, refused(accept(listening, NULL, NULL)) && errno == ENOSYS)
TRIAL(keeper_writes_in_its_folder, SANDBOX_KEEPER, writes_in_vault())
TRIAL(keeper_makes_no_code, SANDBOX_KEEPER, !executable_memory())
TRIAL(registrar_has_no_files_and_accepts_nothing, SANDBOX_REGISTRAR, refused(open("/etc/passwd", O_RDONLY)) && refused(accept(listening, NULL, NULL)))
TRIAL(registrar_connects, SANDBOX_REGISTRAR, connects())
TRIAL(registrar_binds_nothing, SANDBOX_REGISTRAR, !binds())
TRIAL(registrar_has_no_unix_sockets, SANDBOX_REGISTRAR, refused(socket(AF_UNIX, SOCK_STREAM, 0)))

START_TEST(what_the_filter_says)
{
    static int (*const trials[])(void) = {
        relay_opens_nothing, relay_connects, relay_uses_udp, relay_accepts, relay_binds_nothing, relay_has_no_unix_sockets,
        relay_has_pairs_of_its_own, relay_has_no_raw_sockets, relay_signals_nobody, relay_makes_no_code, relay_reads_its_memory_file_not,
        keeper_has_no_pairs, keeper_has_no_sockets, keeper_connects_nothing, keeper_accepts_nothing, keeper_writes_in_its_folder,
        keeper_makes_no_code, registrar_has_no_files_and_accepts_nothing, registrar_connects, registrar_binds_nothing,
        registrar_has_no_unix_sockets};
    make_surroundings();
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) ck_assert_msg(run(trials[i]) == FINE, "trial %zu", i);
    remove_surroundings();
}
END_TEST

/* Without the sandbox each of these works, so the trials above could fail. */
START_TEST(outside_all_of_it_works)
{
    make_surroundings();
    ck_assert(connects());
    ck_assert(binds());
    ck_assert_int_ne(open("/etc/passwd", O_RDONLY), -1);
    ck_assert_int_ne(open_in("outside", O_CREAT | O_RDWR), -1);
    ck_assert_int_ne(socket(AF_UNIX, SOCK_STREAM, 0), -1);
    ck_assert(executable_memory());
    ck_assert_int_eq(kill(getppid(), 0), 0);
    remove_surroundings();
}
END_TEST

/* --- what ends a role, or under a sanitizer is refused --- */

static enum sandbox_profile profile;
static int executes(void)
{
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    if (!closed(profile)) return NO_SANDBOX;
    (void)execve("/bin/true", argv, NULL);
    return errno == EPERM ? FINE : WRONG;
}
static int forks(void)
{
    if (!closed(profile)) return NO_SANDBOX;
    pid_t pid = fork();
    if (pid == 0) _exit(WRONG);
    return pid == -1 ? FINE : WRONG;
}
static int traces(void)
{
    if (!closed(profile)) return NO_SANDBOX;
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 && errno == EPERM ? FINE : WRONG;
}
static int becomes_root(void)
{
    if (!closed(profile)) return NO_SANDBOX;
    return setresuid(0, 0, 0) == -1 ? FINE : WRONG;
}

START_TEST(what_ends_a_role)
{
    static int (*const trials[])(void) = {executes, forks, traces, becomes_root};
    make_surroundings();
    for (profile = SANDBOX_RELAY; profile <= SANDBOX_REGISTRAR; profile++)
        for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
            int how = run(trials[i]);
            ck_assert_msg(how == -SIGSYS || how == FINE, "profile %d trial %zu: %d", (int)profile, i, how);
        }
    remove_surroundings();
}
END_TEST

/* --- Landlock alone: seccomp lets the keeper open files, Landlock says which --- */

static int landlock_trial(void)
{
    int abi;
    char vault[PATH_BYTES];
    (void)snprintf(vault, sizeof vault, "%s/vault", folder);
    const struct identity same = {false, getuid(), getgid()};
    if (failed(sandbox_become(&same)) || failed(sandbox_landlock(SANDBOX_KEEPER, slice_of(vault), &abi))) return NO_SANDBOX;
    if (abi == 0) return 78;
    bool good = writes_in_vault() && refused(open_in("outside", O_CREAT | O_RDWR)) && refused(open("/etc/passwd", O_RDONLY));
    if (abi >= 4) good = good && !connects() && !binds();
    return good ? FINE : WRONG;
}

START_TEST(landlock_knows_one_folder)
{
    make_surroundings();
    int how = run(landlock_trial);
    ck_assert(how == FINE || how == 78); /* 78: this kernel has none; the role's log says so */
    remove_surroundings();
}
END_TEST

/* --- who we are afterwards --- */

static int becomes_nobody(void)
{
    const struct identity nobody = {true, 65534, 65534};
    uid_t r, e, s;
    gid_t rg, eg, sg;
    struct rlimit core;
    if (failed(sandbox_limits(64)) || failed(sandbox_become(&nobody)) || failed(sandbox_limits(64))) return NO_SANDBOX;
    bool good = getresuid(&r, &e, &s) == 0 && r == 65534 && e == 65534 && s == 65534 && getresgid(&rg, &eg, &sg) == 0 &&
                rg == 65534 && eg == 65534 && sg == 65534 && getgroups(0, NULL) == 0 && setresuid(0, 0, 0) == -1;
    good = good && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
    good = good && getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0;
    return good ? FINE : WRONG;
}

/* Root that stays root, as in a container: without one capability it cannot read another user's file. */
static int stays_root(void)
{
    const struct identity root = {true, 0, 0};
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/outside", folder);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    if (fd == -1 || fchown(fd, 12345, 12345) == -1) return WRONG;
    if (failed(sandbox_become(&root))) return NO_SANDBOX;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data) == -1) return WRONG;
    bool none = !data[0].effective && !data[0].permitted && !data[0].inheritable && !data[1].effective && !data[1].permitted;
    return none && refused(open(path, O_RDONLY)) && refused(chown(path, 0, 0)) ? FINE : WRONG;
}

static int cannot_become(void)
{
    const struct identity nobody = {true, 65534, 65534}, root = {true, 0, 0};
    if (failed(sandbox_become(&nobody))) return NO_SANDBOX;
    return failed(sandbox_become(&root)) ? FINE : WRONG; /* and so a role does not run */
}

START_TEST(who_we_are_afterwards)
{
    make_surroundings();
    if (geteuid() == 0) {
        ck_assert_int_eq(run(becomes_nobody), FINE);
        ck_assert_int_eq(run(stays_root), FINE);
        ck_assert_int_eq(run(cannot_become), FINE);
    } else {
        ck_assert_int_eq(run(becomes_nobody), NO_SANDBOX);
    }
    remove_surroundings();
}
END_TEST

static int keeps_little(void)
{
    if (failed(sandbox_keep_little())) return NO_SANDBOX;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data) == -1) return WRONG;
    bool can_start_roles = geteuid() != 0 || data[0].effective & 1u << CAP_SETUID;
    bool cannot_override = !(data[0].permitted & 1u << CAP_DAC_OVERRIDE) && !(data[0].permitted & 1u << CAP_SYS_ADMIN);
    return can_start_roles && cannot_override && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? FINE : WRONG;
}

START_TEST(the_supervisor_keeps_little)
{
    ck_assert_int_eq(run(keeps_little), FINE);
}
END_TEST

RUN_TESTS("sandbox", what_the_filter_says, outside_all_of_it_works, what_ends_a_role, landlock_knows_one_folder,
          who_we_are_afterwards, the_supervisor_keeps_little)
