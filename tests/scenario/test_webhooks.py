# SPDX-License-Identifier: Apache-2.0
"""Network Token Events at the merchant's URL: signed, retried, in order, listed and sent again. The receiver verifies each."""

import json
import uuid

import pytest

from wire import PATIENCE

ROUTE = {"any": ("passthrough", None)}


def listed(shop, *more):
    out = shop.veil.cli("webhook", "list", "--json", *more).stdout.decode()
    return [json.loads(line) for line in out.splitlines()]


def test_what_it_says(shop, receiver):
    token = shop.active()
    event = receiver.wait(token, "ACTIVE")[0]
    assert str(uuid.UUID(event.id)) == event.id
    assert set(event.told) == {"id", "type", "created_at", "merchant", "data"} and event.told["merchant"] == "shop"
    assert event.told["data"]["token"] == token
    assert event.request.get("content-type").startswith("application/json")
    assert not [name for name, _ in event.request.fields if name.lower() == "x-api-key"]


@pytest.mark.parametrize("failure", [500, 404, 301, "reset"])
def test_what_is_not_taken_comes_again(shop, receiver, failure):
    receiver.failing, receiver.failure = 2, failure
    token = shop.active()
    receiver.wait(token, "ACTIVE")
    tries = receiver.of(token)
    assert [t.taken for t in tries] == [False, False, True]
    assert len({t.id for t in tries}) == 1 and len({t.request.body for t in tries}) == 1
    assert len({t.request.get("x-cardveil-signature") for t in tries}) > 1, "the time of each try is signed"


def test_in_order_within_a_token(shop, receiver):
    """A later event waits for an earlier one that is not taken; another token's does not."""
    receiver.failing = None
    token = shop.active()
    receiver.wait_for(1)
    shop.changed(token, "SUSPENDED")
    shop.wait_for_state(token, "SUSPENDED")
    shop.changed(token, "ACTIVE")
    shop.wait_for_state(token, "ACTIVE")
    assert {event.status for event in receiver.of(token)} == {"ACTIVE"} and len({event.id for event in receiver.of(token)}) == 1
    receiver.failing = 0
    receiver.wait(token, "ACTIVE", 2)
    taken = receiver.of(token, taken=True)
    assert [event.status for event in taken] == ["ACTIVE", "SUSPENDED", "ACTIVE"] and len({event.id for event in taken}) == 3


def test_each_url_has_its_own_queue(make_shop, watch, receiver, session_folder):
    from receiver import Receiver
    from shop import secret_file
    other = Receiver()
    watch.processors.append(other)
    try:
        hooks = [{"url": each.url, "secret": secret_file(session_folder, each.secret)} for each in (receiver, other)]
        shop = make_shop(routes=ROUTE, merchant={"webhooks": hooks})
        receiver.failing = None
        token = shop.active()
        assert len(other.wait(token, "ACTIVE")) == 1
        receiver.failing = 0
        receiver.wait(token, "ACTIVE")
    finally:
        watch.processors.remove(other)
        other.close()


def test_a_receiver_that_hangs_holds_no_more_than_its_own_places(make_shop, watch, receiver, session_folder):
    """One takes connections and answers nothing, while many tokens have news: the other hears all of it."""
    from receiver import Receiver
    from shop import secret_file
    hanging, under_way, most = Receiver(), [], 0

    def hang(talk):
        nonlocal most
        talk.read_body()
        under_way.append(talk)
        most = max(most, len(under_way))
        talk.wire.is_closed()  # given up
        under_way.remove(talk)
        return False

    hanging.default = hang
    watch.processors.append(hanging)
    try:
        hooks = [{"url": each.url, "secret": secret_file(session_folder, each.secret)} for each in (hanging, receiver)]
        shop = make_shop(routes=ROUTE, merchant={"webhooks": hooks})
        tokens = shop.new_card(count=40)
        for token in tokens:
            assert shop.ask_enrol(token)[0] == 200
        for token in tokens:
            receiver.wait(token, "ACTIVE")
        assert 1 <= most <= 8
    finally:
        watch.processors.remove(hanging)
        hanging.close()


def test_undelivered_outlives_everything(make_shop, receiver):
    shop = make_shop(routes=ROUTE)
    receiver.failing = None
    token = shop.active()
    receiver.wait_for(1)
    wanted = receiver.of(token)[0].id
    shop.veil.kill()
    receiver.failing = 0
    shop.veil.start()
    assert receiver.wait(token, "ACTIVE")[0].id == wanted


def test_no_webhook_no_delivery(make_shop, receiver):
    shop = make_shop(routes=ROUTE, merchant={"webhooks": None})
    token = shop.active()
    shop.changed(token, "SUSPENDED")
    shop.wait_for_state(token, "SUSPENDED")
    assert not receiver.deliveries and listed(shop) == []


def test_refused_cards_have_no_active_event(shop, network, receiver):
    network.refused["4111111111111111"] = "DECLINED"
    token = shop.new_card()
    assert shop.ask_enrol(token)[0] == 409
    network.refused.clear()
    other = shop.active()
    receiver.wait(other, "ACTIVE")
    assert [event for event in receiver.of(token) if event.status == "ACTIVE"] == []


# --- the command ---

def test_listed_and_sent_again(make_shop, receiver):
    shop = make_shop(routes=ROUTE)
    token = shop.active()
    first = receiver.wait(token, "ACTIVE")[0]
    shown = wait_listed(shop, first.id, "delivered")
    assert shown["token"] == token and shown["merchant"] == "shop"
    assert listed(shop, "--state", "pending") == [] and listed(shop, "--merchant", "other") == []
    assert token in shop.veil.cli("webhook", "show", first.id).stdout.decode()
    shop.veil.cli("webhook", "resend", first.id)
    again = receiver.wait(token, "ACTIVE", 2)
    assert [event.id for event in again] == [first.id, first.id] and again[0].request.body == again[1].request.body


def test_pending_is_listed(make_shop, receiver):
    shop = make_shop(routes=ROUTE)
    receiver.failing, receiver.failure = None, 500
    token = shop.active()
    receiver.wait_for(1)
    shown = wait_listed(shop, receiver.of(token)[0].id, "pending", tried=True)
    assert shown["token"] == token
    receiver.failing = 0
    shop.veil.cli("webhook", "resend", receiver.of(token)[0].id)
    receiver.wait(token, "ACTIVE")


def wait_listed(shop, event, state, tried=False):
    import time
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = [item for item in listed(shop) if item["id"] == event and item["state"] == state and (not tried or item["tries"])]
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(listed(shop))


def test_nothing_by_this_name(shop):
    for words in (("show", str(uuid.uuid4())), ("resend", str(uuid.uuid4()))):
        done = shop.veil.cli("webhook", *words, check=False)
        assert done.returncode == 1 and done.stderr, done
