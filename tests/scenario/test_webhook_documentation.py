# SPDX-License-Identifier: Apache-2.0
"""doc/webhooks.md tells the truth: its examples verify what is really delivered, and nothing else; what it shows is what comes."""

import json
import re
import shutil
import subprocess
import time

import pytest

from cardveil import ROOT

TEXT = (ROOT / "doc" / "webhooks.md").read_text()
RUNNERS = {  # language: (program, what calls the example and prints yes or no)
    "python": ("/usr/bin/python3", "import sys\nprint('yes' if verify(sys.argv[1].encode(), sys.argv[2], sys.stdin.buffer.read(), int(sys.argv[3])) else 'no')"),
    "javascript": ("node", "const [, , secret, signature, oldest] = process.argv;\n"
                           "console.log(verify(Buffer.from(secret), signature, require('node:fs').readFileSync(0), Number(oldest)) ? 'yes' : 'no');"),
    "php": ("php", "echo verify($argv[1], $argv[2], file_get_contents('php://stdin'), (int) $argv[3]) ? 'yes' : 'no', \"\\n\";"),
}


def example(language):
    found = re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)
    assert len(found) == 1, language
    return found[0]


@pytest.fixture(scope="module", params=RUNNERS)
def verify(request, tmp_path_factory):
    program, call = RUNNERS[request.param]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    script = tmp_path_factory.mktemp("example") / f"verify.{request.param}"
    script.write_text(example(request.param) + "\n" + call + "\n")

    def run(secret, signature, body, oldest=300):
        done = subprocess.run([program, script, secret.decode(), signature, str(oldest)], input=body, capture_output=True, timeout=60, check=True)
        assert done.stdout in (b"yes\n", b"no\n"), done
        return done.stdout == b"yes\n"
    return run


@pytest.fixture(scope="module")
def delivered(shop, receiver):
    token = shop.active()
    request = receiver.wait(token, "ACTIVE")[0].request
    return request.get("x-cardveil-signature"), request.body, request, token


def test_examples_take_what_is_genuine_and_nothing_else(delivered, receiver, verify):
    signature, body, *_ = delivered
    secret = receiver.secret
    assert verify(secret, signature, body)
    when, mac = re.fullmatch(r"t=(\d+),s=(\w+)", signature).groups()
    for wrong in (f"t={int(when) + 1},s={mac}", f"t={when},s={mac[:-1]}{'0' if mac[-1] != '0' else '1'}", f"t={when},s={mac[:-2]}", f"t={when}",
                  f"s={mac},t={when}", f"t={when},s={mac.upper()}", f"t={when},s={mac}\n", "", f"t=,s={mac}", f"t=-1,s={mac}"):
        assert not verify(secret, wrong, body), wrong
    assert not verify(secret + b"x", signature, body)
    assert not verify(secret, signature, body + b"\n") and not verify(secret, signature, body[:-1]) and not verify(secret, signature, b"")


def test_examples_refuse_what_is_old(delivered, receiver, verify):
    signature, body, *_ = delivered
    while time.time() < int(re.match(r"t=(\d+)", signature)[1]) + 1.2:  # so that it is older than a second
        time.sleep(0.1)
    assert not verify(receiver.secret, signature, body, oldest=1)
    assert verify(receiver.secret, signature, body, oldest=3600)


def test_what_is_shown_is_what_comes(delivered):
    _, body, request, token = delivered
    shown = json.loads(re.search(r"^(\{\"id\".*?\}\})$", TEXT, re.S | re.M)[1])
    told = json.loads(body)
    assert set(told) == set(shown) and set(told["data"]) == set(shown["data"])
    assert told["type"] == shown["type"] and told["data"]["token"] == token
    for name in re.findall(r"^([A-Z][\w-]+): ", TEXT, re.M):
        assert request.get(name.lower()) is not None, name
    assert request.get("x-cardveil-event-id") == told["id"]
