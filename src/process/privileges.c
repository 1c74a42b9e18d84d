/* SPDX-License-Identifier: Apache-2.0 */
#include "process/sandbox.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOCKED_BYTES = 64 * 1024 * 1024 };

static result refuse(const char *what)
{
    int error_number = errno;
    log_begin(LOG_LEVEL_ERROR, "privileges");
    log_text("failed", what);
    log_errno("errno", error_number);
    log_end();
    return FAIL(PRIVILEGES);
}

/* Raises the soft limit to <want>, past the hard one only where we may; takes what it can get. */
static void raise_limit(__rlimit_resource_t which, rlim_t want)
{
    struct rlimit now;
    if (getrlimit(which, &now) == -1 || now.rlim_cur >= want) return;
    struct rlimit more = {.rlim_cur = want, .rlim_max = now.rlim_max > want ? now.rlim_max : want};
    if (setrlimit(which, &more) == 0) return;
    more = (struct rlimit){.rlim_cur = want < now.rlim_max ? want : now.rlim_max, .rlim_max = now.rlim_max};
    (void)setrlimit(which, &more);
}

size_t sandbox_descriptors(void)
{
    struct rlimit now;
    return getrlimit(RLIMIT_NOFILE, &now) == 0 ? (size_t)now.rlim_cur : 0;
}

result sandbox_limits(size_t descriptors)
{
    struct rlimit core = {0, 0};
    if (setrlimit(RLIMIT_CORE, &core) == -1) return refuse("no core dumps");
    if (getrlimit(RLIMIT_CORE, &core) == -1 || core.rlim_cur != 0 || core.rlim_max != 0) return refuse("no core dumps");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return refuse("not dumpable");
    raise_limit(RLIMIT_NOFILE, descriptors);
    raise_limit(RLIMIT_MEMLOCK, LOCKED_BYTES);
    return OK;
}

/* --- capabilities: by the system call, libcap would be one more library in every role --- */

struct capabilities {
    struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3];
};

static int call_cap(long call, struct capabilities *c)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    return (int)syscall(call, &head, c->half);
}

static result set_capabilities(uint64_t keep)
{
    struct capabilities want = {{{0, 0, 0}, {0, 0, 0}}}, have;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        want.half[i].effective = want.half[i].permitted = (uint32_t)(keep >> (32 * i));
    if (call_cap(SYS_capset, &want) == -1) return refuse("capset");
    if (call_cap(SYS_capget, &have) == -1) return refuse("capget");
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if (have.half[i].effective != want.half[i].effective || have.half[i].permitted != want.half[i].permitted ||
            have.half[i].inheritable != 0)
            return refuse("capabilities read back differ");
    return OK;
}

/* What an exec could bring back. Not all may drop it (a container without CAP_SETPCAP): no_new_privs holds then. */
static void drop_bounding_set(uint64_t keep)
{
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (!(keep & (uint64_t)1 << cap)) (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static result no_new_privileges(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return refuse("no_new_privs");
    return OK;
}

static result change_ids(const struct identity *who)
{
    /* Groups first: without root it is too late for them. */
    if (setgroups(0, NULL) == -1) return refuse("setgroups");
    if (setresgid(who->gid, who->gid, who->gid) == -1) return refuse("setresgid; set 'user' in the configuration");
    if (setresuid(who->uid, who->uid, who->uid) == -1) return refuse("setresuid; set 'user' in the configuration");
    return OK;
}

static result read_ids_back(const struct identity *who)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;
    if (getresuid(&r, &e, &s) == -1 || getresgid(&rg, &eg, &sg) == -1) return refuse("getresuid");
    errno = EPERM;
    if (r != e || e != s || rg != eg || eg != sg) return refuse("real, effective and saved ids differ");
    if (!who->change) return OK;
    if (r != who->uid || rg != who->gid || getgroups(0, NULL) != 0) return refuse("ids read back differ");
    if (who->uid != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) == 0) return refuse("root came back");
    return OK;
}

result sandbox_become(const struct identity *who)
{
    drop_bounding_set(0);
    if (who->change) TRY(change_ids(who));
    TRY(set_capabilities(0));
    TRY(no_new_privileges());
    return read_ids_back(who);
}

result sandbox_keep_little(void)
{
    /* Start roles as other users (SETUID, SETGID, SETPCAP), end them (KILL), raise their limits (SYS_RESOURCE), read a
     * configuration that belongs to another user on SIGHUP (DAC_READ_SEARCH). */
    static const unsigned needed[] = {CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL, CAP_SYS_RESOURCE, CAP_DAC_READ_SEARCH};
    struct capabilities have;
    uint64_t keep = 0;
    if (call_cap(SYS_capget, &have) == -1) return refuse("capget");
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) keep |= (uint64_t)1 << needed[i];
    keep &= have.half[0].permitted | (uint64_t)have.half[1].permitted << 32;
    drop_bounding_set(keep);
    TRY(set_capabilities(keep));
    return no_new_privileges();
}
