# SPDX-License-Identifier: Apache-2.0
"""Card data on its way in that cannot be taken: never a clear card number to the merchant, never a made-up one."""

import json
import os
import signal
import threading

import pytest

from client import request
from inbound import RULES, aliases, booking, counts, guest, inbound_routes, matches, no_card_in, numbers, pay_with, without
from leaks import VISA, scan_memory
from payments import JSON
from processor import message, reply, reply_raw, slow
from test_inbound import pushed, veil  # noqa: F401  pylint: disable=unused-import


def code(answer):
    return json.loads(answer.body)["data"]["code"]


def is_told_not_to_repeat(answer):
    """What the other side may have done, such as a payment, would be done twice."""
    told = answer.body.decode().lower()
    assert answer.get("x-cardveil-outcome") == "unknown" and answer.get("retry-after") is None
    assert "may have been" in told and "nothing was sent" not in told and "try again" not in told, told
    return True


# --- the partner's own faults ---

@pytest.mark.parametrize("body, status, name", [
    (booking(guest("4111111111111112")), 422, "INBOUND_CARD"),
    (booking(guest("not a number")), 422, "INBOUND_CARD"),
    (b'{"a":', 400, "JSON_CUT_OFF"),
    (b'{"a":1}x', 400, "JSON_TRAILING"),
], ids=["check digit", "text", "cut off", "trailing"])
def test_a_message_that_is_wrong_is_refused(veil, processor, body, status, name):
    answer = veil.ask("POST", "/in/bookings", [JSON], body)
    assert (answer.status, code(answer)) == (status, name) and not processor.requests
    if name == "INBOUND_CARD":
        assert json.loads(answer.body)["data"]["path"] == "$.guests[0].card.number"


def test_a_card_number_in_the_name_of_a_field(veil, processor):
    """No alias can stand there: a request is refused, of an answer the field is left out."""
    answer = veil.ask("POST", "/in/bookings", [JSON, (f"X-{VISA[:4]}-{VISA[4:8]}-{VISA[8:12]}-{VISA[12:]}", "1")], booking())
    assert (answer.status, code(answer)) == (422, "INBOUND_NAME") and not processor.requests
    named = [(f"X-{VISA}", "1"), ("X-Other", "1")]

    def behave(talk):
        talk.read_body()
        talk.send(b"HTTP/1.1 103 Early\r\nX-%s: 1\r\nLink: </a>\r\n\r\n" % VISA.encode())
        talk.send(message(200, booking(), named))
        return True
    processor.script("/bookings/7", behave)
    answer = veil.ask("GET", "/pull/bookings/7")
    assert (answer.status, answer.get("x-other"), answer.informational[0].get("link")) == (200, "1", "</a>") and no_card_in(answer.raw)
    assert not any(VISA in name for one in (answer, *answer.informational) for name, _ in one.fields)


def test_trailers_and_chunk_extensions_do_not_go_on(veil, processor):
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Card\r\n\r\n"
    rest = b"8;a=%s\r\n{\"a\":12}\r\n0\r\nX-Card: %s\r\n\r\n" % (VISA.encode(), VISA.encode())
    with veil.client() as client:
        client.send(b"POST /in/bookings HTTP/1.1\r\nHost: here\r\n" + head + rest)
        assert client.read_answer().status == 200
    seen = processor.only()
    assert no_card_in(seen.raw) and seen.get("x-card") is None and seen.get("trailer") is None and seen.body == b'{"a":12}'
    processor.forget()
    processor.script("/bookings/7", reply_raw(b"HTTP/1.1 200 OK\r\n" + head + rest))
    answer = veil.ask("GET", "/pull/bookings/7")
    assert answer.status == 200 and no_card_in(answer.raw) and answer.get("x-card") is None and answer.body == b'{"a":12}'


def test_invalid_fields_by_route(veil, processor):
    body = booking(guest("4111111111111112", cvc=None), guest(cvc=None))
    answer, seen = pushed(veil, processor, body, "/lenient/bookings")
    assert aliases(seen.body)[0][0] == "4111111111111112" and matches(seen) == counts(cards=1)
    assert veil.exchange(answer)["invalid_fields"] == 1
    processor.forget()
    _, seen = pushed(veil, processor, body, "/hidden/bookings")
    assert aliases(seen.body)[0][0] == "xxxxxxxxxxxx1112" and matches(seen) == counts(cards=1)


def test_limits_of_a_message(veil, processor):
    answer = veil.ask("POST", "/few/bookings", [JSON], booking(*[guest(number, cvc=None) for number in numbers(4)]))
    assert (answer.status, code(answer)) == (413, "INBOUND_COUNT")
    answer = veil.ask("POST", "/small/bookings", [JSON], booking(guest(), note="n" * 2000))
    assert (answer.status, code(answer)) == (413, "BODY_TOO_LARGE")
    answer = veil.ask("POST", "/small/bookings", [JSON], booking(guest(), note="n" * 2000), chunked=True)
    assert (answer.status, code(answer)) == (413, "BODY_TOO_LARGE")
    assert not processor.requests


# --- ours ---

def stop_keeper(veil):
    pid = veil.roles()["keeper"]
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_a_partner_sends_again_when_the_keeper_is_silent(make_cardveil, processor):
    veil = make_cardveil(inbound_routes(processor.url), own_rules=RULES, more={"deadlines": {"keeper": "200ms"}})
    pid = stop_keeper(veil)
    answer = veil.ask("POST", "/in/bookings", [JSON], booking(guest()))
    os.kill(pid, signal.SIGCONT)
    assert (answer.status, answer.get("retry-after"), code(answer)) == (503, "1", "KEEPER_SLOW") and not processor.requests
    assert veil.ask("POST", "/in/bookings", [JSON], booking(guest())).status == 200


def test_a_puller_is_told_that_the_other_side_has_acted(make_cardveil, processor):
    veil = make_cardveil(inbound_routes(processor.url), own_rules=RULES, more={"deadlines": {"keeper": "200ms"}})
    stopped = []

    def behave(talk):
        talk.read_body()
        stopped.append(stop_keeper(veil))
        talk.send(message(body=booking(guest())))
        return True
    processor.script("/bookings/7", behave)
    answer = veil.ask("GET", "/pull/bookings/7")
    os.kill(stopped[0], signal.SIGCONT)
    assert (answer.status, code(answer)) == (502, "KEEPER_SLOW") and is_told_not_to_repeat(answer)
    assert no_card_in(answer.raw)


def test_the_keeper_is_killed_during_captures(make_cardveil, processor):
    """Whatever is answered 200 can be paid with afterwards; whatever is not has not reached the merchant."""
    veil = make_cardveil(inbound_routes(processor.url), own_rules=RULES)
    bodies = [booking(*[guest(cvc=None)] * 50, note=f"n{i}") for i in range(40)]
    answers = {}

    def push(some):
        for i in some:
            answers[i] = veil.ask("POST", "/in/bookings", [JSON], bodies[i])
    threads = [threading.Thread(target=push, args=(range(first, len(bodies), 4),)) for first in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        veil.wait_roles(lambda now: "keeper" in now)
        start = veil.mark()
        os.kill(veil.roles()["keeper"], signal.SIGKILL)
        veil.wait_line(lambda line: line.get("event") == "sandbox" and line.get("process") == "keeper", start)
    for thread in threads:
        thread.join()
    seen = [request for request in processor.requests if request.complete]
    assert {answer.status for answer in answers.values()} <= {200, 503}
    assert len(seen) == sum(answer.status == 200 for answer in answers.values())
    assert all(no_card_in(request.raw) for request in seen)
    assert all(answer.get("retry-after") for answer in answers.values() if answer.status == 503)
    while veil.ask("POST", "/in/bookings", [JSON], bodies[0]).status == 503:
        veil.wait_roles(lambda now: "keeper" in now)
    processor.forget()
    _, last = pushed(veil, processor, bodies[0])
    assert {alias for request in [*seen, last] for alias, _ in aliases(request.body)} == {aliases(last.body)[0][0]}
    assert pay_with(veil, processor, f"{{{{ {aliases(last.body)[0][0]} : detokenize }}}}") == VISA


def test_a_full_vault_stops_messages_and_makes_nothing_up(make_cardveil, processor):
    veil = make_cardveil(inbound_routes(processor.url), start=False, own_rules=RULES, more={"deadlines": {"keeper": "30s"}})
    veil.config["vault"]["size"] = "1M"
    veil.write_config()
    veil.start()
    cards = iter(numbers(10000))
    stopped = None
    while stopped is None:
        batch = [next(cards) for _ in range(100)]
        processor.forget()
        answer = veil.ask("POST", "/in/bookings", [JSON], booking(*[guest(number, cvc=None) for number in batch]))
        if answer.status == 200:
            assert not any(number.encode() in processor.only().raw for number in batch)
        else:
            stopped = answer
    assert stopped.status == 503 and stopped.get("retry-after") and not processor.requests, stopped
    answer = stopped
    while answer.status != 502:
        processor.script("/bookings/7", reply(200, booking(*[guest(next(cards), cvc=None) for _ in range(100)])))
        answer = veil.ask("GET", "/pull/bookings/7")
        assert answer.status in (200, 502) and b"401200" not in answer.raw, answer
    assert is_told_not_to_repeat(answer) and code(answer) == code(stopped)


def test_who_leaves_during_a_capture_leaves_nothing_behind(make_cardveil, processor):
    veil = make_cardveil(inbound_routes(processor.url), own_rules=RULES, more={"deadlines": {"keeper": "30s"}})
    processor.script("/bookings/7", reply(200, booking(guest())))
    start = veil.mark()
    pid = stop_keeper(veil)
    for method, path, body in (("POST", "/in/bookings", booking(guest())), ("GET", "/called/bookings/7", b"")):
        client = veil.client()
        before = veil.metric("cardveil_requests_total")
        client.send(request(method, path, [JSON] if body else [], body))
        while veil.metric("cardveil_requests_total") == before:
            pass
        client.reset()
    veil.wait_line(lambda line: line.get("reason") == "CLIENT_GONE", start)
    os.kill(pid, signal.SIGCONT)
    assert not processor.requests
    with veil.client() as client:  # and the answer of a pull that nobody waits for is not stored
        client.send(request("GET", "/pull/bookings/7"))
        processor.wait_for(1)
    assert veil.ask("GET", "/pull/bookings/7").status == 200


def test_pipelined_pushes_are_answered_in_order(veil, processor):
    bodies = [booking(*[guest(number, cvc=None) for number in numbers(count)], note=f"n{count}") for count in (9, 1, 5)]
    processor.default = echo_note
    with veil.client() as client:
        client.send(b"".join(request("POST", "/in/bookings", [JSON], body) for body in bodies))
        answers = [client.read_answer() for _ in bodies]
    assert [answer.body for answer in answers] == [b"n9", b"n1", b"n5"]
    assert [matches(answer) for answer in answers] == [counts(cards=count) for count in (9, 1, 5)]


def echo_note(talk):
    note = json.loads(talk.read_body().body)["note"]
    talk.send(message(body=note.encode()))
    return True


def test_a_push_that_waits_is_seen_through_when_draining(make_cardveil, processor):
    veil = make_cardveil(inbound_routes(processor.url), own_rules=RULES)
    pid = stop_keeper(veil)
    with veil.client() as client:
        before = veil.metric("cardveil_requests_total")
        client.send(request("POST", "/in/bookings", [JSON], booking(guest())))
        while veil.metric("cardveil_requests_total") == before:
            pass
        veil.terminate()
        veil.wait_line(lambda line: "drain" in line.get("event", "") or "stop" in line.get("event", ""))
        os.kill(pid, signal.SIGCONT)
        assert client.read_answer().status in (200, 503)
    assert veil.wait_end() == 0
    assert all(no_card_in(seen.raw) for seen in processor.requests)


@pytest.mark.long
def test_an_answer_that_comes_after_minutes(make_cardveil, processor):
    """The keeper's side of an exchange lives as long as the exchange may."""
    deadlines = {"first_byte": "200s", "whole": "200s"}
    routes = [{**route, "deadlines": deadlines} if route["name"] == "pull" else route for route in inbound_routes(processor.url)]
    veil = make_cardveil(routes, own_rules=RULES)
    processor.script("/bookings/7", slow(125, lambda talk: talk.send(message(body=booking(guest())))))
    with veil.client() as client:
        client.sock.settimeout(200)
        answer = client.ask("GET", "/pull/bookings/7")
    assert answer.status == 200 and no_card_in(answer.raw), answer


# --- size ---

def test_a_megabyte_with_a_thousand_cards(veil, processor):
    cards = numbers(1000)
    body = booking(*[guest(number, cvc=None) | {"name": "n" * 850} for number in cards])
    assert 900_000 < len(body) < 1 << 20
    _, seen = pushed(veil, processor, body)
    found = [alias for alias, _ in aliases(seen.body)]
    assert len(set(found)) == 1000 and matches(seen) == counts(cards=1000)
    assert not any(number.encode() in seen.raw for number in cards)
    assert without(seen.body, *found) == without(body, *cards)


def test_no_card_stays_in_a_relays_memory(make_cardveil, processor):
    veil = make_cardveil(inbound_routes(processor.url), own_rules=RULES, environment={"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1:exitcode=99"})
    number, cvc = "4929000000006", "8462"  # of its own: not what others of this run left
    pushed(veil, processor, booking(guest(number, cvc), note=f"again {number}"))
    processor.forget()
    processor.script("/bookings/7", reply(200, booking(guest(number, cvc))))
    answer = veil.ask("GET", "/pull/bookings/7")
    assert answer.status == 200 and number.encode() not in answer.raw
    for pid in veil.relays():
        assert scan_memory(pid, {"the card number": number.encode()}) == []
