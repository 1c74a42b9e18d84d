# SPDX-License-Identifier: Apache-2.0
"""The simulated processors that come with the program: as strict as the real ones."""

import datetime
import json
import subprocess
import time
from urllib.parse import urlencode

import pytest

from cardveil import CERTS, binary
from client import Client
from leaks import VISA
from payments import BASIC, FORM, JSON
from sandbox_process import Sandbox
from wire import Broken

PAY = "/erede/v1/transactions"


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox()
    yield made
    assert made.stop() == 0, made.process.stderr.read().decode()


def rede(**changes):
    fields = {"capture": True, "kind": "credit", "reference": "ped-1", "amount": 2099, "installments": 1, "cardHolderName": "ANA SOUZA",
              "cardNumber": VISA, "expirationMonth": "12", "expirationYear": "2031", "securityCode": "235"}
    fields.update(changes)
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def pay(sandbox, headers=(BASIC, JSON), **changes):
    return sandbox.json("POST", PAY, headers, rede(**changes))


def test_approves(sandbox):
    status, told = pay(sandbox)
    assert (status, told["returnCode"]) == (200, "00") and told["last4"] == "1111"
    status, query = sandbox.json("GET", f"{PAY}/{told['tid']}", [BASIC])
    assert (status, query["authorization"]["status"], query["authorization"]["tid"]) == (200, "Approved", told["tid"])
    assert sandbox.json("GET", f"{PAY}/1", [BASIC])[0] == 404


def test_version_2_takes_bearer(sandbox):
    assert sandbox.json("POST", "/erede/v2/transactions", [("Authorization", "Bearer abcdefgh"), JSON], rede())[0] == 200
    assert sandbox.json("POST", "/erede/v2/transactions", [BASIC, JSON], rede())[0] == 401


@pytest.mark.parametrize("headers", [[], [("Authorization", "Basic !!!!")], [("Authorization", "Basic eA==")], [("Authorization", "Bearer abcdefgh")]])
def test_missing_auth(sandbox, headers):
    status, told = pay(sandbox, headers=[*headers, JSON])
    assert status == 401 and set(told) == {"returnCode", "returnMessage"}


LAST_MONTH = datetime.date.today().replace(day=1) - datetime.timedelta(days=1)
BAD = [
    ({"cardNumber": "4111111111111112"}, "37"), ({"cardNumber": "411111"}, "36"), ({"cardNumber": ...}, "38"), ({"cardNumber": 4111111111111111}, "37"),
    ({"cardNumber": "{{ t : detokenize }}"}, "36"), ({"cardNumber": "abcdabcdabcdabcd"}, "37"), ({"cardNumber": None}, "36"),
    ({"cardNumber": {"a": 1}}, None), ({"expirationMonth": "13"}, None), ({"expirationMonth": "1"}, None), ({"expirationMonth": "12/31"}, None),
    ({"expirationYear": "31"}, "1"), ({"expirationYear": "2o31"}, "2"), ({"expirationYear": ...}, "3"),
    ({"expirationMonth": f"{LAST_MONTH.month:02}", "expirationYear": str(LAST_MONTH.year)}, "79"),
    ({"securityCode": "12"}, "15"), ({"securityCode": "12a"}, "16"), ({"securityCode": 123}, "16"),
    ({"amount": "2099"}, "71"), ({"amount": 20.99}, "71"), ({"amount": -1}, "71"), ({"amount": ...}, "73"), ({"amount": 12345678901}, "70"),
    ({"capture": "true"}, None), ({"kind": "wallet"}, "76"), ({"kind": "xxxxx"}, "76"), ({"cardHolderName": "{{ t : detokenize }}"}, "59"),
    ({"cardHolderName": "a\u0001"}, "59"), ({"reference": "x" * 51}, None), ({"surprise": 1}, None), ({"installments": 0.5}, None),
    ({"tokenCryptogram": "short"}, None), ({"securityAuthentication": {"sai": "5"}}, None), ({"securityAuthentication": {"say": "05"}}, None),
    ({"securityAuthentication": "05"}, None),
]


@pytest.mark.parametrize("changes, code", BAD)
def test_strict_about_every_field(sandbox, changes, code):
    status, told = pay(sandbox, **changes)
    assert status == 400 and set(told) == {"returnCode", "returnMessage"}, told
    assert told["returnCode"] != "00" and (code is None or told["returnCode"] == code), told


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'{"a":1}{}', b'{"amount":1,"amount":2}', b"[" * 50])
def test_not_one_json_object(sandbox, body):
    assert sandbox.ask("POST", PAY, [BASIC, JSON], body).status == 400


def test_wrong_content_type(sandbox):
    assert sandbox.ask("POST", PAY, [BASIC, FORM], rede()).status == 415


@pytest.mark.parametrize("amount, brand", [(19005, "05"), (9051, "51"), (9091, "91"), (9082, "82")])
def test_declines_by_amount(sandbox, amount, brand):
    status, told = pay(sandbox, headers=[BASIC, JSON, ("Transaction-Response", "brand-return-opened")], amount=amount)
    assert status == 200 and told["returnCode"] != "00" and told["brand"]["returnCode"] == brand
    assert "returnCode" not in pay(sandbox, amount=amount)[1]["brand"]


def test_declines_by_card(sandbox):
    assert pay(sandbox, cardNumber="4444444444446666")[1]["returnCode"] == "58"


def test_slow_drop_cut_echo(sandbox):
    start = time.monotonic()
    assert pay(sandbox, amount=9800)[0] == 200 and time.monotonic() - start >= 3
    for amount in (9802, 9803):
        with pytest.raises(Broken):
            pay(sandbox, amount=amount)
    answer = sandbox.ask("POST", PAY, [BASIC, JSON], rede(amount=9810))
    assert answer.get("x-echo") == VISA and json.loads(answer.body)["echo"]["cardNumber"] == VISA


# --- Credibanco ---

def form(**fields):
    return urlencode({"userName": "demo", "password": "x", **fields}).encode()


def call(sandbox, name, base="/payment/rest", **fields):
    status, told = sandbox.json("POST", f"{base}/{name}", [FORM], form(**fields))
    assert status == 200
    return told


def register(sandbox, **changes):
    order = {"orderNumber": f"o{time.monotonic_ns()}", "amount": "2099", "currency": "170", "returnUrl": "https://shop.example/back",
             "jsonParams": '{"installments":"1","IVA.amount":"0"}', **changes}
    return call(sandbox, "register.do", **order)


def card_fields(order, **changes):
    return {"MDORDER": order, "$PAN": VISA, "$CVC": "123", "YYYY": "2031", "MM": "12", "TEXT": "ANA SOUZA", "language": "es", **changes}


def test_credibanco_flow(sandbox):
    order = register(sandbox)["orderId"]
    assert call(sandbox, "getOrderStatusExtended.do", orderId=order)["orderStatus"] == 0
    paid = call(sandbox, "paymentorder.do", **card_fields(order))
    assert paid["errorCode"] == 0 and order in paid["redirect"], paid
    told = call(sandbox, "getOrderStatusExtended.do", orderId=order)
    assert (told["orderStatus"], told["actionCode"], told["cardAuthInfo"]["pan"]) == (2, 0, "411111**1111")
    assert call(sandbox, "paymentorder.do", **card_fields(order))["errorCode"] == "5"


def test_credibanco_travel_names(sandbox):
    order = register(sandbox)["orderId"]
    fields = {"orderId": order, "pan": VISA, "cvc": "123", "year": "2031", "month": "12", "cardholderName": "ANA"}
    assert call(sandbox, "paymentorder.do", base="/proxy/rest", **fields)["errorCode"] == 0


def test_credibanco_decline(sandbox):
    order = register(sandbox, amount="9051")["orderId"]
    assert call(sandbox, "paymentorder.do", **card_fields(order))["errorCode"] == 0
    told = call(sandbox, "getOrderStatusExtended.do", orderId=order)
    assert (told["orderStatus"], told["actionCode"]) == (6, 116)


@pytest.mark.parametrize("changes, error", [({"currency": "840"}, "3"), ({"amount": "20.99"}, "5"), ({"amount": "0"}, "5"), ({"returnUrl": ""}, "5"),
                                            ({"jsonParams": "{"}, "5"), ({"surprise": "1"}, "5"), ({"orderNumber": "x" * 33}, "5"), ({"userName": ""}, "5")])
def test_credibanco_bad_orders(sandbox, changes, error):
    assert register(sandbox, **changes)["errorCode"] == error


def test_credibanco_order_twice(sandbox):
    assert "orderId" in register(sandbox, orderNumber="twice")
    assert register(sandbox, orderNumber="twice")["errorCode"] == "1"


@pytest.mark.parametrize("changes, error", [
    ({"$PAN": "4111111111111112"}, "5"), ({"$PAN": "{{ t : detokenize }}"}, "5"), ({"$CVC": "1"}, "5"), ({"YYYY": "31"}, "5"), ({"MM": "1"}, "5"),
    ({"MM": "13"}, "5"), ({"YYYY": "2020"}, "5"), ({"TEXT": "{{ t : detokenize }}"}, "5"), ({"MDORDER": "1" * 36}, "6"), ({"pan": VISA}, "5")])
def test_credibanco_bad_cards(sandbox, changes, error):
    order = register(sandbox)["orderId"]
    assert call(sandbox, "paymentorder.do", **{**card_fields(order), **changes})["errorCode"] == error


def test_credibanco_missing_cvc(sandbox):
    order = register(sandbox)["orderId"]
    fields = card_fields(order)
    del fields["$CVC"]
    assert call(sandbox, "paymentorder.do", **fields)["errorCode"] == "4"
    order = register(sandbox, features="AUTO_PAYMENT")["orderId"]
    assert call(sandbox, "paymentorder.do", **{**fields, "MDORDER": order})["errorCode"] == 0


@pytest.mark.parametrize("body", [b"a=%zz", b"userName=a&userName=b", b"nothing"])
def test_credibanco_bad_forms(sandbox, body):
    assert sandbox.json("POST", "/payment/rest/register.do", [FORM], body)[1]["errorCode"] == "5"


# --- the record, and the server ---

def test_keeps_what_it_received(sandbox):
    sandbox.ask("DELETE", "/_sandbox/requests")
    pay(sandbox, headers=[BASIC, JSON, ("X-Mine", "yes")])
    kept = sandbox.json("GET", "/_sandbox/requests")[1]["requests"]
    assert len(kept) == 1 and kept[0]["target"] == PAY
    assert kept[0]["body"].encode() == rede() and ["X-Mine", "yes"] in kept[0]["headers"]
    masked = sandbox.ask("GET", "/_sandbox/requests?mask=1").body.decode()
    assert VISA not in masked and "411111******1111" in masked and "235" not in json.loads(masked)["requests"][0]["body"]


def test_keeps_the_last_hundred(sandbox):
    with Client(sandbox.port) as client:
        for number in range(105):
            client.ask("POST", PAY, [BASIC, JSON], rede(reference=f"n{number}"))
    kept = sandbox.json("GET", "/_sandbox/requests")[1]["requests"]
    assert len(kept) == 100 and '"n104"' in kept[-1]["body"] and '"n5"' in kept[0]["body"]


@pytest.mark.parametrize("address", ["0.0.0.0:9", "[::]:9", "192.0.2.1:9100", "nonsense", "localhost:1"])
def test_listens_on_loopback_only(address):
    done = subprocess.run([binary(), "sandbox", "--listen", address], capture_output=True, timeout=30, check=False)
    assert done.returncode == 2 and b"loopback" in done.stderr


def test_port_that_is_taken(sandbox):
    done = subprocess.run([binary(), "sandbox", "--listen", f"127.0.0.1:{sandbox.port}"], capture_output=True, timeout=30, check=False)
    assert done.returncode == 1 and b"in use" in done.stderr


def test_help_prints_the_table():
    done = subprocess.run([binary(), "sandbox", "--help"], capture_output=True, timeout=30, check=True)
    for word in (b"9051", b"4444444444446666", b"insufficient funds", b"9810", b"_sandbox/requests"):
        assert word in done.stdout


def test_over_tls():
    made = Sandbox("--tls-certificate", CERTS / "processor.pem", "--tls-key", CERTS / "processor.key")
    try:
        with Client(made.port, tls=True, ca=CERTS / "ca.pem") as client:
            assert client.ask("POST", PAY, [BASIC, JSON], rede()).status == 200
    finally:
        assert made.stop() == 0


def test_unknown_paths_and_methods(sandbox):
    assert sandbox.ask("GET", "/").status == 404
    assert sandbox.ask("PUT", PAY, [BASIC, JSON], b"{}").status == 405
    assert sandbox.ask("POST", "/payment/rest/other.do", [FORM], b"a=1").status == 404
