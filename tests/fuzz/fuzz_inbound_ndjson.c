/* SPDX-License-Identifier: Apache-2.0 */
#include "inbound_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    if (!plan.paths) plan = fuzz_inbound_plan(BODY_NDJSON, "number $..n\ncvc $..c\nexpiry $..e");
    if (size <= 4096) fuzz_inbound(&plan, (slice){(const char *)data, size});
    return 0;
}
