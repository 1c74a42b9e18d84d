# SPDX-License-Identifier: Apache-2.0
"""The simulated card network: as strict as the real one, and honest about what it handed out."""

import base64
import hashlib
import hmac
import itertools
import json
import subprocess
import time

import pytest

from cardveil import CERTS, binary
from client import Client, request
from leaks import AMEX, MASTERCARD, VISA
from payments import BASIC
from payments import JSON as JSON_BODY
from processor import Processor, message
from sandbox_process import Sandbox
from tms import MERCHANT, NOTIFY_KEY, Tms, http_signature, jwt, private_key
from wire import PATIENCE

PAY = "/erede/v1/transactions"
CARDS = "/tms/v2/tokenized-cards"
NETWORK = CERTS / "network.pem"
SLOW, SUSPENDED, DELETED, RENEWED, REPLACED, NO_CRYPTOGRAM = (f"40000000000020{n}" for n in ("16", "24", "32", "40", "57", "65"))
references = (f"ref-{n}" for n in itertools.count(1))


def luhn(digits):
    return sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits))) % 10 == 0


@pytest.fixture(scope="module")
def sandbox(certificates):
    made = Sandbox("--network-answer-certificate", NETWORK, "--network-jwt-certificate", NETWORK, "--network-delay", "50")
    yield made
    assert made.stop() == 0, made.process.stderr.read().decode()


@pytest.fixture(scope="module")
def network_key(certificates):
    return private_key(CERTS / "network.key")


@pytest.fixture
def tms(sandbox, network_key):
    sandbox.ask("DELETE", "/_sandbox/network")
    yield Tms(sandbox.port, network_key)
    sandbox.ask("POST", "/_sandbox/network", [JSON_BODY], b'{"latency_ms":0,"mode":"normal"}')


def eventually(check):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


def network(sandbox):
    status, told = sandbox.json("GET", "/_sandbox/network")
    assert status == 200
    return told


# --- who is asking ---

@pytest.mark.parametrize("sign", ["http_signature", "hs256", "rs256"])
def test_right_signatures(tms, network_key, sign):
    tms.sign = {"http_signature": http_signature, "hs256": jwt, "rs256": lambda *args: jwt(*args, key=network_key, kid="1a2b")}[sign]
    status, told = tms.enrol(VISA)
    assert status == 201, told
    assert tms.state(told["id"])[0] == 200
    link = told["_links"]["instrumentIdentifier"]["href"]
    signed = link + ("?x=1" if sign == "http_signature" else "") # a JWT speaks of the resource without its query
    assert tms.json("GET", f"{link}?x=1", headers=tms.sign("GET", signed, b""))[0] == 200


def refused(tms, headers, body=b'{"a":1}'):
    status, told = tms.json("POST", CARDS, body, headers=headers)
    assert (status, told) == (401, {"response": {"rmsg": "Authentication Failed"}})


@pytest.mark.parametrize("changes", [
    {"secret": base64.b64encode(b"another secret of 32 bytes, wrong")}, {"key_id": "another"}, {"merchant": "another"}, {"when": 0},
    {"when": time.time() - 400}, {"when": time.time() + 4000}, {"signed_host": "other.test"}, {"signed_path": "/tms/v2/tokens"},
    {"signed_body": b'{"a":2}'}])
def test_wrong_http_signatures(tms, changes):
    refused(tms, http_signature("POST", CARDS, b'{"a":1}', **changes))


def test_http_signature_must_cover_everything(tms):
    right = http_signature("POST", CARDS, b'{"a":1}')
    assert tms.ask("POST", CARDS, b'{"a":1}', headers=right).status == 400 # signed, but no card in it
    for name in ("Date", "Digest", "v-c-merchant-id", "Signature"):
        refused(tms, [field for field in right if field[0] != name])
    refused(tms, right, body=b'{"a":2}')
    refused(tms, [*right, ("Authorization", "Bearer x")])
    signature = dict(right)["Signature"]
    for wrong in (signature.replace(" digest", ""), signature.replace("HmacSHA256", "none"), signature[:-2], signature + ", created=\"1\"", "x"):
        refused(tms, [*[field for field in right if field[0] != "Signature"], ("Signature", wrong)])
    refused(tms, [*http_signature("POST", CARDS, b""), ("Content-Type", "application/json")]) # no digest of the body


@pytest.mark.parametrize("changes", [
    {"secret": base64.b64encode(b"another secret of 32 bytes, wrong")}, {"kid": "another"}, {"iat": 1000000000, "exp": 1000000120},
    {"exp": int(time.time()) + 3600}, {"iat": ...}, {"exp": ...}, {"iss": "another"}, {"jti": ...}, {"request-host": "other.test"},
    {"request-resource-path": "/tms/v2/tokens"}, {"request-method": "get"}, {"request-method": "POST"}, {"v-c-merchant-id": "another"},
    {"v-c-jwt-version": "1"}, {"digest": ...}, {"digest": "A" * 43 + "="}, {"digest-algorithm": ...}, {"digest-algorithm": "SHA-512"},
    {"surprise": "x"}])
def test_wrong_jwts(tms, changes):
    refused(tms, jwt("POST", CARDS, b'{"a":1}', **changes))


def test_jwt_algorithms_do_not_mix(tms, network_key):
    right = jwt("POST", CARDS, b'{"a":1}', key=network_key)[0][1]
    assert tms.ask("POST", CARDS, b'{"a":1}', headers=[("Authorization", right)]).status == 400
    public = base64.b64encode(NETWORK.read_bytes())
    refused(tms, jwt("POST", CARDS, b'{"a":1}', secret=public)) # an RSA key's text as the HMAC's key
    for wrong in (right[:-4], right.rsplit(".", 1)[0] + ".", right.rsplit(".", 1)[0], "Basic x", "Bearer a.b.c", "Bearer ", "Bearer ..",
                  right.replace("Bearer", "bearer ")):
        refused(tms, [("Authorization", wrong)])
    assert network_unauthorized(tms) > 0


def network_unauthorized(tms):
    return json.loads(tms.ask("GET", "/_sandbox/network", headers=[]).body)["unauthorized"]


# --- enrolment ---

@pytest.mark.parametrize("number, kind, prefix", [(VISA, "visa", "489537"), (MASTERCARD, "mastercard", "520473"), ("4000000000009995", "visa", "489537")])
def test_card_becomes_a_network_token(sandbox, tms, number, kind, prefix):
    status, told = tms.enrol(number)
    assert (status, told["state"], told["type"], told["object"]) == (201, "UNPROVISIONED", kind, "tokenizedCard")
    assert "reason" not in told and told["card"] == {"suffix": number[-4:], "expirationMonth": "12", "expirationYear": "2031"}
    active = eventually(lambda: (found := tms.state(told["id"])[1])["state"] == "ACTIVE" and found)
    assert active["number"].startswith(prefix) and "XXXXXX" in active["number"]
    kept = network(sandbox)["tokens"][0]
    assert kept["number"].startswith(prefix) and luhn(kept["number"]) and kept["number"] != number
    instrument = tms.json("GET", f"/tms/v1/instrumentidentifiers/{kept['instrument']}")[1]
    assert (instrument["id"], instrument["tokenizedCard"]["state"], instrument["tokenizedCard"]["id"]) == (kept["instrument"], "ACTIVE", told["id"])
    assert number not in json.dumps(instrument) and kept["number"] not in json.dumps(instrument)


@pytest.mark.parametrize("number, reason", [
    ("4000000000001018", "CARD_NOT_ELIGIBLE"), ("4000000000001026", "CARD_NOT_ALLOWED"), ("4000000000001034", "DECLINED"),
    ("4000000000001042", "INVALID_REQUEST"), ("4000000000001059", "CARD_VERIFICATION_FAILED"), ("4000000000001067", "SERVICE_UNAVAILABLE"),
    ("4000000000001075", "SYSTEM_ERROR"), ("5500000000001010", "CARD_NOT_ELIGIBLE"), (AMEX, "CARD_NOT_ELIGIBLE")])
def test_refused_cards(tms, number, reason):
    status, told = tms.enrol(number)
    assert (status, told["state"], told["reason"]) == (201, "UNPROVISIONED", reason)
    assert "number" not in told
    assert tms.state(told["id"])[1]["reason"] == reason


def test_the_same_enrolment_is_the_same_token(sandbox, tms):
    first = tms.enrol(VISA, "one")[1]["id"]
    status, again = tms.enrol(VISA, "one")
    assert (status, again["id"]) == (200, first)
    assert tms.enrol(VISA, "two")[1]["id"] != first
    assert tms.enrol(MASTERCARD, "one")[1]["id"] != first
    told = {item["card"]: (item["creates"], item["asked"]) for item in network(sandbox)["enrolments"]}
    assert told == {VISA: (2, 3), MASTERCARD: (1, 1)}


CARD = {"number": VISA, "expirationMonth": "12", "expirationYear": "2031"}


@pytest.mark.parametrize("changes, name", [
    ({"source": ...}, "source"), ({"source": "TOKEN"}, "source"), ({"card": ...}, "card"), ({"card": {**CARD, "number": "4111111111111112"}}, "card/number"),
    ({"card": {**CARD, "number": "{{ t : detokenize }}"}}, "card/number"), ({"card": {"number": VISA, "expirationMonth": "12"}}, "card/expirationYear"),
    ({"card": {**CARD, "expirationMonth": 12}}, None), ({"card": {**CARD, "expirationYear": "31"}}, "card/expirationYear"),
    ({"card": {**CARD, "expirationYear": "2020"}}, "card/expirationYear"), ({"card": {**CARD, "type": "002"}}, "card/type"),
    ({"card": {**CARD, "type": "visa"}}, "card/type"), ({"card": {**CARD, "securityCode": "12"}}, "card/securityCode"),
    ({"createPanInstrumentIdentifier": "true"}, "createPanInstrumentIdentifier"), ({"surprise": 1}, "surprise"),
    ({"accountReferenceId": "x" * 65}, "accountReferenceId"), ({"billTo": {"country": "Brazil"}}, "billTo/country")])
def test_strict_about_every_field(tms, changes, name):
    status, told = tms.enrol(VISA, **changes)
    assert status == 400, told
    assert name is None or told["errors"][0]["details"] == [{"name": name}], told


def test_takes_every_field(tms):
    bill_to = {"address1": "1 Rua", "address2": "x", "locality": "SP", "administrativeArea": "SP", "postalCode": "01000", "country": "BR"}
    assert tms.enrol(VISA, card={**CARD, "type": "001", "securityCode": "123"}, billTo=bill_to, consumerId="c-1")[0] == 201


def test_not_json_and_not_there(tms):
    for body in (b"{", b"[]", b'{"source":"ONFILE","source":"ONFILE"}'):
        assert tms.ask("POST", CARDS, body).status == 400
    headers = http_signature("POST", CARDS, b"{}")
    assert tms.ask("POST", CARDS, b"{}", headers=[*headers, ("Content-Type", "text/plain")]).status in (400, 415)
    token = tms.enrol(VISA)[1]["id"]
    changed = ("1" if token[0] != "1" else "2") + token[1:]
    for path in (f"{CARDS}/{changed}", f"{CARDS}/{token[:-1]}0x", f"{CARDS}/", f"{CARDS}/x", "/tms/v1/instrumentidentifiers/7010000000016241111", "/tms/v9/x"):
        assert tms.json("GET", path)[0] == 404, path
    assert tms.json("GET", f"{CARDS}/{token}/delete")[0] == 405


# --- payment credentials ---

def test_credentials_are_fresh_each_time(sandbox, tms):
    token = tms.active(VISA)
    first, second = tms.credentials(token), tms.credentials(token)
    kept = network(sandbox)
    assert first["number"] == second["number"] == kept["tokens"][0]["number"]
    assert (first["eci"], first["state"], first["type"], len(first["cryptogram"]), len(first["requestorId"])) == ("07", "ACTIVE", "visa", 28, 11)
    assert first["cryptogram"] != second["cryptogram"]
    assert [(c["cryptogram"], c["token"], c["used"]) for c in kept["cryptograms"]] == [(c["cryptogram"], token, 0) for c in (first, second)]
    assert tms.credentials(tms.active(MASTERCARD))["eci"] == "06"
    plain = tms.credentials(token, "NETWORK_TOKEN")
    assert plain["number"] == first["number"] and "cryptogram" not in plain and "eci" not in plain
    assert len(tms.credentials(token, "SECURITY_CODE")["securityCode"]) == 3
    assert len(network(sandbox)["cryptograms"]) == 3


def ask_credentials(tms, token, body=None):
    return tms.ask("POST", f"/tms/v2/tokens/{token}/payment-credentials", body or {"paymentCredentialType": "CRYPTOGRAM"}).status


def test_credentials_that_are_not_given(sandbox, tms):
    refused_card, failing = tms.enrol("4000000000001018")[1]["id"], tms.active(NO_CRYPTOGRAM)
    assert ask_credentials(tms, refused_card) == 409
    assert ask_credentials(tms, failing) == 500
    token = tms.active(VISA)
    for body in ({"paymentCredentialType": "PAN_PLEASE"}, {"paymentCredentialType": "CRYPTOGRAM", "transactionType": "POS"}, {"transactionType": "ECOM"}):
        assert ask_credentials(tms, token, body) == 400
    assert ask_credentials(tms, "0" * 32) == 404
    assert network(sandbox)["cryptograms"] == []


def test_without_a_key_no_credentials(network_key, tmp_path):
    made = Sandbox("--network-delay", "0", folder=tmp_path)
    tms = Tms(made.port, network_key)
    assert ask_credentials(tms, tms.enrol(VISA)[1]["id"]) == 424
    assert made.stop() == 0 and b"--network-answer-certificate" in made.process.stderr.read()


# --- life ---

def event(sandbox, token, state):
    return sandbox.json("POST", f"/_sandbox/tms/{token}/event", [JSON_BODY], json.dumps({"state": state}).encode())[0]


def test_lifecycle_by_hand(sandbox, tms):
    token = tms.active(VISA)
    before = tms.state(token)[1]
    for state in ("SUSPENDED", "ACTIVE", "SUSPENDED"):
        assert event(sandbox, token, state) == 200 and tms.state(token)[1]["state"] == state
    told = tms.credentials(token)
    assert told["state"] == "SUSPENDED" and "XXXXXX" in told["number"] and "cryptogram" not in told and "eci" not in told
    assert network(sandbox)["cryptograms"] == []
    assert event(sandbox, token, "ACTIVE") == 200
    assert event(sandbox, token, "RENEWED") == 200
    renewed = tms.state(token)[1]
    assert renewed["expirationYear"] > before["expirationYear"] and renewed["state"] == "ACTIVE"
    assert event(sandbox, token, "REPLACED") == 200
    replaced = tms.state(token)[1]
    assert replaced["card"] != before["card"] and replaced["number"] == before["number"]
    assert event(sandbox, token, "DELETED") == 200
    assert tms.state(token) == (200, {**replaced, "state": "DELETED"})
    assert tms.credentials(token)["state"] == "DELETED"
    for state in ("ACTIVE", "RENEWED", "DELETED"):
        assert event(sandbox, token, state) == 409
    assert event(sandbox, token, "LOST") == 400 and event(sandbox, "0" * 32, "ACTIVE") == 404
    pending = tms.enrol(SLOW)[1]["id"]
    assert event(sandbox, pending, "SUSPENDED") == 409 and event(sandbox, pending, "ACTIVE") == 200
    assert tms.state(pending)[1]["state"] == "ACTIVE"


@pytest.mark.parametrize("number, state", [(SUSPENDED, "SUSPENDED"), (DELETED, "DELETED"), ("5500000000001028", "SUSPENDED")])
def test_cards_that_change_by_themselves(tms, number, state):
    token = tms.active(number)
    eventually(lambda: tms.state(token)[1]["state"] == state)


def test_slow_card(tms):
    slow = tms.enrol(SLOW)[1]["id"]
    assert tms.active(VISA) and tms.state(slow)[1]["state"] == "UNPROVISIONED"
    assert tms.active(SLOW) == slow


def test_renewed_and_replaced_by_themselves(tms):
    renewed, replaced = tms.active(RENEWED, "a"), tms.active(REPLACED, "b")
    before = tms.state(renewed)[1]["expirationYear"], tms.state(replaced)[1]["card"]["expirationYear"]
    eventually(lambda: tms.state(renewed)[1]["expirationYear"] > before[0])
    eventually(lambda: tms.state(replaced)[1]["card"]["expirationYear"] > before[1])


def test_merchant_deletes(sandbox, tms):
    token = tms.active(VISA, "one")
    path = f"{CARDS}/{token}/delete"
    for body in ({}, {"reason": {}}, {"reason": {"code": "BORED"}}):
        assert tms.json("POST", path, body)[0] == 400
    status, told = tms.json("POST", path, {"reason": {"code": "PAYMENT_METHOD_REMOVED", "description": "x"}})
    assert (status, told["state"]) == (200, "DELETED")
    assert tms.state(token)[0] == 410 and tms.json("POST", path, {"reason": {"code": "FRAUD"}})[0] == 410 and ask_credentials(tms, token) == 410
    assert tms.enrol(VISA, "one")[1]["id"] != token # a new enrolment
    assert network(sandbox)["enrolments"][0]["creates"] == 2


# --- when it is not well ---

def test_network_that_is_slow_or_gone(sandbox, tms):
    def mode(**told):
        assert sandbox.json("POST", "/_sandbox/network", [JSON_BODY], json.dumps(told).encode())[0] == 200
    mode(latency_ms=300)
    start = time.monotonic()
    assert tms.enrol(VISA)[0] == 201 and time.monotonic() - start >= 0.3
    assert sandbox.json("GET", "/_sandbox/network")[1]["latency_ms"] == 300 # its own pages are not slow
    mode(latency_ms=0, mode="reset")
    with Client(sandbox.port) as client: # reset, not merely closed
        client.sock.sendall(request("GET", f"{CARDS}/x"))
        with pytest.raises(ConnectionResetError):
            client.sock.recv(1)
    mode(mode="down")
    assert tms.enrol(VISA)[0] == 503
    assert pay(sandbox, VISA)[1]["returnCode"] == "00" # the processor is another house
    mode(mode="normal")
    assert tms.enrol(VISA)[0] == 200
    for wrong in (b'{"mode":"asleep"}', b'{"latency_ms":-1}', b'{"latency_ms":999999}', b'{"surprise":1}', b"{"):
        assert sandbox.json("POST", "/_sandbox/network", [JSON_BODY], wrong)[0] == 400


# --- payments with a network token ---

def pay(sandbox, number, month="12", year="2031", **changes):
    fields = {"capture": True, "kind": "credit", "reference": "ped-1", "amount": 2099, "cardNumber": number, "expirationMonth": month,
              "expirationYear": year, "securityCode": "235", **changes}
    body = json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()
    return sandbox.json("POST", PAY, [BASIC, JSON_BODY, ("Transaction-Response", "brand-return-opened")], body)


def pay_token(sandbox, credentials, **changes):
    fields = {"number": credentials["number"], "month": credentials["expirationMonth"], "year": credentials["expirationYear"], "securityCode": ...,
              "tokenCryptogram": credentials.get("cryptogram", ...)}
    if "eci" in credentials:
        fields["securityAuthentication"] = {"sai": credentials["eci"]}
    return pay(sandbox, **{**fields, **changes})[1]


def refused_by_brand(told, code):
    return told["returnCode"] != "00" and told["brand"]["returnCode"] == code


@pytest.mark.parametrize("number, code", [(VISA, "82"), (MASTERCARD, "88")])
def test_token_pays_once_with_each_cryptogram(sandbox, tms, number, code):
    token = tms.active(number)
    for _ in range(2):
        credentials = tms.credentials(token)
        assert pay_token(sandbox, credentials)["returnCode"] == "00"
        assert refused_by_brand(pay_token(sandbox, credentials), code)
    told = network(sandbox)
    assert [c["used"] for c in told["cryptograms"]] == [2, 2] and (told["cryptograms_used"], told["cryptograms_used_again"]) == (2, 2)


@pytest.mark.parametrize("number, code", [(VISA, "82"), (MASTERCARD, "88")])
def test_what_does_not_fit_together(sandbox, tms, number, code):
    token, other = tms.active(number, "a"), tms.active(number, "b")
    foreign = tms.credentials(other)
    wrong = [{"tokenCryptogram": foreign["cryptogram"]}, {"securityAuthentication": {"sai": "05"}}, {"securityAuthentication": ...}, {"year": "2033"},
             {"month": "01" if tms.credentials(token)["expirationMonth"] != "01" else "02"}, {"tokenCryptogram": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
             {"tokenCryptogram": ...}, {"number": foreign["number"]}]
    for changes in wrong:
        assert refused_by_brand(pay_token(sandbox, tms.credentials(token), **changes), code), changes
    good = tms.credentials(token)
    assert refused_by_brand(pay_token(sandbox, good, number=number, month="12", year="2031"), code) # a card number with a cryptogram
    nobody = next(digits for last in range(10) if luhn(digits := f"489537000099999{last}"))
    assert refused_by_brand(pay(sandbox, nobody, securityCode=...)[1], "82") # of the range, but never given out


def test_merchant_initiated_goes_without(sandbox, tms):
    credentials = tms.credentials(tms.active(VISA), "NETWORK_TOKEN")
    assert pay_token(sandbox, credentials, transactionCredentials={"credentialId": "07"})["returnCode"] == "00"
    assert refused_by_brand(pay_token(sandbox, credentials, transactionCredentials={"credentialId": "01"}), "82")
    assert refused_by_brand(pay_token(sandbox, credentials, transactionCredentials={"credentialId": "07"}, year="2033"), "82")


def test_inactive_tokens_do_not_pay(sandbox, tms):
    token = tms.active(VISA)
    credentials, later = tms.credentials(token), tms.credentials(token)
    event(sandbox, token, "SUSPENDED")
    assert refused_by_brand(pay_token(sandbox, credentials), "57")
    event(sandbox, token, "ACTIVE")
    assert pay_token(sandbox, later)["returnCode"] == "00"


def test_renewal_does_not_break_a_payment_under_way(sandbox, tms):
    token = tms.active(VISA)
    before = tms.credentials(token)
    event(sandbox, token, "RENEWED")
    after = tms.credentials(token)
    assert after["expirationYear"] > before["expirationYear"]
    assert pay_token(sandbox, before)["returnCode"] == "00" and pay_token(sandbox, after)["returnCode"] == "00"


def test_issuer_decides_about_the_card_behind(sandbox, tms):
    lost = "4000000000000002"
    assert pay(sandbox, lost)[1]["returnCode"] != "00"
    assert refused_by_brand(pay_token(sandbox, tms.credentials(tms.active(lost))), "41")
    assert refused_by_brand(pay_token(sandbox, tms.credentials(tms.active(VISA)), amount=9051), "51")


def test_masked_list_shows_no_card(sandbox, tms):
    credentials = tms.credentials(tms.active(VISA))
    masked = sandbox.ask("GET", "/_sandbox/network?mask=1").body.decode()
    assert VISA not in masked and credentials["number"] not in masked and credentials["cryptogram"] not in masked and "411111******1111" in masked


# --- notifications ---

@pytest.fixture
def receiver():
    made = Processor()
    yield made
    made.close()
    assert not made.faults


def check_notice(request, signed):
    parts = dict(part.split("=", 1) for part in request.get("v-c-signature").split(";"))
    assert set(parts) == {"t", "keyId", "sig"} and parts["keyId"] == "cardveil-sandbox-notify-key" and abs(int(parts["t"]) / 1000 - time.time()) < 60
    told = json.loads(request.body)
    text = request.body if signed == "body" else json.dumps(told["payload"], separators=(",", ":")).encode()
    mac = hmac.new(NOTIFY_KEY, parts["t"].encode() + b"." + text, hashlib.sha256).digest()
    assert base64.b64encode(mac).decode() == parts["sig"]
    assert request.get("v-c-event-type") == told["eventType"] and told["organizationId"] == MERCHANT == request.get("v-c-organization-id")
    assert int(request.get("v-c-retry-count")) == told["retryNumber"]
    return told


@pytest.mark.parametrize("signed", ["payload", "body"])
def test_notifications(network_key, receiver, signed):
    made = Sandbox("--network-delay", "0", "--network-answer-certificate", NETWORK, "--notify-url", f"{receiver.url}/v1/network-events/cybersource",
                   "--notify-signs", signed)
    try:
        tms = Tms(made.port, network_key)
        token = tms.enrol(VISA)[1]
        assert token["state"] == "ACTIVE" # without a delay at once
        receiver.wait_for(1)
        assert event(made, token["id"], "SUSPENDED") == 200
        first, second = (check_notice(request, signed) for request in receiver.wait_for(2))
        assert (first["eventType"], second["eventType"]) == ("tms.networktoken.provisioned", "tms.networktoken.updated")
        assert receiver.requests[0].path == "/v1/network-events/cybersource" and receiver.requests[0].get("host") == f"127.0.0.1:{receiver.port}"
        for told in (first, second):
            data = told["payload"]["data"]
            assert data["id"] == token["id"] and data["_links"]["instrumentIdentifiers"] == [{"href": token["_links"]["instrumentIdentifier"]["href"]}]
        assert (first["payload"]["data"]["type"], second["payload"]["data"]["type"]) == ("tokenizedCardEnrollments", "tokenizedCardUpdates")
        assert tms.enrol("4000000000001018")[1]["reason"] # nothing is told of a refusal: the answer told it
        eventually(lambda: network(made)["notifications"] == {"made": 2, "delivered": 2, "given_up": 0})
    finally:
        assert made.stop() == 0, made.process.stderr.read().decode()


def test_notification_is_sent_again(network_key, receiver):
    answers = iter([503, 302])

    def fail_first(talk):
        talk.read_body()
        talk.send(message(next(answers, 204), b""))
        return True
    receiver.default = fail_first
    made = Sandbox("--network-delay", "0", "--notify-url", receiver.url)
    try:
        Tms(made.port, network_key).enrol(VISA)
        told = [check_notice(request, "payload") for request in receiver.wait_for(3)]
        assert [notice["retryNumber"] for notice in told] == [0, 1, 2]
        assert len({notice["notificationId"] for notice in told}) == 1
        eventually(lambda: network(made)["notifications"]["delivered"] == 1)
    finally:
        assert made.stop() == 0


def test_stops_with_notifications_waiting(network_key):
    made = Sandbox("--network-delay", "0", "--notify-url", "http://127.0.0.1:9/nobody")
    for number in range(20):
        Tms(made.port, network_key).enrol(VISA, f"r{number}")
    assert made.stop() == 0, made.process.stderr.read().decode()


# --- options ---

@pytest.mark.parametrize("options, status, word", [
    (["--notify-url", "http://192.0.2.1/x"], 2, b"--notify-url"), (["--notify-url", "https://127.0.0.1/x"], 2, b"--notify-url"),
    (["--notify-url", "nonsense"], 2, b"--notify-url"), (["--notify-signs", "half"], 2, b"usage"), (["--network-delay", "soon"], 2, b"usage"),
    (["--network-secret", "@bad"], 2, b"--network-secret"), (["--notify-url", "http://127.0.0.1:1", "--notify-key", "@bad"], 2, b"--notify-key"),
    (["--network-jwt-certificate", "@bad"], 2, b"--network-jwt-certificate"), (["--network-answer-certificate", CERTS / "server.pem"], 2, b"RSA"),
    (["--network-secret", "/nowhere"], 1, b"/nowhere")])
def test_wrong_options(tmp_path, options, status, word):
    bad = tmp_path / "bad"
    bad.write_text("not Base64!\n")
    options = [bad if option == "@bad" else option for option in options]
    done = subprocess.run([binary(), "sandbox", "--listen", "127.0.0.1:0", *map(str, options)], capture_output=True, timeout=30, check=False)
    assert done.returncode == status and word in done.stderr, done.stderr


def test_own_secrets(network_key, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(base64.b64encode(b"a secret of its own") + b"\n")
    made = Sandbox("--network-secret", secret, "--network-merchant", "mine", "--network-key-id", "k1")
    try:
        own = {"secret": base64.b64encode(b"a secret of its own"), "merchant": "mine", "key_id": "k1"}
        tms = Tms(made.port, network_key)
        assert tms.ask("GET", f"{CARDS}/x", **own).status == 404
        assert tms.ask("GET", f"{CARDS}/x").status == 401
    finally:
        assert made.stop() == 0


def test_help_tells_of_the_network():
    done = subprocess.run([binary(), "sandbox", "--help"], capture_output=True, timeout=30, check=True)
    for word in (b"--network-secret", b"--notify-url", b"4000000000001018", b"CARD_NOT_ELIGIBLE", b"_sandbox/tms/ID/event", b"public"):
        assert word in done.stdout
