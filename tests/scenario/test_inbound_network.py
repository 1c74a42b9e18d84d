# SPDX-License-Identifier: Apache-2.0
"""A card that comes in has its network token made once its message is through; and what is left of it when its number is destroyed."""

import json
import threading
import time

import pytest

from inbound import RULES, aliases, booking, guest, no_card_in
from leaks import MASTERCARD, VISA, scan_memory
from payments import JSON
from processor import reply
from shop import told
from wire import PATIENCE

PAN = "4012000033330026"  # of the destroyed card alone: nothing else may be what is found of it
SMALL_QUARANTINE = {"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1:exitcode=99"}


def routes(provision="new"):
    return {"in": ("booking", {"provision": provision}, {"direction": "filter-push", "alias": "six-four"}),
            "fetch": ("booking", {"provision": provision}, {"direction": "filter-pull", "alias": "six-four"}),
            "tried": ("tried", {"volume": "100%", "budget": "30s"})}


def inbound_shop(make_shop, of, **more):
    return make_shop(of=of, routes=routes(), own_rules=RULES, **more)


def pushed(shop, *guests):
    """The aliases that the merchant got, once the partner was answered."""
    shop.processor.forget()
    shop.processor.script("/bookings", reply(200, b"{}"))
    answer = shop.veil.ask("POST", "/in/bookings", [JSON], booking(*guests))
    assert answer.status == 200, answer
    seen = shop.processor.only()
    assert no_card_in(seen.raw) and PAN.encode() not in seen.raw
    made = [alias for alias, _ in aliases(seen.body)]
    shop.processor.forget()
    shop.processor.default = shop.approving
    return made


@pytest.fixture(name="incoming")
def incoming_shop(make_shop, own_network):
    def make(**more):
        shop = inbound_shop(make_shop, own_network, **more)
        shop.approving = shop.processor.default
        return shop
    return make


def asked(shop, path):
    """GET: its JSON. Nothing that could be paid with stands in it."""
    answer = shop.veil.ask("GET", path, [("x-api-key", shop.key)], how="keyed")
    secrets = [secret for token in shop.network.tokens.values() for secret in (token.number, token.pan)] + list(shop.network.given)
    assert answer.status == 200 and not any(secret.encode() in answer.raw for secret in secrets), answer
    return json.loads(answer.body)


def stall(network):
    """Takes every call and answers none, until what is returned is set."""
    go = threading.Event()

    def behave(talk):
        go.wait(PATIENCE)
        return network._behave(talk)  # pylint: disable=protected-access
    network.default = behave
    return go


# --- provisioning at capture ---

def test_a_pushed_card_has_a_network_token_after_its_message(incoming):
    shop = incoming()
    go = stall(shop.network)
    alias, cvc_less = pushed(shop, guest(VISA), guest(MASTERCARD, cvc=None))  # and the network has answered nothing
    shop.network.wait_for(1)
    for path in (f"/v1/aliases/{alias}", f"/v1/tokens/{alias}"):
        assert "tokenInfo" not in json.dumps(asked(shop, path)) and '"ACTIVE", "exp' not in json.dumps(asked(shop, path))
    answer, sent = shop.paid(alias)
    assert (sent.number, told(answer)[0]) == (VISA, "CARD_PAN")
    go.set()
    shop.wait_for_state(alias, "ACTIVE")
    shop.wait_for_state(cvc_less, "ACTIVE")
    shown = asked(shop, f"/v1/aliases/{alias}")
    assert (shown["alias"], shown["masked"], shown["card"]["panRemoved"]) == (alias, "411111xxxxxx1111", False)
    assert shown["card"]["tokenInfo"] == {"expiryMonth": "07", "expiryYear": "33"}
    assert shown["card"]["networkToken"] == {"status": "ACTIVE", "expiryMonth": "07", "expiryYear": "33"}
    assert asked(shop, f"/v1/tokens/{alias}")["data"]["network_token"]["expiration_date"] == "07/2033"
    answer, sent = shop.paid(alias)
    assert sent.kind == "NETWORK_TOKEN" and shop.is_right(sent) and told(answer) == ("NETWORK_TOKEN", None)
    asked(shop, f"/v1/aliases/{alias}")
    # The same card once more: it is there already, and so is its network token.
    assert pushed(shop, guest(VISA)) == [alias]
    shop.processor.script("/bookings/7", reply(200, booking(guest(VISA))))
    answer = shop.veil.ask("GET", "/fetch/bookings/7")
    assert (answer.status, aliases(answer.body)[0][0]) == (200, alias), answer
    other, = pushed(shop, guest(PAN))
    shop.wait_for_state(other, "ACTIVE")  # whatever the two before it asked for is done
    assert sorted(call.body["card"]["number"] for call in shop.network.asked("enrol")) == sorted([VISA, MASTERCARD, PAN])


def test_a_network_that_is_away_holds_no_message(incoming):
    shop = incoming()
    shop.network.stop_listening()
    alias, = pushed(shop, guest(VISA))
    assert asked(shop, f"/v1/aliases/{alias}")["alias"] == alias
    shop.network.listen_again()
    shop.wait_for_state(alias, "ACTIVE")
    _, sent = shop.paid(alias)
    assert sent.kind == "NETWORK_TOKEN" and shop.is_right(sent)


# --- without the number ---

def removed(shop, token):
    status, answer = shop.ask("GET", f"/v1/tokens/{token}")
    assert status == 200
    return answer["data"]["status"] == "PAN_REMOVED"


def wait_removed(shop, token):
    deadline = time.monotonic() + PATIENCE
    while not removed(shop, token) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert removed(shop, token)


def refused_unsent(shop, token, *wanted):
    before = len(shop.processor.requests)
    answer = shop.pay(token, headers=[("x-cardveil-card-token-type", word) for word in wanted])
    assert (answer.status, json.loads(answer.body)["data"]["code"]) == (422, "TOKEN_NO_PAN"), answer
    assert len(shop.processor.requests) == before


def expect_no_number(shop, pan):
    for name, pid in shop.veil.roles().items():
        assert scan_memory(pid, {"the card number": pan.encode()}) == [], name


def test_a_merchant_without_card_numbers(incoming):
    """no_pan: yes: the number goes by itself once the network token is ACTIVE, and there is no way back to it."""
    shop = incoming(merchant={"no_pan": "yes"}, environment=SMALL_QUARANTINE)
    shop.network.provisioning = None
    alias, = pushed(shop, guest(PAN, cvc=None))
    shop.network.wait_call("enrol")
    status, answer = shop.ask("PATCH", f"/v1/tokens/{alias}", {"removePlain": True})
    assert (status, answer["data"]["code"]) == (409, "NETWORK_TOKEN_NEEDED"), answer
    assert not removed(shop, alias)
    made = shop.made[alias] = shop.network.only_token(PAN)
    shop.changed(alias, "ACTIVE", "provisioned")
    shop.wait_for_state(alias, "ACTIVE")
    wait_removed(shop, alias)
    assert asked(shop, f"/v1/aliases/{alias}")["card"]["panRemoved"] is True
    expect_no_number(shop, PAN)
    _, sent = shop.paid(alias)
    assert sent.kind == "NETWORK_TOKEN" and shop.is_right(sent)
    refused_unsent(shop, alias, "CARD_PAN")
    shop.veil.kill()
    shop.veil.start()
    assert removed(shop, alias)
    _, sent = shop.paid(alias)
    assert sent.token is made and shop.is_right(sent)
    expect_no_number(shop, PAN)
    # The number comes in again: that is another card to us, and the old one stays without.
    shop.network.provisioning = 0
    again, = pushed(shop, guest(PAN, cvc=None))
    assert again != alias and removed(shop, alias)
    wait_removed(shop, again)
    assert {shop.paid(token)[1].token for token in (alias, again)} == set(shop.network.of_card(PAN))
    shop.network.no_cryptogram.add(PAN)
    refused_unsent(shop, alias)
    shop.network.no_cryptogram.clear()
    for state in ("SUSPENDED", "DELETED"):
        shop.changed(alias, state)
        shop.wait_for_state(alias, state)
        refused_unsent(shop, alias)
    assert removed(shop, alias) and not shop.network.wrong_payments


def test_a_number_that_is_removed_is_removed(incoming):
    """Per token, where the merchant keeps the others' numbers."""
    shop = incoming(environment=SMALL_QUARANTINE)
    alias, other = pushed(shop, guest(PAN, cvc=None), guest(VISA, cvc=None))
    for token in (alias, other):
        shop.wait_for_state(token, "ACTIVE")
    assert shop.ask("PATCH", f"/v1/aliases/{alias}", {"removePlain": True})[0] == 200
    assert removed(shop, alias) and not removed(shop, other)
    shop.veil.kill()  # at once: what was answered is on the disk
    shop.veil.start()
    assert removed(shop, alias)
    assert shop.paid(alias)[1].kind == shop.paid(other)[1].kind == "NETWORK_TOKEN"
    expect_no_number(shop, PAN)
    assert shop.paid(other, headers=[("x-cardveil-card-token-type", "CARD_PAN")])[1].number == VISA
    refused_unsent(shop, alias, "CARD_PAN")
    again, = pushed(shop, guest(PAN, cvc=None))
    assert again != alias and removed(shop, alias) and not removed(shop, again)
    refused_unsent(shop, alias, "CARD_PAN")
