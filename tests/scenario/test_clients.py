# SPDX-License-Identifier: Apache-2.0
"""The same payment through curl, Python's requests and Node's fetch: the same bytes at the processor, outside framing and the
clients' own header fields."""

import shutil
import subprocess
import sys

import pytest

import payments
from cardveil import CERTS
from leaks import VISA
from payments import BASIC, JSON, REDE

NODE = """
process.env.NODE_NO_WARNINGS = "1";
let body = require("fs").readFileSync(0);
fetch(process.argv[1], {method: "POST", body, headers: JSON.parse(process.argv[2])})
  .then(async a => { await a.text(); process.exit(a.status == 200 ? 0 : 1); }, e => { console.error(String(e)); process.exit(1); });
"""
REQUESTS = """
import json, requests, sys
a = requests.post(sys.argv[1], data=sys.stdin.buffer.read(), headers=json.loads(sys.argv[2]), verify=sys.argv[3])
sys.exit(a.status_code != 200)
"""


def run(command, body, **more):
    done = subprocess.run(command, input=body, capture_output=True, timeout=60, check=False, **more)
    assert done.returncode == 0, done.stderr.decode()


def with_curl(url, headers, body):
    fields = [part for name, value in headers for part in ("-H", f"{name}: {value}")]
    run(["curl", "-sS", "--fail", "--cacert", CERTS / "ca.pem", *fields, "--data-binary", "@-", url], body)


def with_requests(url, headers, body):
    import json
    run(["/usr/bin/python3", "-c", REQUESTS, url, json.dumps(dict(headers)), str(CERTS / "ca.pem")], body)


def with_fetch(url, headers, body):
    import json
    import os
    if not shutil.which("node"):
        pytest.skip("no node here")
    run(["node", "-e", NODE, url, json.dumps(dict(headers))], body, env={**os.environ, "NODE_EXTRA_CA_CERTS": str(CERTS / "ca.pem")})


def same_for_all(request):
    """What must not differ: everything but framing and what the client says about itself."""
    own = {"user-agent", "accept", "accept-encoding", "accept-language", "connection", "sec-fetch-mode", "content-length",
           "transfer-encoding"}
    fields = sorted((name.lower(), value) for name, value in request.fields if name.lower() not in own)
    return request.method, request.target, fields, request.body


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_same_bytes_from_every_client(world, processor, how):
    url = f"http://127.0.0.1:{world.plain}{REDE}" if how == "plain" else f"https://localhost:{world.tls}{REDE}"
    headers = [JSON, BASIC] + ([("x-api-key", world.key)] if how == "tls" else [])
    body = payments.rede_template(world.visa)
    for client in (with_curl, with_requests, with_fetch):
        for _ in range(2):
            client(url, headers, body)
    got = [same_for_all(request) for request in processor.wait_for(6)]
    assert len(got) == 6
    assert all(one == got[0] for one in got), got
    assert got[0][3] == payments.rede_plain(VISA)


def test_the_harness_sees_a_difference():
    from processor import Request
    one, two = (Request("POST", "/", [("A", value)], 1) for value in "12")
    assert same_for_all(one) != same_for_all(two), sys.argv
