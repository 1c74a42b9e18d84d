/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_CHARSET_H
#define BODY_CHARSET_H

/* Card numbers are looked for in bytes that are ASCII: charsets in which the ASCII characters, digits above all, are their own bytes, and
 * those bytes mean nothing else (not so: UTF-16, and GB 18030 or Shift_JIS, whose characters may end in an ASCII digit or letter). A list
 * of what is known to be so; everything else is refused. */

#include "base/slice.h"

bool charset_is_readable(slice charset); /* "utf-8", "ISO-8859-1", …, in any case */

#endif
