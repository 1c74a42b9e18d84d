/* SPDX-License-Identifier: Apache-2.0 */
#include "body/echo.h"

#include <stdlib.h>
#include <string.h>

/* An answer with the exchange's secrets in it, in any split: the same comes out, and neither number nor cryptogram is in it. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) abort();
}

static struct echo_guard *guard(bool with_cvc)
{
    struct credential a = {.number = "4111111111111111", .number_len = 16, .cvc = "12", .cvc_len = with_cvc ? 2 : 0};
    struct credential b = {.number = "111111114111", .number_len = 12, .cryptogram = "A/1=", .cryptogram_len = 4};
    struct echo_guard *g = echo_guard_new();
    require(!failed(echo_guard_add(g, &a, SLICE("tokens"), TOKEN_PERMANENT)));
    require(!failed(echo_guard_add(g, &b, SLICE("tokent"), TOKEN_TEMPORAL)));
    return g;
}

static unsigned run(struct echo_guard *g, slice text, unsigned seed, struct buf *out)
{
    unsigned hits = 0;
    buf_init(out, 1u << 22);
    for (size_t at = 0; at < text.len;) {
        size_t n = seed == 0 ? text.len : seed == 1 ? 1 : 1 + (size_t)rand_r(&seed) % 40;
        if (n > text.len - at) n = text.len - at;
        require(!failed(echo_guard_feed(g, slice_range(text, at, at + n), out, &hits)));
        at += n;
    }
    require(!failed(echo_guard_end(g, out, &hits)));
    return hits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice text = {(const char *)data, size};
    if (size > 4096) return 0;
    for (int with_cvc = 0; with_cvc < 2; with_cvc++) {
        struct echo_guard *g = guard(with_cvc);
        struct buf whole, other;
        unsigned hits = run(g, text, 0, &whole);
        for (unsigned seed = 1; seed < 4; seed++) {
            require(run(g, text, seed, &other) == hits);
            require(slice_eq(buf_slice(&whole), buf_slice(&other)));
            buf_done(&other);
        }
        if (hits == 0) require(slice_eq(buf_slice(&whole), text));
        /* A CVC next to a number is hidden only once the number is gone, so only the others must not come again. */
        if (!with_cvc) {
            require(run(g, buf_slice(&whole), 0, &other) == 0);
            buf_done(&other);
        }
        buf_done(&whole);
        echo_guard_free(g);
    }
    return 0;
}
