/* SPDX-License-Identifier: Apache-2.0 */
#include "inbound_fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As a header value, a query or a path. */
static void look_at_text(slice text)
{
    static const struct inbound_alias aliases[64];
    static const enum encoding encodings[] = {ENCODING_FIELD_VALUE, ENCODING_QUERY, ENCODING_PATH};
    struct inbound_text *t;
    struct buf out;
    if (failed(inbound_text_new(text, encodings[text.len % 3], &t))) abort();
    if (!t) return;
    buf_init(&out, 1u << 20);
    if (inbound_text_card_count(t) == 0 || inbound_text_card_count(t) > 4096 / PAN_MIN_DIGITS) abort();
    if (inbound_text_card_count(t) < 64 && inbound_text_render(t, aliases, &out).err != ERR_INTERNAL) abort(); /* none has an alias */
    buf_done(&out);
    inbound_text_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    if (!plan.paths) plan = fuzz_inbound_plan(BODY_TEXT, "");
    if (size > 4096) return 0;
    fuzz_inbound(&plan, (slice){(const char *)data, size});
    look_at_text((slice){(const char *)data, size});
    return 0;
}
