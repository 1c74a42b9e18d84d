/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_SETTINGS_H
#define RULES_SETTINGS_H

/* The settings table at work: reads a mapping of the YAML tree into a draft, row by row, and says what is wrong with it. */

#include "base/pool.h"
#include "rules/draft.h"
#include "rules/tree.h"

enum setting_scope { SCOPE_CONFIG, SCOPE_LISTEN, SCOPE_CERTIFICATE, SCOPE_NETWORK, SCOPE_MERCHANT, SCOPE_WEBHOOK, SCOPE_TARGET, SCOPE_ROUTE };
enum setting_type {
    SETTING_BOOL,          /* bool: on, off, yes, no, true, false */
    SETTING_COUNT,         /* uint64_t */
    SETTING_COUNT_OR_NONE, /* uint64_t; none: 0 */
    SETTING_WORKERS,       /* unsigned; auto: cores that this process may use */
    SETTING_PERCENT,       /* unsigned: 50% */
    SETTING_DURATION,      /* uint64_t, milliseconds: 500ms, 30s, 15m, 8h */
    SETTING_SIZE,          /* uint64_t, bytes: 512, 16K, 1M, 64G, 1T (powers of 1,024) */
    SETTING_WORD,          /* slice: one of words */
    SETTING_CHOICE,        /* enum: number of the word */
    SETTING_NAME,          /* slice: letters, digits, '.', '_', '-' */
    SETTING_TEXT,          /* slice */
    SETTING_ADDRESS,       /* slice; a unix path is made absolute */
    SETTING_PATH,          /* slice, made absolute */
    SETTING_KEY_REFERENCE, /* slice: file:ABSOLUTE or env:NAME */
    SETTING_CERTIFICATES,  /* slice: the PEM text of the file named */
    SETTING_PRIVATE_KEY,   /* slice, in secret memory: the same */
    /* Text or a PEM private key behind "file:PATH" or "env:NAME", in secret memory, for one role: empty in the others'. */
    SETTING_KEEPER_SECRET, SETTING_KEEPER_KEY, SETTING_REGISTRAR_SECRET, SETTING_REGISTRAR_KEY,
    SETTING_BRANDS,        /* unsigned: a bit for each enum card_brand */
    SETTING_LIST,          /* const struct tree_node *: checked by who reads the list */
    SETTING_ENTRIES,       /* the same, and a lone mapping stands for a list of one */
};
enum { SETTING_FLAG_RELOAD = 1, SETTING_FLAG_RESTART = 2, SETTING_FLAG_REQUIRED = 4, SETTING_FLAG_INHERITED = 8, SETTING_FLAG_SECRET = 16 };
struct setting {
    enum setting_scope scope;
    const char *path;
    enum setting_type type;
    size_t offset;
    uint64_t min, max;
    const char *words, *initial;
    unsigned flags;
    const char *help;
};
enum setting_id {
#define SETTING(id, scope, path, member, type, min, max, words, initial, flags, help) SETTING_ID_##id,
#include "rules/settings.def"
    SETTING_ID_COUNT
};
const struct setting *settings_row(enum setting_id id);

/* One file while it is read. Everything that outlives it goes to the config's pool or its secrets. */
struct secrets; /* private keys of one configuration, wiped with it */
struct loading {
    struct source *source;
    struct problems *problems;
    slice file;             /* as the user named it */
    slice folder;           /* of that file, with a slash at its end; "" */
    struct pool *pool;      /* lives as long as the config */
    struct secrets *secrets;
    bool alone;             /* the files that it names are not opened; what they would hold stays empty */
    bool out_of_memory;     /* once set, the whole load fails with ERR_MEMORY */
};
__attribute__((format(printf, 3, 4)))
void loading_complain(struct loading *l, const struct tree_node *at /* NULL: the file */, const char *format, ...);
bool loading_copy(struct loading *l, slice text, slice *out);   /* into the pool; false: out of memory */
/* The path as written, put under the folder of the file that names it, in the pool. */
bool loading_path(struct loading *l, slice path, slice *out);

/* Where each setting of one mapping was written: for complaints that need more than one setting. NULL: not written. */
struct setting_places {
    const struct tree_node *map;
    const struct tree_node *at[SETTING_ID_COUNT];
};
/* Fills a draft with the scope's defaults, then with what the mapping says. Complains about everything it does not take. */
void settings_read(struct loading *l, enum setting_scope scope, const struct tree_node *map, void *draft,
                   struct setting_places *places);
/* The place of a setting, or the whole mapping's if it is not written there. */
const struct tree_node *setting_place(const struct setting_places *places, enum setting_id id);

/* One value; false after a complaint, or out of memory. Public for the tests. */
bool setting_parse(struct loading *l, const struct setting *s, const struct tree_node *node, void *draft);
bool setting_parse_bool(slice text, bool *out); /* on, off, yes, no, true, false, in any case */
/* "1h", "16K": the shortest exact spelling. */
void setting_write_duration(uint64_t ms, char out[32]);
void setting_write_size(uint64_t bytes, char out[32]);

/* --- private keys --- */
struct secrets *secrets_new(void);
void secrets_free(struct secrets *s);
bool secrets_keep(struct secrets *s, slice bytes, slice *out); /* copies; false: out of memory */

#endif
