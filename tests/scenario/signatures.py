# SPDX-License-Identifier: Apache-2.0
"""Verifies the signatures that Cardveil makes, as the other side would, from what the processors document. Written apart from the
program: hashlib, hmac and python3-cryptography only. Each raises Unsigned, which says what is wrong."""

import email.utils
import hashlib
import hmac
import json
import re
import time
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tms import from_b64url
from wire import Broken

CLOCKS_APART = 300  # seconds


class Unsigned(Broken):
    pass


def demand(condition, why):
    if not condition:
        raise Unsigned(why)


def one(request, name):
    values = request.all(name)
    demand(len(values) == 1, f"{len(values)} fields {name}")
    return values[0]


def sha256_base64(data):
    return b64encode(hashlib.sha256(data).digest()).decode()


def hmac_base64(key, text):
    return b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def same(told, right, why):
    demand(hmac.compare_digest(told.encode(), right.encode()), why)


def verify_digest(request):
    same(one(request, "digest"), "SHA-256=" + sha256_base64(request.body), "the Digest is not the body's")


def verify_http_signature(request, secret, key_id, merchant):
    """Cybersource's form: fixed fields in a fixed order, the target without parentheses. Returns the signature."""
    found = re.fullmatch(r'keyid="([^"]*)", *algorithm="([^"]*)", *headers="([^"]*)", *signature="([^"]*)"', one(request, "signature"))
    demand(found, "the Signature field is not in Cybersource's form")
    told_id, algorithm, covered, signature = found.groups()
    demand(told_id == key_id, "another key id")
    demand(algorithm == "HmacSHA256", f"algorithm {algorithm}")
    wanted = ["host", "date", "request-target", *(["digest"] if request.body else []), "v-c-merchant-id"]
    demand(covered.split(" ") == wanted, f"covers {covered}")
    demand(one(request, "v-c-merchant-id") == merchant, "another merchant")
    date = one(request, "date")
    when = email.utils.parsedate_to_datetime(date)
    demand(date == email.utils.format_datetime(when, usegmt=True), "the Date is not RFC 9110's")
    demand(abs(when.timestamp() - time.time()) <= CLOCKS_APART, "an old Date")
    if request.body:
        verify_digest(request)
    else:
        demand(not request.all("digest"), "a Digest without a body")
    values = {"host": one(request, "host"), "date": date, "request-target": f"{request.method.lower()} {request.target}",
              "v-c-merchant-id": merchant, "digest": request.get("digest")}
    text = "\n".join(f"{name}: {values[name]}" for name in wanted)
    same(signature, hmac_base64(b64decode(secret, validate=True), text.encode()), "the HTTP Signature is wrong")
    return signature


def verify_jwt(request, merchant, kid, secret=None, public_key=None, seen=None):
    """Cybersource's JWT; HS256 with a shared secret, RS256 with a key. Returns its claims. seen: a set of jti that came before."""
    bearer = re.fullmatch(r"Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)", one(request, "authorization"))
    demand(bearer, "no Bearer token")
    head, body, signature = bearer.groups()
    header, claims = json.loads(from_b64url(head)), json.loads(from_b64url(body))
    demand(header.get("alg") == ("RS256" if public_key else "HS256"), f"alg {header.get('alg')}")
    demand(header.get("kid") == kid, "another kid")
    text = f"{head}.{body}".encode()
    if public_key:
        try:
            public_key.verify(from_b64url(signature), text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise Unsigned("the JWT's RS256 signature is wrong") from None
    else:
        right = hmac.new(b64decode(secret, validate=True), text, hashlib.sha256).digest()
        demand(hmac.compare_digest(from_b64url(signature), right), "the JWT's HS256 signature is wrong")
    verify_claims(request, claims, merchant)
    if seen is not None:
        demand(claims["jti"] not in seen, "a jti that was used before")
        seen.add(claims["jti"])
    return claims


def verify_claims(request, claims, merchant):
    now = time.time()
    demand(isinstance(claims.get("iat"), int) and isinstance(claims.get("exp"), int), "iat or exp is missing")
    demand(abs(claims["iat"] - now) <= CLOCKS_APART and 0 < claims["exp"] - claims["iat"] <= 120 and claims["exp"] > now, "a JWT of another time")
    demand(claims.get("iss") and isinstance(claims.get("jti"), str) and len(claims["jti"]) >= 16, "iss or jti is missing")
    wanted = {"request-host": one(request, "host"), "request-resource-path": request.path, "request-method": request.method.lower(),
              "v-c-merchant-id": merchant, "v-c-jwt-version": "2"}
    if request.body:
        wanted |= {"digest": sha256_base64(request.body), "digest-algorithm": "SHA-256"}
    else:
        demand("digest" not in claims and "digest-algorithm" not in claims, "a digest without a body")
    for name, value in wanted.items():
        demand(claims.get(name) == value, f"claim {name} is {claims.get(name)!r}, not {value!r}")


def verify_webhook(request, secret):
    """t=<unix seconds>,s=<hex of HMAC-SHA-256 over t "." body>. Returns t."""
    found = re.fullmatch(r"t=(\d{10}),s=([0-9a-f]{64})", one(request, "x-cardveil-signature"))
    demand(found, "the webhook's signature is not t=…,s=…")
    told, signature = found.groups()
    demand(abs(int(told) - time.time()) <= CLOCKS_APART, "an old webhook")
    same(signature, hmac.new(secret, told.encode() + b"." + request.body, hashlib.sha256).hexdigest(), "the webhook's signature is wrong")
    return int(told)
