# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 on the client's side: framing, pipelining, expectations, codings, deadlines."""

import gzip
import json
import zlib

import pytest

import processor as answers
from client import request
from leaks import VISA
from payments import FORM, JSON, TEXT


def slot(world):
    return f"{{{{ {world.visa} : detokenize }}}}"


def test_chunked_request(world, processor, caller):
    body = f'{{"n":"{slot(world)}"}}'.encode()
    pieces = [body[:3], body[3:12], body[12:13], body[13:]]
    answer = caller.ask("POST", "/any/x", headers=[JSON], body=pieces, chunked=True)
    assert answer.status == 200, answer
    assert processor.only().body == f'{{"n":"{VISA}"}}'.encode()


def test_chunked_request_with_trailers_and_extensions(world, processor):
    with world.client() as client:
        client.send(b"POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"5;name=value\r\nhello\r\n0\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n")
        answer = client.read_answer()
    if answer.status == 200:
        got = processor.only()
        assert got.body == b"hello" and not got.all("x-trailer")
    else:
        assert answer.status == 400 and not processor.requests, answer


@pytest.mark.parametrize("chunks", [[1] * 30, [5], [1000]])
def test_chunked_answer(world, processor, caller, chunks):
    processor.script("/x", answers.reply(chunks=chunks))
    answer = caller.ask("GET", "/any/x")
    assert (answer.status, answer.body) == (200, answers.APPROVED)


def test_http_1_0_client(world, processor):
    processor.script("/x", answers.reply(chunks=[3]))
    with world.client() as client:
        client.send(b"GET /any/x HTTP/1.0\r\nHost: a\r\n\r\n")
        answer = client.read_answer()
        assert (answer.status, answer.body) == (200, answers.APPROVED)
        assert not answer.all("transfer-encoding")  # RFC 9112 6.1: never to a 1.0 client
        assert client.is_closed()


def test_pipelined_requests_are_answered_in_order(world, processor):
    processor.script("/slow", answers.slow(0.5, answers.reply_raw(answers.message(body=b'{"n":0}'), True)))
    for number in range(1, 6):
        processor.script(f"/{number}", answers.reply(body=b'{"n":%d}' % number))
    with world.client() as client:
        client.send(request("GET", "/any/slow") + b"".join(request("POST", f"/any/{n}", [JSON], b'{"a":1}') for n in range(1, 6)))
        assert [json.loads(client.read_answer().body)["n"] for _ in range(6)] == [0, 1, 2, 3, 4, 5]


def test_pipelined_good_then_bad(world, processor):
    with world.client() as client:
        client.send(request("GET", "/any/1") + b"GET /any/2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + request("GET", "/any/3"))
        assert client.read_answer().status == 200
        assert client.read_answer().status == 400
        assert client.is_closed()
    assert [got.path for got in processor.requests] == ["/1"]


def test_expect_100_continue(world, processor):
    body = f'{{"n":"{slot(world)}"}}'.encode()
    with world.client() as client:
        client.send(b"POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body))
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        client.send(body)
        assert client.read_answer().status == 200
    assert processor.only().body == f'{{"n":"{VISA}"}}'.encode()


def test_expect_100_continue_and_refusal(world, processor):
    with world.client() as client:
        client.send(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
        answer = client.read_answer()
        assert answer.status == 404 and not answer.informational


def test_other_expectations(world, processor):
    answer = world.ask("POST", "/any/x", [TEXT, ("Expect", "200-ok")], b"a")
    assert answer.status == 417, answer
    assert not processor.requests


def test_head(world, processor, caller):
    processor.script("/x", answers.reply(headers=[("X-Size", "1")]))
    answer = caller.ask("HEAD", "/any/x")
    assert answer.status == 200 and answer.get("x-size") == "1"


def test_head_keeps_the_connection_usable(world, processor):
    with world.client() as client:
        assert client.ask("HEAD", "/any/x").status == 200
        assert client.ask("GET", "/any/x").body == answers.APPROVED


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_body(world, processor, status):
    processor.script("/x", answers.reply(status, b""))
    with world.client() as client:
        assert client.ask("GET", "/any/x").status == status
        assert client.ask("GET", "/any/y").body == answers.APPROVED


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods(world, processor, method):
    body = b"" if method in ("GET", "OPTIONS", "DELETE") else b'{"a":1}'
    answer = world.ask(method, "/any/x", [JSON] if body else [], body)
    assert answer.status == 200, answer
    assert (processor.only().method, processor.only().body) == (method, body)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "BREW", "get"])
def test_other_methods_are_refused(world, processor, method):
    with world.client() as client:
        client.send(f"{method} /any/x HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert client.read_answer().status in (400, 405, 501)
        assert client.is_closed()
    assert not processor.requests


@pytest.mark.parametrize("coding, encode", [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress),
                                            ("GZIP", gzip.compress), ("identity", bytes)])
def test_compressed_requests(world, processor, coding, encode):
    body = f'{{"n":"{slot(world)}"}}'.encode()
    answer = world.ask("POST", "/any/x", [JSON, ("Content-Encoding", coding)], encode(body))
    assert answer.status == 200, answer
    got = processor.only()
    assert got.body == f'{{"n":"{VISA}"}}'.encode()
    assert got.get("content-encoding", "identity").lower() == "identity"


def test_raw_deflate(world, processor):
    squeeze = zlib.compressobj(wbits=-15)
    body = squeeze.compress(f"n={slot(world).replace(' ', '+')}".encode()) + squeeze.flush()
    assert world.ask("POST", "/any/x", [FORM, ("Content-Encoding", "deflate")], body).status == 200
    assert processor.only().body == f"n={VISA}".encode()


def test_head_over_the_limit(world, processor):
    for headers in ([("X-Long", "x" * 17000)], [(f"X-{n}", "1") for n in range(120)]):
        answer = world.ask("GET", "/any/x", headers)
        assert answer.status == 431, answer
    assert not processor.requests


def test_slow_head(make_cardveil, processor):
    veil = make_cardveil(more={"deadlines": {"head": "1s", "body": "1s", "idle_client": "1s"}})
    with veil.client() as client:
        client.send(b"GET /any/x HTTP/1.1\r\nHo")
        assert client.read_answer().status == 408
        assert client.is_closed()
    with veil.client() as client:
        client.send(b"POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert client.read_answer().status == 408
        assert client.is_closed()
    with veil.client() as client:
        assert client.ask("GET", "/any/x").status == 200
        assert client.is_closed()  # idle
    assert len(processor.requests) == 1


def test_client_goes_away_inside_the_body(world, processor):
    with world.client() as client:
        client.send(b"POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        client.reset()
    assert world.ask("GET", "/any/after").status == 200
    assert [got.path for got in processor.requests] == ["/after"]


def test_client_shuts_its_sending_half(world, processor):
    import socket
    processor.script("/x", answers.slow(0.3))
    with world.client() as client:
        client.send(request("GET", "/any/x"))
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read_answer().status == 200


def test_api_key_in_more_than_one_field(world, processor):
    wrong = "cvk_000000000000_" + "A" * 40
    for keys in ((world.key, wrong), (wrong, world.key), (world.key, world.other_key)):
        world.ask("GET", "/any/x", [("x-api-key", key) for key in keys], how="keyed")
    assert not [got for got in processor.requests if got.all("x-api-key") or b"cvk_" in got.raw]
