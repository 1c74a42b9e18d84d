/* SPDX-License-Identifier: Apache-2.0 */
#include "kek.h"

#include "base/log.h"
#include "base/secret.h"
#include "files.h"
#include "vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_TEXT_MAX_BYTES = 256, HEX_BYTES = 2 * SEAL_KEY_BYTES };

static slice trimmed(slice s)
{
    while (s.len && strchr(" \t\r\n", s.at[0])) s = slice_after(s, 1);
    while (s.len && strchr(" \t\r\n", s.at[s.len - 1])) s.len--;
    return s;
}

/* Digits' values without a table indexed by key material. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

static bool from_digits(slice text, unsigned bits, int (*value)(char), uint8_t out[SEAL_KEY_BYTES])
{
    unsigned held = 0, held_bits = 0;
    size_t len = 0;
    bool good = true;
    for (size_t i = 0; i < text.len && good; i++) {
        int digit = value(text.at[i]);
        good = digit >= 0;
        if (!good) break;
        held = (held << bits | (unsigned)digit) & 0xFFFF;
        held_bits += bits;
        if (held_bits < 8) continue;
        held_bits -= 8;
        if (len < SEAL_KEY_BYTES) out[len] = (uint8_t)(held >> held_bits);
        len++;
    }
    good = good && len == SEAL_KEY_BYTES && (held & ((1u << held_bits) - 1)) == 0;
    secret_wipe(&held, sizeof held);
    return good;
}

static bool decode(slice text, uint8_t out[SEAL_KEY_BYTES])
{
    if (text.len == HEX_BYTES) return from_digits(text, 4, hex_value, out);
    if (text.len == 44 && text.at[43] == '=') text.len = 43;
    return text.len == 43 && from_digits(text, 6, base64_value, out);
}

static bool source_name(slice source, slice scheme, char out[PATH_MAX])
{
    if (!slice_starts(source, scheme) || source.len - scheme.len >= PATH_MAX || source.len == scheme.len) return false;
    slice name = slice_after(source, scheme.len);
    memcpy(out, name.at, name.len);
    out[name.len] = '\0';
    return true;
}

/* Root reads any file: the mode decides for him too. The group may read, since a container's secret is often its group's. */
static result check_mode(const struct stat *st)
{
    ENSURE(S_ISREG(st->st_mode), VAULT_KEY_UNREADABLE);
    ENSURE((st->st_mode & (S_IWGRP | S_IROTH | S_IWOTH)) == 0, VAULT_KEY_OPEN_TO_OTHERS);
    if (st->st_mode & S_IRGRP)
        log_plain(LOG_LEVEL_WARN, "vault_key_file", "the key file's group may read it; chmod 600 it unless that group is the keeper's own");
    return OK;
}

/* Links are followed: Kubernetes mounts a secret as a link to its present version. A pipe is told as wrong, not waited for. */
static result read_file(const char *path, char *text, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd == -1) return errno == ENOENT || errno == ENOTDIR ? FAIL(VAULT_KEY_MISSING) : FAIL(VAULT_KEY_UNREADABLE);
    result r = fstat(fd, &st) == 0 ? check_mode(&st) : FAIL(VAULT_KEY_UNREADABLE);
    if (!failed(r)) r = file_read_all(fd, text, KEY_TEXT_MAX_BYTES, len);
    (void)close(fd);
    if (r.err == ERR_IO) return FAIL(VAULT_KEY_UNREADABLE);
    return r.err == ERR_TOO_LARGE ? FAIL(VAULT_KEY_FORM) : r;
}

static result read_env(const char *name, char *text, size_t *len)
{
    const char *value = getenv(name);
    ENSURE(value != NULL, VAULT_KEY_MISSING);
    *len = strlen(value);
    ENSURE(*len <= KEY_TEXT_MAX_BYTES, VAULT_KEY_FORM);
    memcpy(text, value, *len);
    return OK;
}

void vault_forget_key(slice key)
{
    char name[PATH_MAX];
    char *value = source_name(key, SLICE("env:"), name) ? getenv(name) : NULL;
    if (!value) return;
    secret_wipe(value, strlen(value));
    (void)unsetenv(name);
}

static result read_key(slice source, char *text, struct kek *k)
{
    char name[PATH_MAX];
    size_t len = 0;
    if (source_name(source, SLICE("file:"), name)) {
        TRY(read_file(name, text, &len));
    } else if (source_name(source, SLICE("env:"), name)) {
        TRY(read_env(name, text, &len));
    } else {
        return FAIL(VAULT_KEY_MISSING);
    }
    ENSURE(decode(trimmed((slice){text, len}), k->key), VAULT_KEY_FORM);
    return gcm_init(&k->gcm, k->key);
}

result kek_read(slice source, struct kek **out)
{
    struct kek *k = secret_alloc(sizeof *k);
    char *text = secret_alloc(KEY_TEXT_MAX_BYTES);
    result r = k && text ? read_key(source, text, k) : FAIL(MEMORY);
    secret_free(text, KEY_TEXT_MAX_BYTES);
    if (failed(r)) {
        kek_free(k);
        return r;
    }
    *out = k;
    return OK;
}

void kek_free(struct kek *k)
{
    if (!k) return;
    gcm_done(&k->gcm);
    secret_free(k, sizeof *k);
}

static result write_random_key(int fd)
{
    uint8_t *key = secret_alloc(SEAL_KEY_BYTES);
    char *text = secret_alloc(HEX_BYTES + 1);
    result r = key && text ? OK : FAIL(MEMORY);
    if (!failed(r) && RAND_bytes(key, SEAL_KEY_BYTES) != 1) r = FAIL(CRYPTO);
    if (!failed(r)) {
        for (size_t i = 0; i < SEAL_KEY_BYTES; i++) {
            unsigned high = key[i] >> 4, low = key[i] & 15u;
            text[2 * i] = (char)(high < 10 ? '0' + high : 'a' + high - 10);
            text[2 * i + 1] = (char)(low < 10 ? '0' + low : 'a' + low - 10);
        }
        text[HEX_BYTES] = '\n';
        r = file_write_all(fd, (slice){text, HEX_BYTES + 1});
    }
    if (!failed(r) && fsync(fd) == -1) r = FAIL(IO);
    secret_free(text, HEX_BYTES + 1);
    secret_free(key, SEAL_KEY_BYTES);
    return r;
}

static result sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 0;
    memcpy(folder, path, len);
    memcpy(folder + len, ".", 2);
    return file_sync(AT_FDCWD, folder);
}

result kek_make_file(slice source, bool *made)
{
    char path[PATH_MAX];
    *made = false;
    if (!source_name(source, SLICE("file:"), path)) return OK;
    const char *slash = strrchr(path, '/');
    if (slash && slash != path) TRY(file_make_path((slice){path, (size_t)(slash - path)}));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1) return errno == EEXIST ? OK : FAIL(IO);
    result r = write_random_key(fd);
    (void)close(fd);
    if (failed(r)) {
        (void)unlink(path); /* half a key would look like a wrong one */
        return r;
    }
    *made = true;
    return sync_folder_of(path);
}
