# SPDX-License-Identifier: Apache-2.0
"""Bodies beyond the buffer on a route with 'stream: on': card data in the right places, memory flat."""

import gzip

import pytest

from client import request
from leaks import MASTERCARD, VISA, find_secrets
from payments import JSON
import processor as answers


def rows(world, count):
    """A JSON list with a placeholder in every row: what is sent, and what must arrive."""
    sent = [f'{{"id":{n},"card":"{{{{ {(world.visa, world.mastercard)[n % 2]} : detokenize }}}}","pad":"{"x" * 80}"}}' for n in range(count)]
    wanted = [f'{{"id":{n},"card":"{(VISA, MASTERCARD)[n % 2]}","pad":"{"x" * 80}"}}' for n in range(count)]
    return ("[" + ",\n".join(sent) + "]").encode(), ("[" + ",\n".join(wanted) + "]").encode()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_large_json_streams(world, processor, chunked):
    sent, wanted = rows(world, 20000)
    assert len(sent) > 2 << 20
    pieces = [sent[at:at + 60000] for at in range(0, len(sent), 60000)] if chunked else sent
    answer = world.ask("POST", "/stream/x", [JSON], pieces, chunked=chunked)
    assert answer.status == 200, answer
    assert processor.only().body == wanted


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_compressed_json_streams(world, processor, chunked):
    """A few kilobytes that become megabytes: taken in pieces, never more held than the buffer."""
    sent, wanted = rows(world, 20000)
    packed = gzip.compress(sent)
    assert len(packed) < len(sent) // 10
    pieces = [packed[at:at + 3000] for at in range(0, len(packed), 3000)] if chunked else packed
    answer = world.ask("POST", "/stream/x", [JSON, ("Content-Encoding", "gzip")], pieces, chunked=chunked)
    assert answer.status == 200, answer
    assert processor.only().body == wanted


def test_small_json_on_a_streaming_route(world, processor):
    sent, wanted = rows(world, 3)
    assert world.ask("POST", "/stream/x", [JSON], sent).status == 200
    assert processor.only().body == wanted


def test_bad_token_in_the_middle_of_a_stream(world, processor):
    """What went out is not a whole request: the processor sees the body cut off, never a complete one."""
    sent, _ = rows(world, 20000)
    middle = sent.index(b'{"id":15000,')
    broken = sent[:middle] + b'{"card":"{{ tok_does_not_exist : detokenize }}"},' + sent[middle:]
    with world.client() as client:
        try:
            client.send(request("POST", "/stream/x", [JSON], broken))
            answer = client.read_answer()
            assert answer.status >= 400, answer
        except OSError:
            pass
    assert not any(got.complete for got in processor.requests)
    processor.faults.clear()


def test_broken_json_at_the_end_of_a_stream(world, processor):
    sent, _ = rows(world, 20000)
    with world.client() as client:
        try:
            client.send(request("POST", "/stream/x", [JSON], sent[:-1] + b"}"))
            assert client.read_answer().status >= 400
        except OSError:
            pass
    assert not any(got.complete for got in processor.requests)
    processor.faults.clear()


def test_echo_of_a_stream(world, processor):
    processor.script("/x", answers.echo(500))
    sent, _ = rows(world, 12000)
    answer = world.ask("POST", "/stream/x", [JSON], sent)
    assert not find_secrets(answer.raw)


def memory_kib(pids):
    total = 0
    for pid in pids:
        for line in open(f"/proc/{pid}/status", encoding="ascii"):
            if line.startswith("RssAnon:"):
                total += int(line.split()[1])
    return total


def stream_of(world, processor, megabytes):
    """Sends that much, reading the answer last; returns the growth of the relays' memory in KiB while it ran."""
    def count(talk):
        wire, total = talk.wire, 0
        while True:
            size = int(wire.until(b"\r\n").split(b";")[0], 16)
            wire.seen = b""
            wire.exactly(size + 2)
            wire.seen = b""
            total += size
            if size == 0:
                break
        talk.request.complete = True
        talk.send(answers.message(body=b'{"got":%d}' % total))
        return True
    processor.script("/x", count)
    row = f'{{"card":"{{{{ {world.visa} : detokenize }}}}","pad":"{"x" * 60000}"}},'.encode()
    before, peak = memory_kib(world.relays()), 0
    with world.client() as client:
        client.send(b"POST /stream/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n")
        for number in range(megabytes * 17):
            client.send(b"%x\r\n%s\r\n" % (len(row), row))
            if number % 50 == 0:
                peak = max(peak, memory_kib(world.relays()))
        client.send(b"2\r\n1]\r\n0\r\n\r\n")
        assert client.read_answer().status == 200
    return max(peak, memory_kib(world.relays())) - before


def test_stream_with_flat_memory(world, processor):
    stream_of(world, processor, 8)  # warms the allocator up
    small, large = stream_of(world, processor, 8), stream_of(world, processor, 64)
    assert large < max(small, 1024) + 16 * 1024, (small, large)


@pytest.mark.long
def test_one_gibibyte(world, processor):
    stream_of(world, processor, 8)
    assert stream_of(world, processor, 1024) < 16 * 1024
