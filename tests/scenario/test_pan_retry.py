# SPDX-License-Identifier: Apache-2.0
"""A declined network token is tried once more with the card number: seed 003's table, and never when the outcome is unknown."""

import json

import pytest

import processor as answers
from leaks import VISA
from processor import message
from shop import APPROVED, NEVER_RETRIED, RETRIED, answering, approving, declining_tokens, is_pan, told
from wire import PATIENCE, Broken


@pytest.fixture(autouse=True)
def well_again(shop, network, processor):
    yield
    processor.default = approving(network)


def attempts(shop, count):
    return [(sent.kind, sent) for sent in shop.sent(count)]


@pytest.mark.parametrize("reason", RETRIED)
def test_retried(shop, network, processor, reason):
    token = shop.active()
    processor.default = declining_tokens(network, f"no-{reason}")
    answer = shop.pay(token, "retrying")
    assert answer.status == 200 and json.loads(answer.body) == APPROVED
    (first, with_token), (second, with_pan) = attempts(shop, 2)
    assert (first, second) == ("NETWORK_TOKEN", "CARD_PAN")
    assert shop.is_right(with_token) and is_pan(with_pan)
    assert answer.get("x-cardveil-pan-retry") == "1" and told(answer)[0] == "CARD_PAN"


@pytest.mark.parametrize("code", [*(f"no-{reason}" for reason in NEVER_RETRIED), "something-else", "", None])
def test_not_retried(shop, network, processor, code):
    token = shop.active()
    processor.default = declining_tokens(network, code)
    answer = shop.pay(token, "retrying")
    assert (answer.status, json.loads(answer.body)) == (200, {"code": code})
    assert [kind for kind, _ in attempts(shop, 1)] == ["NETWORK_TOKEN"]
    assert answer.get("x-cardveil-pan-retry") is None and told(answer)[0] == "NETWORK_TOKEN"


def test_off_by_default(shop, network, processor):
    token = shop.active()
    processor.default = declining_tokens(network, "no-do_not_honor")
    answer = shop.pay(token)
    assert json.loads(answer.body) == {"code": "no-do_not_honor"} and answer.get("x-cardveil-pan-retry") is None
    attempts(shop, 1)


def test_approved_is_not_retried(shop):
    answer = shop.pay(shop.active(), "retrying")
    assert answer.status == 200 and answer.get("x-cardveil-pan-retry") is None
    attempts(shop, 1)


def test_a_declined_pan_is_not_retried(shop, network, processor):
    processor.default = answering(network, lambda sent: {"code": "no-do_not_honor"})
    answer = shop.pay(shop.new_card(), "retrying")
    assert json.loads(answer.body) == {"code": "no-do_not_honor"} and answer.get("x-cardveil-pan-retry") is None
    attempts(shop, 1)


def test_one_retry_only(shop, network, processor):
    """The PAN is declined as well: that answer goes back, and nothing is tried a third time."""
    token = shop.active()
    processor.default = answering(network, lambda sent: {"code": "no-do_not_honor", "with": sent.kind})
    answer = shop.pay(token, "retrying")
    assert json.loads(answer.body) == {"code": "no-do_not_honor", "with": "CARD_PAN"} and answer.get("x-cardveil-pan-retry") == "1"
    attempts(shop, 2)


def test_a_merchant_initiated_payment_is_retried_too(shop, network, processor):
    token = shop.active()
    shop.paid(token)
    processor.default = declining_tokens(network, "no-token_refused")
    answer = shop.pay(token, "retrying", [("x-cardveil-initiator", "merchant")])
    assert answer.get("x-cardveil-pan-retry") == "1"
    assert [kind for kind, _ in attempts(shop, 3)] == ["NETWORK_TOKEN", "NETWORK_TOKEN", "CARD_PAN"]


def test_forced_network_token_is_retried_no_less(shop, network, processor):
    token = shop.active()
    processor.default = declining_tokens(network, "no-token_refused")
    answer = shop.pay(token, "retrying", [("x-cardveil-card-token-type", "NETWORK_TOKEN")])
    assert answer.status == 200
    attempts(shop, 2)


def test_not_without_a_pan(shop, network, processor):
    token = shop.active()
    assert shop.ask("PATCH", f"/v1/tokens/{token}", {"removePlain": True})[0] == 200
    processor.default = declining_tokens(network, "no-do_not_honor")
    answer = shop.pay(token, "retrying")
    assert json.loads(answer.body) == {"code": "no-do_not_honor"} and answer.get("x-cardveil-pan-retry") is None
    attempts(shop, 1)


# --- never when the outcome is unknown ---

def garbage(talk):
    talk.send(message(200, b"<html>no JSON"))
    return True


UNKNOWN = {"closes": lambda talk: False, "resets": lambda talk: talk.wire.reset(), "500": lambda talk: talk.send(message(500, b'{"code":"no-do_not_honor"}')) or True,
           "503": lambda talk: talk.send(message(503, b"")) or True, "garbage": garbage, "cut": lambda talk: talk.send(message(body=b'{"code":"no-do_not_honor"}', length=999)),
           "no code": lambda talk: talk.send(message(body=b'{"else":1}')) or True, "two codes": lambda talk: talk.send(message(body=b'{"code":"no-do_not_honor","code":"no-hard"}')) or True}


@pytest.mark.parametrize("fault", UNKNOWN)
def test_unknown_is_never_retried(shop, network, processor, fault):
    token = shop.active()
    processor.default = answering(network, lambda sent: UNKNOWN[fault])
    try:
        answer = shop.pay(token, "retrying")
        assert answer.get("x-cardveil-pan-retry") is None, answer
    except Broken:
        assert fault == "cut"
    processor.default = approving(network)
    shop.paid(shop.new_card(), "retrying")  # time for a second attempt to show
    assert [kind for kind, _ in attempts(shop, 2)] == ["NETWORK_TOKEN", "CARD_PAN"] and is_pan(shop.sent(2)[1])
    assert shop.sent(2)[1].body["reference"] != shop.sent(2)[0].body["reference"]


def test_time_out_is_never_retried(make_shop, network, processor):
    shop = make_shop(routes={"retrying": ("tried", {"volume": "100%", "budget": "30s", "pan_retry": "on"}, {"deadlines": {"first_byte": "500ms", "whole": "1s"}})})
    token = shop.active()
    processor.default = answers.slow(5)
    answer = shop.pay(token, "retrying")
    assert (answer.status, answer.get("x-cardveil-outcome")) == (504, "unknown")
    assert len(shop.processor.wait_for(1)) == 1


def test_retry_whose_outcome_is_unknown(shop, network, processor):
    token = shop.active()
    processor.default = answering(network, lambda sent: {"code": "no-do_not_honor"} if sent.kind == "NETWORK_TOKEN" else (lambda talk: False))
    answer = shop.pay(token, "retrying")
    assert (answer.status, answer.get("x-cardveil-outcome"), answer.get("x-cardveil-pan-retry")) == (504, "unknown", "1"), answer
    attempts(shop, 2)


def test_retry_that_cannot_be_sent(shop, network, processor):
    """The processor is gone between the two: the payment was declined, and nothing of the second attempt went out."""
    token = shop.active()

    def decline_and_go(sent):
        def behave(talk):
            talk.send(message(body=b'{"code":"no-do_not_honor"}', headers=[("Connection", "close")]))
            return False
        return behave
    processor.default = answering(network, lambda sent: decline_and_go(sent) if sent.kind == "NETWORK_TOKEN" else APPROVED)
    answer = shop.pay(token, "retrying")
    assert answer.status == 200 and answer.get("x-cardveil-pan-retry") == "1"  # on a new connection
    attempts(shop, 2)


# --- what the second attempt is ---

def test_same_body_with_the_pan(shop, network, processor):
    token = shop.active()
    processor.default = declining_tokens(network, "no-do_not_honor")
    slot = f"{{{{ {token} : detokenize }}}}"
    odd = f'{{ "a":1.50 ,"card":{{"number":"{slot}","month" : "{slot}","year":"{slot}", "cvc":"123"}},\n"b":"\\u00e9"}}'
    assert shop.pay(token, "retrying", body=odd.encode()).status == 200
    _, (_, second) = attempts(shop, 2)
    for value in (VISA, "12", "2031"):
        odd = odd.replace(slot, value, 1)
    assert second.request.body == odd.encode()


def test_fields_of_the_head_are_the_same(shop, network, processor):
    token = shop.active()
    processor.default = declining_tokens(network, "no-do_not_honor")
    assert shop.pay(token, "retrying", [("X-Mine", "1"), ("Authorization", "Bearer x")]).status == 200
    first, second = (sent.request for _, sent in attempts(shop, 2))
    assert (first.method, first.target) == (second.method, second.target)
    ignored = ("content-length",)
    assert [field for field in first.fields if field[0].lower() not in ignored] == [field for field in second.fields if field[0].lower() not in ignored]
    assert not [name for name, _ in second.fields if name.lower().startswith("x-cardveil")]


def test_new_idempotency_key(shop, network, processor):
    token = shop.active()
    processor.default = declining_tokens(network, "no-do_not_honor")
    assert shop.pay(token, "retrying", [("Idempotency-Key", "order-17")]).status == 200
    first, second = (sent.request for _, sent in attempts(shop, 2))
    assert first.get("idempotency-key") == "order-17"
    again = second.all("idempotency-key")
    assert len(again) == 1 and again[0].startswith("order-17") and again[0] != "order-17"


def test_the_new_key_is_the_same_when_the_merchant_asks_again(shop, network, processor):
    """So that a processor recognises the repeated second attempt, as it does the first."""
    token = shop.active()
    processor.default = declining_tokens(network, "no-do_not_honor")
    for _ in range(2):
        assert shop.pay(token, "retrying", [("Idempotency-Key", "order-18")]).status == 200
    keys = [sent.request.get("idempotency-key") for _, sent in attempts(shop, 4)]
    assert keys[0] == keys[2] and keys[1] == keys[3] != keys[0]


def test_both_attempts_in_the_log(shop, network, processor):
    token = shop.active()
    processor.default = declining_tokens(network, "no-do_not_honor")
    line = shop.line(shop.pay(token, "retrying"))
    assert (line["first_payment"], line["first_decline"], line["first_decline_code"]) == ("declined", "do_not_honor", "no-do_not_honor")
    assert (line["pan_retry"], line["payment"], line["credential"]) == (1, "approved", "CARD_PAN") and "fallback" not in line


def test_metric(shop, network, processor):
    token = shop.active()
    before = shop.settled_metrics("pan_retr")
    processor.default = declining_tokens(network, "no-do_not_honor")
    shop.pay(token, "retrying")
    shop.wait_metrics(before + 1, "pan_retr")


def test_shipped_rules_of_rede(make_shop, network, processor):
    """Each brand code that may be retried is, each other not."""
    import payments
    from payments import BASIC, JSON
    shop = make_shop(routes={"rede": ("rede", {"volume": "100%", "budget": "30s", "pan_retry": "on"})})
    token = shop.active()
    for code in [f"{n:02d}" for n in range(100)]:
        processor.forget()

        def behave(talk, code=code):
            taken = json.loads(talk.read_body().body)
            said = {"returnCode": "00"} if taken["cardNumber"] == VISA else {"returnCode": "101", "brand": {"returnCode": code}}
            talk.send(message(body=json.dumps(said).encode()))
            return True
        processor.default = behave
        answer = shop.veil.ask("POST", payments.REDE, [JSON, BASIC], payments.rede_template(token))
        listed = code in ("05", "59", "62", "82", "88", "91", "96")
        never = code in ("04", "07", "12", "14", "15", "41", "43", "46", "51", "61", "65", "30")
        retried = answer.get("x-cardveil-pan-retry") == "1"
        assert len(processor.wait_for(1, PATIENCE)) == (2 if retried else 1)
        assert retried or not listed, code
        assert not (retried and never), code
