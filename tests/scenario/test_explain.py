# SPDX-License-Identifier: Apache-2.0
"""'cardveil explain' shows a request without what is secret in it, and why each slot gets its value."""

import json

import pytest

import payments
from client import request
from leaks import CVC, VISA, find_secrets
from payments import BASIC, CREDIBANCO, FORM, JSON, REDE

SPACED = "4111-1111 1111-1111"


def explain(veil, data, *more, route="rede", status=0):
    done = veil.cli("explain", "--route", route, *more, stdin=data, check=False)
    assert done.returncode == status, done
    return (done.stdout + done.stderr).decode()


@pytest.fixture(name="veil")
def veil_fixture(make_cardveil):
    return make_cardveil(start=False)


@pytest.mark.parametrize("number", [VISA, SPACED, "378282246310005"])
def test_a_card_number_in_clear_is_masked(veil, number):
    text = explain(veil, request("POST", REDE, [JSON, ("X-Note", f"card {number}")], payments.rede_plain(number)))
    digits = number.replace("-", "").replace(" ", "")
    assert number not in text and not find_secrets(text.encode())
    assert text.replace("-", "").replace(" ", "").count(digits[:6] + "*" * (len(digits) - 10) + digits[-4:]) == 2


def test_other_digits_stay(veil):
    body = b'{"amount":4111111111111112,"reference":"ped-0001","capture":true}'
    assert body.decode() in explain(veil, request("POST", REDE, [JSON], body))


@pytest.mark.parametrize("body", [
    '{"securityCode":"%s"}', '{ "securityCode" : %s }', '{"card":{"cvv":"%s","x":1}}', '{"card":[{"security_code":%s}]}',
    '{"apiKey":"%s"}', '{"secrets":{"a":["%s",{"b":%s}]},"c":1}', '{"a":"\\"","PASSWORD":"%s\\"x"}'])
def test_secret_members_are_masked(veil, body):
    text = explain(veil, request("POST", REDE, [JSON], body.replace("%s", CVC).encode()))
    assert CVC not in text and "***" in text


def test_secret_form_fields_are_masked(veil):
    body = f"userName=demo&password=x+y%26z&MDORDER=7&%24PAN=4111+1111%2011111111&%24CVC={CVC}&cvc={CVC}&language=es"
    text = explain(veil, request("POST", CREDIBANCO + "/paymentorder.do", [FORM], body.encode()), route="credibanco")
    assert "userName=demo&password=***&MDORDER=7&" in text and "%24CVC=***&cvc=***&language=es" in text
    assert "%24PAN=4111+11**%20****1111&" in text
    assert CVC not in text and "x+y" not in text and not find_secrets(text.encode())


def test_secret_header_fields_and_queries_are_masked(veil):
    fields = [JSON, BASIC, ("Cookie", "a=hidden"), ("X-Api-Key", "hidden"), ("X-Access-Token", "hidden"), ("X-Seen", "shown")]
    text = explain(veil, request("POST", REDE + "?cvv=7391&a=b&api_key=hidden", fields, b"{}"))
    assert BASIC[1].split()[1] not in text and "hidden" not in text and CVC not in text
    assert "?cvv=***&a=b&api_key=*** HTTP/1.1\r\n" in text or "?cvv=***&a=b&api_key=*** HTTP/1.1\n" in text
    assert "shown" in text


def test_stand_ins_are_shown(veil):
    body = json.dumps({"cardNumber": f"{{{{ {veil.visa} : detokenize }}}}", "tokenReference": f"{{{{ {veil.visa} : detokenize }}}}"})
    text = explain(veil, request("POST", REDE, [JSON], body.encode()))
    assert text.count("411111******1111") == 2


def test_slots_are_those_of_the_shown_credential(veil):
    data = request("POST", REDE, [JSON], payments.rede_template(veil.visa))
    plain = explain(veil, data)
    assert "# 4 slots in the body" in plain and "network_token" not in plain
    text = explain(veil, data, "--credential", "NETWORK_TOKEN")
    assert "# 6 slots in the body" in text
    edits = sorted(line.split(": ", 1)[1].split(" to ")[0] for line in text.splitlines() if "network_token.set" in line)
    assert edits == ["cryptogram", "eci"]


@pytest.mark.parametrize("kind", ["CARD_PAN", "NETWORK_TOKEN"])
def test_no_token_no_slots(veil, kind):
    body = b'{"amount":1,"securityCode":"***"}'
    assert "# no slots in the body" in explain(veil, request("POST", REDE, [JSON], body), "--credential", kind)


SIGNED = "processor: signed\nupstream: https://api.example.com\naccept: [ POST /pay ]\nbody: json\ncard: { number: $.pan }\nsign: "


@pytest.mark.parametrize("sign, keys, shown, told", [
    ("{ type: digest }", {}, ["digest: ***"], "# digest: digest of the body"),
    ("{ type: cybersource-http-signature }", {"key_id": "k", "merchant_id": "demo"},
     ["digest: ***", "signature: ***", "v-c-merchant-id: demo"],
     "# signed: cybersource-http-signature over host, date, request-target, the body's digest and v-c-merchant-id"),
    ("{ type: cybersource-jwt }", {"key_id": "k", "merchant_id": "demo"}, ["authorization: ***"], "# signed: cybersource-jwt with "),
    ('{ type: hmac-sha256, over: [ { field: X-Login }, newline, { text: "v1" }, body_sha256 ], field: X-Mac, value: "{key_id} {signature}" }',
     {"key_id": "k"}, ["X-Mac: ***"], "# signed: hmac-sha256 over the field X-Login, newline, 'v1', body_sha256")])
def test_a_signature_is_shown_as_a_field_and_never_made_up(make_cardveil, sign, keys, shown, told):
    """It would be over stand-ins: the fields that carry it are shown without it, and the caller's own not at all."""
    route = {"name": "signed", "rules": "signed", "merchant": "shop", "prefix": "/signed"}
    if keys:
        route["sign"] = {**keys, "secret": "env:SIGN_SECRET"}
    veil = make_cardveil([route], start=False, own_rules={"signed": SIGNED + sign + "\n"},
                         environment={"SIGN_SECRET": "c2hhcmVkLXNlY3JldC1vZi10aGUtdGVzdA=="})
    mine = [JSON, ("X-Login", "me"), ("Digest", "mine"), ("Signature", "mine"), ("X-Mac", "mine")]
    text = explain(veil, request("POST", "/pay", mine, b'{"pan":"{{ tok_abcdefgh : detokenize }}"}'), route="signed")
    head = text.split("\r\n\r\n")[0].split("\r\n")
    for line in shown:
        name = line.split(":")[0].lower()
        assert [at for at in head if at.lower().startswith(name + ":")] == [line], head
    assert told in text, text
    assert "mine" not in "".join(at for at in head if at.split(":")[0].lower() in {line.split(":")[0].lower() for line in shown})


def test_no_request_at_all(veil):
    assert "no request on standard input" in explain(veil, b"", status=2)
