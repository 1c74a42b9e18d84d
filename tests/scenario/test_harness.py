# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a test that cannot fail is a defect, so its watchers are shown what they must find."""

import gzip
import os
import subprocess

import pytest

import processor as answers
from client import Client, request
from leaks import CVC, VISA, find_in_folder, find_secrets, scan_memory
from processor import APPROVED
from wire import Broken


@pytest.mark.may_print_secrets
@pytest.mark.parametrize("leak", [VISA, "4111-1111-1111-1111", "4111 1111 1111 1111", '"4111%201111%201111%201111"', f'"{CVC}"', f"cvc={CVC}&",
                                  f"<Cvc> {CVC}</Cvc>", f"1,{CVC},x", f"1;{CVC}\r\n", f"cvc,id\n{CVC},1", f"cvc\r\n\r\n{CVC}\r\n--b"])
def test_finds_a_planted_leak(leak, tmp_path):
    (tmp_path / "log").write_text(f'{{"event":"exchange","text":"{leak}"}}')
    assert find_in_folder(tmp_path)


def test_finds_no_leak_where_there_is_none():
    assert not find_secrets(b'{"status":200,"upstream_ms":7391,"request":"4111110000001111","mask":"411111******1111"}')


def test_finds_a_key():
    assert find_secrets(b"x-api-key: cvk_abc_secretsecret", [b"secretsecret"])


def test_finds_a_secret_in_memory():
    secret = os.urandom(24).hex()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={"PLANTED": secret}) as child:
        try:
            wanted = {"planted": secret.encode(), "absent": os.urandom(24).hex().encode()}
            assert scan_memory(child.pid, wanted) == ["planted"]
        finally:
            child.stdin.close()


@pytest.fixture
def client(processor):
    with Client(processor.port) as made:
        yield made


def test_processor_records_raw_bytes(processor, client):
    sent = request("POST", "/a?b=1", [("X-One", "1")], b"hello")
    client.send(sent)
    assert client.read_answer().body == APPROVED
    assert processor.only().raw == sent
    assert processor.only().body == b"hello"


def test_processor_reads_chunks(processor, client):
    sent = request("POST", "/a", body=[b"he", b"llo"], chunked=True)
    client.send(sent)
    assert client.read_answer().status == 200
    assert (processor.only().raw, processor.only().body) == (sent, b"hello")


def test_processor_notes_ambiguous_framing(processor, client):
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    with pytest.raises(Broken):
        client.read_answer()
    assert processor.faults
    processor.faults.clear()


@pytest.mark.parametrize("bad", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", b"garbage\r\n\r\n",
                                 b"HTTP/1.1 200 OK\r\n space: 1\r\n\r\n"])
def test_client_refuses_bad_answers(processor, client, bad):
    processor.script("/bad", answers.reply_raw(bad))
    with pytest.raises(Broken):
        client.ask("POST", "/bad")


def test_scripts(processor, client):
    for script, check in [
        (answers.reply(402, b"no", chunks=[1]), lambda a: (a.status, a.body) == (402, b"no")),
        (answers.informational(102, 103), lambda a: [i.status for i in a.informational] == [102, 103]),
        (answers.echo(), lambda a: a.body == b'{"echo":secret}'),
        (answers.echo(coding="gzip"), lambda a: gzip.decompress(a.body) == b'{"echo":secret}'),
        (answers.until_close(b"all"), lambda a: a.body == b"all"),
    ]:
        processor.script("/s", script)
        answer = client.ask("POST", "/s", body=b"secret")
        assert check(answer), answer
