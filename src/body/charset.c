/* SPDX-License-Identifier: Apache-2.0 */
#include "charset.h"

bool charset_is_readable(slice charset)
{
    static const char *const whole[] = {"utf-8", "utf8", "us-ascii", "ascii", "latin1"};
    static const char *const starts[] = {"iso-8859-", "windows-125"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (slice_ieq(charset, slice_of(whole[i]))) return true;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        slice start = slice_of(starts[i]);
        if (charset.len > start.len && slice_ieq(slice_range(charset, 0, start.len), start)) return true;
    }
    return false;
}
