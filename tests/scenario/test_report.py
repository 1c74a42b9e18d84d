# SPDX-License-Identifier: Apache-2.0
"""GET /v1/reports/network-tokens and 'cardveil report': counts that are exact, also after a crash, and rates with the count behind them."""

import datetime
import json
import math
import os
import signal
import threading
import time

import pytest

from leaks import MASTERCARD, VISA
from shop import APPROVED, PERMITS, answering, approving
from wire import PATIENCE, Broken

PATH = "/v1/reports/network-tokens"
ROUTES = {"tried": ("tried", {"volume": "100%", "budget": "30s"}), "retrying": ("tried", {"volume": "100%", "budget": "30s", "pan_retry": "on"}),
          "none": ("tried", {"volume": "0%"})}
NOTHING = {"approved": 0, "declined": 0, "unknown": 0}


def report(shop, query="", key=None):
    deadline = time.monotonic() + PATIENCE
    status, told = shop.ask("GET", PATH + query, key=key)
    while status == 503 and time.monotonic() < deadline:  # the keeper was killed and is not back
        time.sleep(0.1)
        status, told = shop.ask("GET", PATH + query, key=key)
    assert (status, told["status"]) == (200, "success"), told
    return told["data"]


def payments(told):
    return {name: told["payments"][name] for name in ("network_token", "card_pan_of_cards_with_token", "card_pan_of_other_cards", "pan_retries")}


def wait_report(shop, count, query=""):
    """The report once it has so many first attempts; counts may lag behind a payment's answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        told = report(shop, query)
        seen = sum(sum(values.values()) for name, values in payments(told).items() if name != "pan_retries")
        if seen >= count:
            break
        time.sleep(0.1)
    assert seen == count, (count, told)
    return told


def wilson(hits, n):
    """Wilson's score interval, 95 %."""
    z, p = 1.959963984540054, hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def newcombe(a, b):
    """The interval of a difference of two shares (hits, n), by Newcombe's hybrid score."""
    (p, low, high), (q, other_low, other_high) = ((hits / n, *wilson(hits, n)) for hits, n in (a, b))
    return p - q, p - q - math.hypot(p - low, other_high - q), p - q + math.hypot(high - p, q - other_low)


def check_rate(told, hits, n):
    assert (told["approved"], told["of"]) == (hits, n), told
    assert [told["rate"], told["low"], told["high"]] == pytest.approx([hits / n, *wilson(hits, n)], abs=1e-4), told


def check_difference(told, a, b):
    assert [told["value"], told["low"], told["high"]] == pytest.approx(newcombe(a, b), abs=1e-4), told


@pytest.fixture
def own(make_shop, network, processor):
    yield make_shop(routes=ROUTES)
    processor.default = approving(network)


def test_nothing_yet(own):
    told = report(own)
    assert payments(told) == dict.fromkeys(payments(told), NOTHING) and told["cards_with_token"] == 0
    assert told["comparison"]["first_attempts"]["difference"] is None
    assert told["comparison"]["first_attempts"]["network_token"] == {"approved": 0, "of": 0, "rate": None}


def decide(sent):
    """Of network tokens every third is declined, of card numbers every second; amounts number the payments."""
    number = sent.body["amount"]
    if sent.kind == "NETWORK_TOKEN":
        return {"code": "no-do_not_honor"} if number % 3 == 0 else APPROVED
    return {"code": "no-hard"} if number % 2 else APPROVED


def test_counts_rates_and_intervals(own, network, processor):
    processor.default = answering(network, decide)
    token, other = own.active(), own.new_card()
    for number in range(12):
        own.paid(token, body=own.body(token, amount=number))
    for number in range(9):
        own.paid(token, "none", body=own.body(token, amount=number))
    for number in range(4):
        own.paid(other, body=own.body(other, amount=number))
    told = wait_report(own, 25)
    assert payments(told) == {"network_token": {"approved": 8, "declined": 4, "unknown": 0}, "pan_retries": NOTHING,
                              "card_pan_of_cards_with_token": {"approved": 5, "declined": 4, "unknown": 0},
                              "card_pan_of_other_cards": {"approved": 2, "declined": 2, "unknown": 0}}
    assert {name: count for name, count in told["fallbacks"].items() if count} == {"not_in_volume": 9, "not_provisioned": 4}
    compared = told["comparison"]["first_attempts"]
    check_rate(compared["network_token"], 8, 12)
    check_rate(compared["card_pan"], 5, 9)
    check_difference(compared["difference"], (8, 12), (5, 9))
    share = told["comparison"]["share_of_network_token"]
    assert (share["payments"], share["of"]) == (12, 21)
    by_route = {row["route"]: row for row in told["routes"] if any(value != NOTHING for value in payments(row).values())}
    assert set(by_route) == {"tried", "none"}
    assert by_route["none"]["payments"]["card_pan_of_cards_with_token"] == {"approved": 5, "declined": 4, "unknown": 0}


def test_with_and_without_pan_retries(own, network, processor):
    def answer(sent):
        if sent.kind == "NETWORK_TOKEN":
            return {"code": "no-do_not_honor"} if sent.body["amount"] < 6 else APPROVED
        return {"code": "no-hard"} if sent.body["amount"] < 2 else APPROVED
    processor.default = answering(network, answer)
    token = own.active()
    for number in range(10):
        assert own.pay(token, "retrying", body=own.body(token, amount=number)).status == 200
    told = wait_report(own, 10)
    assert payments(told)["network_token"] == {"approved": 4, "declined": 6, "unknown": 0}
    assert payments(told)["pan_retries"] == {"approved": 4, "declined": 2, "unknown": 0}
    check_rate(told["comparison"]["first_attempts"]["network_token"], 4, 10)
    check_rate(told["comparison"]["with_pan_retries"]["network_token"], 8, 10)


def test_unknown_is_neither(own, network, processor):
    token = own.active()
    processor.default = answering(network, lambda sent: lambda talk: False)
    assert own.pay(token).status == 504
    told = wait_report(own, 1)
    assert payments(told)["network_token"] == {"approved": 0, "declined": 0, "unknown": 1}
    assert told["comparison"]["first_attempts"]["network_token"]["of"] == 0


def test_every_fallback_is_counted(own, network):
    token = own.active()
    own.paid(token, headers=[("x-cardveil-card-token-type", "CARD_PAN")])
    network.no_cryptogram.add(VISA)
    own.paid(token)
    network.no_cryptogram.clear()
    own.changed(token, "SUSPENDED")
    own.wait_for_state(token, "SUSPENDED")
    own.paid(token)
    own.changed(token, "DELETED")
    own.wait_for_state(token, "DELETED")
    own.paid(token)
    told = wait_report(own, 4)
    assert {name: count for name, count in told["fallbacks"].items() if count} == {
        "forced": 1, "cryptogram_failed": 1, "suspended": 1, "deleted": 1}


def test_provisioning(own, network):
    network.refused[MASTERCARD] = "CARD_NOT_ELIGIBLE"
    tokens = [own.active() for _ in range(3)]
    for _ in range(2):
        assert own.ask_enrol(own.new_card(MASTERCARD))[0] == 409
    own.changed(tokens[0], "DELETED")
    own.wait_for_state(tokens[0], "DELETED")
    deadline = time.monotonic() + PATIENCE
    while (told := report(own))["cards_with_token"] != 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert told["cards_with_token"] == 2
    made = told["provisioning"]
    assert (made["enrolments"], made["success"]["provisioned"], made["success"]["of"]) == (5, 3, 5), made
    assert made["refused"] == {"card_not_eligible": 2}


def test_range_and_route(own, network):
    token = own.active()
    own.paid(token)
    own.paid(token, "none")
    wait_report(own, 2)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    assert sum(payments(report(own, "?route=none"))["card_pan_of_cards_with_token"].values()) == 1
    assert sum(payments(report(own, "?route=none"))["network_token"].values()) == 0
    since = today - datetime.timedelta(days=1)
    assert sum(payments(report(own, f"?from={since}"))["network_token"].values()) == 1
    long_ago = today - datetime.timedelta(days=100)
    assert sum(payments(report(own, f"?from={long_ago}&to={today - datetime.timedelta(days=50)}"))["network_token"].values()) == 0


@pytest.mark.parametrize("query", ["?from=yesterday", "?from=2026-02-01&to=2026-01-01", "?from=2020-01-01&to=2026-01-01", "?to=2026-13-01"])
def test_what_is_no_range(shop, query):
    status, told = shop.ask("GET", PATH + query)
    assert (status, told["status"], told["data"]["code"]) == (400, "fail", "REPORT_RANGE"), told


def test_route_that_there_is_not(own):
    """Also of another merchant; but one that was taken out of the configuration still has its counts."""
    for query, hint in (("?route=trid", "did you mean 'tried'?"), ("?route=none-such-as-this", "known here: tried, retrying, none")):
        status, told = own.ask("GET", PATH + query)
        assert (status, told["data"]["code"], told["data"]["description"]) == (404, "REPORT_ROUTE", hint), told
        name = query.removeprefix("?route=")
        failed = own.veil.cli("report", "--route", name, check=False)
        assert failed.returncode == 2 and not failed.stdout and hint in failed.stderr.decode() and f"'{name}'" in failed.stderr.decode(), failed
    assert own.ask("GET", PATH + "?route=tried", key=own.veil.make_key("other", "--permit", PERMITS))[0] == 404
    failed = own.veil.cli("report", "--route", "tried", "--merchant", "other", check=False)
    assert failed.returncode == 2 and b"of merchant other" in failed.stderr

    own.paid(own.veil.visa, "none")
    wait_report(own, 1)
    own.veil.config["routes"] = [route for route in own.veil.config["routes"] if route["name"] != "none"]
    own.veil.write_config()
    own.veil.reload()
    assert sum(payments(report(own, "?route=none"))["card_pan_of_other_cards"].values()) == 1
    shown = own.veil.cli("report", "--route", "none", "--json").stdout.decode().splitlines()
    assert [json.loads(line)["merchant"] for line in shown] == ["shop"], "the others never had it"


def test_permission_and_merchant(own):
    status, told = own.ask("GET", PATH, key=own.veil.make_key("shop", "--permit", PERMITS.replace(",report", "")))
    assert (status, told["data"]["code"]) == (403, "KEY_PERMISSION")
    token = own.active()
    own.paid(token)
    wait_report(own, 1)
    other = report(own, key=own.veil.make_key("other", "--permit", PERMITS))
    assert all(value == NOTHING for value in payments(other).values()) and other["cards_with_token"] == 0


def test_command_says_the_same(own):
    token = own.active()
    for _ in range(3):
        own.paid(token)
    told = wait_report(own, 3)
    out = json.loads(own.veil.cli("report", "--merchant", "shop", "--json").stdout)
    assert payments(out) == payments(told) and out["provisioning"] == told["provisioning"]
    text = own.veil.cli("report", "--merchant", "shop").stdout.decode()
    assert "tried" in text and "3" in text and "95" in text, text


# --- exact ---

@pytest.mark.parametrize("rounds", [pytest.param(4, id="short"), pytest.param(40, id="long", marks=pytest.mark.long)])
@pytest.mark.parametrize("role", ["keeper", "registrar"])
def test_exact_after_crashes(own, network, processor, role, rounds):
    """Each payment that was answered is counted, once, whatever died in between. The keeper is killed while relays tell it."""
    token = own.active()
    other = own.new_card()
    done, stopping, lock = {"network_token": 0, "other": 0}, threading.Event(), threading.Lock()

    def run(of, name):
        client = None
        while not stopping.is_set():
            try:
                client = client or own.client()
                answer = own.pay(of, client=client)
            except (OSError, Broken):
                client = None
                continue
            with lock:
                if answer.status == 200 and name == "network_token" and answer.get("x-cardveil-card-token-type") == "NETWORK_TOKEN":
                    done["network_token"] += 1
                elif answer.status == 200:
                    done["other"] += 1
        if client:
            client.close()
    threads = [threading.Thread(target=run, args=pair) for pair in ((token, "network_token"), (other, "other"), (other, "other"))]
    for thread in threads:
        thread.start()
    for _ in range(rounds):
        time.sleep(0.5)
        old = own.veil.roles().get(role)
        if old:
            os.kill(old, signal.SIGKILL)
            own.veil.wait_roles(lambda roles, old=old: roles.get(role, old) != old)
    stopping.set()
    for thread in threads:
        thread.join(PATIENCE)
    told = wait_report(own, sum(done.values()))
    assert payments(told)["network_token"]["approved"] == done["network_token"] > 0
    own.veil.cli("vault", "verify")


def test_counts_outlive_a_restart(own):
    token = own.active()
    for _ in range(5):
        own.paid(token)
    before = payments(wait_report(own, 5))
    own.veil.kill()
    own.veil.start()
    assert payments(report(own)) == before
