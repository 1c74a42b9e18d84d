/* SPDX-License-Identifier: Apache-2.0 */
#include "process/sandbox.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Three answers. What a role needs is allowed. What only an intruder would call ends the process at once, and the kernel logs
 * it. Everything else is ENOSYS, as on an old kernel: the C library then takes its older way, and nothing breaks that a newer
 * library tries first. */
#define CALLS(...) ((const int[]){__VA_ARGS__, 0x7fffffff})
#define C(name) SCMP_SYS(name)

static const int *const for_all = CALLS(
    C(read), C(readv), C(write), C(writev), C(close), C(close_range), C(lseek), C(fstat), C(newfstatat), C(dup), C(munmap),
    C(mremap), C(madvise), C(mlock), C(mlock2), C(munlock), C(brk), C(rt_sigaction), C(rt_sigprocmask), C(rt_sigreturn),
    C(sigaltstack), C(futex), C(sched_yield), C(sched_getaffinity), C(getpid), C(gettid), C(getppid), C(getuid), C(geteuid),
    C(getgid), C(getegid), C(getrandom), C(clock_gettime), C(clock_getres), C(clock_nanosleep), C(nanosleep),
    C(gettimeofday), C(time), C(epoll_create1), C(epoll_ctl), C(epoll_wait), C(epoll_pwait), C(epoll_pwait2), C(eventfd2),
    C(pipe2), C(poll), C(ppoll), C(select), C(pselect6), C(exit), C(exit_group), C(restart_syscall), C(uname), C(sysinfo),
    C(getrusage), C(set_robust_list), C(rseq), C(membarrier), C(recvmsg), C(recvfrom), C(sendto), C(sendmsg), C(getsockopt),
    C(setsockopt), C(getsockname), C(getpeername), C(shutdown));

static const int *const for_network = CALLS(C(connect), C(recvmmsg), C(sendmmsg));
static const int *const for_relay = CALLS(C(accept), C(accept4));

static const int *const for_keeper = CALLS(
    C(open), C(openat), C(openat2), C(access), C(faccessat), C(faccessat2), C(stat), C(lstat), C(statx), C(readlink),
    C(readlinkat), C(getcwd), C(getdents64), C(mkdir), C(mkdirat), C(rmdir), C(unlink), C(unlinkat), C(rename), C(renameat),
    C(renameat2), C(ftruncate), C(fallocate), C(fadvise64), C(pread64), C(preadv), C(preadv2), C(pwrite64), C(pwritev),
    C(pwritev2), C(fsync), C(fdatasync), C(sync_file_range), C(msync), C(mincore), C(flock), C(fcntl), C(fstatfs), C(statfs),
    C(fchmod), C(umask));

/* No role has a reason for any of these. */
static const int *const deadly = CALLS(
    C(execve), C(execveat), C(fork), C(vfork), C(ptrace), C(process_vm_readv), C(process_vm_writev), C(process_madvise),
    C(pidfd_getfd), C(kcmp), C(setns), C(unshare), C(mount), C(umount2), C(move_mount), C(open_tree), C(fsopen), C(fsmount),
    C(pivot_root), C(chroot), C(init_module), C(finit_module), C(delete_module), C(kexec_load), C(kexec_file_load), C(bpf),
    C(perf_event_open), C(userfaultfd), C(io_uring_setup), C(io_uring_enter), C(io_uring_register), C(keyctl), C(add_key),
    C(request_key), C(open_by_handle_at), C(setuid), C(setgid), C(setreuid), C(setregid), C(setresuid), C(setresgid),
    C(setgroups), C(setfsuid), C(setfsgid), C(capset), C(personality), C(modify_ldt), C(iopl), C(ioperm), C(reboot),
    C(swapon), C(swapoff), C(acct), C(mknod), C(mknodat), C(settimeofday), C(clock_settime), C(adjtimex), C(quotactl));

/* Asked for by libraries that can do without (a resolver's files, a time zone): a plain no. */
static const int *const no_files = CALLS(C(open), C(openat), C(openat2), C(creat), C(access), C(faccessat), C(faccessat2));

static int add_list(scmp_filter_ctx filter, uint32_t action, const int *calls)
{
    for (; *calls != 0x7fffffff; calls++) {
        /* A call that this machine's kind does not have (open, fork on arm64) is a pseudo number: nothing to filter. */
        if (*calls < 0) continue;
        int r = seccomp_rule_add(filter, action, *calls, 0);
        if (r < 0) return r;
    }
    return 0;
}

/* Memory may be mapped and protected, never made executable. */
static int add_memory(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r < 0) return r;
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* abort(), in the process itself only. */
static int add_signals(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (r < 0) return r;
    /* Reading limits, not setting them: the third argument is the new one. */
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
}

static int add_controls(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    static const unsigned requests[] = {FIONBIO, FIONREAD, TCGETS};
    static const int commands[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC,
                                   F_GET_SEALS /* of a new configuration's bundle */};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < sizeof requests / sizeof *requests; i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, requests[i]));
    for (size_t i = 0; profile != SANDBOX_KEEPER && r >= 0 && i < sizeof commands / sizeof *commands; i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
    return r;
}

/* TCP and UDP over IPv4 and IPv6: no unix, raw, packet or netlink sockets. The type's upper bits are flags (SOCK_NONBLOCK). */
static int add_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6}, types[] = {SOCK_STREAM, SOCK_DGRAM};
    int r = 0;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; r >= 0 && k < 2; k++)
            r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(socket), 2,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]),
                                 SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)types[k]));
    return r;
}

static int add_rules(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    if (r >= 0) r = add_list(filter, SCMP_ACT_ALLOW, for_all);
    if (r >= 0) r = add_memory(filter);
    if (r >= 0) r = add_signals(filter);
    if (r >= 0) r = add_controls(filter, profile);
    /* A sanitizer's report wants a helper process: it gets a no there, not its death before it has said anything. */
    if (r >= 0) r = add_list(filter, SANITIZED ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS, deadly);
    if (r >= 0 && !SANITIZED) r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, C(clone), 0);
    if (r >= 0 && profile == SANDBOX_KEEPER) r = add_list(filter, SCMP_ACT_ALLOW, for_keeper);
    if (r >= 0 && profile != SANDBOX_KEEPER) r = add_list(filter, SCMP_ACT_ERRNO(EACCES), no_files);
    if (r >= 0 && profile == SANDBOX_RELAY) r = add_list(filter, SCMP_ACT_ALLOW, for_relay);
    if (r >= 0 && profile != SANDBOX_KEEPER) r = add_list(filter, SCMP_ACT_ALLOW, for_network);
    if (r >= 0 && profile != SANDBOX_KEEPER) r = add_sockets(filter);
    /* A pair inside this process leads nowhere: the relay ends a client's TLS behind a CONNECT in it. */
    if (r >= 0 && profile == SANDBOX_RELAY)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, C(socketpair), 2, SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
                             SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM));
    return r;
}

result sandbox_seccomp(enum sandbox_profile profile)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    ENSURE(filter != NULL, MEMORY);
    int r = add_rules(filter, profile);
    if (r >= 0) r = seccomp_load(filter);
    seccomp_release(filter);
    if (r >= 0) return OK;
    log_begin(LOG_LEVEL_ERROR, "seccomp");
    log_text("failed", "the filter was not loaded");
    log_errno("errno", -r);
    log_end();
    return FAIL(PRIVILEGES);
}

result sandbox_close(enum sandbox_profile profile, slice folder, struct sandbox_report *out)
{
    TRY(sandbox_landlock(profile, folder, &out->landlock_abi));
    TRY(sandbox_seccomp(profile));
    out->seccomp = true;
    return OK;
}
