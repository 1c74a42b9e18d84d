# SPDX-License-Identifier: Apache-2.0
"""Faults that were found by attacking the running program, one test each, so that they stay away."""

import gzip
import os
import signal
import socket
import time
import zlib

import pytest

from client import request
from leaks import VISA
from payments import JSON, TEXT
from processor import reply


def slot(token):
    return f"{{{{ {token} : detokenize }}}}"


def trickle(client, count, pause):
    """Reads so slowly at first that the proxy must wait for us."""
    for _ in range(count):
        client.buffer += client.sock.recv(4096)
        time.sleep(pause)


LARGE = os.urandom(150_000).hex().encode() * 4


@pytest.mark.parametrize("body, coding, token", [
    (LARGE + b"A" * 1_000_000, "gzip", True), (LARGE, None, True), (LARGE, None, False)], ids=["gzip", "guarded", "as it is"])
@pytest.mark.parametrize("pause", [0, 0.01])
def test_large_answer_is_never_left_half_way(world, processor, body, coding, token, pause):
    """Back-pressure from the client: the processor must be read again whenever the client has taken what was there, also if
    only the answer's end is left to tell."""
    sent = gzip.compress(body, 1) if coding else body
    fields = b"Content-Encoding: gzip\r\n" if coding else b""

    def behave(talk):
        talk.read_body()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n" % (fields, len(sent)) + sent)
        return True
    processor.script("/large", behave)
    for _ in range(3):
        with world.client() as client:
            client.send(request("POST", "/any/large", [TEXT], slot(world.visa).encode() if token else b"plain"))
            if pause:
                trickle(client, 20, pause)
            answer = client.read_answer()
        assert answer.status == 200
        assert answer.body == body


def test_compressed_answer_grows_only_as_it_is_read(world, processor):
    """300 KB that unpack to 300 MB: they go on as the client reads, they do not pile up."""
    body = gzip.compress(b"A" * (300 << 20), 1)

    def behave(talk):
        talk.read_body()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return True
    processor.script("/bomb", behave)
    start = world.mark()
    client = world.client()
    client.send(request("POST", "/any/bomb", [TEXT], slot(world.visa).encode()))
    client.until(b"\r\n\r\n")
    time.sleep(1)  # for piling up, if it did
    client.reset()
    line = world.wait_line(lambda line: line.get("event") == "exchange", start)
    assert line["reason"] == "CLIENT_GONE"


def test_client_that_takes_no_answers_gets_no_more_of_them(world):
    """Pipelined requests of a client that does not read: the proxy stops taking them, and goes on when it reads."""
    one = request("GET", f"/v1/tokens/{world.visa}", [("X-Padding", "x" * 4000)])
    client = world.client()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sock.setblocking(False)
    sent, looked = 0, -1.0
    while sent < 150_000_000:
        try:
            sent += client.sock.send((one * 20)[sent % len(one):])
        except BlockingIOError:
            served = world.metric("cardveil_requests_total")
            if served == looked:
                break
            looked = served
            time.sleep(0.3)
    assert sent < 150_000_000, "it took them all"
    client.sock.settimeout(30)
    for _ in range(sent // len(one)):
        assert client.read_answer().status == 200
    client.close()


def test_streamed_body_to_a_processor_that_reads_slowly(world, processor):
    """Back-pressure from the processor, up to the end of the body: the client is read again, also if only the end is left."""
    def behave(talk):
        for _ in range(30):
            talk.wire.buffer += talk.wire.sock.recv(16384)
            time.sleep(0.02)
        talk.read_body()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True
    processor.script("/slow", behave)
    for size in (3_000_000, 5_000_000):
        body = b'{"card":"%s","filler":[%s0]}' % (slot(world.visa).encode(), b'"0123456789",' * (size // 13))
        answer = world.ask("POST", "/stream/slow", [JSON], [body[i:i + 60_000] for i in range(0, len(body), 60_000)], chunked=True)
        assert answer.status == 200, answer
    assert [len(seen.body) > 2_900_000 for seen in processor.requests] == [True, True]


def test_drain_waits_for_answers_that_are_on_their_way(make_cardveil, processor):
    """The exchange is done, a part of its answer is not yet with a client that reads late: SIGTERM does not cut it."""
    def finished(veil):
        return [line["bytes_out"] for line in veil.lines if line.get("event") == "exchange"]

    def ask_without_reading(veil, sizes):
        clients = {size: veil.client() for size in sizes}
        for size, client in clients.items():
            processor.script(f"/{size}", reply(body=b"x" * size))
            client.send(request("POST", f"/any/{size}", [TEXT], b"x"))
        time.sleep(2)
        return clients
    veil = make_cardveil()
    clients = ask_without_reading(veil, range(1_000_000, 9_000_000, 200_000))
    largest = max(finished(veil))  # what the kernel and the proxy hold together
    for client in clients.values():
        client.reset()
    veil = make_cardveil()
    clients = ask_without_reading(veil, [largest - 100_000])
    assert finished(veil) == [largest - 100_000]
    veil.terminate()
    time.sleep(1)
    for size, client in clients.items():
        assert len(client.read_answer().body) == size
        client.close()
    assert veil.wait_end() == 0


@pytest.mark.parametrize("role", ["keeper", "relay"])
def test_reload_while_a_role_is_starting_reaches_it(make_cardveil, processor, role):
    """A role that was started with the configuration before, and is not ready yet, must not stay with it."""
    veil = make_cardveil()
    name = next(name for name in veil.roles() if name.startswith(role))
    old = veil.roles()[name]
    os.kill(old, signal.SIGKILL)
    started = veil.wait_roles(lambda roles: any(each.startswith(role) and pid != old for each, pid in roles.items()))
    late = next(pid for each, pid in started.items() if each.startswith(role))
    os.kill(late, signal.SIGSTOP)
    start = veil.mark()
    veil.config["routes"].append({"name": "fresh", "rules": "passthrough", "prefix": "/fresh", "upstream": processor.url})
    veil.write_config()
    os.kill(veil.process.pid, signal.SIGHUP)
    time.sleep(1)
    os.kill(late, signal.SIGCONT)
    veil.wait_event("reloaded", start=start)
    deadline = time.monotonic() + 30
    while (answer := veil.ask("POST", "/fresh/x", [TEXT], b"x")).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer.status == 200, answer


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("body", [b"order=1234", b"x4111", b"4", b"411111111111111", b"9" * 70000 + b"41"], ids=len)
def test_answer_that_ends_like_a_card_number_is_whole(world, processor, body, chunked):
    """What could have been the beginning of a PAN, at the very end of an answer, belongs to it."""
    processor.default = reply(body=body, chunks=[3] if chunked else None)
    answer = world.ask("POST", "/any/x", [TEXT], slot(world.visa).encode())
    assert answer.body == body


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_answer_that_is_cut_is_not_passed_on_as_whole(world, processor, coding):
    whole = gzip.compress(b'{"returnCode":"00"}') if coding == "gzip" else zlib.compress(b'{"returnCode":"00"}')
    processor.default = reply(body=whole[:-4], headers=[("Content-Encoding", coding)])
    answer = world.ask("POST", "/any/x", [TEXT], slot(world.visa).encode())
    assert answer.status == 502, answer
    assert answer.get("x-cardveil-outcome") == "unknown"


def test_secret_in_the_name_of_a_field(world, processor):
    processor.default = reply(headers=[(f"X-{VISA}-Seen", "yes"), ("X-Other", "1")])
    answer = world.ask("POST", "/any/x", [TEXT], slot(world.visa).encode())
    assert answer.status == 200
    assert VISA.encode() not in answer.raw
    assert answer.get("x-other") == "1"


@pytest.mark.parametrize("path", ["/any/%2e%2e%2fx", "/any/..%2F..%2frede", "/any/..;/x", "/any/a/..%5Cx", "/any/x/..", "/any/.;a=b/x"])
def test_path_cannot_climb_by_any_spelling(world, processor, path):
    assert world.ask("POST", path, [TEXT], b"x").status == 404
    assert processor.requests == []


@pytest.mark.parametrize("path", ["/any/a%2Fb", "/any/a;b=..c", "/any/...;/x", "/any/a%5cb/%2f"])
def test_path_with_escapes_goes_on_as_it_is(world, processor, path):
    assert world.ask("POST", path, [TEXT], b"x").status == 200
    assert processor.only().target == path[4:]


def test_key_that_is_a_pipe_is_not_waited_for(make_cardveil):
    veil = make_cardveil(start=False)
    (veil.folder / "vault.key").rename(veil.folder / "kept.key")
    os.mkfifo(veil.folder / "vault.key", 0o600)
    done = veil.cli("vault", "verify", check=False)
    assert done.returncode == 1
    assert b"vault.key" in done.stderr
