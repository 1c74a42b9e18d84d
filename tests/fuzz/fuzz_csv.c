/* SPDX-License-Identifier: Apache-2.0 */
#include "body_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fuzz_rule rules[] = {
    {"n", ELEMENT_NUMBER, false, false}, {"c", ELEMENT_CVC, false, false}, {"h", ELEMENT_HOLDER, false, false},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    if (!plan.paths) plan = fuzz_plan(BODY_CSV, rules, sizeof rules / sizeof *rules);
    if (size <= 4096) fuzz_body(&plan, (slice){(const char *)data, size});
    return 0;
}
