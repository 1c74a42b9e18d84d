# SPDX-License-Identifier: Apache-2.0
"""Which credential goes out, and why: every fallback reason in header, log and metric, forced kinds, volume, who initiated the
payment, strategies, network transaction ids."""

import json
import math
import threading
import time

import pytest

import payments
from leaks import MASTERCARD, VISA, find_secrets, scan_memory
from payments import BASIC, JSON
from shop import APPROVED, answering, is_pan, told
from wire import PATIENCE

MERCHANT = [("x-cardveil-initiator", "merchant")]
TOKEN, PAN = [("x-cardveil-card-token-type", "NETWORK_TOKEN")], [("x-cardveil-card-token-type", "CARD_PAN")]


def check_told(shop, answer, kind, reason=None):
    """Header and log agree."""
    assert told(answer) == (kind, reason), answer
    line = shop.line(answer)
    assert (line["credential"], line.get("fallback")) == (kind, reason), line


def test_network_token_goes_out(shop, network):
    token = shop.active()
    before = shop.settled_metrics("NETWORK_TOKEN")
    answer, sent = shop.paid(token)
    assert sent.number == shop.made[token].number and shop.is_right(sent)
    assert sent.cvc is None, "a CVC belongs to the card number"
    assert sent.holder == payments.HOLDER and sent.body["amount"] == 2099
    check_told(shop, answer, "NETWORK_TOKEN")
    assert "network" in answer.get("server-timing")
    shop.wait_metrics(before + 1, "NETWORK_TOKEN")
    assert not find_secrets(shop.veil.admin_get("/metrics").body, network.secrets())


def test_request_is_the_same_but_for_the_credential(shop):
    """Bytes outside the card's fields are those that the merchant wrote, whichever credential goes out."""
    token = shop.active()
    slot = f"{{{{ {token} : detokenize }}}}"
    odd = f'{{ "a":1.50 ,"card":{{"number":"{slot}","month" : "{slot}","year":"{slot}", "cvc":"123"}},\n"b":"\\u00e9"}}'.encode()
    answers = [shop.pay(token, body=odd, headers=headers) for headers in ([], PAN)]
    assert [answer.status for answer in answers] == [200, 200]
    first, second = shop.sent(2)
    for sent in (first, second):
        assert sent.request.body.startswith(b'{ "a":1.50 ,"card":{"number":"') and sent.request.body.endswith(b',\n"b":"\\u00e9"}')
    assert second.request.body == odd.replace(slot.encode(), b"@").replace(b"@", VISA.encode(), 1).replace(b"@", b"12", 1).replace(b"@", b"2031", 1)


def test_shipped_rules_of_rede(make_shop, processor):
    from processor import reply
    shop = make_shop(routes={"rede": ("rede", {"volume": "100%", "budget": "30s"})})
    processor.default = reply()
    token = shop.active(MASTERCARD)
    body = payments.rede_template(token).replace(b'"storageCard"', b'"securityCode":"123","storageCard"')
    answer = shop.veil.ask("POST", payments.REDE, [JSON, BASIC], body)
    assert answer.status == 200 and told(answer) == ("NETWORK_TOKEN", None), answer
    got = json.loads(processor.only().body)
    assert shop.network.judge(got["cardNumber"], got["expirationMonth"], got["expirationYear"], got["tokenCryptogram"],
                              got["securityAuthentication"]["sai"]) == ""
    assert "securityCode" not in got and got["amount"] == 2099


# --- fallback ---

def prepare(shop, network, reason):
    """(token, route, headers) of a payment that falls back for this reason."""
    if reason == "not_provisioned":
        return shop.new_card(), "tried", []
    token = shop.active()
    if reason in ("suspended", "deleted"):
        shop.changed(token, reason.upper())
        shop.wait_for_state(token, reason.upper())
    if reason == "cryptogram_failed":
        network.no_cryptogram.add(VISA)
    if reason == "budget_spent":
        network.latency = 5
    route = {"not_in_volume": "none", "not_supported": "cards", "budget_spent": "hasty"}.get(reason, "tried")
    return token, route, PAN if reason == "forced" else []


@pytest.mark.parametrize("reason", ["not_supported", "not_in_volume", "not_provisioned", "suspended", "deleted", "forced", "cryptogram_failed",
                                    "budget_spent"])
def test_every_fallback_reason(shop, network, reason):
    token, route, headers = prepare(shop, network, reason)
    before = shop.settled_metrics(f'"{reason}"')
    answer, sent = shop.paid(token, route, headers=headers)
    assert is_pan(sent)
    check_told(shop, answer, "CARD_PAN", reason)
    shop.wait_metrics(before + 1, f'"{reason}"')
    network.latency = 0


def test_pass_through_takes_no_network_token(shop):
    """Rules without fields: every placeholder is the card number."""
    answer, sent = shop.paid(shop.active(), "any")
    assert (sent.number, sent.month, sent.cryptogram) == (VISA, VISA, None)
    check_told(shop, answer, "CARD_PAN", "not_supported")


@pytest.mark.parametrize("how", ["pending", "refused"])
def test_not_provisioned_yet_or_never(shop, network, how):
    token = shop.new_card()
    if how == "pending":
        network.provisioning = None
        shop.enrol(token)
    else:
        network.refused[VISA] = "DECLINED"
        shop.ask_enrol(token)
    answer, sent = shop.paid(token)
    assert is_pan(sent)
    check_told(shop, answer, "CARD_PAN", "not_provisioned")


def test_temporal_token_has_no_network_token(shop):
    status, made = shop.ask("POST", "/v1/transactions", {"number": VISA, "expiration_date": "12/2031", "cvc": "123"})
    assert status == 201
    slot = f"{{{{ {made['data']['token']} : transaction }}}}"
    answer = shop.pay("", body=json.dumps({"card": {"number": slot, "month": slot, "year": slot}}).encode())
    assert answer.status == 200
    check_told(shop, answer, "CARD_PAN", "not_provisioned")


def test_streamed_body_takes_no_network_token(make_shop):
    shop = make_shop(routes={"tried": ("tried", {"volume": "100%", "budget": "30s"}, {"stream": "on"})})
    token = shop.active()
    answer, sent = shop.paid(token, body=shop.body(token, filler=["x" * 100] * 12000))
    assert is_pan(sent) and told(answer) == ("CARD_PAN", "not_supported")


# --- forced ---

def test_forced_kinds(shop):
    token = shop.active()
    answer, sent = shop.paid(token, "none", headers=TOKEN)  # a volume of none does not matter
    assert shop.is_right(sent)
    check_told(shop, answer, "NETWORK_TOKEN")
    answer, sent = shop.paid(token, headers=PAN)
    assert is_pan(sent)
    check_told(shop, answer, "CARD_PAN", "forced")


def test_forcing_what_there_is_not(shop):
    answer, sent = shop.paid(shop.new_card(), headers=TOKEN)
    assert is_pan(sent)
    check_told(shop, answer, "CARD_PAN", "not_provisioned")


@pytest.mark.parametrize("headers", [[("x-cardveil-card-token-type", "PAN")], TOKEN + PAN, [("x-cardveil-initiator", "robot")], MERCHANT + MERCHANT])
def test_wishes_that_make_no_sense(shop, processor, headers):
    assert shop.pay(shop.veil.visa, headers=headers).status == 400 and not processor.requests


# --- volume ---

CARDS = 300


def shares(percent):
    """Within these bounds lie all but a ten-millionth of the draws of a fair share."""
    spread = 5.4 * math.sqrt(CARDS * percent * (100 - percent)) / 100
    return CARDS * percent / 100 - spread, CARDS * percent / 100 + spread


def fell(shop, tokens, route):
    """The tokens that went out as network tokens there."""
    with shop.client() as client:
        answers = [shop.pay(token, route, client=client) for token in tokens]
    assert {answer.status for answer in answers} == {200} and {told(answer) for answer in answers} <= {("NETWORK_TOKEN", None), ("CARD_PAN", "not_in_volume")}
    return {token for token, answer in zip(tokens, answers) if told(answer)[0] == "NETWORK_TOKEN"}


def test_volume(make_shop, network):
    percents = (0, 10, 50, 90, 100)
    routes = {f"v{percent}": ("tried", {"volume": f"{percent}%", "budget": "30s"}) for percent in percents} | {
        "other50": ("tried", {"volume": "50%", "budget": "30s"})}
    shop = make_shop(routes=routes)
    tokens = shop.new_card(count=CARDS)
    for token in tokens:
        assert shop.ask_enrol(token)[0] == 200
    for token in tokens:
        shop.wait_for_state(token, "ACTIVE")
    found = {route: fell(shop, tokens, route) for route in routes}
    for percent in percents:
        least, most = shares(percent)
        assert least <= len(found[f"v{percent}"]) <= most, (percent, len(found[f"v{percent}"]))
    assert found["v50"] != found["other50"], "each route has its own share"
    shop.veil.stop()
    shop.veil.start()
    assert fell(shop, tokens, "v50") == found["v50"], "the same card falls on the same side after a restart"
    network.given.clear()


# --- who initiated it ---

@pytest.mark.parametrize("how", ["header", "field"])
def test_merchant_initiated_goes_without_a_cryptogram(shop, network, how):
    token = shop.active()
    shop.paid(token)  # the number is known from here on
    asked = len(network.asked("credentials"))
    more = {"headers": MERCHANT} if how == "header" else {"body": shop.body(token, initiator="merchant")}
    answer, sent = shop.paid(token, **more)
    assert (sent.number, sent.cryptogram, sent.eci) == (shop.made[token].number, None, None)
    assert (sent.month, sent.year) == ("07", "2033")
    check_told(shop, answer, "NETWORK_TOKEN")
    assert len(network.asked("credentials")) == asked


def test_first_payment_may_be_the_merchants(shop, network):
    """No answer with the number came yet: it is asked for, and needs no cryptogram to be given."""
    token = shop.active()
    network.no_cryptogram.add(VISA)
    answer, sent = shop.paid(token, headers=MERCHANT)
    assert (sent.number, sent.cryptogram) == (shop.made[token].number, None) and told(answer) == ("NETWORK_TOKEN", None)


def test_merchant_initiated_where_rules_want_a_cryptogram(shop):
    token = shop.active()
    answer, sent = shop.paid(token, "strict", headers=MERCHANT)
    assert sent.cryptogram and shop.is_right(sent)
    check_told(shop, answer, "NETWORK_TOKEN")


@pytest.mark.parametrize("more", [{"headers": [("x-cardveil-initiator", "customer")]}, {"initiator": "customer"}, {"initiator": 1}, {}])
def test_customer_initiated_has_a_cryptogram(shop, more):
    token = shop.active()
    headers = more.get("headers", ())
    _, sent = shop.paid(token, headers=headers, body=shop.body(token, **{name: value for name, value in more.items() if name != "headers"}))
    assert sent.cryptogram and shop.is_right(sent)


def test_merchant_initiated_with_the_network_away(shop, network):
    token = shop.active()
    shop.paid(token)
    network.mode = "reset"
    answer, sent = shop.paid(token, headers=MERCHANT)
    assert sent.number == shop.made[token].number and told(answer) == ("NETWORK_TOKEN", None)


# --- network transaction id ---

def later_payment(shop, token, wanted, headers=()):
    """A merchant's payment that carries the transaction id; it is kept a moment after the first payment was answered."""
    deadline = time.monotonic() + PATIENCE
    while True:
        _, sent = shop.paid(token, headers=[*MERCHANT, *headers])
        if sent.body.get("previous") == wanted:
            return sent
        assert time.monotonic() < deadline, sent.body
        time.sleep(0.1)


@pytest.mark.parametrize("force", [[], PAN])
def test_transaction_id_is_kept_and_set(shop, force):
    token = shop.active()
    _, first = shop.paid(token)
    assert "previous" not in first.body
    later = later_payment(shop, token, APPROVED["scheme_id"], force)
    assert later.kind == ("CARD_PAN" if force else "NETWORK_TOKEN")
    _, customer = shop.paid(token, headers=force)
    assert "previous" not in customer.body
    _, elsewhere = shop.paid(token, "strict", headers=MERCHANT)
    assert "previous" not in elsewhere.body, "it is of one route"
    _, other = shop.paid(shop.active(), headers=MERCHANT)
    assert "previous" not in other.body, "it is of one card"


def test_transaction_id_outlives_a_restart(make_shop):
    shop = make_shop()
    token = shop.active()
    shop.paid(token)
    later_payment(shop, token, APPROVED["scheme_id"])
    shop.veil.kill()
    shop.veil.start()
    _, later = shop.paid(token, headers=MERCHANT)
    assert later.body["previous"] == APPROVED["scheme_id"]


def test_last_transaction_id_counts(shop, network, processor):
    token = shop.active()
    names = iter(["0161535701-1", "0161535701-2"])
    processor.default = answering(network, lambda sent: {"code": "00", "scheme_id": next(names, None)})
    shop.paid(token)
    shop.paid(token)
    later_payment(shop, token, "0161535701-2")
    processor.default = answering(network, lambda sent: APPROVED)


# --- strategies ---

STRATEGIES = {"off": 0, "new": 1, "used": 2, "all": 1}


@pytest.mark.parametrize("strategy, payments_before", STRATEGIES.items())
def test_strategies(make_shop, network, processor, strategy, payments_before):
    """new: after the first payment; used: after a later one; all: after any. Never before or during the first."""
    shop = make_shop(routes={"tried": ("tried", {"volume": "100%", "budget": "30s", "provision": strategy})})
    during = []

    def note(sent):
        during.append(len(shop.network.of_card(VISA)))
        return APPROVED
    processor.default = answering(network, note)
    earlier = len(network.of_card(VISA))
    token = shop.new_card()
    for payment in (1, 2, 3):
        _, sent = shop.paid(token)
        expected = payments_before and payment > payments_before
        assert sent.kind == ("NETWORK_TOKEN" if expected else "CARD_PAN"), payment
        if payment == payments_before:
            shop.wait_for_state(token, "ACTIVE")
        else:
            drained(shop)
    assert during[0] == earlier, "enrolled before or during its first payment"
    assert len(network.of_card(VISA)) - earlier == (1 if payments_before else 0)
    processor.default = answering(network, lambda sent: APPROVED)


def drained(shop):
    """Another card is enrolled through the API and ACTIVE: what payments before it asked for is done, if they asked."""
    token = shop.new_card(MASTERCARD)
    assert shop.ask_enrol(token)[0] == 200
    shop.wait_for_state(token, "ACTIVE")


def test_used_does_not_take_new_cards_but_old_ones(make_shop, network):
    shop = make_shop(routes={"tried": ("tried", {"volume": "100%", "budget": "30s", "provision": "used"}), "none": ("tried", {"volume": "0%"})})
    token = shop.new_card()
    shop.paid(token, "none")  # on another route: its first payment all the same
    drained(shop)
    assert not shop.state(token)
    shop.paid(token)
    shop.wait_for_state(token, "ACTIVE")


# --- cryptograms ---

@pytest.mark.parametrize("clients, each", [pytest.param(8, 12, id="short"), pytest.param(64, 200, id="long", marks=pytest.mark.long)])
def test_concurrent_payments_with_one_card(shop, network, clients, each):
    """One cryptogram each, none used twice; number, expiry, cryptogram and ECI of one answer."""
    network.varying = True
    token = shop.active()
    failed = []

    def run():
        with shop.client() as client:
            for _ in range(each):
                answer = shop.pay(token, client=client)
                if answer.status != 200 or told(answer) != ("NETWORK_TOKEN", None):
                    failed.append(answer)
    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE * 20)
    assert not failed, failed[:3]
    sent = shop.sent(clients * each)
    for payment in sent:
        assert network.judge(payment.number, payment.month, payment.year, payment.cryptogram, payment.eci) == ""
    assert len({payment.cryptogram for payment in sent}) == clients * each


def test_two_cards_in_one_request(make_shop, network):
    """One decision for each card; neither's fields get into the other's."""
    shop = make_shop()
    first, second = shop.active(), shop.active(MASTERCARD)
    slots = [f"{{{{ {token} : detokenize }}}}" for token in (first, second)]
    body = json.dumps({"card": dict.fromkeys(("number", "month", "year"), slots[0]), "backup": slots[1]}).encode()
    _, sent = shop.paid(first, body=body)
    assert shop.is_right(sent) and sent.token is shop.made[first]
    assert sent.body["backup"] in (MASTERCARD, shop.made[second].number)


def test_pan_never_leaves_the_keeper(make_shop, network):
    """A relay that paid with network tokens alone has never held the card number; one that paid with the PAN has (or this finds nothing)."""
    shop = make_shop()
    token = shop.active()
    for _ in range(5):
        _, sent = shop.paid(token)
        assert shop.is_right(sent)
    relay = shop.veil.relays()[0]
    assert scan_memory(relay, {"PAN": VISA.encode()}) == []


def test_secrets_of_a_payment_are_wiped(make_shop, network):
    shop = make_shop()
    token = shop.active()
    _, sent = shop.paid(token)
    held = {"cryptogram": sent.cryptogram.encode(), "number": sent.number.encode()}
    for name, pid in shop.veil.roles().items():
        if name != "registrar":
            assert "cryptogram" not in scan_memory(pid, held), name


def test_echo_of_a_network_token_is_turned_back(shop, network, processor):
    from processor import echo
    token = shop.active()
    processor.default = echo()
    answer = shop.pay(token)
    body = answer.raw
    assert shop.made[token].number.encode() not in body and not find_secrets(body, [c.encode() for c in network.given])
    assert token.encode() in body
    processor.default = answering(network, lambda sent: APPROVED)
