/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static slice must_read(struct source *s, const char *path)
{
    slice out;
    result r = source_read(s, slice_of(path), &out);
    ck_assert_msg(!failed(r), "%s: %s", path, error_name(r.err));
    return out;
}

static enum error read_error(struct source *s, slice path)
{
    slice out;
    return source_read(s, path, &out).err;
}

START_TEST(disk_gives_the_same_bytes_twice)
{
    help_write("a.txt", "one");
    struct source *s = source_disk();
    ck_assert(slice_is(must_read(s, "a.txt"), "one"));
    help_write("a.txt", "changed");
    ck_assert(slice_is(must_read(s, "a.txt"), "one"));
    ck_assert(slice_is(must_read(s, "./a.txt"), "one"));
    help_write("empty", "");
    ck_assert_uint_eq(must_read(s, "empty").len, 0);
    source_free(s);
}
END_TEST

START_TEST(disk_refuses_what_is_no_file)
{
    struct source *s = source_disk();
    ck_assert_int_eq(mkdir("folder", 0700), 0);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    int fd = open("large", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(fd, 16 * 1024 * 1024 + 1), 0);
    close(fd);
    ck_assert_int_eq(read_error(s, SLICE("missing")), ERR_NOT_FOUND);
    ck_assert_int_eq(read_error(s, SLICE("folder/missing")), ERR_NOT_FOUND);
    ck_assert_int_eq(read_error(s, SLICE("")), ERR_NOT_FOUND);
    ck_assert_int_eq(read_error(s, SLICE("a\0b")), ERR_NOT_FOUND);
    ck_assert_int_eq(read_error(s, SLICE("folder")), ERR_IO);
    ck_assert_int_eq(errno, EISDIR);
    ck_assert_int_eq(read_error(s, SLICE("fifo")), ERR_IO); /* and does not hang */
    ck_assert_int_eq(read_error(s, SLICE("large")), ERR_TOO_LARGE);
    source_free(s);
}
END_TEST

/* The bytes of a bundle of two files, made in the folder. */
static char *make_bundle(size_t *len)
{
    help_write("a.txt", "first file");
    help_write("b.txt", "second");
    struct source *s = source_disk();
    (void)must_read(s, "a.txt");
    (void)must_read(s, "b.txt");
    int fd = source_bundle(s, SOURCE_FOR_NOBODY);
    ck_assert_int_ge(fd, 0);
    source_free(s);
    struct stat about;
    ck_assert_int_eq(fstat(fd, &about), 0);
    *len = (size_t)about.st_size;
    char *bytes = help_read_fd(fd);
    close(fd);
    return bytes;
}

static struct source *from_bytes(const char *bytes, size_t len, int seals)
{
    int fd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    if (seals) ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    struct source *s = source_from_bundle(fd);
    close(fd);
    return s;
}

enum { ALL_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

START_TEST(bundle_gives_the_same_files_by_the_same_names)
{
    help_write("a.txt", "first file");
    help_write("other.txt", "never read");
    struct source *disk = source_disk();
    (void)must_read(disk, "a.txt");
    int fd = source_bundle(disk, SOURCE_FOR_NOBODY);
    ck_assert_int_ge(fd, 0);
    source_free(disk);

    ck_assert_int_eq(chdir("/"), 0); /* a role may run anywhere */
    struct source *s = source_from_bundle(fd);
    ck_assert_ptr_nonnull(s);
    char absolute[5000];
    (void)snprintf(absolute, sizeof absolute, "%s/a.txt", help_folder);
    ck_assert(slice_is(must_read(s, "a.txt"), "first file"));
    ck_assert(slice_is(must_read(s, absolute), "first file"));
    ck_assert_int_eq(read_error(s, SLICE("other.txt")), ERR_NOT_FOUND);
    int again = source_bundle(s, SOURCE_FOR_NOBODY); /* a bundle of a bundle is the same */
    struct source *second = source_from_bundle(again);
    ck_assert(slice_is(must_read(second, "a.txt"), "first file"));
    source_free(second);
    source_free(s);
    close(again);
    close(fd);
}
END_TEST

START_TEST(bundle_is_sealed_and_inherited)
{
    struct source *disk = source_disk();
    int fd = source_bundle(disk, SOURCE_FOR_NOBODY);
    source_free(disk);
    ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & ALL_SEALS, ALL_SEALS);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(write(fd, "x", 1), -1);
    ck_assert_int_eq(ftruncate(fd, 0), -1);
    struct source *s = source_from_bundle(fd);
    ck_assert_ptr_nonnull(s);
    source_free(s);
    close(fd);
}
END_TEST

START_TEST(an_unsealed_bundle_is_refused)
{
    size_t len;
    char *bytes = make_bundle(&len);
    ck_assert_ptr_null(from_bytes(bytes, len, 0));
    ck_assert_ptr_null(from_bytes(bytes, len, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL));
    ck_assert_ptr_null(source_from_bundle(-1));
    struct source *s = from_bytes(bytes, len, ALL_SEALS);
    ck_assert_ptr_nonnull(s);
    source_free(s);
    free(bytes);
}
END_TEST

START_TEST(a_bundle_of_any_other_length_is_refused)
{
    size_t len;
    char *bytes = make_bundle(&len);
    for (size_t cut = 1; cut < len; cut++)
        ck_assert_msg(!from_bytes(bytes, cut, ALL_SEALS), "cut after %zu bytes", cut);
    char *longer = calloc(1, len + 1);
    memcpy(longer, bytes, len);
    ck_assert_ptr_null(from_bytes(longer, len + 1, ALL_SEALS));
    free(longer);
    free(bytes);
}
END_TEST

/* Every bit of every byte: what comes out is refused or a right bundle, and no name of it leads outside of it (ASan).
 */
START_TEST(a_bundle_with_any_bit_flipped_is_harmless)
{
    size_t len, refused = 0;
    char *bytes = make_bundle(&len);
    for (size_t i = 0; i < len * 8; i++) {
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
        struct source *s = from_bytes(bytes, len, ALL_SEALS);
        refused += s == NULL;
        if (i < 64) ck_assert_msg(s == NULL, "magic, bit %zu", i);
        slice out = SLICE("");
        if (s && !failed(source_read(s, SLICE("a.txt"), &out))) ck_assert_uint_eq(out.len, 10);
        source_free(s);
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
    }
    /* magic, and every length: folder, count, two paths, two contents */
    ck_assert_uint_ge(refused, 64 * 7);
    free(bytes);
}
END_TEST

START_TEST(a_bundle_with_a_wrong_path_is_refused)
{
    size_t len;
    char *bytes = make_bundle(&len);
    slice whole = {bytes, len};
    size_t first = slice_find_slice(whole, SLICE("/a.txt")), second = slice_find_slice(whole, SLICE("/b.txt"));
    size_t start = first - strlen(help_folder);
    ck_assert_int_eq(memcmp(bytes + start, help_folder, strlen(help_folder)), 0);
    bytes[second + 1] = 'a'; /* the first file's path again */
    ck_assert_ptr_null(from_bytes(bytes, len, ALL_SEALS));
    bytes[second + 1] = 'b';
    bytes[start] = 'x'; /* relative */
    ck_assert_ptr_null(from_bytes(bytes, len, ALL_SEALS));
    bytes[start] = '/';
    bytes[first + 2] = '\0';
    ck_assert_ptr_null(from_bytes(bytes, len, ALL_SEALS));
    bytes[first + 2] = '.';
    struct source *s = from_bytes(bytes, len, ALL_SEALS);
    ck_assert_ptr_nonnull(s);
    source_free(s);
    free(bytes);
}
END_TEST

static slice must_read_secret(struct source *s, const char *reference, unsigned audience)
{
    slice out;
    result r = source_read_secret(s, slice_of(reference), audience, &out);
    ck_assert_msg(!failed(r), "%s: %s", reference, error_name(r.err));
    return out;
}

/* The bundle for <audience> as a role has it; *holds: is <needle> anywhere in its bytes? */
static struct source *bundle_for(struct source *disk, unsigned audience, const char *needle, bool *holds)
{
    int fd = source_bundle(disk, audience);
    char *bytes = help_read_fd(fd);
    slice all = {bytes, (size_t)lseek(fd, 0, SEEK_END)};
    *holds = slice_find_slice(all, slice_of(needle)) != all.len;
    free(bytes);
    struct source *s = source_from_bundle(fd);
    ck_assert_ptr_nonnull(s);
    close(fd);
    return s;
}

START_TEST(a_secret_reaches_only_those_it_is_for)
{
    help_write("k", "the-secret");
    ck_assert_int_eq(setenv("CARDVEIL_TEST_SECRET", "from-the-environment", 1), 0);
    struct source *disk = source_disk();
    ck_assert(slice_is(must_read_secret(disk, "file:k", SOURCE_FOR_KEEPER), "the-secret"));
    ck_assert(slice_is(must_read_secret(disk, "env:CARDVEIL_TEST_SECRET", SOURCE_FOR_REGISTRAR), "from-the-environment"));
    ck_assert_int_eq(unsetenv("CARDVEIL_TEST_SECRET"), 0);
    static const unsigned roles[] = {SOURCE_FOR_NOBODY, SOURCE_FOR_RELAY, SOURCE_FOR_KEEPER, SOURCE_FOR_REGISTRAR};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        bool holds;
        struct source *s = bundle_for(disk, roles[i], "the-secret", &holds);
        ck_assert(holds == (roles[i] == SOURCE_FOR_KEEPER));
        slice file = must_read_secret(s, "file:k", SOURCE_FOR_KEEPER);
        ck_assert(holds ? slice_is(file, "the-secret") : !file.at);
        slice variable = must_read_secret(s, "env:CARDVEIL_TEST_SECRET", SOURCE_FOR_REGISTRAR);
        ck_assert((variable.at != NULL) == (roles[i] == SOURCE_FOR_REGISTRAR));
        ck_assert_int_eq(read_error(s, SLICE("k")), ERR_NOT_FOUND); /* by its plain name it is no file of the bundle */
        source_free(s);
    }
    source_free(disk);
}
END_TEST

START_TEST(a_secret_of_two_settings_reaches_both_and_a_file_stays_a_file)
{
    bool holds;
    slice out;
    help_write("both", "shared-secret");
    help_write("open", "a certificate with its key");
    struct source *disk = source_disk();
    (void)must_read_secret(disk, "file:both", SOURCE_FOR_KEEPER);
    (void)must_read_secret(disk, "file:both", SOURCE_FOR_REGISTRAR);
    (void)must_read_secret(disk, "file:open", SOURCE_FOR_KEEPER);
    (void)must_read(disk, "open");
    for (unsigned audience = SOURCE_FOR_KEEPER; audience <= SOURCE_FOR_REGISTRAR; audience *= 2) {
        struct source *s = bundle_for(disk, audience, "shared-secret", &holds);
        ck_assert(holds);
        source_free(s);
    }
    struct source *relay = bundle_for(disk, SOURCE_FOR_RELAY, "shared-secret", &holds);
    ck_assert(!holds);
    ck_assert(slice_is(must_read(relay, "open"), "a certificate with its key")); /* asked for as an open file: it is one */
    ck_assert_ptr_null(must_read_secret(relay, "file:open", SOURCE_FOR_KEEPER).at);
    source_free(relay);
    ck_assert_int_eq(source_read_secret(disk, SLICE("env:CARDVEIL_UNSET"), SOURCE_FOR_KEEPER, &out).err, ERR_NOT_FOUND);
    ck_assert_int_eq(source_read_secret(disk, SLICE("file:missing"), SOURCE_FOR_KEEPER, &out).err, ERR_NOT_FOUND);
    ck_assert_int_eq(source_read_secret(disk, SLICE("both"), SOURCE_FOR_KEEPER, &out).err, ERR_NOT_FOUND);
    ck_assert_int_eq(source_read_secret(disk, SLICE("env:"), SOURCE_FOR_KEEPER, &out).err, ERR_NOT_FOUND);
    source_free(disk);
}
END_TEST

START_TEST(problems_are_sorted_and_printable)
{
    struct problems *p = problems_new();
    problems_add(p, SLICE("b.yaml"), 2, 1, "third");
    problems_add(p, SLICE("a.yaml"), 10, 1, "second, with \x1b[31m, \xC2\x9B and \x7f");
    problems_add(p, SLICE("a.yaml"), 9, 3, "first");
    problems_add(p, SLICE("b.yaml"), 0, 0, "whole file");
    char *text = help_problems(p);
    ck_assert_str_eq(
        text, "a.yaml:9:3: first\na.yaml:10:1: second, with ?[31m, ?? and ?\nb.yaml: whole file\nb.yaml:2:1: third\n");
    free(text);
    ck_assert_uint_eq(problems_count(p), 4);
    ck_assert_ptr_null(problems_get(p, 4));
    problems_free(p);
}
END_TEST

START_TEST(problems_are_cut_between_characters_and_counted_past_the_limit)
{
    struct problems *p = problems_new();
    char text[400];
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[sizeof text - 2] = '\0';
    problems_add(p, SLICE("a"), 1, 1, "%s", text); /* cut after 239 bytes: in the middle of the last one */
    ck_assert_uint_eq(strlen(problems_get(p, 0)->text), 238);
    for (int i = 0; i < 600; i++)
        problems_add(p, SLICE("a"), 1, 1, "x");
    ck_assert_uint_eq(problems_count(p), 601);
    ck_assert_ptr_nonnull(problems_get(p, 499));
    ck_assert_ptr_null(problems_get(p, 500));
    problems_free(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("source");
    TCase *t = tcase_create("source");
    tcase_add_checked_fixture(t, help_enter, help_leave);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, disk_gives_the_same_bytes_twice);
    tcase_add_test(t, disk_refuses_what_is_no_file);
    tcase_add_test(t, bundle_gives_the_same_files_by_the_same_names);
    tcase_add_test(t, bundle_is_sealed_and_inherited);
    tcase_add_test(t, an_unsealed_bundle_is_refused);
    tcase_add_test(t, a_bundle_of_any_other_length_is_refused);
    tcase_add_test(t, a_bundle_with_any_bit_flipped_is_harmless);
    tcase_add_test(t, a_bundle_with_a_wrong_path_is_refused);
    tcase_add_test(t, a_secret_reaches_only_those_it_is_for);
    tcase_add_test(t, a_secret_of_two_settings_reaches_both_and_a_file_stays_a_file);
    tcase_add_test(t, problems_are_sorted_and_printable);
    tcase_add_test(t, problems_are_cut_between_characters_and_counted_past_the_limit);
    suite_add_tcase(s, t);
    return help_run(s);
}
