# SPDX-License-Identifier: Apache-2.0
"""'compat: pci-proxy': its paths, header names and error codes, for users who change a host name and nothing else."""

import json

import pytest

from inbound import BOOKING_RULES, aliases, booking, guest, no_card_in, without
from cardveil import free_port
from leaks import CVC, MASTERCARD, VISA
from payments import JSON
from processor import message, reply

ANY = BOOKING_RULES.replace('accept: [ POST /bookings, "GET /bookings/*", "HEAD /bookings/*", "POST /bookings/*" ]', 'accept: [ "* *" ]')
RECEIVER = ANY[:ANY.index("find: pan")]


def routes(upstream):
    def route(name, direction, path, prefix=None, rules="any_booking", **more):
        return {"name": name, "rules": rules, "merchant": "shop", "prefix": prefix or f"/{name}", "upstream": upstream + path,
                "direction": direction, "compat": "pci-proxy", **more}
    return [
        route("receiver", "forward-pull", "/receiver", rules="receiver"),
        route("channel", "filter-pull", "/channel"),
        route("deeper", "filter-pull", "/channel/deeper"),
        route("push", "filter-push", "/hook", "/v1/push/ota"),
        route("show", "forward-push", "/show", "/v1/push/show", callers="127.0.0.0/8"),
        {**route("dead", "forward-pull", "", rules="receiver"), "upstream": f"http://127.0.0.1:{free_port()}"},
        {**route("foreign", "forward-pull", "/foreign", rules="receiver"), "merchant": "other"},
        {"name": "pay", "rules": "passthrough", "merchant": "shop", "prefix": "/pay", "upstream": upstream},
    ]


@pytest.fixture(scope="module")
def veil(session_folder, watch, rules, processor):
    from conftest import start_world  # pylint: disable=import-outside-toplevel
    made = start_world(session_folder, watch, {**rules, "any_booking": ANY, "receiver": RECEIVER}, routes(processor.url)).start()
    made.pusher = made.make_key("shop", "--permit", "tokenize")
    yield made
    status = made.stop()
    watch.cardveils.remove(made)
    assert status == 0, f"serve ended with {status}"


def named(url, key, merchant="shop"):
    fields = {"x-cc-merchant-id": merchant, "pci-proxy-api-key": key, "x-cc-url": url}
    return [(name, value) for name, value in fields.items() if value != "absent"]


def pull(veil, url, body=b"", method="POST", headers=(), key=None, merchant="shop"):
    own = named(url, key or veil.key, merchant)
    return veil.ask(method, "/v1/pull", [*([JSON] if body else []), *own, *headers], body, how="keyed")


def matches(message, *suffixes):
    return {suffix: message.get(f"x-{suffix}") for suffix in suffixes}


CARDS = ("cc-matches", "cc-matches-ca", "cc-matches-ac")
CVCS = ("cvv-matches", "cvv-matches-cvva", "cvv-matches-acvv")


def of(names, *counts):
    return {name: str(count) for name, count in zip(names, counts)}


def test_a_pull_sends_aliases_as_card_numbers(veil, processor):
    body = booking(guest(veil.visa, cvc="123"))
    answer = pull(veil, f"{processor.url}/receiver/pay/1?x=%20", body, headers=[("X-Other", "o"), ("X-CC-Matches", "forged")])
    assert answer.status == 200, answer
    seen = processor.only()
    assert seen.target == "/receiver/pay/1?x=%20" and seen.get("x-other") == "o"
    assert not [name for name, _ in seen.fields if name.lower().startswith(("x-cc-", "pci-proxy-", "x-api-key"))]
    assert seen.body == body.replace(veil.visa.encode(), VISA.encode())
    assert matches(answer, *CARDS) == of(CARDS, 1, 0, 1) and answer.get("x-cc-proxy-action-id") == answer.get("x-cardveil-request-id")
    assert answer.get("x-cc-error-code") is None


def test_a_pull_from_a_channel_brings_aliases(veil, processor):
    said = booking(guest(), guest(MASTERCARD, cvc=None))
    processor.default = reply(200, said, [("X-CC-Matches", "forged"), ("pci-proxy-masked-aliases", "forged")])
    answer = pull(veil, f"{processor.url}/channel/list", method="GET")
    (visa, cvc), (mastercard, _) = aliases(answer.body)
    assert without(answer.body, visa, cvc, mastercard) == without(said, VISA, CVC, MASTERCARD) and no_card_in(answer.raw)
    assert matches(answer, *CARDS, *CVCS) == of(CARDS, 2, 2, 0) | of(CVCS, 1, 1, 0)
    assert answer.all("pci-proxy-masked-aliases") == [f"{visa}=411111xxxxxx1111; {mastercard}=555555xxxxxx4444"]


def test_the_route_is_the_one_that_the_url_lies_in(veil, processor):
    for path, name in (("/channel", "channel"), ("/channel/x", "channel"), ("/channel/deeper/x", "deeper"), ("/channel/deeperx", "channel")):
        processor.forget()
        processor.default = reply(200, booking())
        answer = pull(veil, processor.url + path, method="GET")
        assert processor.only().target == path
        assert veil.exchange(answer)["route"] == name


@pytest.mark.parametrize("more, status, code", [
    ({"merchant": "absent"}, 400, 1), ({"url": "absent"}, 400, 1), ({"key": "absent"}, 401, 1), ({"merchant": "nobody"}, 403, 2),
    ({"merchant": "other"}, 403, 3), ({"url": "/elsewhere"}, 403, 3), ({"url": "ftp:"}, 400, 3), ({"url": "/channelx"}, 403, 3),
    ({"url": "/channel/../receiver"}, 404, 9), ({"key": "cv_wrong_wrong"}, 401, 5), ({"key": "tokenize only"}, 403, 5),
    ({"url": "/foreign/x", "merchant": "other"}, 403, 2),
], ids=str)
def test_pulls_that_are_refused(veil, processor, more, status, code):
    url = more.pop("url", "/channel/x") if isinstance(more, dict) else None
    if more.get("key") == "tokenize only":
        more = {"key": veil.pusher}
    answer = pull(veil, url if url == "absent" or url.startswith("ftp") else processor.url + url, method="GET", **more)
    assert (answer.status, answer.get("x-cc-error-code")) == (status, str(code)), answer
    assert answer.get("x-cc-error") and answer.get("x-cc-proxy-action-id") and not processor.requests


def test_callers_that_are_held_back(make_cardveil, processor):
    veil = make_cardveil(routes(processor.url)[:1], own_rules={"receiver": RECEIVER}, more={"rate": 5, "bad_tokens": {"count": 2, "window": "15m"}})
    url = f"{processor.url}/receiver/x"

    def told(key, body=b"{}"):
        answer = pull(veil, url, body, key=key)
        return answer.status, answer.get("x-cc-error-code")
    guesses = [booking(guest(f"00000000-0000-4000-8000-00000000000{n}", cvc=None)) for n in range(3)]
    guesser = veil.make_key("shop")
    assert [told(guesser, body) for body in guesses] == [(422, "900"), (422, "900"), (429, "201")]
    assert told(veil.make_key("shop", "--allow", "192.0.2.7")) == (403, "203")
    assert not processor.requests
    hasty = veil.make_key("shop")
    answers = [told(hasty) for _ in range(60)]
    assert (429, "202") in answers and set(answers) == {(200, None), (429, "202")}


def test_cards_become_aliases_of_their_length(veil, processor):
    veil.ask("POST", f"/v1/push/ota/{veil.pusher}", [JSON], booking(guest(cvc=None)), how="keyed")
    (alias, _), = aliases(processor.only().body)
    assert len(alias) == 32


def test_errors_of_bodies_and_aliases(veil, processor):
    url = f"{processor.url}/receiver/x"
    for body, code in ((b'{"a":', "301"), (booking(guest("00000000-0000-4000-8000-000000000000")), "900")):
        answer = pull(veil, url, body)
        assert answer.get("x-cc-error-code") == code and answer.status in (400, 422) and not processor.requests
    processor.default = reply(200, b'{"a":')
    answer = pull(veil, f"{processor.url}/channel/x", method="GET")
    assert (answer.status, answer.get("x-cc-error-code")) == (502, "300")


def test_callers_are_told_of_the_header_that_they_know(veil, processor):
    url = f"{processor.url}/channel/x"
    for answer in (pull(veil, url, key="absent", method="GET"), veil.ask("POST", "/v1/push/ota", [JSON], booking(guest()), how="keyed"),
                   pull(veil, url, key="cv_wrong_wrong", method="GET")):
        assert answer.status == 401 and answer.get("www-authenticate") == 'ApiKey header="pci-proxy-api-key"', answer
        assert b"x-api-key" not in answer.body and ("pci-proxy-api-key" in answer.get("x-cc-error") or b"KEY_WRONG" in answer.body)


def test_a_target_that_cannot_be_reached_is_an_empty_504(veil):
    dead = next(route["upstream"] for route in veil.config["routes"] if route["name"] == "dead")
    answer = pull(veil, f"{dead}/x", booking())
    assert (answer.status, answer.get("x-cc-error-code"), answer.body) == (504, "800", b"")
    assert answer.get("content-length") == "0" and answer.get("content-type") is None


def test_a_push_with_its_key_in_the_path(veil, processor):
    body = booking(guest())
    answer = veil.ask("PUT", f"/v1/push/ota/{veil.pusher}?a=b", [JSON, ("X-CC-Forwarded-For", "192.0.2.1"), ("X-CC-Matches", "9")], body, how="keyed")
    assert answer.status == 200, answer
    seen = processor.only()
    (alias, cvc), = aliases(seen.body)
    assert (seen.method, seen.target) == ("PUT", "/hook?a=b") and veil.pusher.encode() not in seen.raw
    assert without(seen.body, alias, cvc) == without(body, VISA, CVC)
    assert matches(seen, *CARDS, *CVCS) == of(CARDS, 1, 1, 0) | of(CVCS, 1, 1, 0)
    assert seen.all("x-cc-forwarded-for") == ["127.0.0.1"] and seen.get("pci-proxy-masked-aliases") == f"{alias}=411111xxxxxx1111"
    assert seen.get("x-cc-proxy-action-id") == answer.get("x-cc-proxy-action-id") and answer.get("pci-proxy-masked-aliases") is None
    assert matches(answer, *CARDS) == of(CARDS, 1, 1, 0)


def test_pushes_that_are_refused(veil, processor):
    for path, status, code in (("/v1/push/ota", 401, "50"), ("/v1/push/ota/", 401, "50"), ("/v1/push/ota/cv_wrong_wrong", 401, "5"),
                               (f"/v1/push/ota/{veil.pusher}/x", 404, "9")):
        answer = veil.ask("POST", path, [JSON], booking(guest()), how="keyed")
        assert (answer.status, answer.get("x-cc-error-code")) == (status, code), (path[:14], answer)
    assert not processor.requests


def test_a_partner_is_shown_card_numbers(veil, processor):
    def show(talk):
        talk.read_body()
        talk.send(message(body=booking(guest(veil.visa, cvc=None))))
        return True
    processor.default = show
    answer = veil.ask("GET", "/v1/push/show", how="keyed")
    assert answer.status == 200 and aliases(answer.body) == [(VISA, None)]
    assert matches(answer, *CARDS) == of(CARDS, 1, 0, 1) and answer.get("pci-proxy-masked-aliases") is None
    seen = processor.only()
    assert seen.target == "/show" and seen.get("x-cc-forwarded-for") == "127.0.0.1"


def test_other_routes_speak_their_own_language(veil, processor):
    slot = f"{{{{ {veil.visa} : detokenize }}}}"
    answer = veil.ask("POST", "/pay/x", [JSON, ("x-cc-other", "stays")], json.dumps({"a": slot}).encode())
    assert processor.only().get("x-cc-other") == "stays" and answer.get("x-cc-matches") is None
    assert answer.get("x-cardveil-matches") and answer.get("x-cc-proxy-action-id") is None
    refused = veil.ask("POST", "/pay/x", [JSON], b"{")
    assert refused.status == 400 and refused.get("x-cc-error-code") is None
