/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_TREE_H
#define RULES_TREE_H

/* A YAML file as a tree whose every node knows its place. Read with libyaml, and stricter: one document, UTF-8, no anchors,
 * aliases or tags, no key twice, no control characters, 1 MiB, 32 levels, 100,000 nodes, 1,000 keys in one mapping. Scalars
 * stay text: what "on" or "0x10" means is decided by the setting that takes it, not by YAML. */

#include "base/pool.h"
#include "rules/source.h"

enum tree_kind { TREE_SCALAR, TREE_MAP, TREE_LIST, TREE_REFUSED /* an alias: reported already, take no notice of it */ };
struct tree_node {
    enum tree_kind kind;
    bool quoted;                  /* scalar: in quotes (or a block scalar) */
    unsigned line, column;        /* from 1; columns count characters */
    slice text;                   /* scalar */
    slice key;                    /* inside a mapping: the name of this value */
    unsigned key_line, key_column;
    bool key_quoted;
    size_t count;                 /* of children */
    struct tree_node *first, *next;
};

/* Adds what is wrong to problems. *out may hold a tree even so (so that the rest can be checked), or NULL when there is none:
 * the file is not YAML at all, or empty. Only memory fails: ERR_MEMORY. The tree lives in the pool. */
MUST_USE result tree_read(slice text, slice file, struct pool *pool, struct problems *problems, struct tree_node **out);
const struct tree_node *tree_get(const struct tree_node *map, const char *key); /* NULL: not there, or no mapping */
const char *tree_kind_name(enum tree_kind k); /* "a mapping" */

#endif
