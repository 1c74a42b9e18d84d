/* SPDX-License-Identifier: Apache-2.0 */
#include "server_priv.h"

#include "base/secret.h"
#include "sign/digest.h"
#include "sign/encoding.h"
#include "sign/jwe.h"

#include <stdlib.h>

/* Signs what a relay sends to a processor, with the secret of the dialogue's route, which no relay ever has. HMAC takes its text
 * piece by piece; what RS256 signs here are JWT inputs, so they are collected. */

/* A relay asks for one signature after the other, so but for those that it gave up half-way it has one text that is not complete. A stolen
 * one could fill the keeper's memory with them. */
enum { TEXT_MAX_BYTES = WIRE_PIECE_MAX_BYTES, KEY_MAX_BYTES = 1024, SIGNINGS_MAX = 256 };

struct signing {
    uint32_t sequence;
    bool rs256;
    result r; /* of the pieces so far */
    struct hmac *hmac;
    struct buf text;
};

void server_forget_signing(struct dialogue *d)
{
    if (!d->signing) return;
    hmac_free(d->signing->hmac);
    buf_done(&d->signing->text);
    d->relay->signings--;
    free(d->signing);
    d->signing = NULL;
}

static const struct config_route *route_of(const struct dialogue *d)
{
    return &d->standing.version->config->routes[d->standing.route];
}

/* Cybersource gives its shared secrets in Base64; for a plain HMAC the secret's own bytes are the key. */
static result start_hmac(const struct config_route *route, struct signing *s)
{
    struct buf key;
    ENSURE(route->sign_secret.len > 0, SIGN_KEY);
    if (route->rules->sign.kind == SIGN_HMAC_SHA256) return hmac_new(route->sign_secret, &s->hmac);
    buf_init_secret(&key, KEY_MAX_BYTES);
    result r = base64_read(route->sign_secret, &key);
    r = failed(r) ? FAIL(SIGN_KEY) : hmac_new(buf_slice(&key), &s->hmac);
    buf_done(&key);
    return r;
}

static struct signing *signing_new(struct dialogue *d, uint32_t sequence, bool rs256)
{
    struct signing *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    *s = (struct signing){.sequence = sequence, .rs256 = rs256};
    buf_init_secret(&s->text, TEXT_MAX_BYTES);
    if (d->relay->signings++ >= SIGNINGS_MAX)
        s->r = FAIL(KEEPER_REFUSED);
    else if (!rs256)
        s->r = start_hmac(route_of(d), s);
    return s;
}

/* Parsed once: reading a key costs as much as using it. */
static result private_key(const struct dialogue *d, struct rsa_key **out)
{
    struct version *v = d->standing.version;
    struct rsa_key **key = version_key(v, d->standing.route);
    ENSURE(key != NULL, MEMORY);
    if (!*key) {
        slice pem = v->config->routes[d->standing.route].sign_private_key;
        if (pem.len == 0 || failed(rsa_key_private(pem, key))) return FAIL(SIGN_KEY);
    }
    *out = *key;
    return OK;
}

static result finish(const struct dialogue *d, struct signing *s, struct buf *out)
{
    struct rsa_key *key = NULL;
    uint8_t mac[SHA256_BYTES];
    TRY(s->r);
    if (s->rs256) {
        TRY(private_key(d, &key));
        return rs256_sign(key, buf_slice(&s->text), out);
    }
    TRY(hmac_end(s->hmac, mac));
    return buf_append(out, (slice){(const char *)mac, sizeof mac});
}

static void put_signed(struct dialogue *d, uint32_t sequence, result r, slice signature)
{
    const struct wire_signed w = {.error = (uint16_t)r.err, .signature_len = (uint16_t)signature.len};
    server_put(d->relay, WIRE_SIGNED, d->id, sequence, &w, &signature);
}

void server_sign(struct dialogue *d, const struct wire_frame *f)
{
    struct wire_sign w;
    wire_fixed(f, &w, sizeof w);
    if (d->signing && d->signing->sequence != f->sequence) server_forget_signing(d);
    if (!d->signing) d->signing = signing_new(d, f->sequence, w.rs256);
    struct signing *s = d->signing;
    if (s && !failed(s->r)) s->r = s->rs256 ? buf_append(&s->text, wire_tail(f, 0)) : hmac_feed(s->hmac, wire_tail(f, 0));
    if (!w.last) return; /* without memory the last piece tells */
    struct buf signature;
    buf_init(&signature, WIRE_SIGNATURE_MAX_BYTES);
    result r = s ? finish(d, s, &signature) : FAIL(MEMORY);
    put_signed(d, f->sequence, r, failed(r) ? SLICE_NONE : buf_slice(&signature));
    buf_done(&signature);
    server_forget_signing(d);
}
