# SPDX-License-Identifier: Apache-2.0
"""The refusal corpus (tests/corpus/http, its make.py says what the lines mean) against the real proxy: what clients send, and
what processors answer."""

import pathlib
from urllib.parse import unquote_to_bytes

import pytest

from cardveil import ROOT
from conftest import start_world
from wire import Broken

CORPUS = ROOT / "tests" / "corpus" / "http"


class Case:
    def __init__(self, path):
        header, _, self.raw = pathlib.Path(path).read_bytes().partition(b"\n---\n")
        self.lines = dict(line.split(": ", 1) if ": " in line else (line.rstrip(":"), "") for line in header.decode().splitlines()[1:])

    def get(self, name):
        return self.lines.get(name)

    def yes(self, name):
        return self.lines.get(name) == "yes"


def cases(folder):
    found = sorted(folder.glob("*.http"))
    assert found, f"no cases in {folder}"
    return [pytest.param(path, id=path.stem) for path in found]


@pytest.fixture(scope="module")
def pass_world(session_folder, watch, rules, processor):
    routes = [{"name": "pass", "rules": "passthrough", "prefix": "/pass", "upstream": processor.url,
               "deadlines": {"connect": "1s", "first_byte": "1s", "whole": "2s"}}]
    veil = start_world(session_folder, watch, rules, routes, more={"bad_tokens": {"count": 1000000}})
    veil.start()
    yield veil
    assert veil.stop() == 0
    watch.cardveils.remove(veil)


def send_what_goes(client, raw, eof):
    """A refusal may close the connection before all was sent."""
    import socket
    try:
        for at in range(0, len(raw), 16384):
            client.send(raw[at:at + 16384])
        if eof:
            client.sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


ALSO = {"ANSWER_CUT_OFF": ("UPSTREAM_CUT_OFF", "UPSTREAM_CLOSED")}


def wait_reason(world, start, name):
    names = {name, *ALSO.get(name, ())}
    return world.wait_line(lambda line: line.get("event") == "exchange" and names & {line.get("reason"), line.get("upstream_refusal")},
                           start, 10)


@pytest.mark.parametrize("path", cases(CORPUS))
def test_request(pass_world, processor, path):
    case, start = Case(path), pass_world.mark()
    with pass_world.client() as client:
        send_what_goes(client, case.raw, case.yes("eof"))
        got = []
        for status in case.get("expect").split():
            answer = client.read_answer(to_head=case.raw.startswith(b"HEAD"))
            got.append(str(answer.status))
            if status != got[-1]:
                break
        assert got == case.get("expect").split(), answer
        if case.yes("close"):
            assert client.is_closed()
        elif not case.yes("eof"):
            assert client.ask("GET", "/pass/after").status == 200
    if case.get("reason"):
        wait_reason(pass_world, start, case.get("reason"))
    seen = [request for request in processor.requests if request.path != "/after"]
    assert len(seen) == int(case.get("upstream")), seen
    assert not [request for request in seen if "smuggled" in request.target and "then" not in path.stem and case.get("upstream") == "1"], seen
    if case.get("body") is not None and seen:
        assert seen[-1].body == unquote_to_bytes(case.get("body"))


@pytest.mark.parametrize("path", cases(CORPUS / "answers"))
def test_answer(pass_world, processor, path):
    case, start = Case(path), pass_world.mark()

    def behave(talk):
        talk.read_body()
        try:
            for at in range(0, len(case.raw), 16384):
                talk.send(case.raw[at:at + 16384])
        except OSError:
            return False
        return not case.yes("eof")
    processor.script("/echo", behave)
    method = case.get("request") or "GET"
    expect = case.get("expect").split(" or ")
    if case.get("reason") == "ANSWER_CUT_OFF" and not case.raw:
        expect = ["504"]  # no answer at all: the outcome is unknown
    with pass_world.client() as client:
        try:
            answer = client.ask(method, "/pass/echo")
            told = str(answer.status)
        except (Broken, ConnectionError):
            told, answer = "cut", None
        assert told in expect, answer
        if answer is not None and case.get("body") is not None and told == expect[0] and method != "HEAD":
            assert answer.body == unquote_to_bytes(case.get("body"))
    if case.get("reason") and case.get("reason") not in ("ANSWER_SURPLUS", "UPSTREAM_CLOSED"):
        wait_reason(pass_world, start, case.get("reason"))
    first = processor.only().connection
    assert pass_world.ask("GET", "/pass/next").status == 200
    second = processor.wait_for(2)[1].connection
    assert (first != second) == case.yes("close")
