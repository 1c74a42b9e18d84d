/* SPDX-License-Identifier: Apache-2.0 */
#include "body_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fuzz_rule rules[] = {
    {"$.number", ELEMENT_NUMBER, false, false}, {"$.m", ELEMENT_EXP_MONTH, false, true}, {"$.y", ELEMENT_EXP_YEAR, false, false},
    {"$[*].h", ELEMENT_HOLDER, false, false},   {"$..l", ELEMENT_LAST4, false, true},    {"$.a[1].c", ELEMENT_CVC, false, false},
    {"$.t", ELEMENT_CRYPTOGRAM, true, false},   {"$.s.e", ELEMENT_ECI, true, true},      {"$.s.f.g", ELEMENT_REQUESTOR, true, false},
    {"$.a[*].r", ELEMENT_ECI, true, false},     {"$.c", -1, false, false},               {"$.s.d", -1, false, false},
    {"$..z", -1, false, false},                 {"$.a[0]", -1, false, false},            {"$.q[*]", -1, false, false},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    if (!plan.paths) plan = fuzz_plan(BODY_JSON, rules, sizeof rules / sizeof *rules);
    if (size > 4096) return 0;
    fuzz_body(&plan, (slice){(const char *)data, size});
    return 0;
}
