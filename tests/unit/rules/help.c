/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

char help_folder[PATH_MAX];

void help_enter(void)
{
    const char *tmp = getenv("TMPDIR");
    char made[PATH_MAX];
    (void)snprintf(made, sizeof made, "%s/cardveil-rules-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(made));
    ck_assert_int_eq(chdir(made), 0);
    ck_assert_ptr_nonnull(getcwd(help_folder, sizeof help_folder));
    ck_assert(!failed(secret_start(1 << 20)));
}

static int on_remove(const char *path, const struct stat *about, int flag, struct FTW *place)
{
    (void)about, (void)flag, (void)place;
    return remove(path);
}

void help_leave(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    (void)nftw(help_folder, on_remove, 16, FTW_DEPTH | FTW_PHYS);
}

void help_write(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    ck_assert_msg(f != NULL, "%s", name);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    ck_assert_int_eq(fclose(f), 0);
}

void help_certificate(const char *name)
{
    char path[PATH_MAX];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    ck_assert(key && certificate);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                               -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    (void)snprintf(path, sizeof path, "%s.pem", name);
    FILE *f = fopen(path, "w");
    ck_assert(f && PEM_write_X509(f, certificate) == 1 && fclose(f) == 0);
    (void)snprintf(path, sizeof path, "%s.key", name);
    f = fopen(path, "w");
    ck_assert(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

char *help_read_fd(int fd)
{
    off_t len = lseek(fd, 0, SEEK_END);
    ck_assert(len >= 0);
    char *text = calloc(1, (size_t)len + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(pread(fd, text, (size_t)len, 0), len);
    return text;
}

char *help_read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "cannot open %s", path);
    char *text = help_read_fd(fd);
    close(fd);
    return text;
}

char *help_problems(const struct problems *p)
{
    int fd = memfd_create("problems", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    problems_print(p, fd);
    char *text = help_read_fd(fd);
    close(fd);
    return text;
}

char *help_replace(char *text, const char *what, const char *by)
{
    char *out = NULL;
    size_t len;
    FILE *file = open_memstream(&out, &len);
    const char *at = text;
    for (const char *hit; (hit = strstr(at, what)) != NULL; at = hit + strlen(what))
        fprintf(file, "%.*s%s", (int)(hit - at), at, by);
    fputs(at, file);
    fclose(file);
    free(text);
    return out;
}

void help_secrets(void)
{
    help_copy("tests/corpus/sign", "sign");
    ck_assert_int_eq(rename("sign/mastercard-decryption-key.pem", "r.key"), 0);
    help_write("shared", "c2hhcmVkLXNlY3JldC1vZi10aGUtdGVzdHM=\r\n");
    help_write("tiny", "c2hhcmVk\n");
    help_write("hook", "a-secret-of-a-webhook\n");
    help_write("short", "too-short\n");
    help_write("empty", "\n");
    help_write("lines", "one\ntwo\n");
    ck_assert_int_eq(setenv("CARDVEIL_TEST_SHARED", "ZW52aXJvbm1lbnQ=", 1), 0);
    ck_assert_int_eq(unsetenv("CARDVEIL_TEST_UNSET"), 0);
}

void help_copy(const char *from, const char *to)
{
    char source[PATH_MAX], target[PATH_MAX];
    (void)snprintf(source, sizeof source, "%s/%s", SOURCE_ROOT, from);
    (void)mkdir(to, 0700);
    DIR *folder = opendir(source);
    ck_assert_msg(folder != NULL, "%s", source);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat about;
        (void)snprintf(source, sizeof source, "%s/%s/%s", SOURCE_ROOT, from, entry->d_name);
        if (stat(source, &about) == -1 || !S_ISREG(about.st_mode)) continue;
        char *text = help_read_file(source);
        (void)snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        help_write(target, text);
        free(text);
    }
    closedir(folder);
}

void help_golden(const char *corpus_file, const char *got)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/tests/corpus/%s", SOURCE_ROOT, corpus_file);
    if (getenv("CARDVEIL_WRITE_GOLDEN")) {
        help_write(path, got);
        return;
    }
    char *want = help_read_file(path);
    ck_assert_msg(strcmp(got, want) == 0, "%s\n--- expected\n%s--- got\n%s", corpus_file, want, got);
    free(want);
}

void help_corpus(const char *corpus, char *(*each)(const char *file))
{
    char golden[PATH_MAX];
    size_t cases = 0;
    DIR *folder = opendir(".");
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < 6 || strcmp(entry->d_name + len - 5, ".yaml") != 0) continue;
        char *got = each(entry->d_name);
        (void)snprintf(golden, sizeof golden, "%s/%.*s.txt", corpus, (int)len - 5, entry->d_name);
        help_golden(golden, got);
        free(got);
        cases++;
    }
    closedir(folder);
    ck_assert_uint_gt(cases, 5);
}

int help_run(Suite *s)
{
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
