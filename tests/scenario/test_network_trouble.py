# SPDX-License-Identifier: Apache-2.0
"""Many connections pay with enrolled cards while the card network is well, slow, hanging, resetting and refusing: no payment fails for
it, no cryptogram goes out twice, and all of a payment's credential is of one answer. tests/bench/network has the figures."""

import random
import threading

import pytest

from shop import APPROVED, answering, told

TROUBLES = {"well": (0, "well"), "slow": (0.05, "well"), "hanging": (5, "well"), "resetting": (0, "reset"), "refusing": (0, 503)}
FALLBACKS = {"hanging": {"budget_spent"}, "resetting": {"cryptogram_failed"}, "refusing": {"cryptogram_failed"}}
SIZES = [pytest.param(30, 8, 5, id="short"), pytest.param(10000, 64, 200, id="long", marks=pytest.mark.long)]


def in_threads(count, work):
    """work(number) in threads, whose exceptions are this one's."""
    problems = []

    def run(number):
        try:
            work(number)
        except BaseException as problem:  # pylint: disable=broad-except
            problems.append(problem)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


@pytest.mark.parametrize("cards, connections, payments", SIZES)
def test_trouble_costs_no_payment(make_shop, network, processor, cards, connections, payments):
    shop = make_shop(routes={"tried": ("tried", {"volume": "100%", "budget": "2s"})})
    processor.default = answering(network, lambda sent: APPROVED if shop.is_right(sent) else {"code": "no-fraud"})
    network.varying = True
    tokens = shop.new_card(count=cards)

    def enrol(number):
        for token in tokens[number::connections]:
            while (answer := shop.ask_enrol(token))[0] == 503:
                assert answer[1]["data"]["code"] == "KEEPER_SLOW", answer  # on a busy machine: asked again, as a merchant would
            assert answer[0] in (200, 409), answer
    in_threads(connections, enrol)
    for token in tokens:
        shop.wait_for_state(token, "ACTIVE")

    for trouble, (latency, mode) in TROUBLES.items():
        network.latency, network.mode = latency, mode
        seen = []

        def pay(_number):
            with shop.client() as client:
                for _ in range(payments):
                    answer = shop.pay(random.choice(tokens), client=client)
                    assert (answer.status, b'"00"' in answer.body) == (200, True), (trouble, answer)
                    seen.append(told(answer))
        in_threads(connections, pay)
        reasons = {reason for kind, reason in seen if kind == "CARD_PAN"}
        if trouble in FALLBACKS:
            assert reasons and reasons <= {*FALLBACKS[trouble], "budget_spent"}, (trouble, reasons)
        else:
            assert ("NETWORK_TOKEN", None) in seen and reasons <= {"budget_spent"}, (trouble, reasons)
    network.latency, network.mode = 0, "well"
    assert not network.wrong_payments
    assert all(given.used <= 1 for given in network.given.values())
