# SPDX-License-Identifier: Apache-2.0
"""Requests that processors want signed: over the bytes that go out, anew for each attempt. Verified by code that shares nothing with
the program."""

import base64
import hashlib
import hmac
import json
import os
import re
import time

import pytest

from leaks import VISA, scan_memory
from network import make_keys
from payments import JSON
from shop import RETRIED, approving, declining_tokens, secret_file
from shop import rules as tried_rules
from signatures import CLOCKS_APART, verify_digest, verify_http_signature, verify_jwt

MERCHANT, KEY_ID = "demo_mid", "08c94330-f618-42a3-b09d-e1e43be5efda"
SECRET = base64.b64encode(os.urandom(32))
HMAC_SECRET = b"hmac-" + os.urandom(16).hex().encode()

OVER = """[ { field: X-Login }, newline, method, newline, path, { text: "?" }, query, newline, host, newline, date, newline, timestamp, { text: "." },
    key_id, { text: "." }, body_sha256, { text: "." }, body ]"""
KINDS = {
    "digest": "type: digest", "http": "type: cybersource-http-signature", "jwt": "type: cybersource-jwt", "rs256": "type: cybersource-jwt, algorithm: RS256",
    "dlocal": 'type: hmac-sha256, over: [ { field: X-Login }, { field: X-Date }, body ], field: Authorization, value: "V2-HMAC-SHA256, Signature: {signature}"',
    "all": f'type: hmac-sha256, over: {OVER}, field: X-Signature, value: "t={{timestamp}},k={{key_id}},d={{date}},s={{signature}}", encoding: base64',
}


@pytest.fixture(scope="module")
def signed(session_folder, watch, rules, processor, network, receiver):
    from conftest import start_world
    from shop import Shop, shop_settings
    private_key = make_keys("processor")[1]
    signs = {"http": {"key_id": KEY_ID, "merchant_id": MERCHANT, "secret": secret_file(session_folder, SECRET)},
             "rs256": {"key_id": KEY_ID, "merchant_id": MERCHANT, "private_key": secret_file(session_folder, private_key)},
             "dlocal": {"secret": secret_file(session_folder, HMAC_SECRET)}, "all": {"key_id": KEY_ID, "secret": secret_file(session_folder, HMAC_SECRET)}}
    signs["jwt"] = signs["http"]
    routes = {kind: (kind, {"volume": "100%", "budget": "30s", "pan_retry": "on"}, {"sign": signs[kind]} if kind in signs else {}) for kind in KINDS}
    own = {kind: tried_rules() + f"sign: {{ {text} }}\n" for kind, text in KINDS.items()}
    made, settings = shop_settings(session_folder, processor, network, receiver, routes=routes, own_rules=own)
    veil = start_world(session_folder, watch, {**rules, **made}, settings.pop("routes"), **settings)
    veil.secrets += [SECRET, HMAC_SECRET, private_key.split(b"\n")[3]]
    yield Shop(veil.start(), processor, network, receiver)
    assert veil.stop() == 0
    watch.cardveils.remove(veil)


HEADERS = [("X-Login", "demo-login"), ("X-Date", "2026-01-01T00:00:00.000Z")]


def verify(kind, request):
    """Raises unless it is signed as this processor wants; what is new in each attempt's signature."""
    if kind == "digest":
        return verify_digest(request)
    if kind == "http":
        return verify_http_signature(request, SECRET, KEY_ID, MERCHANT)
    if kind == "jwt":
        return verify_jwt(request, MERCHANT, KEY_ID, secret=SECRET)["jti"]
    if kind == "rs256":
        return verify_jwt(request, MERCHANT, KEY_ID, public_key=make_keys("processor")[0].public_key())["jti"]
    if kind == "dlocal":
        mac = hmac.new(HMAC_SECRET, b"demo-login2026-01-01T00:00:00.000Z" + request.body, hashlib.sha256).hexdigest()
        assert request.all("authorization") == [f"V2-HMAC-SHA256, Signature: {mac}"]
        return mac
    stamp, key, date, signature = re.fullmatch(r"t=(\d+),k=([^,]+),d=(.+),s=([\w+/=]+)", request.get("x-signature")).groups()
    assert key == KEY_ID and abs(int(stamp) - time.time()) <= CLOCKS_APART and request.all("date") == [date]
    path, _, query = request.target.partition("?")
    sha = hashlib.sha256(request.body).hexdigest()
    text = f"demo-login\n{request.method}\n{path}?{query}\n{request.get('host')}\n{date}\n{stamp}.{key}.{sha}.".encode() + request.body
    assert signature == base64.b64encode(hmac.new(HMAC_SECRET, text, hashlib.sha256).digest()).decode()
    return signature


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("credential", ["NETWORK_TOKEN", "CARD_PAN"])
def test_signed_over_what_goes_out(signed, kind, credential):
    token = signed.active()
    answer, sent = signed.paid(token, kind, headers=[*HEADERS, ("x-cardveil-card-token-type", credential)])
    assert sent.kind == credential == answer.get("x-cardveil-card-token-type")
    verify(kind, sent.request)


@pytest.mark.parametrize("kind", KINDS)
def test_query_and_odd_body(signed, processor, kind):
    slot = f"{{{{ {signed.veil.visa} : detokenize }}}}"
    body = f'{{ "card":{{"number" : "{slot}","month":"{slot}" ,"year":"{slot}"}},"b":"é\\u00e9" }}\n'.encode()
    answer = signed.veil.ask("POST", f"/{kind}/pay?a=1&b=%20x", [JSON, *HEADERS], body)
    assert answer.status == 200, answer
    got = processor.only()
    assert got.target == "/pay?a=1&b=%20x" and VISA.encode() in got.body
    verify(kind, got)


@pytest.mark.parametrize("kind", KINDS)
def test_the_callers_own_signature_does_not_go_on(signed, processor, kind):
    """What the merchant signed was the placeholder; the field is written anew, and stands once."""
    own = [("Digest", "SHA-256=" + "A" * 43 + "="), ("Signature", 'keyid="x"'), ("Date", "Tue, 01 Jul 2025 00:00:00 GMT"), ("v-c-merchant-id", "another"),
           ("Authorization", "Bearer x.y.z"), ("X-Signature", "t=1")]
    answer, sent = signed.paid(signed.veil.visa, kind, headers=[*HEADERS, *own])
    assert answer.status == 200
    verify(kind, sent.request)
    if kind == "digest":
        assert sent.request.get("authorization") == "Bearer x.y.z", "what is not signed is the caller's"


@pytest.mark.parametrize("kind", KINDS)
def test_a_pan_retry_is_signed_anew(signed, network, processor, kind):
    token = signed.active()
    processor.default = declining_tokens(network, f"no-{RETRIED[0]}")
    answer = signed.pay(token, kind, HEADERS)
    assert answer.get("x-cardveil-pan-retry") == "1", answer
    first, second = signed.sent(2)
    assert (first.kind, second.kind) == ("NETWORK_TOKEN", "CARD_PAN")
    signatures = [verify(kind, sent.request) for sent in (first, second)]
    assert kind == "digest" or signatures[0] != signatures[1]
    processor.default = approving(network)


def test_each_jwt_is_used_once(signed):
    seen = set()
    for _ in range(5):
        _, sent = signed.paid(signed.veil.visa, "jwt", headers=HEADERS)
        verify_jwt(sent.request, MERCHANT, KEY_ID, secret=SECRET, seen=seen)
    assert len(seen) == 5


def test_a_covered_field_that_is_missing(signed, processor):
    answer = signed.pay(signed.veil.visa, "dlocal", [("X-Login", "demo-login")])
    assert answer.status == 400 and json.loads(answer.body)["data"]["code"] == "SIGN_FIELD", answer
    assert not processor.requests


def test_large_body(signed, processor):
    _, sent = signed.paid(signed.veil.visa, "all", headers=HEADERS, body=signed.body(signed.veil.visa, filler="x" * 900000))
    verify("all", sent.request)


def runs(request):
    """What of a request proves who sent it: the long words of its signature fields, and each part of a JWT."""
    text = " ".join(value for name in ("authorization", "signature", "x-signature", "x-cardveil-signature") for value in request.all(name))
    return {run.encode() for run in re.findall(r"[A-Za-z0-9_+/-]{24,}", text) if run != KEY_ID}


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("auth", ["http-signature", "jwt-secret", "jwt-key"])
def test_no_signature_is_logged(make_shop, own_network, receiver, session_folder, auth, level):
    """Ours to processors, networks and receivers, when all is well and when it is refused; the networks' to us; the callers' own."""
    own_network.auth = auth
    entry = {"jwt_key": secret_file(session_folder, own_network.jwt_pem), "secret": None} if auth == "jwt-key" else {}
    sign = {"key_id": KEY_ID, "merchant_id": MERCHANT, "secret": secret_file(session_folder, SECRET)}
    routes = {kind: (kind, {"volume": "100%", "budget": "30s"}, {"sign": sign}) for kind in ("http", "jwt")}
    shop = make_shop(of=own_network, entry=entry, routes=routes, more={"log": {"level": level}},
                     own_rules={kind: tried_rules() + f"sign: {{ {KINDS[kind]} }}\n" for kind in routes})
    caller = b"Q2FsbGVyc093blNpZ25hdHVyZU5vdExvZ2dlZA"
    receiver.failing = 1
    token = shop.active()
    for mode in ("well", 401, 503):
        own_network.mode = mode
        for kind in routes:
            shop.pay(token, kind, [("Authorization", f"Bearer {caller.decode()}"), ("Signature", caller.decode())])
        shop.credentials(token)
    own_network.mode = "well"
    shop.changed(token, "SUSPENDED")
    assert own_network.notify(shop.veil.keyed, shop.made[token], field=f"t=1;keyId=x;sig={caller.decode()}").status == 401
    receiver.wait(token, "SUSPENDED")
    sent = [*own_network.requests, *shop.processor.requests, *receiver.requests]
    found = set().union(*map(runs, sent)) | {caller}
    assert len(found) > 12, "else this test looks for nothing"
    shop.veil.stop()
    printed = b"".join(shop.veil.printed)
    assert b'"network_call"' in printed and [run for run in found if run in printed] == []


def test_the_secret_is_the_keepers_alone(signed):
    signed.paid(signed.veil.visa, "http", headers=HEADERS)
    held = {"secret": SECRET, "raw secret": base64.b64decode(SECRET), "hmac secret": HMAC_SECRET, "private key": make_keys("processor")[1].split(b"\n")[3]}
    roles = signed.veil.roles()
    for name, pid in roles.items():
        if name != "keeper":
            assert scan_memory(pid, held) == [], name
    assert scan_memory(roles["keeper"], held) != [], "the keeper has them: else this test finds nothing"
