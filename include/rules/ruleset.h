/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_RULESET_H
#define RULES_RULESET_H

/* One processor's rules, checked and compiled: what README, "Rules", shows of rules/rede.yaml. Read-only after loading. */

#include "body/plan.h"
#include "rules/source.h"

struct accept_rule {
    slice method; /* "POST"; "*" any */
    slice path;   /* exact, or ending in "*": any continuation; "*" alone: any */
};
struct reply_match { /* approved: { $.returnCode: [ "00" ] }: all entries must match; never_retry: one is enough */
    bool is_status;  /* approved: { http_status: [ "200", "201" ] } */
    uint32_t path;   /* number in reply_paths */
    slice *values;
    size_t value_count;
};
/* Why a processor says no, by the table of seed 003: the first group is what a PAN retry may follow, the second never. */
enum decline_reason {
    DECLINE_NONE = 0,
#define DECLINE(name, text, retry) DECLINE_##name,
#include "rules/declines.def"
#undef DECLINE
    DECLINE_COUNT
};
const char *decline_name(enum decline_reason d);   /* "do_not_honor" */
bool decline_may_retry(enum decline_reason d);
struct decline_rule { /* declines: { do_not_honor: [ "05" ] } */
    slice code;
    enum decline_reason reason;
};
/* sign: how requests of this processor are signed over their final bytes. */
enum sign_kind { SIGN_NONE = 0, SIGN_DIGEST /* digest: SHA-256=… alone */, SIGN_CYBERSOURCE, SIGN_CYBERSOURCE_JWT, SIGN_HMAC_SHA256 };
enum sign_part { SIGN_PART_TEXT, SIGN_PART_METHOD, SIGN_PART_PATH, SIGN_PART_QUERY, SIGN_PART_HOST, SIGN_PART_DATE, SIGN_PART_TIMESTAMP,
                 SIGN_PART_KEY_ID, SIGN_PART_BODY, SIGN_PART_BODY_SHA256, SIGN_PART_FIELD, SIGN_PART_SIGNATURE };
struct sign_piece {
    enum sign_part part;
    slice text;       /* of SIGN_PART_TEXT; a field's name with SIGN_PART_FIELD */
};
enum sign_encoding { SIGN_HEX, SIGN_BASE64 };
struct sign_rule {
    enum sign_kind kind;
    bool rs256;                      /* cybersource-jwt: algorithm: RS256 */
    struct sign_piece *over;         /* hmac-sha256: what is signed, joined as it stands */
    size_t over_count;
    slice field;                     /* hmac-sha256: the header that carries it */
    struct sign_piece *value;        /* and how that header's value is written; SIGN_PART_SIGNATURE: the signature */
    size_t value_count;
    enum sign_encoding encoding;
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
    bool has_answer;            /* answer: { body, card, find }: where an answer has card data (filter-pull) or tokens (forward-push) */
    bool any_answer;            /* answer: body: any */
    struct plan answer;         /* its own paths */
    bool has_network_token;
    bool network_token_mit_without_cryptogram;
    struct path_set *reply_paths;
    struct reply_match *approved;
    size_t approved_count;
    uint32_t *decline_code_paths;
    size_t decline_code_count;
    slice *pan_retry;
    size_t pan_retry_count;
    struct decline_rule *declines;
    size_t decline_count;
    struct reply_match *never_retry; /* never_retry: { $.brand.merchantAdviceCode: [ "03" ] }: whatever the code is */
    size_t never_retry_count;
    int64_t network_transaction_id_path; /* in reply_paths: where an answer carries it; -1: none */
    slice *merchant_initiated;  /* initiator: { at: …, merchant: [ … ] }: values at plan.capture that mean MIT */
    size_t merchant_initiated_count;
    slice idempotency_field;    /* header that a PAN retry must not repeat; start NULL: none */
    struct sign_rule sign;
};
MUST_USE result ruleset_load(struct source *source, slice file, struct problems *problems, struct ruleset **out);
void ruleset_free(struct ruleset *r);
bool ruleset_accepts(const struct ruleset *r, slice method, slice path);
bool ruleset_finds_cards(const struct ruleset *r); /* does it say where a request has card data: 'card' or 'find'? */
bool ruleset_means_merchant(const struct ruleset *r, slice told /* body_captured() */); /* did the merchant initiate it? */
bool ruleset_may_retry(const struct ruleset *r); /* is there any decline that may be tried again with the PAN? */
const char *sign_kind_name(enum sign_kind k);                /* "hmac-sha256"; NULL for SIGN_NONE */
const char *sign_part_name(enum sign_part p);                /* "body_sha256"; NULL for a text and a field */
bool sign_rule_has(const struct sign_rule *s, enum sign_part part); /* in 'over' or 'value' */

#endif
