/* SPDX-License-Identifier: Apache-2.0 */
#include "body/utf8.h"

#include <string.h>

/* Bytes of plain ASCII from <at> on, counted in steps of 32: what a body mostly is. */
static size_t ascii_run(const char *at, size_t len)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    size_t i = 0;
    for (; len - i >= 32; i += 32) {
        uint64_t w[4];
        memcpy(w, at + i, sizeof w);
        if ((w[0] | w[1] | w[2] | w[3]) & high_bits) break;
    }
    return i;
}

/* RFC 3629 section 4:
 *   UTF8-2 = %xC2-DF UTF8-tail
 *   UTF8-3 = %xE0 %xA0-BF UTF8-tail / %xE1-EC 2( UTF8-tail ) / %xED %x80-9F UTF8-tail / %xEE-EF 2( UTF8-tail )
 *   UTF8-4 = %xF0 %x90-BF 2( UTF8-tail ) / %xF1-F3 3( UTF8-tail ) / %xF4 %x80-8F 2( UTF8-tail ) */
static bool begin(struct utf8_check *u, uint8_t c)
{
    if (c < 0xc2 || c > 0xf4) return false;
    u->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    u->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    u->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return true;
}

size_t utf8_check_feed(struct utf8_check *u, slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = (uint8_t)bytes.at[i];
        if (u->left) {
            if (c < u->low || c > u->high) return i;
            u->left--;
            u->low = 0x80;
            u->high = 0xbf;
        } else if (c >= 0x80) {
            if (!begin(u, c)) return i;
        } else if (bytes.len - i >= 32) {
            size_t run = ascii_run(bytes.at + i, bytes.len - i);
            if (run) i += run - 1;
        }
    }
    return bytes.len;
}

bool utf8_check_is_whole(const struct utf8_check *u)
{
    return u->left == 0;
}

bool utf8_is_valid(slice text)
{
    struct utf8_check u = {0};
    return utf8_check_feed(&u, text) == text.len && utf8_check_is_whole(&u);
}
