/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/settings.h"

#include "base/ascii.h"
#include "net/listener.h"
#include "rules/names.h"
#include "rules/pem.h"
#include "sign/jwe.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum { PATH_MAX_BYTES = 4095 };

/* A number and the unit behind it: one row per unit. */
struct unit {
    const char *suffix;
    uint64_t factor;
};
static const struct unit DURATION_UNITS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit SIZE_UNITS[] = {{"", 1},           {"K", 1ULL << 10}, {"M", 1ULL << 20},
                                         {"G", 1ULL << 30}, {"T", 1ULL << 40}, {NULL, 0}};

static bool parse_units(slice text, const struct unit *units, uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    slice suffix = slice_after(text, digits);
    for (; units->suffix; units++) {
        if (!slice_ieq(suffix, slice_of(units->suffix))) continue;
        if (!slice_to_u64(slice_range(text, 0, digits), UINT64_MAX / units->factor, out)) return false;
        *out *= units->factor;
        return true;
    }
    return false;
}

static void write_units(uint64_t n, const struct unit *units, char out[32])
{
    const struct unit *best = units;
    for (; units->suffix; units++)
        if (n && n % units->factor == 0) best = units;
    (void)snprintf(out, 32, "%llu%s", (unsigned long long)(n / best->factor), best->suffix);
}

void setting_write_duration(uint64_t ms, char out[32])
{
    write_units(ms, DURATION_UNITS, out);
}

void setting_write_size(uint64_t bytes, char out[32])
{
    write_units(bytes, SIZE_UNITS, out);
}

/* --- complaints --- */

static void expected(struct loading *l, const struct setting *s, const struct tree_node *node, const char *what)
{
    if (node->kind == TREE_REFUSED) return;
    if (node->kind != TREE_SCALAR)
        loading_complain(l, node, "'%s': expected %s, found %s", s->path, what, tree_kind_name(node->kind));
    else if (node->text.len == 0)
        loading_complain(l, node, "'%s': expected %s, found nothing", s->path, what);
    else if (s->flags & SETTING_FLAG_SECRET)
        loading_complain(l, node, "'%s': expected %s (what stands there is not shown)", s->path, what);
    else
        loading_complain(l, node, "'%s': expected %s, found '%.*s'", s->path, what, name_shown(node->text),
                         node->text.at);
}

/* --- numbers --- */

static void expected_range(struct loading *l, const struct setting *s, const struct tree_node *node, const char *what,
                           void (*write)(uint64_t, char[32]), const char *examples)
{
    char text[160], low[32], high[32];
    write(s->min, low);
    write(s->max, high);
    (void)snprintf(text, sizeof text, "%s from %s to %s%s", what, low, high, examples);
    expected(l, s, node, text);
}

static void write_plain(uint64_t n, char out[32])
{
    (void)snprintf(out, 32, "%llu", (unsigned long long)n);
}

static bool in_range(const struct setting *s, uint64_t n)
{
    return n >= s->min && n <= s->max;
}

static bool take_count(struct loading *l, const struct setting *s, const struct tree_node *node, uint64_t *out)
{
    bool may_be_none = s->type == SETTING_COUNT_OR_NONE;
    *out = 0;
    if (may_be_none && slice_is(node->text, "none")) return true;
    if (slice_to_u64(node->text, UINT64_MAX, out) && in_range(s, *out)) return true;
    expected_range(l, s, node, "a whole number", write_plain, may_be_none ? ", or none" : "");
    return false;
}

static bool take_workers(struct loading *l, const struct setting *s, const struct tree_node *node, unsigned *out)
{
    uint64_t n = 1;
    cpu_set_t cores;
    bool is_auto = slice_is(node->text, "auto");
    if (is_auto && sched_getaffinity(0, sizeof cores, &cores) == 0) n = (uint64_t)CPU_COUNT(&cores);
    if (is_auto && n > s->max) n = s->max;
    if (!is_auto && (!slice_to_u64(node->text, UINT64_MAX, &n) || !in_range(s, n))) {
        expected_range(l, s, node, "auto, or a whole number", write_plain, "");
        return false;
    }
    *out = (unsigned)n;
    return true;
}

static bool take_percent(struct loading *l, const struct setting *s, const struct tree_node *node, unsigned *out)
{
    uint64_t n;
    slice text = node->text;
    bool has_sign = slice_ends(text, SLICE("%"));
    if (has_sign && slice_to_u64(slice_range(text, 0, text.len - 1), UINT64_MAX, &n) && in_range(s, n)) {
        *out = (unsigned)n;
        return true;
    }
    expected(l, s, node, "a whole percentage from 0% to 100%, such as 50%");
    return false;
}

static bool take_duration(struct loading *l, const struct setting *s, const struct tree_node *node, uint64_t *out)
{
    if (parse_units(node->text, DURATION_UNITS, out) && in_range(s, *out)) return true;
    expected_range(l, s, node, "a duration", setting_write_duration, ", such as 500ms, 30s, 15m or 8h");
    return false;
}

static bool take_size(struct loading *l, const struct setting *s, const struct tree_node *node, uint64_t *out)
{
    if (parse_units(node->text, SIZE_UNITS, out) && in_range(s, *out)) return true;
    expected_range(l, s, node, "a size", setting_write_size, ", such as 16K, 1M or 64G");
    return false;
}

/* --- words --- */

bool setting_parse_bool(slice text, bool *out)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", NULL};
    for (size_t i = 0; words[i]; i++) {
        if (!slice_ieq(text, slice_of(words[i]))) continue;
        *out = i % 2 == 1;
        return true;
    }
    return false;
}

static bool take_bool(struct loading *l, const struct setting *s, const struct tree_node *node, bool *out)
{
    if (setting_parse_bool(node->text, out)) return true;
    expected(l, s, node, "on or off (also yes, no, true, false)");
    return false;
}

/* The number of the word; -1 after a complaint. */
static int take_word(struct loading *l, const struct setting *s, const struct tree_node *node)
{
    slice rest = slice_of(s->words), word;
    for (int i = 0; slice_next(&rest, ' ', &word); i++)
        if (slice_eq(word, node->text)) return i;
    char text[100];
    bool is_one = !strchr(s->words, ' ');
    (void)snprintf(text, sizeof text, is_one ? "%s" : "one of: %s", s->words);
    expected(l, s, node, text);
    return -1;
}

static bool is_name(slice text, const struct setting *s)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (!ascii_is_alnum(c) && !(i > 0 && (c == '.' || c == '-')) && c != '_') return false;
    }
    return in_range(s, text.len);
}

static bool take_name(struct loading *l, const struct setting *s, const struct tree_node *node, slice *out)
{
    if (is_name(node->text, s)) return loading_copy(l, node->text, out);
    char text[120];
    (void)snprintf(text, sizeof text, "a name of at most %u letters, digits, '.', '_' or '-'", (unsigned)s->max);
    expected(l, s, node, text);
    return false;
}

static bool take_text(struct loading *l, const struct setting *s, const struct tree_node *node, slice *out)
{
    if (node->text.len && in_range(s, node->text.len)) return loading_copy(l, node->text, out);
    char text[60];
    (void)snprintf(text, sizeof text, "text of at most %u bytes", (unsigned)s->max);
    expected(l, s, node, text);
    return false;
}

/* --- paths and addresses --- */

/* <scheme><path>, with the path made absolute: the roles do not run where the configuration lies. */
static bool take_scheme_path(struct loading *l, slice scheme, slice path, slice *out)
{
    slice under, absolute;
    if (!loading_path(l, path, &under)) return false;
    result r = source_absolute(l->source, under, l->pool, &absolute);
    char text[PATH_MAX_BYTES + 32];
    if (!failed(r) && scheme.len + absolute.len < sizeof text) {
        if (scheme.len) memcpy(text, scheme.at, scheme.len);
        memcpy(text + scheme.len, absolute.at, absolute.len);
        return loading_copy(l, (slice){text, scheme.len + absolute.len}, out);
    }
    l->out_of_memory = true;
    return false;
}

static bool is_path(slice text)
{
    return text.len > 0 && text.len <= PATH_MAX_BYTES / 2 && !slice_starts(text, SLICE("-----BEGIN"));
}

static bool take_path(struct loading *l, const struct setting *s, const struct tree_node *node, slice *out)
{
    if (is_path(node->text)) return take_scheme_path(l, SLICE(""), node->text, out);
    expected(l, s, node, "a path");
    return false;
}

static bool is_variable_name(slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool is_letter = ascii_is_letter(c) || c == '_';
        if (!is_letter && !(i > 0 && ascii_is_digit(c))) return false;
    }
    return name.len > 0;
}

static bool take_key_reference(struct loading *l, const struct setting *s, const struct tree_node *node, slice *out)
{
    slice text = node->text;
    if (slice_starts(text, SLICE("file:")) && is_path(slice_after(text, 5)))
        return take_scheme_path(l, SLICE("file:"), slice_after(text, 5), out);
    if (slice_starts(text, SLICE("env:")) && is_variable_name(slice_after(text, 4))) return loading_copy(l, text, out);
    expected(l, s, node, "file:PATH or env:NAME, never the key itself");
    return false;
}

static bool take_address(struct loading *l, const struct setting *s, const struct tree_node *node, slice *out)
{
    slice text = node->text;
    struct address parsed;
    if (!slice_starts(text, SLICE("unix:"))) {
        if (!failed(address_parse(text, &parsed))) return loading_copy(l, text, out);
        expected(l, s, node, "IP:PORT, [IP]:PORT or unix:PATH");
        return false;
    }
    if (!is_path(slice_after(text, 5))) {
        expected(l, s, node, "unix:PATH");
        return false;
    }
    if (!take_scheme_path(l, SLICE("unix:"), slice_after(text, 5), out)) return false;
    if (!failed(address_parse(*out, &parsed))) return true;
    loading_complain(l, node, "'%s': the socket's whole path has %zu bytes; a unix socket takes at most %zu", s->path,
                     out->len - 5, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    return false;
}

/* --- files --- */

/* False: told, out of memory, or not to be opened at all. */
static bool read_named_file(struct loading *l, const struct setting *s, const struct tree_node *node, slice *out)
{
    if (!is_path(node->text)) {
        expected(l, s, node, "the path of a PEM file");
        return false;
    }
    if (l->alone) return false;
    slice path;
    if (!loading_path(l, node->text, &path)) return false;
    result r = source_read(l->source, path, out);
    if (!failed(r)) return true;
    if (r.err == ERR_MEMORY)
        l->out_of_memory = true;
    else
        loading_complain(l, node, "'%s': cannot read '%.*s': %s", s->path, (int)(path.len < 120 ? path.len : 120),
                         path.at, r.err == ERR_TOO_LARGE ? "larger than 16 MiB" : strerror(errno));
    return false;
}

static bool take_certificates(struct loading *l, const struct setting *s, const struct tree_node *node, slice *out)
{
    slice bytes;
    if (!read_named_file(l, s, node, &bytes)) return false;
    const char *wrong = pem_check_certificates(bytes);
    if (wrong) loading_complain(l, node, "'%s': %s", s->path, wrong);
    return !wrong && loading_copy(l, bytes, out);
}

static bool take_private_key(struct loading *l, const struct setting *s, const struct tree_node *node, slice *out)
{
    slice bytes;
    if (!read_named_file(l, s, node, &bytes)) return false;
    const char *wrong = pem_check_private_key(bytes);
    if (wrong) loading_complain(l, node, "'%s': %s", s->path, wrong);
    if (wrong) return false;
    if (secrets_keep(l->secrets, bytes, out)) return true;
    l->out_of_memory = true;
    return false;
}

/* Every enum of the drafts has the size of an unsigned, and may be written through one (C11 6.7.2.2, 6.5). */
static bool take_choice(struct loading *l, const struct setting *s, const struct tree_node *node, unsigned *out)
{
    int n = take_word(l, s, node);
    if (n >= 0) *out = (unsigned)n;
    return n >= 0;
}

/* --- secrets by reference --- */

static const char *check_secret_text(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20) return "a secret is one line of text; there is more behind this reference";
    return NULL;
}

/* Editors put a line end behind what is typed. */
static slice without_line_end(slice text)
{
    if (slice_ends(text, SLICE("\n"))) text.len--;
    if (slice_ends(text, SLICE("\r"))) text.len--;
    return text;
}

/* A role that may not have it finds nothing there, and nothing wrong with it either. */
/* RSA is what all that signs or decrypts with these keys wants; a shorter one is refused where it is used, so it is here. */
static const char *check_key(struct loading *l, slice pem)
{
    struct rsa_key *key = NULL;
    const char *wrong = pem_check_private_key(pem);
    if (wrong) return wrong;
    result r = rsa_key_private(pem, &key);
    rsa_key_free(key);
    if (r.err == ERR_MEMORY) l->out_of_memory = true;
    return failed(r) && r.err != ERR_MEMORY ? "not an RSA key of at least 2048 bits; make one with: openssl genrsa 2048" : NULL;
}

static bool take_secret(struct loading *l, const struct setting *s, const struct tree_node *node, unsigned audience, bool is_key,
                        slice *out)
{
    slice reference, bytes;
    if (!take_key_reference(l, s, node, &reference)) return false;
    result r = source_read_secret(l->source, reference, audience, &bytes);
    if (r.err == ERR_MEMORY) l->out_of_memory = true;
    if (failed(r) && r.err != ERR_MEMORY)
        loading_complain(l, node, "'%s': cannot read '%.*s': %s", s->path, name_shown(node->text), node->text.at,
                         slice_starts(reference, SLICE("env:")) ? "no such variable in the environment"
                         : r.err == ERR_TOO_LARGE               ? "larger than 16 MiB"
                                                                : strerror(errno));
    *out = SLICE("");
    if (failed(r)) return false;
    if (!bytes.at) return true;
    if (!is_key) bytes = without_line_end(bytes);
    const char *wrong = is_key ? check_key(l, bytes) : bytes.len == 0 ? "there is nothing in it" : check_secret_text(bytes);
    if (wrong) loading_complain(l, node, "'%s': %s", s->path, wrong);
    if (wrong) return false;
    if (secrets_keep(l->secrets, bytes, out)) return true;
    l->out_of_memory = true;
    return false;
}

/* --- brands --- */

static bool take_brand(struct loading *l, const struct setting *s, const struct tree_node *at, slice name, unsigned *out)
{
    enum card_brand brand;
    if (card_brand_parse(name, &brand) && brand != BRAND_UNKNOWN) {
        *out |= 1u << brand;
        return true;
    }
    const char *known[BRAND_COUNT] = {NULL};
    char hint[NAME_HINT_BYTES];
    for (unsigned b = BRAND_UNKNOWN + 1; b < BRAND_COUNT; b++) known[b - 1] = card_brand_name((enum card_brand)b);
    name_write_hint(name, known, hint);
    loading_complain(l, at, "'%s': no brand '%.*s'%s", s->path, name_shown(name), name.at, hint);
    return false;
}

static bool take_brands(struct loading *l, const struct setting *s, const struct tree_node *node, unsigned *out)
{
    bool right = true;
    slice rest = node->text, name;
    *out = 0;
    if (node->kind == TREE_MAP || (node->kind == TREE_SCALAR && rest.len == 0) || (node->kind == TREE_LIST && node->count == 0)) {
        expected(l, s, node, "a list of brands, such as [ visa, mastercard ]");
        return false;
    }
    while (node->kind == TREE_SCALAR && slice_next(&rest, ' ', &name)) right = take_brand(l, s, node, name, out) && right;
    for (const struct tree_node *n = node->first; n; n = n->next) right = take_brand(l, s, n, n->text, out) && right;
    return right;
}

static bool take_list(struct loading *l, const struct setting *s, const struct tree_node *node,
                      const struct tree_node **out)
{
    bool may_be_lone = s->type == SETTING_ENTRIES;
    if ((node->kind == TREE_LIST && in_range(s, node->count)) || (may_be_lone && node->kind == TREE_MAP)) {
        *out = node;
        return true;
    }
    char text[80];
    (void)snprintf(text, sizeof text, "%sa list of %llu to %llu entries", may_be_lone ? "a mapping, or " : "",
                   (unsigned long long)s->min, (unsigned long long)s->max);
    if (node->kind != TREE_LIST)
        expected(l, s, node, text);
    else
        loading_complain(l, node, "'%s': expected %s, found %zu", s->path, text, node->count);
    return false;
}

bool setting_parse(struct loading *l, const struct setting *s, const struct tree_node *node, void *draft)
{
    /* Each row's offset and type come from the same line of settings.def; draft.h gives the member that type. */
    void *at = (char *)draft + s->offset;
    if (s->type == SETTING_LIST || s->type == SETTING_ENTRIES) return take_list(l, s, node, at);
    switch (s->type) {
    case SETTING_BOOL:
        return take_bool(l, s, node, at);
    case SETTING_COUNT:
    case SETTING_COUNT_OR_NONE:
        return take_count(l, s, node, at);
    case SETTING_WORKERS:
        return take_workers(l, s, node, at);
    case SETTING_PERCENT:
        return take_percent(l, s, node, at);
    case SETTING_DURATION:
        return take_duration(l, s, node, at);
    case SETTING_SIZE:
        return take_size(l, s, node, at);
    case SETTING_WORD:
        return take_word(l, s, node) >= 0 && loading_copy(l, node->text, at);
    case SETTING_CHOICE:
        return take_choice(l, s, node, at);
    case SETTING_NAME:
        return take_name(l, s, node, at);
    case SETTING_TEXT:
        return take_text(l, s, node, at);
    case SETTING_ADDRESS:
        return take_address(l, s, node, at);
    case SETTING_PATH:
        return take_path(l, s, node, at);
    case SETTING_KEY_REFERENCE:
        return take_key_reference(l, s, node, at);
    case SETTING_CERTIFICATES:
        return take_certificates(l, s, node, at);
    case SETTING_PRIVATE_KEY:
        return take_private_key(l, s, node, at);
    case SETTING_KEEPER_SECRET:
    case SETTING_KEEPER_KEY:
        return take_secret(l, s, node, SOURCE_FOR_KEEPER, s->type == SETTING_KEEPER_KEY, at);
    case SETTING_REGISTRAR_SECRET:
    case SETTING_REGISTRAR_KEY:
        return take_secret(l, s, node, SOURCE_FOR_REGISTRAR, s->type == SETTING_REGISTRAR_KEY, at);
    case SETTING_BRANDS:
        return take_brands(l, s, node, at);
    case SETTING_LIST:
    case SETTING_ENTRIES:
        break;
    }
    return false;
}
