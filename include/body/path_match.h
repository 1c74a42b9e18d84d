/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PATH_MATCH_H
#define BODY_PATH_MATCH_H

/* How walkers follow a path_set. All paths are one tree of nodes; a place in a document is the set of nodes that are true of
 * it, as bits. Going down one step maps a set to the next one; going up is popping a stack.
 *
 *   $.card.number, $.card.cvc, $..pan        0 ─ card ─ number         sticky: stays true at every depth below
 *                                            │      └── cvc
 *                                            └ (sticky) ─ pan                                                        */

#include "body/path.h"

enum { PATH_NODES_MAX = 1024, PATH_WORDS_MAX = PATH_NODES_MAX / 64, PATH_NONE = 0xffff };

enum path_edge { PATH_EDGE_ROOT, PATH_EDGE_NAME, PATH_EDGE_INDEX, PATH_EDGE_ANY, PATH_EDGE_STICKY };
struct path_node {
    enum path_edge edge;   /* from the parent to here */
    uint16_t parent;
    uint16_t first_child, next_sibling; /* PATH_NONE: no more */
    uint16_t sticky;       /* the child that holds what follows "..", true wherever this node is; or PATH_NONE */
    uint16_t next_of_edge; /* the next node with the same name, or the next of this kind */
    uint64_t index;
    slice name;
};

size_t path_set_words(const struct path_set *s); /* 64-bit words in one set of nodes */
const struct path_node *path_set_node(const struct path_set *s, uint16_t node);
uint16_t path_set_end(const struct path_set *s, uint32_t number); /* the node where path <number> ends */
bool path_set_ends_in_name(const struct path_set *s, uint32_t number);

void path_match_root(const struct path_set *s, uint64_t *at);
/* One step down, to the member <name> or the array element <index>. False: no path goes on from there, *to is all zero. */
bool path_match_name(const struct path_set *s, const uint64_t *from, slice name, uint64_t fingerprint, uint64_t *to);
bool path_match_index(const struct path_set *s, const uint64_t *from, uint64_t index, uint64_t *to);

static inline bool path_bit(const uint64_t *set, uint16_t node)
{
    return set[node / 64] >> (node % 64) & 1;
}

#endif
