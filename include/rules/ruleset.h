/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_RULESET_H
#define RULES_RULESET_H

/* One processor's rules, checked and compiled: what design section 6 shows as rules/rede.yaml. Read-only after loading. */

#include "body/plan.h"
#include "rules/source.h"

struct accept_rule {
    slice method; /* "POST"; "*" any */
    slice path;   /* exact, or ending in "*": any continuation; "*" alone: any */
};
struct reply_match { /* approved: { $.returnCode: [ "00" ] } */
    uint32_t path;   /* number in reply_paths */
    slice *values;
    size_t value_count;
};
struct ruleset {
    slice name;                 /* file name without .yaml */
    slice processor;
    slice upstream;             /* the default one; may be empty */
    struct accept_rule *accept; /* none: only what pass_other allows */
    size_t accept_count;
    bool pass_other;
    bool any_body;              /* passthrough: the content type chooses the format */
    struct plan plan;           /* the processor's body format; with any_body unused */
    bool has_network_token;
    bool network_token_mit_without_cryptogram;
    struct path_set *reply_paths;
    struct reply_match *approved;
    size_t approved_count;
    uint32_t *decline_code_paths;
    size_t decline_code_count;
    slice *pan_retry;
    size_t pan_retry_count;
    int64_t network_transaction_id_path; /* -1: none */
};
MUST_USE result ruleset_load(struct source *source, slice file, struct problems *problems, struct ruleset **out);
void ruleset_free(struct ruleset *r);
bool ruleset_accepts(const struct ruleset *r, slice method, slice path);

#endif
