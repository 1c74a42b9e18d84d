# SPDX-License-Identifier: Apache-2.0
"""The REST API for tokens."""

import json

import pytest

import payments
from leaks import VISA, find_secrets
from payments import BASIC, JSON, REDE

NEW = "5555555555554444"


def call(world, method, path="/v1/tokens", body=None, key=None):
    headers = [("x-api-key", key or world.key)] + ([JSON] if body is not None else [])
    answer = world.ask(method, path, headers, b"" if body is None else json.dumps(body).encode(), how="keyed")
    return answer, (json.loads(answer.body) if answer.body else {})


def test_create_read_use_change_delete(make_cardveil, processor):
    veil = make_cardveil()
    answer, told = call(veil, "POST", body={"number": "4012888888881881", "expiration_date": "12/31", "holder": "ANA SOUZA"})
    assert (answer.status, told["status"]) == (201, "success"), told
    token = told["data"]["token"]
    assert told["data"]["card"]["number"] == "401288******1881"
    assert not find_secrets(answer.raw)

    answer, told = call(veil, "GET", f"/v1/tokens/{token}")
    assert answer.status == 200 and told["data"]["card"]["expiration_date"] == "12/2031", told
    assert not find_secrets(answer.raw)

    assert veil.ask("POST", REDE, [JSON, BASIC], payments.rede_template(token)).status == 200
    assert processor.only().body == payments.rede_plain("4012888888881881")

    answer, told = call(veil, "PATCH", f"/v1/tokens/{token}", {"expiration_date": "01/2033"})
    assert answer.status == 200, told
    assert veil.ask("POST", REDE, [JSON, BASIC], payments.rede_template(token)).status == 200
    assert processor.wait_for(2)[1].body == payments.rede("4012888888881881", "01", "2033")

    answer, told = call(veil, "DELETE", f"/v1/tokens/{token}")
    assert answer.status in (200, 204), told
    assert call(veil, "GET", f"/v1/tokens/{token}")[0].status == 404
    assert veil.ask("POST", REDE, [JSON, BASIC], payments.rede_template(token)).status == 422
    assert len(processor.requests) == 2


def test_same_card_same_token(world):
    one = call(world, "POST", body={"number": VISA, "expiration_date": "12/31"})
    two = call(world, "POST", body={"number": VISA, "expiration_date": "12/31"})
    other = call(world, "POST", body={"number": VISA, "expiration_date": "12/31"}, key=world.other_key)
    unique = call(world, "POST", body={"number": VISA, "expiration_date": "12/31", "unique": True})
    tokens = [told["data"]["token"] for _, told in (one, two, other, unique)]
    assert tokens[0] == tokens[1] == world.visa
    assert len({tokens[0], tokens[2], tokens[3]}) == 3


def test_expiry_in_a_token_answer_does_not_change_the_holder(make_cardveil, processor):
    veil = make_cardveil()
    call(veil, "PATCH", f"/v1/tokens/{veil.visa}", {"holder": "OUTRA ANA"})
    body = f'{{"n":"{{{{ {veil.visa} : detokenize | extract:name }}}}"}}'.encode()
    assert veil.ask("POST", "/any/x", [JSON], body).status == 200
    assert processor.only().body == b'{"n":"OUTRA ANA"}'


def test_remove_the_number(make_cardveil, processor):
    """A card that has no network token keeps its number: it could not be paid with any more. What it can be paid with then is in
    test_lifecycle."""
    veil = make_cardveil()
    change = {"removePlain": True, "expiration_date": "11/39"}
    answer, told = call(veil, "PATCH", f"/v1/tokens/{veil.visa}", change)
    assert answer.status == 409 and told["data"]["code"] == "NETWORK_TOKEN_NEEDED", told
    answer, told = call(veil, "GET", f"/v1/tokens/{veil.visa}")
    assert answer.status == 200 and b"2039" not in answer.body, told  # all of it or nothing
    answer = veil.ask("POST", REDE, [JSON, BASIC], payments.rede_template(veil.visa))
    assert answer.status == 200
    assert len(processor.requests) == 1


def test_batch(world):
    cards = [{"number": n, "expiration_date": "12/31"} for n in (VISA, NEW, "4111111111111112")]
    answer, told = call(world, "POST", body=cards)
    assert answer.status == 200, told
    assert [("token" in one, one.get("code")) for one in told["data"]["tokens"]] == [(True, None), (True, None), (False, "CARD_NUMBER")]
    assert not find_secrets(answer.raw)


BAD = [
    ({"number": "4111111111111112", "expiration_date": "12/31"}, "CARD_NUMBER"),
    ({"number": "41111111111", "expiration_date": "12/31"}, "CARD_NUMBER"),
    ({"number": "0000000000000000", "expiration_date": "12/31"}, "CARD_NUMBER"),
    ({"number": VISA, "expiration_date": "13/31"}, "CARD_EXPIRY"),
    ({"number": VISA, "expiration_date": "12/31", "holder": "a\u0000b"}, "CARD_HOLDER"),
    ({"number": VISA, "expiration_date": "12/31", "pin": "1"}, "CARD_FIELD"),
    ({"number": VISA, "expiration_date": "12/31", "securityCode": "123"}, "CARD_FIELD"),
    ({"expiration_date": "12/31"}, "CARD_FIELD"),
]


@pytest.mark.parametrize("card, code", BAD)
def test_bad_cards(world, card, code):
    answer, told = call(world, "POST", body=card)
    assert answer.status == 400 and told["data"]["code"] in (code, "CARD_NUMBER" if code == "CARD_FIELD" and "number" not in card else code), told
    assert not find_secrets(answer.raw)


@pytest.mark.parametrize("body", [b"", b"{", b'{"number":"4111111111111111"}{}', b"[]x", b'"4111111111111111"', b"[" * 200])
def test_bad_documents(world, body):
    answer = world.ask("POST", "/v1/tokens", [JSON, ("x-api-key", world.key)], body, how="keyed")
    assert 400 <= answer.status < 500, answer
    assert not find_secrets(answer.raw)


@pytest.mark.parametrize("count", [0, 101])
def test_none_or_more_than_a_hundred(world, count):
    answer, told = call(world, "POST", body=[{"number": VISA, "expiration_date": "12/31"}] * count)
    assert (answer.status, told["data"]["code"]) == (400, "CARD_COUNT"), told
    assert "at most 100 cards" in told["message"]


def test_a_hundred(world):
    answer, told = call(world, "POST", body=[{"number": VISA, "expiration_date": "12/31"}] * 100)
    assert answer.status == 200 and {one["token"] for one in told["data"]["tokens"]} == {world.visa}, told


@pytest.mark.parametrize("body", [{}, {"removePlain": False}, {"number": VISA}, {"holder": "A", "unique": True}])
def test_changes_that_are_none(world, body):
    answer, told = call(world, "PATCH", f"/v1/tokens/{world.visa}", body)
    assert (answer.status, told["data"]["code"]) == (400, "CARD_CHANGE"), told
    assert "expiration_date, holder or removePlain" in told["message"]


TYPES = [
    ([], 415),
    ([("Content-Type", "")], 415),
    ([("Content-Type", "text/plain")], 415),
    ([("Content-Type", "application/x-www-form-urlencoded")], 415),
    ([("Content-Type", "text/plain; application/json")], 415),
    ([("Content-Type", "application/jsonp")], 415),
    ([JSON, ("Content-Type", "text/plain")], 415),
    ([("Content-Type", "application/json; charset=utf-8")], 200),
    ([("Content-Type", "Application/JSON ;charset=utf-8")], 200),
]


@pytest.mark.parametrize("headers, status", TYPES)
def test_cards_come_as_json_only(world, headers, status):
    """What a form on some web page can post must not store or change a card."""
    for method, path, card in (("POST", "/v1/tokens", {"number": VISA, "expiration_date": "12/31"}),
                               ("PATCH", f"/v1/tokens/{world.visa}", {"expiration_date": "12/31"})):
        answer = world.ask(method, path, [("x-api-key", world.key), *headers], json.dumps(card).encode(), how="keyed")
        assert answer.status == status, answer
        if status == 415:
            assert json.loads(answer.body)["data"]["code"] == "CARD_CONTENT_TYPE", answer
        assert not find_secrets(answer.raw)


def test_other_merchants_tokens_do_not_exist(world):
    for method, body in (("GET", None), ("PATCH", {"expiration_date": "01/33"}), ("DELETE", None)):
        answer, told = call(world, method, f"/v1/tokens/{world.foreign}", body)
        assert answer.status == 404 and told["data"]["code"] == "TOKEN_NOT_FOUND", told
    assert call(world, "GET", f"/v1/tokens/{world.foreign}", key=world.other_key)[0].status == 200


def test_keys_and_permissions(world):
    assert world.ask("POST", "/v1/tokens", [JSON], b"{}", how="keyed").status == 401
    reader = world.make_key("shop", "--permit", "read")
    assert call(world, "GET", f"/v1/tokens/{world.visa}", key=reader)[0].status == 200
    for method, path, body in (("POST", "/v1/tokens", {"number": VISA, "expiration_date": "12/31"}),
                               ("PATCH", f"/v1/tokens/{world.visa}", {"expiration_date": "01/33"}),
                               ("DELETE", f"/v1/tokens/{world.visa}", None)):
        answer, told = call(world, method, path, body, key=reader)
        assert answer.status == 403 and told["data"]["code"] == "KEY_PERMISSION", told


def test_methods_that_do_not_exist(world):
    """RFC 9110 15.5.6: a 405 MUST have an Allow field with the methods that there are."""
    for method, path, allow in (("PUT", f"/v1/tokens/{world.visa}", "GET, HEAD, PATCH, DELETE"), ("GET", "/v1/tokens", "POST, DELETE"),
                                ("POST", f"/v1/tokens/{world.visa}", "GET, HEAD, PATCH, DELETE"), ("PATCH", "/v1/tokens", "POST, DELETE")):
        answer, told = call(world, method, path)
        assert (answer.status, answer.get("allow"), told["data"]["code"]) == (405, allow, "METHOD"), answer


def test_statuses_bring_their_fields(make_cardveil):
    veil = make_cardveil(more={"rate": 5})
    answers = [call(veil, "GET", f"/v1/tokens/{veil.visa}")[0] for _ in range(40)]
    assert answers[0].status == 200 and not answers[0].get("retry-after")
    assert answers[-1].status == 429 and int(answers[-1].get("retry-after")) > 0, answers[-1]
    answer = veil.ask("GET", f"/v1/tokens/{veil.visa}", [], b"", how="keyed")
    assert answer.status == 401 and answer.get("www-authenticate"), answer


@pytest.mark.parametrize("words, status", [(["CARD_PAN"], 200), (["NETWORK_TOKEN"], 200), (["card_pan"], 200), (["PAN"], 400), ([""], 400),
                                           (["CARD_PAN", "NETWORK_TOKEN"], 400)])
def test_forced_kind_of_credential(make_cardveil, processor, words, status):
    veil = make_cardveil()
    forced = [("x-cardveil-card-token-type", word) for word in words]
    answer = veil.ask("POST", REDE, [JSON, BASIC, *forced], payments.rede_template(veil.visa))
    assert answer.status == status, answer
    if status == 400:
        assert json.loads(answer.body)["data"]["code"] == "FORCED_KIND", answer
        assert not processor.requests
