/* SPDX-License-Identifier: Apache-2.0 */
#include "inbound_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The length chooses what the content type says, too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    if (!plan.paths)
        plan = fuzz_inbound_plan(BODY_XML, "number //Card/@No\nnumber //*[local-name()='n']/text()\ncvc //c\nholder /a/*/h\nexpiry //@e");
    if (size > 4096) return 0;
    slice charset = size % 4 == 0 ? SLICE("iso-8859-1") : size % 4 == 1 ? SLICE("utf-8") : SLICE_NONE;
    fuzz_inbound_in(&plan, charset, (slice){(const char *)data, size});
    return 0;
}
