/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_priv.h"

/* Names are told apart by length first, so nearly all fields of a message cost one switch. */

static bool is(slice name, slice known)
{
    return slice_ieq(name, known);
}

/* Equal but for case when '_' counts as '-': servers that hand fields to CGI, WSGI or Rack programs cannot tell them
 * apart. */
static bool is_twin(slice name, slice known)
{
    bool underscore = false;
    if (name.len != known.len) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i] == '_' ? '-' : name.at[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c + ('a' - 'A'));
        if (c != known.at[i]) return false;
        if (name.at[i] == '_') underscore = true;
    }
    return underscore;
}

bool http_field_is_written_anew(slice name)
{
    return known_field(name) != KNOWN_NONE;
}

enum known_field known_field(slice name)
{
    switch (name.len) {
    case 2:
        return is(name, SLICE("te")) ? KNOWN_HOP : KNOWN_NONE;
    case 4:
        return is(name, SLICE("host")) ? KNOWN_HOST : KNOWN_NONE;
    case 6:
        return is(name, SLICE("expect")) ? KNOWN_EXPECT : KNOWN_NONE;
    case 7:
        if (is(name, SLICE("upgrade"))) return KNOWN_UPGRADE;
        return is(name, SLICE("trailer")) ? KNOWN_HOP : KNOWN_NONE;
    case 10:
        if (is(name, SLICE("connection"))) return KNOWN_CONNECTION;
        return is(name, SLICE("keep-alive")) ? KNOWN_HOP : KNOWN_NONE;
    case 14:
        if (is(name, SLICE("content-length"))) return KNOWN_CONTENT_LENGTH;
        if (is_twin(name, SLICE("content-length"))) return KNOWN_TWIN;
        return is(name, SLICE("http2-settings")) ? KNOWN_HOP : KNOWN_NONE;
    case 16:
        return is(name, SLICE("proxy-connection")) ? KNOWN_HOP : KNOWN_NONE;
    case 17:
        if (is(name, SLICE("transfer-encoding"))) return KNOWN_TRANSFER_ENCODING;
        return is_twin(name, SLICE("transfer-encoding")) ? KNOWN_TWIN : KNOWN_NONE;
    default:
        return KNOWN_NONE;
    }
}
