/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "process/control.h"
#include "process/role.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int pair[2];

static void set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) != -1;
    return n;
}

START_TEST(messages_and_descriptors_arrive)
{
    struct control_message sent = {.type = CONTROL_RELAY, .number = 3, .generation = 4}, got;
    struct stat a, b;
    int fd, null = open("/dev/null", O_RDONLY);
    set_up();
    ck_assert(control_send(pair[0], &sent, null));
    ck_assert_int_eq(control_receive(pair[1], &got, true, &fd), CONTROL_MESSAGE);
    ck_assert_mem_eq(&got, &sent, sizeof got);
    ck_assert(fstat(null, &a) == 0 && fstat(fd, &b) == 0 && a.st_ino == b.st_ino);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(control_receive(pair[1], &got, true, &fd), CONTROL_NOTHING);
    ck_assert_int_eq(fd, -1);
    close(pair[0]);
    ck_assert_int_eq(control_receive(pair[1], &got, true, &fd), CONTROL_GONE);
    ck_assert(!control_send(pair[1], &sent, -1));
}
END_TEST

/* The supervisor takes no descriptor from a role: a stolen one must not fill its table. */
START_TEST(descriptors_from_roles_are_dropped)
{
    struct control_message m = {.type = CONTROL_READY}, got;
    int fd;
    set_up();
    unsigned before = open_descriptors();
    for (int i = 0; i < 3; i++) ck_assert(control_send(pair[0], &m, pair[0]));
    (void)control_receive(pair[1], &got, false, &fd);
    ck_assert_int_eq(fd, -1);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(anything_else_is_the_end)
{
    static const struct control_message unknown = {.type = CONTROL_END}, zero = {.type = 0},
                                        error = {.type = CONTROL_FAILED, .error = ERR_COUNT};
    const struct {
        const void *bytes;
        size_t len;
    } bad[] = {{&unknown, 16}, {&zero, 16}, {&error, 16}, {"short", 5}, {"longer than sixteen bytes", 25}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct control_message got;
        int fd;
        set_up();
        ck_assert_int_eq(send(pair[0], bad[i].bytes, bad[i].len, 0), (ssize_t)bad[i].len);
        ck_assert_msg(control_receive(pair[1], &got, true, &fd) == CONTROL_GONE, "case %zu", i);
        close(pair[0]);
        close(pair[1]);
    }
}
END_TEST

START_TEST(a_role_reads_its_arguments_back)
{
    const struct role_start start = {.role = ROLE_RELAY, .number = 3, .slot = 5, .generation = 7, .become = {true, 65534, 65533},
                                     .listen_count = 2, .has_admin = true, .config_file = SLICE("a b.yaml")};
    struct role_start back;
    struct role_arguments a;
    char file[] = "a b.yaml";
    role_arguments_write(&start, file, &a);
    int argc = 0;
    while (a.argv[argc]) argc++;
    ck_assert(role_is_asked_for(argc, a.argv));
    ck_assert(role_arguments_read(argc, a.argv, &back));
    ck_assert(back.role == ROLE_RELAY && back.number == 3 && back.slot == 5 && back.generation == 7 && back.become.change);
    ck_assert(back.become.uid == 65534 && back.become.gid == 65533 && back.listen_count == 2 && back.has_admin);
    ck_assert(slice_is(back.config_file, "a b.yaml"));
}
END_TEST

START_TEST(wrong_arguments_start_nothing)
{
    static const char *const good[] = {"cardveil", "--role", "relay", "0", "2", "1", "1", "65534", "65534", "1", "0", "file"};
    static const struct {
        int at;
        const char *text;
    } bad[] = {{1, "--rule"}, {2, "relai"}, {2, ""}, {3, "-1"}, {3, "x"}, {3, ""}, {6, "2"}, {7, "4294967296"}, {9, "5000"}, {10, "2"}};
    struct role_start out;
    char *argv[13] = {NULL};
    for (int i = 0; i < 12; i++) argv[i] = (char *)(uintptr_t)good[i];
    ck_assert(role_arguments_read(12, argv, &out));
    for (int argc = 0; argc < 12; argc++) ck_assert(!role_arguments_read(argc, argv, &out));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        argv[bad[i].at] = (char *)(uintptr_t)bad[i].text;
        ck_assert_msg(!role_arguments_read(12, argv, &out), "case %zu", i);
        argv[bad[i].at] = (char *)(uintptr_t)good[bad[i].at];
    }
}
END_TEST

RUN_TESTS("control", messages_and_descriptors_arrive, descriptors_from_roles_are_dropped, anything_else_is_the_end,
          a_role_reads_its_arguments_back, wrong_arguments_start_nothing)
