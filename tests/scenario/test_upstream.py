# SPDX-License-Identifier: Apache-2.0
"""Processors that are slow, broken, careless or away: one plain answer each, never two requests, and no card number back."""

import gzip
import json
import socket
import time

import pytest

import payments
import processor as answers
from leaks import VISA, find_secrets
from payments import BASIC, JSON, REDE
from processor import APPROVED, Processor, message


def slot(world, stage=""):
    return f"{{{{ {world.visa} : detokenize{stage} }}}}"


def pay(world, path="/any/x", **more):
    return world.ask("POST", path, [JSON], f'{{"n":"{slot(world)}"}}'.encode(), **more)


def failure(answer, status, *codes):
    assert answer.status == status, answer
    assert answer.get("x-cardveil-source") == "proxy"
    assert json.loads(answer.body)["data"]["code"] in codes, answer


# --- nothing was sent ---

def test_unreachable_processor(world):
    answer = pay(world, "/dead/x")
    failure(answer, 502, "UPSTREAM_CONNECT")
    assert answer.get("x-cardveil-outcome") is None


def test_name_that_does_not_resolve(make_cardveil):
    veil = make_cardveil([{"name": "no", "rules": "passthrough", "prefix": "/any", "upstream": "https://no-such-host.invalid"}])
    failure(pay(veil), 502, "UPSTREAM_RESOLVE")


def test_processor_with_an_unknown_certificate(make_cardveil, tls_processor):
    veil = make_cardveil([{"name": "tls", "rules": "passthrough", "prefix": "/any", "upstream": f"https://127.0.0.1:{tls_processor.port}"}])
    failure(pay(veil), 502, "UPSTREAM_TLS")
    assert not tls_processor.requests


def test_processor_with_another_name(make_cardveil, watch):
    from cardveil import CERTS
    other = Processor(certs=str(CERTS), host="127.0.0.2")  # its certificate is 127.0.0.1's
    watch.processors.append(other)
    veil = make_cardveil([{"name": "tls", "rules": "passthrough", "prefix": "/any", "ca": CERTS / "ca.pem",
                           "upstream": f"https://127.0.0.2:{other.port}"}])
    failure(pay(veil), 502, "UPSTREAM_TLS")
    assert not other.requests
    watch.processors.remove(other)
    other.close()


def test_client_certificate_for_a_processor(make_cardveil, watch):
    from cardveil import CERTS
    strict = Processor(certs=str(CERTS), client_ca=str(CERTS / "ca.pem"))
    route = {"name": "tls", "rules": "passthrough", "prefix": "/any", "ca": CERTS / "ca.pem", "upstream": strict.url}
    try:
        bare = pay(make_cardveil([route]))
        assert bare.status in (502, 504), bare
        assert not strict.requests
        veil = make_cardveil([{**route, "certificate": CERTS / "client.pem", "key": CERTS / "client.key"}])
        assert pay(veil).status == 200
        assert strict.only().body == f'{{"n":"{VISA}"}}'.encode()
    finally:
        strict.close()


def test_several_addresses_are_tried_in_turn(make_cardveil, processor):
    """localhost is ::1 and 127.0.0.1; the processor listens on one of them."""
    veil = make_cardveil([{"name": "two", "rules": "passthrough", "prefix": "/any", "upstream": f"http://localhost:{processor.port}"}])
    for _ in range(3):
        assert pay(veil).status == 200
    assert len(processor.requests) == 3


# --- the outcome is unknown: told so, and never repeated ---

UNKNOWN = [
    ("closed without an answer", answers.no_answer, 504, "UPSTREAM_CLOSED"),
    ("reset after reading", answers.reset_after_reading, 504, "UPSTREAM_CLOSED"),
    ("garbage", answers.reply_raw(b"\x16\x03\x01 garbage\r\n\r\n"), 502, "UPSTREAM_ANSWER"),
    ("HTTP/2 status line", answers.reply_raw(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"), 502, "UPSTREAM_ANSWER"),
    ("two lengths", answers.reply_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 502, "UPSTREAM_ANSWER"),
    ("length and chunked", answers.reply_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 502,
     "UPSTREAM_ANSWER"),
    ("coding before chunked", answers.reply_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 502, "UPSTREAM_ANSWER"),
    ("switching protocols", answers.reply_raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), 502,
     "UPSTREAM_ANSWER"),
    ("cut off in the head", answers.reply_raw(b"HTTP/1.1 200 OK\r\nContent-Le"), 502, "UPSTREAM_CUT_OFF"),
]


@pytest.mark.parametrize("what, script, status, code", UNKNOWN, ids=[case[0] for case in UNKNOWN])
def test_unknown_outcome(world, processor, what, script, status, code):
    processor.script("/x", script)
    answer = pay(world)
    failure(answer, status, code, "UPSTREAM_CLOSED", "UPSTREAM_ANSWER", "UPSTREAM_CUT_OFF")
    assert answer.get("x-cardveil-outcome") == "unknown"
    time.sleep(0.3)
    assert len(processor.requests) == 1


def test_silent_processor(world, processor):
    processor.script("/x", answers.slow(20))
    answer = pay(world, "/hasty/x")
    failure(answer, 504, "UPSTREAM_TIMEOUT")
    assert answer.get("x-cardveil-outcome") == "unknown"
    assert len(processor.requests) == 1


def test_reset_on_a_fresh_connection(world, processor):
    processor.script("/x", answers.reset_before_reading)
    answer = pay(world)
    assert answer.status in (502, 504), answer
    assert answer.get("x-cardveil-outcome") == "unknown"
    time.sleep(0.3)
    assert len(processor.requests) == 1


def test_kept_connection_that_the_processor_closed(world, processor):
    """A pooled connection may be closed by the processor at any time. What was not sent may go out on a new one; what may
    have been sent is never repeated."""
    for number in range(30):
        assert pay(world, f"/any/{number}").status == 200
        with processor.changed:
            for wire in processor.open:
                try:
                    wire.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        answer = pay(world, f"/any/again-{number}")
        assert answer.status in (200, 504), answer
    paths = [request.path for request in processor.requests]
    assert len(paths) == len(set(paths)), "a request reached the processor twice"


@pytest.mark.parametrize("script", [answers.cut_in_body, answers.cut_in_chunk], ids=["length", "chunk"])
def test_answer_cut_off(world, processor, script):
    """Either a 502, or, when the head was passed on already, a connection that visibly ends early: never a whole-looking answer."""
    processor.script("/x", script)
    from wire import Broken
    with world.client() as client:
        try:
            answer = client.ask("POST", "/any/x", [JSON], f'{{"n":"{slot(world)}"}}'.encode())
        except Broken:
            return
        failure(answer, 502, "UPSTREAM_CUT_OFF")
        assert answer.get("x-cardveil-outcome") == "unknown"
    assert len(processor.requests) == 1


# --- answers that come in odd but legal ways ---

@pytest.mark.parametrize("status", [413, 401, 200])
def test_early_answer(world, processor, status):
    processor.script("/x", answers.early(status))
    answer = pay(world)
    assert (answer.status, answer.body) == (status, b'{"early":true}')
    assert answer.get("x-cardveil-source") == "processor"
    processor.faults.clear()


def test_informational_answers(world, processor):
    processor.script("/x", answers.informational(102, 103))
    answer = pay(world)
    assert (answer.status, answer.body) == (200, APPROVED)


def test_informational_answers_without_end(world, processor):
    processor.script("/x", answers.reply_raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000))
    answer = pay(world)
    assert answer.status in (502, 504), answer


def test_body_until_close_in_the_clear(world, processor):
    """In the clear nothing tells the end from a cut (RFC 9112 9.8): taken, or 502 as unknown."""
    processor.script("/x", answers.until_close())
    answer = pay(world)
    assert (answer.status, answer.body) == (200, APPROVED) or answer.get("x-cardveil-outcome") == "unknown", answer


def test_body_until_close_over_tls(world, tls_processor):
    tls_processor.script("/x", answers.until_close())
    answer = pay(world, "/secure/x")
    assert (answer.status, answer.body) == (200, APPROVED), answer


def test_body_until_close_over_tls_cut_off(world, tls_processor):
    tls_processor.script("/x", answers.until_close(clean=False))
    from wire import Broken
    try:
        answer = pay(world, "/secure/x")
    except Broken:
        return
    assert answer.status == 502 and answer.get("x-cardveil-outcome") == "unknown", answer


def test_surplus_answer_is_never_given_to_the_next_request(world, processor):
    processor.script("/1", answers.reply_raw(message() + message(body=b'{"stolen":1}'), keep=True))
    processor.script("/2", answers.reply(body=b'{"second":2}'))
    for _ in range(5):
        assert pay(world, "/any/1").body == APPROVED
        assert pay(world, "/any/2").body == b'{"second":2}'


def test_answer_headers_come_through(world, processor):
    processor.script("/x", answers.reply(headers=[("X-One", "1"), ("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("Connection", "x-hop"),
                                                  ("X-Hop", "1"), ("x-cardveil-source", "forged")]))
    answer = pay(world)
    assert (answer.get("x-one"), answer.all("set-cookie"), answer.all("x-hop")) == ("1", ["a=b", "c=d"], [])
    assert answer.all("x-cardveil-source") == ["processor"]


def test_large_answer(world, processor):
    body = json.dumps({"list": ["x" * 1000] * 5000}).encode()
    for script in (answers.reply(body=body), answers.reply(body=body, chunks=[7, 100000])):
        processor.script("/x", script)
        assert pay(world).body == body


def test_slow_reader(world, processor):
    """More than all buffers on the way hold: the proxy has to wait, and to go on."""
    body = b"[" + b"1," * (8 << 20) + b"1]"
    processor.script("/x", answers.reply(body=body))
    with world.client() as client:
        client.send(b"GET /any/x HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(1)
        assert client.read_answer().body == body


def test_reader_that_stops_reading(make_cardveil, processor):
    """The whole-answer deadline ends it; the relay keeps serving others, and the drain does not wait for it."""
    veil = make_cardveil(more={"deadlines": {"first_byte": "1s", "whole": "2s"}, "drain": "20s"})
    processor.script("/x", answers.reply(body=b"[" + b"1," * (8 << 20) + b"1]"))
    with veil.client() as client:
        client.send(b"GET /any/x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert veil.ask("GET", "/any/y").status == 200
        veil.wait_line(lambda line: line.get("event") == "exchange" and line.get("route") == "any" and line["us"] > 1500000)
    start = time.monotonic()
    assert veil.stop() == 0
    assert time.monotonic() - start < 20, "the drain waited for a dead exchange"


# --- the echo guard ---

@pytest.mark.parametrize("status", [200, 400, 402, 500, 503])
@pytest.mark.parametrize("chunks", [None, [1] * 60, [10, 5]], ids=["length", "bytes", "chunks"])
def test_echo_in_the_body(world, processor, status, chunks):
    processor.script("/x", answers.echo(status, chunks=chunks))
    answer = pay(world)
    assert answer.status == status
    assert not find_secrets(answer.raw), answer
    assert world.visa.encode() in answer.body


@pytest.mark.parametrize("content_type", ["application/json", "text/html", "text/xml", "application/octet-stream", "text/plain"])
def test_echo_in_any_content_type(world, processor, content_type):
    processor.script("/x", answers.echo(wrap=b"<p>%s</p>", content_type=content_type))
    answer = pay(world)
    assert not find_secrets(answer.raw), answer


def test_echo_in_a_header(world, processor):
    processor.script("/x", answers.echo(in_header=True))
    answer = pay(world)
    assert not find_secrets(answer.raw), answer
    assert world.visa in answer.get("x-echo", "")


def test_echo_compressed(world, processor):
    """Compressed answers are looked into, or asked for uncompressed; never passed unseen."""
    processor.script("/x", answers.echo(coding="gzip"))
    answer = pay(world)
    body = gzip.decompress(answer.body) if answer.get("content-encoding") == "gzip" else answer.body
    assert not find_secrets(answer.raw) and not find_secrets(body), answer
    assert world.visa.encode() in body or answer.status == 502


def test_echo_in_an_unknown_coding(world, processor):
    processor.script("/x", answers.echo(coding="br"))
    answer = pay(world)
    assert answer.status == 502, answer
    failure(answer, 502, "UPSTREAM_CODING")
    assert not find_secrets(answer.raw)


@pytest.mark.parametrize("spelling", ["4111 1111 1111 1111", "4111-1111-1111-1111", VISA])
def test_echo_spelled_with_blanks(world, processor, spelling):
    processor.script("/x", answers.reply(400, f'{{"error":"card {spelling} refused"}}'.encode()))
    answer = pay(world)
    assert not find_secrets(answer.raw), answer


def test_numbers_that_were_not_sent_come_through(world, processor):
    body = b'{"tid":"5105105105105100","amount":2099}'
    processor.script("/x", answers.reply(body=body))
    assert pay(world).body == body


def test_echo_on_a_route_with_rules(world, processor):
    processor.default = answers.echo(422)
    answer = world.ask("POST", REDE, [JSON, BASIC], payments.rede_template(world.visa))
    assert answer.status == 422
    assert not find_secrets(answer.raw), answer


def test_echo_with_a_content_length_stays_well_framed(world, processor):
    """A placeholder is longer than a card number: the length must follow."""
    processor.script("/x", answers.echo())
    with world.client() as client:
        for _ in range(5):
            answer = client.ask("POST", "/any/x", [JSON], f'{{"n":"{slot(world)}"}}'.encode())
            assert json.loads(answer.body)["echo"]["n"] != VISA
