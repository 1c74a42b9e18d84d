/* SPDX-License-Identifier: Apache-2.0 */
#include "body_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fuzz_rule rules[] = {
    {"$PAN", ELEMENT_NUMBER, false, false}, {"m", ELEMENT_EXP_MONTH, false, true}, {"h h", ELEMENT_HOLDER, false, false},
    {"t", ELEMENT_CRYPTOGRAM, true, false}, {"e", ELEMENT_ECI, true, true},        {"c", -1, false, false},
    {"d", -1, false, false},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    if (!plan.paths) plan = fuzz_plan(BODY_FORM, rules, sizeof rules / sizeof *rules);
    if (size > 4096) return 0;
    fuzz_body(&plan, (slice){(const char *)data, size});
    return 0;
}
