/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a rules file: loaded, or refused with at least one problem. What loads must hold together: every path
 * number that the plan names exists. */
#include "bundle_of.h"

#include "rules/ruleset.h"

#include <stdlib.h>

static void check(const struct ruleset *r)
{
    size_t paths = path_set_count(r->plan.paths), reply_paths = path_set_count(r->reply_paths);
    for (size_t i = 0; i < r->plan.field_count; i++)
        if (r->plan.fields[i].path >= paths) abort();
    for (size_t i = 0; i < r->plan.edit_count; i++)
        if (r->plan.edits[i].path >= paths) abort();
    for (size_t i = 0; i < r->approved_count; i++)
        if (r->approved[i].path >= reply_paths) abort();
    for (size_t i = 0; i < r->never_retry_count; i++)
        if (r->never_retry[i].is_status || r->never_retry[i].path >= reply_paths) abort();
    for (size_t i = 0; i < r->decline_code_count; i++)
        if (r->decline_code_paths[i] >= reply_paths) abort();
    if (r->has_answer != (r->answer.paths != NULL)) abort();
    for (size_t i = 0; i < r->answer.field_count; i++)
        if (r->answer.fields[i].path >= path_set_count(r->answer.paths)) abort();
    if (r->plan.has_capture && r->plan.capture >= paths) abort();
    if (r->network_transaction_id_path >= (int64_t)reply_paths) abort();
    for (size_t i = 0; i < r->decline_count; i++)
        if (r->declines[i].reason == DECLINE_NONE || r->declines[i].code.len == 0) abort();
    if (r->sign.kind == SIGN_HMAC_SHA256 && (r->sign.field.len == 0 || !sign_rule_has(&r->sign, SIGN_PART_SIGNATURE))) abort();
    (void)ruleset_accepts(r, SLICE("POST"), SLICE("/v1/pay"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bundle_file file = {"/r.yaml", {(const char *)data, size}};
    struct source *source = bundle_of(&file, 1);
    struct problems *problems = problems_new();
    struct ruleset *rules;
    result r = ruleset_load(source, SLICE("/r.yaml"), problems, &rules);
    if (failed(r) != (rules == NULL)) abort();
    if ((r.err == ERR_CONFIG) != (problems_count(problems) > 0)) abort();
    if (rules) check(rules);
    ruleset_free(rules);
    problems_free(problems);
    source_free(source);
    return 0;
}
