/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_priv.h"

#include "base/ascii.h"

enum { PORT_MAX = 65535 };

static bool is_name_byte(char c)
{
    return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_';
}

static bool is_address_byte(char c)
{
    return ascii_is_hex(c) || c == ':' || c == '.';
}

static bool all(slice s, bool (*is)(char))
{
    for (size_t i = 0; i < s.len; i++)
        if (!is(s.at[i])) return false;
    return s.len > 0;
}

/* RFC 3986 3.2.2 also has percent-encoding, sub-delims and IPvFuture; no name in use has them, and what a server makes
 * of them differs, so they are not accepted. */
bool host_is_valid(slice host)
{
    slice name = host, port = SLICE_NONE;
    bool (*is)(char) = is_name_byte;
    if (host.len && host.at[0] == '[') {
        size_t end = slice_find(host, ']');
        if (end == host.len) return false;
        name = slice_range(host, 1, end);
        port = slice_after(host, end + 1);
        is = is_address_byte;
    } else {
        size_t colon = slice_find(host, ':');
        name = slice_range(host, 0, colon);
        port = slice_after(host, colon);
    }
    if (!all(name, is)) return false;
    if (port.len == 0) return true;
    uint64_t number;
    if (port.at[0] != ':') return false;
    port = slice_after(port, 1);
    return port.len == 0 || slice_to_u64(port, PORT_MAX, &number); /* port = *DIGIT */
}
