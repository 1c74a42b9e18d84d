/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_JSON_WALKER_H
#define BODY_JSON_WALKER_H

/* The inside of the JSON walker, shared by its files: json_walker.c follows yajl's events, json_edit.c keeps the edits of the rules in
 * step with them, json_find.c tells the finder of values on their way in.
 *
 *   raw bytes   … , "expiry" : "{{T:detokenize}}"  …        offsets are those of the decoded body
 *                 ^last_end    ^token_start     ^token_end
 *
 * states[depth] is the set of path nodes true of the container at that depth, states[depth + 1] of its current value. */

#include "body/path_match.h"
#include "body/utf8.h"
#include "walker.h"
#include "body/yajl_memory.h"

#include <yajl/yajl_parse.h>

enum { JSON_MAX_DEPTH = 64, JSON_NAMES_COMPARED = 32, JSON_NAMES_ROOM = 64 };
#define JSON_NO_ENTRY UINT32_MAX

struct json_level {
    uint64_t key_at, key_end; /* the current member's name, with its quotes */
    size_t first_name;        /* in names[]: this object's begin here */
    uint32_t members;         /* or elements, begun so far */
    uint32_t kept;            /* members or elements that no drop removes, so far */
    uint32_t drop, replace;   /* entries of the current member whose end is open */
    uint32_t leading_drop;    /* a drop with nothing kept before it, which takes the comma after it */
    const struct plan_field *inherited; /* inbound: the rules' number or CVC that this container stands at or below */
    bool is_map, live, has_leading_drop;
};

struct json_walker {
    struct walk *walk;
    yajl_handle yajl;
    uint64_t checked;  /* UTF-8 looked at up to here */
    uint64_t fed;      /* yajl has these */
    uint64_t gap_end;  /* past the last token and the white space after it */
    uint64_t last_end; /* past the last token */
    uint64_t token_start, token_end;
    uint64_t plain_to; /* what no brace of a placeholder stands before, from the current token on; 0: not looked yet */
    uint64_t stopped_at;
    enum error stopped;
    unsigned depth;
    bool is_done; /* the document is complete */
    bool live;    /* some path is true of the current value, or goes on below it */
    bool edits;
    struct utf8_check utf8;
    size_t words;           /* per set of path nodes */
    uint64_t *states, *seen; /* per depth; seen: nodes of the members met in an object */
    uint64_t *names;        /* fingerprints of the members of all open objects */
    size_t name_count, name_cap;
    struct edit_sets edit_sets;
    /* From here on memory is not cleared. */
    struct json_level levels[JSON_MAX_DEPTH + 1];
    uint64_t name_room[JSON_NAMES_ROOM];
    struct placeholder_scanner scanner;
    struct yajl_memory memory;
    uint64_t sets[];
};

/* For callbacks of yajl: notes the first failure; 0 stops the parser. */
int json_stop(struct json_walker *j, enum error err, uint64_t offset);
/* The code point of the escape at the front, which yajl has found well formed, and how many raw bytes it takes; a pair of surrogates is
 * one. ERR_JSON_SURROGATE. */
MUST_USE result json_read_escape(slice raw, unsigned *code, size_t *len);
const struct plan_field *json_field_here(const struct json_walker *j); /* the rules' field at this place, if they name it */
result json_fault(struct json_walker *j, enum error err, uint64_t offset); /* with the path to it */

bool json_edit_value(struct json_walker *j, bool is_object); /* false: stopped */
void json_edit_value_done(struct json_walker *j);
bool json_edit_member(struct json_walker *j); /* a member's name, or an array's element, begins */
void json_edit_container(struct json_walker *j);
bool json_edit_object_done(struct json_walker *j);

bool json_find_string(struct json_walker *j, slice text, bool is_key); /* each: false: stopped */
bool json_find_number(struct json_walker *j, slice text);
const struct plan_field *json_find_inherited(const struct json_walker *j); /* by a container that begins at this place */

#endif
