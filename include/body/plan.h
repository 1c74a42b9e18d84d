/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PLAN_H
#define BODY_PLAN_H

/* What rules tell the walkers to do with one body format: which place holds which element, and what is set, replaced or
 * dropped when a network token goes out. Built once by rules, then read-only and shared by all exchanges. */

#include "body/element.h"
#include "body/path.h"

enum body_format { BODY_JSON, BODY_FORM, BODY_TEXT /* explicit placeholders only */, BODY_XML /* as text, XML escapes */ };

struct plan_field { /* card: number: $.cardNumber */
    uint32_t path;
    enum element element;
    enum date_format format;
    bool as_number;
};
struct plan_edit { /* network_token: set / drop; only with CREDENTIAL_NETWORK_TOKEN */
    uint32_t path;
    bool drop;
    enum element element;  /* value of set */
    slice literal;         /* or a literal JSON value or form text; start NULL: element */
    bool as_number;
};
struct plan {
    enum body_format format;
    struct path_set *paths; /* owned */
    struct plan_field *fields;
    size_t field_count;
    struct plan_edit *edits;
    size_t edit_count;
};
void plan_done(struct plan *p); /* frees what it owns */

#endif
