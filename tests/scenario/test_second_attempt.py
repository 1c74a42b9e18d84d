# SPDX-License-Identifier: Apache-2.0
"""The PAN retry when something comes in between: how the declining answer ends its connection, a caller who leaves, a keeper that
dies, a processor that fails the second time, a reload, the end of the program."""

import contextlib
import gzip
import json
import os
import signal
import socket
import threading
import time

import pytest

import client as clients
import processor as answers
from leaks import CVC, VISA
from payments import EXPIRY, JSON
from processor import message
from shop import APPROVED, answering, approving, is_pan, told
from wire import PATIENCE, Broken

DECLINED = b'{"code":"no-do_not_honor"}'


@pytest.fixture(autouse=True)
def well_again(shop, network, processor):
    yield
    processor.default = approving(network)


def first_then(network, first, second=None):
    """A behaviour for payments with a network token, and one for those with the card's number."""
    def decide(sent):
        return first if sent.kind == "NETWORK_TOKEN" else second or APPROVED
    return answering(network, decide)


def sending(data, keep=True):
    def behave(talk):
        talk.send(data)
        return keep
    return behave


def close_delimited(body=DECLINED):
    return sending(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body, keep=False)


ENDINGS = {
    "kept": sending(message(body=DECLINED)),
    "closed after it": sending(message(body=DECLINED), keep=False),
    "closed soon after it": lambda talk: (talk.send(message(body=DECLINED)), time.sleep(0.3), False)[-1],
    "close told": sending(message(body=DECLINED, headers=[("Connection", "close")]), keep=False),
    "until close": close_delimited(),
    "chunked": sending(message(body=DECLINED, chunks=[3, 5])),
    "chunked, close told": sending(message(body=DECLINED, chunks=[3], headers=[("Connection", "close")]), keep=False),
    "gzip": sending(message(body=gzip.compress(DECLINED), headers=[("Content-Encoding", "gzip")])),
    "interim before it": sending(b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + message(body=DECLINED)),
    "surplus behind it": sending(message(body=DECLINED) + message(body=b'{"code":"00"}')),
    "rubbish behind it": sending(message(body=DECLINED) + b"\0\1rubbish"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_however_the_declining_answer_ends(shop, network, processor, ending):
    token = shop.active()
    processor.default = first_then(network, ENDINGS[ending])
    with shop.client() as client:
        for paid in (2, 4):
            answer = shop.pay(token, "retrying", client=client)
            assert answer.status == 200 and json.loads(answer.body) == APPROVED, answer
            assert answer.get("x-cardveil-pan-retry") == "1" and told(answer) == ("CARD_PAN", None)
            first, second = shop.sent(paid)[-2:]
            assert first.kind == "NETWORK_TOKEN" and is_pan(second) and shop.is_right(first)


@pytest.mark.parametrize("status", [200, 204, 304])
def test_an_answer_without_a_body_is_no_decline(shop, network, processor, status):
    token = shop.active()
    processor.default = first_then(network, sending(message(status, b"")))
    answer = shop.pay(token, "retrying")
    assert answer.status == status and answer.get("x-cardveil-pan-retry") is None
    assert len(shop.sent(1)) == 1


def test_an_answer_that_is_too_long_to_hold_is_passed_on(shop, network, processor):
    token = shop.active()
    long = json.dumps({"code": "no-do_not_honor", "text": "x" * 200_000}).encode()
    processor.default = first_then(network, sending(message(body=long)))
    answer = shop.pay(token, "retrying")
    assert answer.status == 200 and answer.body == long and answer.get("x-cardveil-pan-retry") is None
    shop.sent(1)


def test_the_answer_of_the_second_attempt_may_be_long(shop, network, processor):
    token = shop.active()
    long = json.dumps({"code": "00", "text": "x" * 200_000}).encode()
    processor.default = first_then(network, ENDINGS["kept"], sending(message(body=long)))
    answer = shop.pay(token, "retrying")
    assert answer.status == 200 and answer.body == long and answer.get("x-cardveil-pan-retry") == "1"
    assert len(shop.sent(2)) == 2


# --- the processor fails the second time ---

def reset(talk):
    talk.wire.reset()
    return False


UNKNOWN = {
    "no answer": lambda talk: False,
    "reset": reset,
    "cut in the head": sending(b"HTTP/1.1 200 OK\r\nContent-", keep=False),
    "cut in the body": sending(message(body=DECLINED, length=500), keep=False),
    "cut in a chunk": sending(message(body=DECLINED, chunks=[10])[:-5], keep=False),
    "no HTTP": sending(b"SSH-2.0-x\r\n\r\n", keep=False),
    "a coding that is none": sending(message(body=DECLINED, headers=[("Content-Encoding", "gzip")])),
}


@pytest.mark.parametrize("fault", UNKNOWN)
def test_outcome_of_the_second_attempt_is_unknown(shop, network, processor, fault):
    token = shop.active()
    processor.default = first_then(network, ENDINGS["kept"], UNKNOWN[fault])
    answer = shop.pay(token, "retrying")
    assert answer.status in (502, 504) and answer.get("x-cardveil-outcome") == "unknown" and answer.get("x-cardveil-pan-retry") == "1", answer
    assert [sent.kind for sent in shop.sent(2)] == ["NETWORK_TOKEN", "CARD_PAN"]
    processor.default = approving(network)
    assert shop.pay(token, "retrying").status == 200


@pytest.mark.parametrize("status", [400, 402, 500, 503])
def test_second_attempt_is_answered_with_a_failure(shop, network, processor, status):
    token = shop.active()
    processor.default = first_then(network, ENDINGS["kept"], sending(message(status, b'{"error":"now"}')))
    answer = shop.pay(token, "retrying")
    assert (answer.status, answer.body, answer.get("x-cardveil-pan-retry")) == (status, b'{"error":"now"}', "1")
    assert len(shop.sent(2)) == 2


def test_time_out_of_the_second_attempt(make_shop, network, processor):
    shop = make_shop(routes={"retrying": ("tried", {"volume": "100%", "budget": "30s", "pan_retry": "on"},
                                          {"deadlines": {"first_byte": "1s", "whole": "2s"}})})
    token = shop.active()
    processor.default = first_then(network, ENDINGS["kept"], lambda talk: not talk.processor.stopping.wait(4))
    answer = shop.pay(token, "retrying")
    assert answer.status == 504 and answer.get("x-cardveil-outcome") == "unknown" and answer.get("x-cardveil-pan-retry") == "1", answer
    assert len(shop.sent(2)) == 2


# --- the caller ---

STAGES = ["asking for the card", "in the second attempt"]


@pytest.mark.parametrize("how", ["close", "reset", "half-closed"])
@pytest.mark.parametrize("stage", STAGES)
def test_caller_leaves(shop, network, processor, stage, how):
    token = shop.active()
    keeper, left = shop.veil.roles()["keeper"], threading.Event()

    def decline(talk):
        if stage == STAGES[0]:
            os.kill(keeper, signal.SIGSTOP)
        talk.send(message(body=DECLINED))
        return True

    def approve(talk):
        left.wait(PATIENCE)
        time.sleep(0.2)
        talk.send(message(body=json.dumps(APPROVED).encode()))
        return True
    processor.default = first_then(network, decline, approve)
    client = shop.client()
    client.send(clients.request("POST", "/retrying/pay", [JSON], shop.body(token)))
    try:
        shop.processor.wait_for(1 if stage == STAGES[0] else 2)
        time.sleep(0.3)
        if how == "close":
            client.close()
        elif how == "reset":
            client.reset()
        else:
            client.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
    finally:
        os.kill(keeper, signal.SIGCONT)
        left.set()
    if how == "half-closed":
        try:
            answer = client.read_answer()
            assert json.loads(answer.body) == APPROVED
        except (Broken, OSError):
            pass
    time.sleep(0.3)
    sent = [s.kind for s in shop.sent(len(processor.requests))]
    assert sent in (["NETWORK_TOKEN"], ["NETWORK_TOKEN", "CARD_PAN"])
    processor.default = approving(network)
    assert shop.pay(token, "retrying").status == 200


def test_caller_leaves_while_the_second_connection_is_made(make_shop, network):
    """Nothing of the card goes out any more, and the first attempt is in the log and in the report."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        shop = make_shop(routes={"retrying": ("tried", {"volume": "100%", "budget": "30s", "pan_retry": "on"},
                                              {"upstream": url, "deadlines": {"connect": "30s"}})})
        token, client = shop.active(), shop.client()
        client.send(clients.request("POST", "/retrying/pay", [JSON], shop.body(token)))
        first, _ = listener.accept()
        seen = b""
        while b"amount" not in seen:
            seen += first.recv(65536)
        full = [socket.socket() for _ in range(6)]  # more than wait to be accepted: the next handshake stays without an answer
        for one in full:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        first.sendall(message(body=DECLINED))
        deadline = time.monotonic() + PATIENCE
        while first.recv(65536) and time.monotonic() < deadline:
            pass  # until it has been idle for too long
        client.reset()
        line = shop.veil.wait_line(lambda line: line.get("event") == "exchange" and line.get("route") == "retrying")
        assert (line["reason"], line["first_payment"], line["first_decline"]) == ("CLIENT_GONE", "declined", "do_not_honor"), line
        assert "payment" not in line, line
        while not (told_of := shop.ask("GET", "/v1/reports/network-tokens")[1]["data"]["payments"])["network_token"]["declined"]:
            assert time.monotonic() < deadline, told_of
        assert not any(told_of["pan_retries"].values())
        for one in [first, *full]:
            one.close()
        listener.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while True:
                late, _ = listener.accept()
                late.settimeout(1)
                with contextlib.suppress(TimeoutError, ConnectionError):
                    assert not late.recv(65536)


def test_pipelined_requests_each_have_their_own_second_attempt(shop, network, processor):
    tokens = [shop.active(), shop.active()]
    processor.default = first_then(network, ENDINGS["kept"])
    with shop.client() as client:
        client.send(b"".join(clients.request("POST", "/retrying/pay", [JSON], shop.body(token)) for token in tokens * 2))
        got = [client.read_answer() for _ in range(4)]
    assert [(a.status, a.get("x-cardveil-pan-retry"), json.loads(a.body)) for a in got] == [(200, "1", APPROVED)] * 4
    sent = shop.sent(8)
    assert [s.kind for s in sent] == ["NETWORK_TOKEN", "CARD_PAN"] * 4
    assert len({s.body["reference"] for s in sent}) == 4


# --- the keeper ---

def test_keeper_dies_before_it_gives_the_card(make_shop, network, processor):
    shop = make_shop()
    token = shop.active()

    def decline(talk):
        keeper = shop.veil.roles()["keeper"]
        os.kill(keeper, signal.SIGSTOP)
        talk.send(message(body=DECLINED))
        time.sleep(0.3)
        os.kill(keeper, signal.SIGKILL)
        return True
    processor.default = first_then(network, decline)
    with shop.client() as client:
        answer = shop.pay(token, "retrying", client=client)
        assert (answer.status, answer.body) == (200, DECLINED), answer
        assert answer.get("x-cardveil-pan-retry") is None and told(answer)[0] == "NETWORK_TOKEN"
        assert [sent.kind for sent in shop.sent(1)] == ["NETWORK_TOKEN"]
        processor.default = approving(network)
        deadline = time.monotonic() + PATIENCE
        while shop.pay(token, "retrying", client=client).status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_keeper_dies_before_the_decline(make_shop, network, processor):
    shop = make_shop()
    token = shop.active()

    def decline(talk):
        keeper = shop.veil.roles()["keeper"]
        os.kill(keeper, signal.SIGKILL)
        time.sleep(1)
        talk.send(message(body=DECLINED))
        return True
    processor.default = first_then(network, decline)
    answer = shop.pay(token, "retrying")
    assert (answer.status, answer.body) == (200, DECLINED), answer
    assert answer.get("x-cardveil-pan-retry") is None
    assert len(shop.sent(1)) == 1


# --- the card ---

def test_card_is_deleted_before_the_second_attempt(shop, network, processor):
    token = shop.active()

    def decline(talk):
        assert shop.ask("DELETE", f"/v1/tokens/{token}")[0] in (200, 204)
        talk.send(message(body=DECLINED))
        return True
    processor.default = first_then(network, decline)
    answer = shop.pay(token, "retrying")
    assert (answer.status, answer.body, answer.get("x-cardveil-pan-retry")) == (200, DECLINED, None), answer
    assert len(shop.sent(1)) == 1


@pytest.mark.parametrize("is_deleted", [False, True])
def test_either_answer_stands_in_the_envelope_of_a_call(shop, network, processor, is_deleted):
    """'compat: firstoken': the answer that was held while the second attempt was made, and the second one's."""
    token = shop.active()

    def decline(talk):
        if is_deleted:
            assert shop.ask("DELETE", f"/v1/tokens/{token}")[0] in (200, 204)
        talk.send(message(body=DECLINED))
        return True
    processor.default = first_then(network, decline)
    named = [JSON, ("ft-url-destiny", f"{processor.url}/pay"), ("ft-access-key", shop.veil.key)]
    answer = shop.veil.ask("POST", "/proxy/", named, shop.body(token), how="keyed")
    assert answer.all("content-type") == ["application/json"] and answer.get("x-cardveil-pan-retry") == (None if is_deleted else "1")
    inner = DECLINED if is_deleted else json.dumps(APPROVED).encode()
    assert (answer.status, json.loads(answer.body)) == (200, {"status": 200, "data": json.loads(inner)}), answer
    assert len(shop.sent(1 if is_deleted else 2)) == (1 if is_deleted else 2)


def test_temporal_token_in_both_attempts(shop, network, processor):
    token = shop.active()
    status, made = shop.ask("POST", "/v1/transactions", {"number": VISA, "expiration_date": EXPIRY, "cvc": CVC})
    assert status == 201, made
    slot, cvc = f"{{{{ {token} : detokenize }}}}", f"{{{{ {made['data']['token']} : transaction }}}}"
    held = {"number": slot, "month": slot, "year": slot, "cvc": cvc, "holder": slot}
    processor.default = first_then(network, ENDINGS["kept"])
    answer = shop.pay(token, "retrying", body=shop.body(token, card=held))
    assert (answer.status, answer.get("x-cardveil-pan-retry")) == (200, "1"), answer
    first, second = shop.sent(2)
    assert (first.kind, first.cvc, second.kind, second.number, second.cvc) == ("NETWORK_TOKEN", None, "CARD_PAN", VISA, CVC)
    assert shop.pay(token, "retrying", body=shop.body(token, card=held)).status == 422  # used up, once


def two_cards(shop, one, other):
    slot, second = f"{{{{ {one} : detokenize }}}}", f"{{{{ {other} : detokenize }}}}"
    held = {"number": slot, "month": slot, "year": slot, "cvc": "123", "holder": slot}
    shop.serial += 1
    return json.dumps({"reference": f"pay-{shop.serial}", "card": held, "amount": 1, "payer": f"id-{second}"}).encode()


def test_a_network_token_and_a_card_number_in_one_request(shop, network, processor):
    token, plain = shop.active(), shop.new_card()
    processor.default = first_then(network, sending(message(body=b'{"code":"no-do_not_honor","seen":"%s"}' % VISA.encode())))
    answer = shop.pay(token, "retrying", body=two_cards(shop, token, plain))
    assert (answer.status, json.loads(answer.body), answer.get("x-cardveil-pan-retry")) == (200, APPROVED, "1"), answer
    first, second = shop.sent(2)
    assert (first.kind, first.body["payer"], is_pan(second), second.body["payer"]) == ("NETWORK_TOKEN", f"id-{VISA}", True, f"id-{VISA}")


def test_where_the_first_card_went_as_its_number_there_is_no_second_attempt(shop, network, processor):
    """What is told to the caller is the first card's, and so is what may follow."""
    token, plain = shop.active(), shop.new_card()
    processor.default = answers.reply(body=b'{"code":"no-do_not_honor","seen":"%s"}' % VISA.encode())
    answer = shop.pay(plain, "retrying", body=two_cards(shop, plain, token))
    assert told(answer) == ("CARD_PAN", "not_provisioned") and answer.get("x-cardveil-pan-retry") is None
    assert VISA.encode() not in answer.raw and json.loads(answer.body)["code"] == "no-do_not_honor"
    assert len(shop.sent(1)) == 1


# --- who initiates it stands in the body: tokens are asked for at its end ---

@pytest.mark.parametrize("expects", [False, True])
@pytest.mark.parametrize("initiator", ["merchant", "customer", None])
def test_initiator_in_the_body_and_tokens_around_it(shop, processor, network, initiator, expects):
    token = shop.active()
    slot = f"{{{{ {token} : detokenize }}}}"
    processor.default = answers.reply(body=b'{"code":"00"}')
    body = json.dumps({"initiator": initiator} if initiator else {}).encode()
    headers = [JSON, ("X-Card", slot), *([("Expect", "100-continue")] if expects else [])]
    with shop.client() as client:
        head = clients.request("POST", f"/retrying/pay?n={slot.replace(' ', '%20').replace('{', '%7B').replace('}', '%7D')}", headers, body)
        at = head.index(b"\r\n\r\n") + 4
        client.send(head[:at])
        if expects:
            assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            client.take_seen()
        client.send(head[at:])
        answer = client.read_answer()
    got = processor.only()
    number = shop.made[token].number
    assert answer.status == 200 and told(answer)[0] == "NETWORK_TOKEN", answer
    assert (got.get("x-card"), got.body) == (number, body) and number in got.target or slot.replace(" ", "%20") in got.target


@pytest.mark.parametrize("framing", ["none", "empty", "empty chunks"])
def test_no_body_at_all_where_the_initiator_would_stand_in_it(shop, processor, network, framing):
    token = shop.active()
    processor.default = answers.reply(body=b'{"code":"no-do_not_honor"}')
    lines = ["POST /retrying/pay HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"X-Card: {{{{ {token} : detokenize }}}}"]
    lines += {"none": [], "empty": ["Content-Length: 0"], "empty chunks": ["Transfer-Encoding: chunked"]}[framing]
    with shop.client() as client:
        client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"0\r\n\r\n" if framing == "empty chunks" else b""))
        answer = client.read_answer()
    if answer.status == 200:
        assert [request.get("x-card") for request in processor.wait_for(2)] == [shop.made[token].number, VISA], answer
        assert VISA.encode() not in answer.raw
    else:
        assert answer.status in (400, 422) and not processor.requests, answer


@pytest.mark.parametrize("count", [0, 1, 2])
def test_idempotency_field_absent_and_twice(shop, processor, network, count):
    token = shop.active()
    processor.default = first_then(network, ENDINGS["kept"])
    answer = shop.pay(token, "retrying", headers=[("Idempotency-Key", f"key-{n}") for n in range(count)])
    assert answer.status == 200 and answer.get("x-cardveil-pan-retry") == "1"
    first, second = (sent.request.all("idempotency-key") for sent in shop.sent(2))
    assert first == [f"key-{n}" for n in range(count)] and second == [f"key-{n}-pan" for n in range(count)]


# --- the program ---

def test_the_end_of_the_program_waits_for_the_second_attempt(make_shop, network, processor):
    shop = make_shop()
    token = shop.active()

    def decline(talk):
        shop.veil.terminate()
        time.sleep(0.5)
        talk.send(message(body=DECLINED))
        return True

    def approve(talk):
        time.sleep(0.5)
        talk.send(message(body=json.dumps(APPROVED).encode()))
        return True
    processor.default = first_then(network, decline, approve)
    answer = shop.pay(token, "retrying")
    assert answer.status == 200
    assert json.loads(answer.body) in (APPROVED, json.loads(DECLINED))
    assert (answer.get("x-cardveil-pan-retry") == "1") == (json.loads(answer.body) == APPROVED)
    assert len(processor.requests) == (2 if json.loads(answer.body) == APPROVED else 1)
    assert shop.veil.wait_end() == 0


def test_route_is_removed_before_the_second_attempt(make_shop, network, processor):
    shop = make_shop()
    token = shop.active()

    def decline(talk):
        shop.veil.config["routes"] = [route for route in shop.veil.config["routes"] if route["name"] != "retrying"]
        shop.veil.write_config()
        assert shop.veil.reload()["event"] == "reloaded"
        talk.send(message(body=DECLINED))
        return True
    processor.default = first_then(network, decline)
    answer = shop.pay(token, "retrying")
    assert answer.status == 200
    retried = answer.get("x-cardveil-pan-retry") == "1"
    assert json.loads(answer.body) == (APPROVED if retried else json.loads(DECLINED))
    assert len(processor.requests) == 1 + retried
    assert shop.pay(token, "retrying").status == 404
