/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_CYBERSOURCE_H
#define SIGN_CYBERSOURCE_H

/* How a request to Cybersource (payments and TMS alike) is signed, in its two forms. Source: Cybersource's REST documentation
 * and SDKs; the exact recipe stands beside each function. The text to be signed is made here; the key stays with whoever holds it
 * (the registrar for TMS, the keeper for payments).
 *
 *     request ─► cybersource_signing_string ─► HMAC-SHA-256 ─► cybersource_signature_field      (HTTP Signature)
 *     request ─► cybersource_jwt_input ─► HMAC-SHA-256 or RS256 ─► "." base64url                (JWT)                          */

#include "base/buf.h"

struct cybersource_request { /* borrows */
    slice method;      /* "POST" or "post": written in lower case */
    slice target;      /* path and query as sent */
    slice host, date;  /* date: RFC 9110 5.6.7 IMF-fixdate; HTTP Signature only */
    slice merchant_id, key_id;
    slice digest;      /* Base64 of SHA-256 of the body, without "SHA-256="; empty: no body */
    int64_t issued_s;  /* JWT: iat; exp is 120 s later */
    slice jwt_id;      /* JWT: jti */
    bool rs256;        /* JWT: alg RS256, key_id is the certificate's serial; else HS256 */
};
/* All three: ERR_SIGNATURE_FORMAT if something needed is empty or holds a control character, which could pass for another line.
 *
 * "host: …\ndate: …\nrequest-target: post /pts/v2/payments\ndigest: SHA-256=…\nv-c-merchant-id: …", no newline at the end, no
 * digest line without a body. */
MUST_USE result cybersource_signing_string(const struct cybersource_request *r, struct buf *out);
/* Needs key_id and digest only.
 * keyid="…", algorithm="HmacSHA256", headers="host date request-target digest v-c-merchant-id", signature="<Base64>" */
MUST_USE result cybersource_signature_field(const struct cybersource_request *r, slice signature /* bytes */, struct buf *out);
/* base64url(header) "." base64url(claims): iss is the merchant, request-resource-path the target without its query. */
MUST_USE result cybersource_jwt_input(const struct cybersource_request *r, struct buf *out);

/* Taken apart, for those who check: slices into <field>. ERR_SIGNATURE_FORMAT: a part is missing, empty, unknown or stands
 * twice. */
struct cybersource_signature {
    slice key_id, algorithm, headers, signature /* Base64 */;
};
MUST_USE result cybersource_signature_parse(slice field, struct cybersource_signature *out);

/* Inbound notifications: v-c-signature: t=<ms>;keyId=<uuid>;sig=<Base64>. */
struct cybersource_notice_signature {
    slice time_ms, key_id, signature;
};
MUST_USE result cybersource_notice_parse(slice field, struct cybersource_notice_signature *out); /* the same errors */
/* HMAC-SHA-256(key, time "." signed_bytes) equals the signature; constant time. Which bytes are signed, the whole body or its
 * "payload" member, the documents leave open: the caller tries. */
bool cybersource_notice_matches(const struct cybersource_notice_signature *s, slice key, slice signed_bytes);

#endif
