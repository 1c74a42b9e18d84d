# SPDX-License-Identifier: Apache-2.0
"""A card network that is somebody else, or answers what no network should: its certificate, its encryption, its statuses and bodies.
No payment fails for it, no card goes to a stranger, and an enrolment is asked again."""

import gzip
import json

import pytest

from cardveil import CERTS
from leaks import VISA
from network import b64url, seal
from processor import Processor, message
from shop import is_pan, told
from wire import PATIENCE

ROUTE = {"tried": ("tried", {"volume": "100%", "budget": "30s"})}


# --- who it is ---

STRANGERS = {"another name": ("127.0.0.2", {"ca": CERTS / "ca.pem"}),  # the certificate is 127.0.0.1's
             "an unknown issuer": ("127.0.0.1", {})}


@pytest.fixture(params=STRANGERS)
def stranger(request, watch, certificates):
    host, trust = STRANGERS[request.param]
    made = Processor(certs=str(CERTS), host=host)
    watch.processors.append(made)
    yield made, {"upstream": f"https://{host}:{made.port}", **trust}
    watch.processors.remove(made)
    made.close()


def test_a_network_that_is_somebody_else_gets_no_card(make_shop, stranger):
    listens, entry = stranger
    shop = make_shop(entry=entry, routes=ROUTE)
    token = shop.new_card()
    assert shop.ask_enrol(token)[0] == 200 and shop.state(token)["status"] == "PENDING"
    assert shop.veil.wait_line(lambda line: line.get("event") == "network_call")["cause"] == "UPSTREAM_TLS"
    answer, sent = shop.paid(token)
    assert told(answer) == ("CARD_PAN", "not_provisioned") and is_pan(sent)
    assert not listens.requests


# --- its encryption ---

def sealed(network, token, **header):
    plain = json.dumps({"tokenizedCard": token.told() | network._fresh(token, "CRYPTOGRAM")}).encode()
    return seal(plain, network.answer_key.public_key(), header)


def under(jwe, header):
    """The same, under another header."""
    return ".".join([b64url(header), *jwe.split(".")[1:]]).encode()


NESTED = b'{"alg":"RSA-OAEP-256","enc":"A256GCM","x":' + b"[" * 3000 + b"]" * 3000 + b"}"
CREDENTIALS = {
    "zip": lambda n, t: sealed(n, t, zip="DEF").encode(),
    "crit": lambda n, t: sealed(n, t, crit=["exp"], exp=1).encode(),
    "RSA1_5": lambda n, t: under(sealed(n, t), b'{"alg":"RSA1_5","enc":"A256GCM"}'),
    "RSA-OAEP": lambda n, t: under(sealed(n, t), b'{"alg":"RSA-OAEP","enc":"A256GCM"}'),
    "dir": lambda n, t: under(sealed(n, t), b'{"alg":"dir","enc":"A256GCM"}'),
    "none": lambda n, t: under(sealed(n, t), b'{"alg":"none","enc":"none"}'),
    "A128GCM": lambda n, t: under(sealed(n, t), b'{"alg":"RSA-OAEP-256","enc":"A128GCM"}'),
    "alg twice": lambda n, t: under(sealed(n, t), b'{"alg":"RSA-OAEP-256","alg":"RSA-OAEP-256","enc":"A256GCM"}'),
    "nested header": lambda n, t: under(sealed(n, t), NESTED),
    "another header": lambda n, t: under(sealed(n, t), b'{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"x"}'),
    "short tag": lambda n, t: sealed(n, t)[:-6].encode(),
    "no tag": lambda n, t: sealed(n, t).rsplit(".", 1)[0].encode(),
    "six parts": lambda n, t: sealed(n, t).encode() + b".AAAA",
    "dots": lambda n, t: b"....",
    "nothing": lambda n, t: b"",
    "in the clear": lambda n, t: json.dumps({"tokenizedCard": t.told() | n._fresh(t, "CRYPTOGRAM")}).encode(),
    "10 MB": lambda n, t: b"A" * 10_000_000,
}


def answering_calls(network, path, make):
    """Plays the network, but for calls whose path ends so."""
    def behave(talk):
        request = talk.request
        if not request.target.endswith(path):
            return network._behave(talk)
        talk.read_body()
        try:
            talk.send(make(request))
        except OSError:
            return False  # it has heard enough
        return True
    network.default = behave


def believed_again(shop, network, token):
    """The network is well: its token goes out, at the latest when its breaker tries it again."""
    network.default = network._behave
    shop.wait_for_state(token, "ACTIVE")
    for _ in range(PATIENCE * 10):
        answer = shop.pay(token)
        if told(answer) == ("NETWORK_TOKEN", None):
            return
        network.stopping.wait(0.1)
    raise AssertionError(answer)


@pytest.mark.parametrize("which", CREDENTIALS)
def test_credentials_that_are_none(shop, network, which):
    token = shop.active()
    body = CREDENTIALS[which](network, shop.made[token])
    answering_calls(network, "/payment-credentials", lambda _: message(200, body, [("Content-Type", "application/jose")]))
    answer, sent = shop.paid(token)
    assert told(answer) == ("CARD_PAN", "cryptogram_failed") and is_pan(sent)
    believed_again(shop, network, token)


@pytest.mark.parametrize("fields", [[("Content-Type", "application/json")], [], [("Content-Type", "application/jose"), ("Content-Encoding", "gzip")]],
                         ids=["JSON", "no type", "gzip"])
def test_credentials_that_are_something_else(shop, network, fields):
    token = shop.active()
    body = sealed(network, shop.made[token]).encode()
    body = gzip.compress(body) if len(fields) == 2 else body
    answering_calls(network, "/payment-credentials", lambda _: message(200, body, fields))
    answer, sent = shop.paid(token)
    assert told(answer) == ("CARD_PAN", "cryptogram_failed") and is_pan(sent)
    believed_again(shop, network, token)


def test_the_name_of_the_key_does_not_matter(shop, network):
    token = shop.active()
    body = sealed(network, shop.made[token], kid="another", x="A" * 20_000).encode()
    answering_calls(network, "/payment-credentials", lambda _: message(200, body, [("Content-Type", "application/jose")]))
    answer, sent = shop.paid(token)
    assert told(answer) == ("NETWORK_TOKEN", None) and shop.is_right(sent)
    believed_again(shop, network, token)


# --- what it says of an enrolment ---

SHOWN = {"id": "A" * 32, "state": "ACTIVE", "expirationMonth": "07", "expirationYear": "2033"}


def shown(status=201, **changes):
    return lambda _: message(status, json.dumps(SHOWN | changes).encode(), [("Content-Type", "application/json")])


ENROLMENTS = {
    "10 MB": lambda _: message(201, b'{"id":"' + b"A" * 10_000_000 + b'"}'),
    "a page": lambda _: message(200, b"<html>log in</html>", [("Content-Type", "text/html")]),
    "gzip": lambda _: message(201, gzip.compress(json.dumps(SHOWN).encode()), [("Content-Encoding", "gzip")]),
    "an id twice": lambda _: message(201, json.dumps(SHOWN).encode()[:-1] + b',"id":"B"}'),
    "nested": lambda _: message(201, json.dumps(SHOWN).encode()[:-1] + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "a path for an id": shown(id="../../x"),
    "a long id": shown(id="A" * 65),
    "month 13": shown(expirationMonth="13"),
    "a state that is none": shown(state="GREAT"),
    "no state": shown(state=None),
    "a redirection": lambda _: message(302, b"", [("Location", "http://127.0.0.1:1/")]),
    "many fields": lambda _: b"HTTP/1.1 201 Created\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "no content": lambda _: b"HTTP/1.1 204 No Content\r\n\r\n",
}


@pytest.mark.parametrize("which", ENROLMENTS)
def test_an_enrolment_that_is_answered_with_nonsense_is_asked_again(shop, network, which):
    token = shop.new_card()
    before = set(network.tokens)
    answering_calls(network, "/tokenized-cards", ENROLMENTS[which])
    assert shop.ask_enrol(token)[0] == 200 and shop.state(token)["status"] == "PENDING"
    believed_again(shop, network, token)
    assert len(set(network.tokens) - before) == 1 and len(network.references(VISA)) == 1


def test_an_enrolment_that_is_answered_with_a_deleted_token(shop, network):
    token = shop.new_card()
    answering_calls(network, "/tokenized-cards", shown(state="DELETED"))
    status, answer = shop.ask_enrol(token)
    assert (status, answer["data"]["transaction_info"]["status"]) == (409, "Not_enrolled"), answer
    network.default = network._behave
    shop.enrol(token)
    shop.wait_for_state(token, "ACTIVE")
