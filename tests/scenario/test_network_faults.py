# SPDX-License-Identifier: Apache-2.0
"""The network is slow, resets, is gone; registrar and keeper are killed. No payment fails for it, each card is enrolled once, each
event is delivered."""

import collections
import json
import os
import signal
import threading
import time

import pytest

from shop import APPROVED, answering, is_pan, told
from wire import PATIENCE, Broken

ROUTES = {"tried": ("tried", {"volume": "100%", "budget": "1s"}), "patient": ("tried", {"volume": "100%", "budget": "30s"})}
ROUNDS = [pytest.param(4, id="short"), pytest.param(40, id="long", marks=pytest.mark.long)]
HURT = {"reset": ("reset", 0), "5xx": (503, 0), "429": (429, 0), "5 s latency": ("well", 5)}


def load(shop, tokens, clients, each, route="tried"):
    """Payments from many connections; their answers."""
    answers, lock = [], threading.Lock()

    def run(number):
        with shop.client() as client:
            for count in range(each):
                answer = shop.pay(tokens[(number + count * clients) % len(tokens)], route, client=client)
                with lock:
                    answers.append(answer)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE * 20)
    assert len(answers) == clients * each
    return answers


SIZES = [pytest.param((8, 6, 12), id="short"), pytest.param((64, 400, 10000), id="long", marks=pytest.mark.long)]


@pytest.mark.parametrize("size", SIZES)
def test_no_payment_fails_for_the_network(make_shop, network, processor, size):
    """Latency of 50 ms, then of 5 s, then resets, then nobody there: in each, payments are approved, with a network token of one answer
    and a new cryptogram, or with the PAN and the reason."""
    clients, each, cards = size
    shop = make_shop(routes=ROUTES)
    network.varying = True
    tokens = shop.new_card(count=cards)
    for token in tokens:
        assert shop.ask_enrol(token)[0] == 200
    for token in tokens:
        shop.wait_for_state(token, "ACTIVE")
    phases = {"50 ms": {"NETWORK_TOKEN"}, "5 s": {"budget_spent", "cryptogram_failed"}, "resets": {"cryptogram_failed", "budget_spent"},
              "gone": {"cryptogram_failed", "budget_spent"}}
    for phase, allowed in phases.items():
        processor.forget()
        network.latency, network.mode = {"50 ms": 0.05, "5 s": 5}.get(phase, 0), "reset" if phase == "resets" else "well"
        if phase == "gone":
            network.stop_listening()
        answers = load(shop, tokens, clients, each, "patient" if phase == "50 ms" else "tried")
        assert {answer.status for answer in answers} == {200}, phase
        reasons = collections.Counter(told(answer)[1] or told(answer)[0] for answer in answers)
        assert set(reasons) <= allowed | {"NETWORK_TOKEN"}, (phase, reasons)
        assert phase == "50 ms" or reasons["NETWORK_TOKEN"] == 0, (phase, reasons)
        for sent in shop.sent(clients * each):
            assert shop.is_right(sent) if sent.kind == "NETWORK_TOKEN" else is_pan(sent)
    assert not network.wrong_payments
    network.listen_again()
    network.latency, network.mode = 0, "well"
    eventually(lambda: told(shop.pay(tokens[0]))[0] == "NETWORK_TOKEN", "the network is used again when it is back")


def eventually(check, what):
    deadline = time.monotonic() + PATIENCE * 20  # what failed often waits for minutes, by back-off
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.1)
    raise AssertionError(what)


@pytest.mark.parametrize("hurt", HURT)
def test_breaker(make_shop, network, hurt):
    """After a few failures payments do not even ask: the network sees fewer calls than there were payments."""
    shop = make_shop(routes=ROUTES)
    token = shop.active()
    network.mode, network.latency = HURT[hurt]
    network.calls.clear()
    before = network.connections if hurt == "reset" else len(network.requests)
    for _ in range(20):
        answer, sent = shop.paid(token)
        assert is_pan(sent) and told(answer)[1] in ("cryptogram_failed", "budget_spent")
    asked = (network.connections if hurt == "reset" else len(network.requests)) - before
    assert asked < 20, f"{asked} calls for 20 payments"
    network.mode, network.latency = "well", 0
    eventually(lambda: told(shop.pay(token))[0] == "NETWORK_TOKEN", "the breaker closes again")


def test_budget_is_kept(make_shop, network, processor):
    """The payment is at the processor before the network has answered."""
    shop = make_shop(routes={"hasty": ("tried", {"volume": "100%", "budget": "200ms"})})
    token = shop.active()
    network.latency = PATIENCE
    order = []
    processor.default = answering(network, lambda sent: order.append("processor") or APPROVED)
    answer, sent = shop.paid(token, "hasty")
    assert is_pan(sent) and told(answer) == ("CARD_PAN", "budget_spent")
    assert order == ["processor"] and not network.asked("credentials"), "the network has not answered yet"
    network.latency = 0


def test_late_cryptogram_is_not_used_for_another_payment(make_shop, network):
    shop = make_shop(routes={"hasty": ("tried", {"volume": "100%", "budget": "300ms"}), "patient": ROUTES["patient"]})
    network.varying = True
    token = shop.active()
    network.latency = 1
    _, sent = shop.paid(token, "hasty")
    assert is_pan(sent)
    network.wait_call("credentials")
    network.latency = 0
    late = set(network.given)
    _, sent = shop.paid(token, "patient")
    assert shop.is_right(sent) and sent.cryptogram not in late


def test_wrong_credentials_of_ours(make_shop, network):
    """The network refuses our key: payments go on, the log says so, and nothing is told to be the card's fault."""
    shop = make_shop(routes=ROUTES)
    token = shop.active()
    network.mode = 401
    start = shop.veil.mark()
    answer, sent = shop.paid(token)
    assert is_pan(sent) and told(answer) == ("CARD_PAN", "cryptogram_failed")
    shop.veil.wait_line(lambda line: "NETWORK_CREDENTIALS" in json.dumps(line), start)
    network.mode = "well"
    assert shop.state(token)["status"] == "ACTIVE"


@pytest.mark.parametrize("role", ["registrar", "keeper"])
def test_killed_once_and_well_again(make_shop, network, role):
    shop = make_shop(routes=ROUTES)
    token = shop.active()
    old = shop.veil.roles()[role]
    os.kill(old, signal.SIGKILL)
    shop.veil.wait_roles(lambda roles: roles.get(role, old) != old)
    if role == "registrar":
        assert shop.pay(token).status == 200  # with the token or without
    eventually(lambda: (answer := shop.pay(token)).status == 200 and told(answer)[0] == "NETWORK_TOKEN", "it recovers")


def test_registrar_that_hangs(make_shop, network):
    shop = make_shop(routes=ROUTES)
    token = shop.active()
    registrar = shop.veil.roles()["registrar"]
    os.kill(registrar, signal.SIGSTOP)
    try:
        answer, sent = shop.paid(token)
        assert is_pan(sent) and told(answer)[1] in ("budget_spent", "cryptogram_failed")
    finally:
        os.kill(registrar, signal.SIGCONT)
    eventually(lambda: told(shop.pay(token))[0] == "NETWORK_TOKEN", "it recovers")


# --- kill -9 in loops ---

def kill_in_turns(shop, role, rounds):
    for _ in range(rounds):
        time.sleep(0.4)
        old = shop.veil.roles().get(role)
        if old:
            os.kill(old, signal.SIGKILL)
            shop.veil.wait_roles(lambda roles: roles.get(role, old) != old)


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("role", ["registrar", "keeper"])
def test_kill_while_cards_are_enrolled(make_shop, network, receiver, role, rounds):
    """Each card that was asked for is enrolled once, however often the question was repeated; each event is delivered, in order, and
    where one came twice it has the same id."""
    shop = make_shop(routes=ROUTES)
    network.provisioning, network.latency = 0.3, 0.05
    tokens, asked, stopping = shop.new_card(count=rounds * 30), [], threading.Event()
    earlier = set(network.tokens)

    def enrol():
        for token in tokens:
            if stopping.is_set():
                return
            asked.append(token)
            try:
                shop.ask_enrol(token)
            except (OSError, Broken, ValueError):
                pass
    thread = threading.Thread(target=enrol)
    thread.start()
    kill_in_turns(shop, role, rounds)
    stopping.set()
    thread.join(PATIENCE)
    network.latency = 0
    for token in asked:
        settle(shop, token)  # all of them before any is waited for
    for token in asked:
        eventually(lambda token=token: settle(shop, token) == "ACTIVE", f"{token} is enrolled")
    made = [network.tokens[name] for name in set(network.tokens) - earlier]
    assert len(made) == len(asked), f"{len(made)} network tokens for {len(asked)} cards"
    assert len({token.reference for token in made}) == len(asked)
    for token in asked:
        receiver.wait(token, "ACTIVE", seconds=PATIENCE * 4)
    check_events(receiver, asked)
    shop.veil.cli("vault", "verify")


def settle(shop, token):
    """A question that was never taken is asked again, as a merchant would."""
    try:
        state = shop.state(token).get("status")
        if not state:
            shop.ask_enrol(token)
        return state
    except (OSError, Broken, AssertionError):
        return None


def check_events(receiver, tokens):
    for token in tokens:
        events = receiver.of(token, taken=True)
        bodies = {event.id: event.request.body for event in events}
        assert all(bodies[event.id] == event.request.body for event in events), "the same id, another body"
        order = list(dict.fromkeys(event.id for event in events))
        assert [bodies[name] for name in order] and [event.id for event in events] == sorted((event.id for event in events), key=order.index), events


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("role", ["registrar", "keeper"])
def test_kill_while_events_are_delivered(make_shop, network, receiver, role, rounds):
    shop = make_shop(routes=ROUTES)
    tokens = [shop.active() for _ in range(6)]
    receiver.failing = None  # nothing is taken while everything dies
    wanted = collections.defaultdict(lambda: ["ACTIVE"])
    for state in ("SUSPENDED", "ACTIVE", "SUSPENDED"):
        for token in tokens:
            shop.changed(token, state)
            shop.wait_for_state(token, state)
            wanted[token].append(state)
    stopping = threading.Event()

    def flicker():
        while not stopping.wait(0.1):
            receiver.failing = 3
    thread = threading.Thread(target=flicker)
    thread.start()
    kill_in_turns(shop, role, rounds)
    stopping.set()
    thread.join()
    receiver.failing = 0
    for token in tokens:
        eventually(lambda token=token: len({event.id for event in receiver.of(token, taken=True)}) == len(wanted[token]), f"all events of {token}")
    check_events(receiver, tokens)
    for token in tokens:
        first = list({event.id: event.status for event in receiver.of(token, taken=True)}.values())
        assert first == wanted[token], (token, first)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_kill_the_registrar_under_payments(make_shop, network, rounds):
    """No payment fails: those without an answer of the network go out with the PAN."""
    shop = make_shop(routes=ROUTES)
    tokens = [shop.active() for _ in range(4)]
    answers, stopping = [], threading.Event()

    def run(token):
        with shop.client() as client:
            while not stopping.is_set():
                answers.append(shop.pay(token, client=client))
    threads = [threading.Thread(target=run, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    kill_in_turns(shop, "registrar", rounds)
    stopping.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert {answer.status for answer in answers} == {200}
    for sent in shop.sent(len(answers)):
        assert shop.is_right(sent) if sent.kind == "NETWORK_TOKEN" else is_pan(sent)
