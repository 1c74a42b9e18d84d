# SPDX-License-Identifier: Apache-2.0
"""POST /v1/network-events/cybersource: taken only with a right v-c-signature, over the body or over its payload; then the state is
read back, whatever the notification says."""

import json
import os
import time
from base64 import b64encode

import pytest

PATH = "/v1/network-events/cybersource"


@pytest.fixture
def suspended(shop, network):
    """A token that is suspended at the network, which nobody has told yet."""
    token = shop.active()
    network.provision(shop.made[token], "SUSPENDED")
    network.calls.clear()
    return token


@pytest.mark.parametrize("signs", ["payload", "body"])
@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("link_only", [False, True])
def test_both_readings_of_what_is_signed(shop, network, suspended, signs, array, link_only):
    answer = network.notify(shop.veil.keyed, shop.made[suspended], signs=signs, array=array, link_only=link_only)
    assert answer.status == 200, answer
    shop.wait_for_state(suspended, "SUSPENDED")
    assert network.asked("state") or network.asked("instrument")


def test_log_says_which_reading_matched(shop, network, suspended):
    """At the first of each kind at least, so that one can be pinned."""
    for signs in ("payload", "body"):
        assert network.notify(shop.veil.keyed, shop.made[suspended], signs=signs).status == 200
        shop.veil.wait_line(lambda line, signs=signs: "notice" in line.get("event", "") and signs in json.dumps(line))


@pytest.mark.parametrize("pinned, other", [("payload", "body"), ("body", "payload")])
def test_pinned_reading_is_the_only_one(make_shop, network, pinned, other):
    shop = make_shop(routes={"any": ("passthrough", None)})
    entry = shop.veil.config["networks"][0]
    entry["notice"]["signs"] = pinned
    shop.veil.write_config()
    shop.veil.reload()
    token = shop.active()
    network.provision(shop.made[token], "SUSPENDED")
    assert network.notify(shop.veil.keyed, shop.made[token], signs=other).status == 401
    assert network.notify(shop.veil.keyed, shop.made[token], signs=pinned).status == 200
    shop.wait_for_state(token, "SUSPENDED")


@pytest.mark.parametrize("change", [
    {"key": b64encode(os.urandom(32))}, {"key_id": "another"}, {"field": ""}, {"field": "t=1;keyId=x"}, {"field": "t=1;keyId=x;sig="},
    {"field": "t=x;keyId=8c1f0b6a-0d7e-4f8e-9a55-aa0000000002;sig=AAAA"}, {"field": "sig=AAAA"}, {"field": "x" * 5000},
    {"when": time.time() - 7200}, {"when": time.time() + 7200}])
def test_wrong_signatures(shop, network, suspended, change):
    answer = network.notify(shop.veil.keyed, shop.made[suspended], **change)
    assert answer.status == 401, answer
    assert answer.all("www-authenticate") == ['Signature header="v-c-signature"'], "what is wanted of a network is no API key"
    assert not network.calls and shop.state(suspended)["status"] == "ACTIVE"


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"payload":{}}', '{"payload":{"data":{"id":"../x"}}}', '{"payload":[]}', '{"payload":{"data":{}},"payload":{"data":{}}}'])
def test_signed_but_senseless(shop, network, suspended, body):
    answer = network.notify(shop.veil.keyed, shop.made[suspended], body=body, signs="body")
    assert answer.status in (200, 400, 401, 502), answer
    assert shop.ask("GET", f"/v1/tokens/{suspended}")[0] == 200 and shop.state(suspended)["status"] == "ACTIVE"


def test_of_a_token_that_nobody_has(shop, network):
    from network import NetworkToken
    stranger = NetworkToken("4895370000000002", "4111111111111111", {"expirationMonth": "12", "expirationYear": "2031"}, "r", "visa")
    assert network.notify(shop.veil.keyed, stranger).status == 200  # else the network would send it for ever
    assert not network.calls


def test_other_paths_and_methods(shop, network, suspended):
    made = shop.made[suspended]
    assert network.notify(shop.veil.keyed, made, path="/v1/network-events/unknown").status == 404
    assert shop.veil.ask("GET", PATH, how="keyed").status == 200  # the platform's health check
    assert shop.veil.ask("DELETE", PATH, how="keyed").status == 405
    assert not network.calls


def test_over_each_listener(shop, network, suspended):
    from cardveil import CERTS
    made = shop.made[suspended]
    assert network.notify(shop.veil.plain, made).status == 200
    assert network.notify(shop.veil.tls, made, tls=True, ca=CERTS / "ca.pem").status == 200


def test_too_large(shop, network, suspended):
    body = json.dumps({"payload": {"data": {"id": shop.made[suspended].id}}, "x": "y" * 40000})
    assert network.notify(shop.veil.keyed, shop.made[suspended], body=body, signs="body").status == 413


def test_no_key_no_notices(make_shop, network):
    shop = make_shop(entry={"notice": None}, routes={"any": ("passthrough", None)})
    token = shop.active()
    network.provision(shop.made[token], "SUSPENDED")
    assert network.notify(shop.veil.keyed, shop.made[token]).status == 401
    assert shop.state(token)["status"] == "ACTIVE"


def test_the_state_is_read_back_even_if_the_network_is_down_now(shop, network, suspended):
    network.mode = 503
    assert network.notify(shop.veil.keyed, shop.made[suspended]).status == 200
    network.mode = "well"
    shop.wait_for_state(suspended, "SUSPENDED")
