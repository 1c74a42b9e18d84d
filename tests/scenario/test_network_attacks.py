# SPDX-License-Identifier: Apache-2.0
"""Card networks under attack: a card that changes while it is enrolled or paid with, a stranger's notifications, an answer of
the network that is no credential, and what is held in memory and told at the level debug."""

import collections
import os
import signal
import threading
import time

import pytest

from leaks import VISA, scan_memory
from shop import is_pan


def at_once(count, work):
    """work(number) in as many threads; their results."""
    results = [None] * count

    def run(number):
        results[number] = work(number)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_card_enrolled_by_many_at_once_is_enrolled_once(make_shop, network):
    shop = make_shop(workers=2)
    network.latency = 0.3
    token = shop.new_card()
    before = len(network.asked("enrol"))
    got = at_once(8, lambda _: shop.ask_enrol(token))
    assert sorted(collections.Counter(status for status, _ in got).items()) == [(200, 1), (409, 7)], got
    assert len(network.asked("enrol")) == before + 1


@pytest.mark.parametrize("change", ["delete", "remove the PAN", "change the expiry"])
def test_card_changes_while_it_is_enrolled(make_shop, network, change):
    shop = make_shop()
    network.latency = 0.2
    for number in range(6):
        token = shop.new_card()

        def alter(number=number, token=token):
            time.sleep(number * 0.06)
            if change == "delete":
                return shop.ask("DELETE", f"/v1/tokens/{token}")[0]
            body = {"removePlain": True} if change == "remove the PAN" else {"expiration_date": "11/2032"}
            return shop.ask("PATCH", f"/v1/tokens/{token}", body)[0]
        got = at_once(2, lambda which, alter=alter, token=token: alter() if which else shop.ask_enrol(token)[0])
        assert got[0] in (200, 400, 404, 409, 422) and got[1] in (200, 404, 409, 422), got
    network.latency = 0
    if change == "delete":
        deadline = time.monotonic() + 20
        while [t for t in network.of_card(VISA) if not t.removed and t.reference] and time.monotonic() < deadline:
            time.sleep(0.1)
    assert shop.pay(shop.active()).status == 200


def test_card_is_deleted_while_it_is_paid_with(make_shop, network):
    shop = make_shop()
    network.latency = 0.15
    for number in range(5):
        token = shop.active()

        def delete(token=token, number=number):
            time.sleep(number * 0.05)
            return shop.ask("DELETE", f"/v1/tokens/{token}")[0]
        paid, gone = at_once(2, lambda which, delete=delete, token=token: delete() if which else shop.pay(token).status)
        assert gone == 200 and paid in (200, 404, 422), (paid, gone)
        assert shop.pay(token).status in (404, 422)


def test_a_strangers_notifications_are_bounded(make_shop, network):
    shop = make_shop()
    token = shop.active()
    jobs = len(network.asked("state"))
    got = collections.Counter()
    calls = shop.metrics("cardveil_network_calls")
    for _ in range(60):
        got[network.notify(shop.veil.keyed, shop.made[token], key="AAAA").status] += 1
    assert set(got) == {401, 503} and got[401] <= 20, got  # as a network takes it: not now, so a genuine one would come again
    assert len(network.asked("state")) == jobs and shop.metrics("cardveil_network_calls") == calls
    assert shop.pay(token).status == 200  # whoever has a key, or a listener of his own, is not meant
    assert shop.ask("GET", f"/v1/tokens/{token}")[0] == 200


def test_genuine_notifications_many_times_over_are_one_question(make_shop, network):
    shop = make_shop()
    token = shop.active()
    network.latency = 0.5
    before = len(network.asked("state"))
    got = at_once(16, lambda _: network.notify(shop.veil.keyed, shop.made[token]).status)
    assert set(got) == {200}, got
    time.sleep(2.5)
    assert len(network.asked("state")) - before <= 3


@pytest.mark.parametrize("cryptogram", ["AAAA%41AAAAAAAAAAAAAAAAAAAAAA", "AAAA\\u0041AAAAAAAAAAAA", 'AAAA","x":"y', "AAAA\r\nX: y", "A" * 65, ""])
def test_a_cryptogram_that_is_none_costs_the_network_token_only(make_shop, network, cryptogram, monkeypatch):
    shop = make_shop()
    token = shop.active()
    real = network._fresh
    monkeypatch.setattr(network, "_fresh", lambda *args: real(*args) | {"cryptogram": cryptogram})
    answer, sent = shop.paid(token)
    assert (answer.get("x-cardveil-card-token-type"), answer.get("x-cardveil-fallback")) == ("CARD_PAN", "cryptogram_failed")
    assert is_pan(sent)


def test_what_is_in_memory_and_in_the_log_of_level_debug(make_shop, network):
    """The logs are searched by the fixture: it knows the network's keys, numbers and cryptograms."""
    shop = make_shop(more={"log": {"level": "debug"}})
    tokens = [shop.active() for _ in range(3)]
    for token in tokens * 4:
        assert shop.paid(token)[1].kind == "NETWORK_TOKEN"
    assert shop.credentials(tokens[0])[0] == 200
    numbers = {f"number {i}": shop.made[token].number.encode() for i, token in enumerate(tokens)}
    cryptograms = {f"cryptogram {i}": given.encode() for i, given in enumerate(network.given)}
    time.sleep(0.5)
    for name, pid in shop.veil.roles().items():
        found = scan_memory(pid, {**numbers, **cryptograms, "the card": VISA.encode()})
        assert found == [], (name, found)


def test_registrar_is_killed_again_and_again_under_32_connections(make_shop, network, processor):
    shop = make_shop(routes={"hasty": ("tried", {"volume": "100%", "budget": "500ms"})})
    tokens, stopping, answers = [shop.active() for _ in range(4)], threading.Event(), []

    def kill():
        while not stopping.wait(0.25):
            pid = shop.veil.roles().get("registrar")
            if pid:
                os.kill(pid, signal.SIGKILL)
    killer = threading.Thread(target=kill)
    killer.start()

    def run(number):
        with shop.client() as client:
            for _ in range(12):
                answers.append(shop.pay(tokens[number % 4], "hasty", client=client).status)
    at_once(32, run)
    stopping.set()
    killer.join()
    assert collections.Counter(answers) == {200: 32 * 12}
    for sent in shop.sent(32 * 12):
        assert shop.is_right(sent) if sent.kind == "NETWORK_TOKEN" else is_pan(sent)
