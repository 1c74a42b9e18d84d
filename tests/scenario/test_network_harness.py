# SPDX-License-Identifier: Apache-2.0
"""The played card network and webhook receiver themselves: they take what is right and find what is not."""

import hashlib
import hmac
import json
import time

import pytest

from client import Client
from leaks import MASTERCARD, VISA, find_secrets
from network import KEY_ID, MERCHANT, Network
from receiver import Receiver
from tms import Tms, http_signature, jwt
from wire import Broken

CARDS = "/tms/v2/tokenized-cards"


@pytest.fixture
def network():
    made = Network()
    made.auth = "http-signature"
    yield made
    made.close()


@pytest.fixture
def tms(network):
    def sign(method, path, body):
        if network.auth == "http-signature":
            return http_signature(method, path, body, secret=network.secret, key_id=KEY_ID, merchant=MERCHANT)
        key = network.jwt_key if network.auth == "jwt-key" else None
        return jwt(method, path, body, key=key, secret=network.secret, kid=KEY_ID, iss=MERCHANT, **{"v-c-merchant-id": MERCHANT})
    return Tms(network.port, network.answer_key, sign)


@pytest.mark.parametrize("auth", ["http-signature", "jwt-secret", "jwt-key"])
def test_takes_every_right_signature(network, tms, auth):
    network.auth = auth
    status, told = tms.enrol(VISA)
    assert (status, told["state"]) == (201, "ACTIVE"), told
    assert tms.state(told["id"])[0] == 200
    assert not network.faults


@pytest.mark.parametrize("change", [
    {"secret": "AAAA"}, {"key_id": "another"}, {"merchant": "another"}, {"when": 0}, {"signed_host": "other.test"}, {"signed_path": "/x"},
    {"signed_body": b"{}"}])
def test_finds_wrong_http_signatures(network, tms, change):
    given = {"secret": network.secret, "key_id": KEY_ID, "merchant": MERCHANT, **change}
    assert tms.ask("POST", CARDS, b'{"a":1}', headers=http_signature("POST", CARDS, b'{"a":1}', **given)).status == 401
    assert network.faults and not network.calls


@pytest.mark.parametrize("change", [
    {"secret": "AAAA"}, {"kid": "another"}, {"v-c-merchant-id": "another"}, {"iat": 1, "exp": 100}, {"exp": int(time.time()) + 9999}, {"digest": ...},
    {"digest-algorithm": "SHA-1"}, {"request-host": "x"}, {"request-method": "POST"}, {"request-resource-path": "/x"}, {"jti": ...},
    {"v-c-jwt-version": "1"}])
def test_finds_wrong_jwts(network, tms, change):
    network.auth = "jwt-secret"
    given = {"secret": network.secret, "kid": KEY_ID, "v-c-merchant-id": MERCHANT, **change}
    assert tms.ask("POST", CARDS, b'{"a":1}', headers=jwt("POST", CARDS, b'{"a":1}', **given)).status == 401
    assert network.faults and not network.calls


def test_finds_a_jwt_that_is_played_again(network, tms):
    network.auth = "jwt-secret"
    headers = tms.sign("GET", f"{CARDS}/x", b"")
    assert tms.ask("GET", f"{CARDS}/x", headers=headers).status == 404 and not network.faults
    assert tms.ask("GET", f"{CARDS}/x", headers=headers).status == 401 and network.faults


@pytest.mark.parametrize("change", [{"source": "TOKEN"}, {"card": {"number": "4111111111111112", "expirationMonth": "12", "expirationYear": "2031"}},
                                    {"card": {"number": VISA, "expirationMonth": "12", "expirationYear": "31"}}, {"surprise": 1},
                                    {"billTo": {"country": "Brazil"}}, {"accountReferenceId": "a b"}])
def test_finds_malformed_enrolments(network, tms, change):
    assert tms.enrol(VISA, **change)[0] == 401 and network.faults


def test_life_of_a_token(network, tms):
    network.provisioning = None
    told = tms.enrol(VISA)[1]
    token = network.only_token(VISA)
    assert told["state"] == "UNPROVISIONED" and tms.enrol(VISA) == (200, told)
    assert tms.json("POST", f"/tms/v2/tokens/{token.id}/payment-credentials", {"paymentCredentialType": "CRYPTOGRAM"})[0] == 409
    network.provision(token)
    first, second = credentials(tms, token), credentials(tms, token)
    assert first["number"] == second["number"] == token.number and first["cryptogram"] != second["cryptogram"]
    network.provision(token, "SUSPENDED")
    assert "cryptogram" not in credentials(tms, token)
    path = f"{CARDS}/{token.id}/delete"
    assert tms.json("POST", path, {"reason": {"code": "FRAUD"}})[1]["state"] == "DELETED" and tms.json("POST", path, {"reason": {"code": "FRAUD"}})[0] == 410
    assert tms.enrol(VISA)[1]["id"] != token.id
    assert network.references(VISA) == {"ref-1"} and len(network.of_card(VISA)) == 2 and not network.faults


def credentials(tms, token):
    return tms.credentials(token.id)


def test_judges_payments(network, tms):
    network.varying = True
    tms.enrol(VISA)
    tms.enrol(MASTERCARD)
    token, other = network.only_token(VISA), network.only_token(MASTERCARD)
    fields = ("number", "expirationMonth", "expirationYear", "cryptogram", "eci")
    good, next_one, foreign = (list(map(credentials(tms, t).get, fields)) for t in (token, token, other))
    assert good[1:3] != next_one[1:3]
    assert network.judge(*good[:3]) == "" and network.judge(VISA, "12", "2031") == ""  # merchant-initiated; a card number
    assert network.judge(*good) == "" and network.judge(*good) == "a cryptogram used again"
    assert network.judge(*next_one[:3], foreign[3], next_one[4]) == "a mixture of answers"
    assert network.judge(*good[:3], next_one[3], next_one[4]) == "a mixture of answers"
    assert network.judge(VISA, "12", "2031", foreign[3]) == "no network token" and network.judge(*good[:3], "x" * 28, "07") == "a cryptogram that was never given"
    assert len(network.wrong_payments) == 5


def test_unwell(network, tms):
    network.mode = 503
    assert tms.ask("GET", f"{CARDS}/x").status == 503
    network.mode = "reset"
    with pytest.raises((Broken, OSError)):
        tms.enrol(VISA)
    assert not network.tokens
    network.mode = "forgetful"
    with pytest.raises((Broken, OSError)):
        tms.enrol(VISA)
    assert len(network.tokens) == 1
    network.stop_listening()
    with pytest.raises(OSError):
        tms.enrol(VISA)
    network.listen_again()
    network.mode = "well"
    assert tms.enrol(VISA)[0] == 200 and not network.faults


def test_its_secrets_are_found(network, tms):
    tms.enrol(VISA)
    token = network.only_token(VISA)
    cryptogram = credentials(tms, token)["cryptogram"]
    spaced = " ".join(token.number[at:at + 4] for at in range(0, 16, 4))
    for leak in (token.number, spaced, cryptogram, network.secret.decode(), network.answer_pem.split(b"\n")[3].decode()):
        assert find_secrets(f'{{"text":"{leak}"}}'.encode(), network.secrets()), leak
    assert not find_secrets(f'{{"text":"{token.number[:6]}******{token.number[-4:]}","id":"{token.id}"}}'.encode(), network.secrets())


def test_the_receiver_checks_signatures():
    receiver = Receiver()
    body = json.dumps({"id": "e", "data": {"token": "t", "status": "ACTIVE"}}).encode()

    def deliver(when=None, secret=receiver.secret, body=body, told=body):
        stamp = str(int(time.time() if when is None else when))
        mac = hmac.new(secret, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        with Client(receiver.port) as client:
            return client.ask("POST", "/hooks/cards?for=tokens", [("x-cardveil-signature", f"t={stamp},s={mac}")], told).status
    receiver.failing = 1
    assert (deliver(), deliver()) == (500, 200) and not receiver.faults
    assert [delivery.taken for delivery in receiver.of("t")] == [False, True] and len(receiver.wait("t", "ACTIVE")) == 1
    for wrong in ({"when": 1600000000}, {"secret": b"another"}, {"told": body + b" "}):
        assert deliver(**wrong) == 400
    assert len(receiver.faults) == 3
    receiver.close()
