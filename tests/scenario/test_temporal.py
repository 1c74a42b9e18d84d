# SPDX-License-Identifier: Apache-2.0
"""Temporal tokens: a card with its CVC, in the keeper's memory, for one authorisation."""

import datetime
import json
import os
import signal
import threading
import time

import pytest

import payments
from leaks import CVC, PANS, VISA, find_in_folder, find_secrets, scan_memory
from payments import BASIC, EXPIRY, HOLDER, JSON, REDE
from processor import echo, slow
from wire import PATIENCE, Broken

CARD = {"number": VISA, "expiration_date": "12/2031", "cvc": CVC, "holder": HOLDER}


def create(veil, body=None, key=None, how="keyed"):
    answer = veil.ask("POST", "/v1/transactions", [JSON, ("x-api-key", key or veil.key)], json.dumps(CARD if body is None else body).encode(), how=how)
    return answer, json.loads(answer.body)


def make(veil, **more):
    answer, told = create(veil, {**CARD, **more})
    assert answer.status == 201, told
    return told["data"]["token"]


def place(token, stages=""):
    return f"{{{{ {token} : transaction{stages} }}}}"


def rede_with_cvc(slot, cvc):
    """A stored card's payment, and its CVC in e.Rede's field."""
    return payments.rede(slot, *(["12", "2031"] if slot == VISA else [slot, slot]), holder=HOLDER if slot == VISA else slot).replace(
        b'"storageCard"', f'"securityCode":"{cvc}","storageCard"'.encode())


def stored_with(veil, temporal):
    return rede_with_cvc(f"{{{{ {veil.visa} : detokenize }}}}", place(temporal))


def pay(veil, body, path=REDE, how="plain", **more):
    key = [("x-api-key", veil.key)] if how != "plain" else []
    return veil.ask("POST", path, [JSON, BASIC, *key], body, how=how, **more)


def pay_when_up(veil, body):
    """After a role was killed: refused connections and 503 are asked again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = pay(veil, body)
            if answer.status != 503 or time.monotonic() > deadline:
                return answer
        except (OSError, Broken):
            assert time.monotonic() < deadline
        time.sleep(0.05)


def code(answer):
    return json.loads(answer.body)["data"]["code"]


def lifetime(data):
    created, expires = (datetime.datetime.strptime(data[name], "%Y-%m-%dT%H:%M:%S.%fZ") for name in ("created_at", "expires_at"))
    return (expires - created).total_seconds()


def test_the_log_names_the_card_that_its_credential_is_of(world):
    """The CVC's placeholder stands first; what is told of the payment is told of the stored card."""
    temporal = make(world)
    body = stored_with(world, temporal)
    cvc = f'"securityCode":"{place(temporal)}",'.encode()
    body = b"{" + cvc + body.replace(cvc, b"")[1:]
    start = world.mark()
    line = world.exchange(pay(world, body), start)
    assert (line["token"], line["credential"], line["tokens"]) == (world.visa, "CARD_PAN", 2)


def test_what_a_new_one_looks_like(world):
    answer, told = create(world, {**CARD, "ttl": 300})
    assert (answer.status, told["status"], told["message"]) == (201, "success", "Temporal token created"), told
    data = told["data"]
    assert data["token"].startswith("tmp_") and len(data["token"]) == 40
    assert data["card"] == {"number": "411111******1111", "brand": "visa", "expiration_date": EXPIRY, "has_holder": True}
    assert set(data) == {"token", "status", "card", "created_at", "expires_at"} and data["status"] == "ACTIVE"
    assert lifetime(data) == 300
    assert not find_secrets(answer.raw)
    data = create(world)[1]["data"]
    assert lifetime(data) == 1800
    assert world.ask("GET", f"/v1/tokens/{data['token']}", [("x-api-key", world.key)], how="keyed").status == 404


def test_a_payment_takes_it_once(world, processor):
    temporal = make(world)
    answer = pay(world, stored_with(world, temporal))
    assert answer.status == 200, answer
    assert processor.only().body == rede_with_cvc(VISA, CVC)
    assert answer.get("x-cardveil-card-token-type") == "CARD_PAN"
    answer = pay(world, stored_with(world, temporal))
    assert (answer.status, code(answer)) == (422, "TOKEN_EXPIRED"), answer
    assert len(processor.requests) == 1


def test_the_header_speaks_of_the_stored_card(world, processor):
    """A CVC that comes first is on no side of the route's rollout; the card is."""
    temporal, stored = place(make(world)), f"{{{{ {world.visa} : detokenize }}}}"
    body = json.dumps({"securityCode": temporal, "cardNumber": stored, "expirationMonth": stored, "expirationYear": stored}).encode()
    assert pay(world, body).get("x-cardveil-fallback") == "not_in_volume"
    temporal = place(make(world))
    assert pay(world, rede_with_cvc(temporal, temporal)).get("x-cardveil-fallback") == "not_provisioned"


@pytest.mark.parametrize("how", ["plain", "tls"])
def test_the_whole_card_by_rules_and_by_stages(world, processor, how):
    slot = place(make(world))
    assert pay(world, rede_with_cvc(slot, slot), how=how).status == 200
    assert processor.only().body == rede_with_cvc(VISA, CVC)
    token = make(world)
    stages = [" | extract:card", " | extract:cvv", " | extract:name", " | extract:expiration | date:MM/YY", " | extract:cvv | parse:integer"]
    body = json.dumps([place(token, stage) for stage in stages]).encode()
    assert pay(world, body, "/any/x", how=how).status == 200
    assert processor.wait_for(2)[1].body == f'["{VISA}", "{CVC}", "{HOLDER}", "12/31", {CVC}]'.encode()


def test_the_echo_shows_its_placeholder(world, processor):
    token = make(world)
    processor.script("/x", echo())
    answer = pay(world, json.dumps([place(token, " | extract:cvv"), place(token)]).encode(), "/any/x")
    assert not find_secrets(answer.raw) and answer.body.count(token.encode()) == 2, answer


BAD = [
    ({"number": VISA, "expiration_date": "12/31"}, "TEMPORAL_FIELD"),
    ({"cvc": CVC}, "TEMPORAL_FIELD"),
    ({"number": VISA, "cvc": CVC}, "TEMPORAL_FIELD"),
    ({**CARD, "unique": True}, "TEMPORAL_FIELD"),
    ({**CARD, "token": "x"}, "TEMPORAL_FIELD"),
    ([CARD], "TEMPORAL_FIELD"),
    ([], "TEMPORAL_FIELD"),
    ("x", "TEMPORAL_FIELD"),
    ({**CARD, "ttl": None}, "TEMPORAL_FIELD"),
    ({**CARD, "cvc": None}, "TEMPORAL_FIELD"),
    ({**CARD, "cvc": "12"}, "CARD_CVC"),
    ({**CARD, "cvc": "12345"}, "CARD_CVC"),
    ({**CARD, "cvc": "12a"}, "CARD_CVC"),
    ({**CARD, "cvc": 123}, "CARD_CVC"),
    ({**CARD, "ttl": 0}, "TEMPORAL_TTL"),
    ({**CARD, "ttl": -1}, "TEMPORAL_TTL"),
    ({**CARD, "ttl": 28801}, "TEMPORAL_TTL"),
    ({**CARD, "ttl": 10**30}, "TEMPORAL_TTL"),
    ({**CARD, "ttl": 1.5}, "TEMPORAL_TTL"),
    ({**CARD, "ttl": "300"}, "TEMPORAL_TTL"),
    ({**CARD, "number": "4111111111111112"}, "CARD_NUMBER"),
    ({**CARD, "expiration_date": "13/31"}, "CARD_EXPIRY"),
]


@pytest.mark.parametrize("body, name", BAD)
def test_bad_ones(world, body, name):
    answer, told = create(world, body)
    assert (answer.status, told["data"]["code"]) == (400, name), told
    assert not find_secrets(answer.raw)


def test_bounds_of_ttl(world):
    for ttl in (1, 28800):
        assert lifetime(create(world, {**CARD, "ttl": ttl})[1]["data"]) == ttl


def test_methods_types_and_permission(world):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = world.ask(method, "/v1/transactions", [("x-api-key", world.key)], how="keyed")
        assert (answer.status, answer.get("allow")) == (405, "POST"), answer
    answer = world.ask("POST", "/v1/transactions", [("x-api-key", world.key), ("Content-Type", "text/plain")], json.dumps(CARD).encode(), how="keyed")
    assert (answer.status, code(answer)) == (415, "CARD_CONTENT_TYPE")
    assert world.ask("POST", "/v1/transactions", [JSON], json.dumps(CARD).encode(), how="keyed").status == 401
    answer, told = create(world, key=world.make_key("shop", "--permit", "proxy,read"))
    assert (answer.status, told["data"]["code"]) == (403, "KEY_PERMISSION")
    assert create(world, key=world.make_key("shop", "--permit", "tokenize"))[0].status == 201


def test_each_kind_where_it_belongs(world, processor):
    temporal = make(world)
    for token, kind in ((temporal, "detokenize"), (world.visa, "transaction")):
        answer = pay(world, f'{{"a":"{{{{ {token} : {kind} }}}}"}}'.encode(), "/any/x")
        assert (answer.status, code(answer)) == (422, "TOKEN_WRONG_KIND"), answer
    answer = pay(world, f'["{place(temporal)}","{{{{ {temporal} : detokenize }}}}"]'.encode(), "/any/x")
    assert (answer.status, code(answer)) == (422, "TOKEN_WRONG_KIND"), answer
    assert not processor.requests
    assert pay(world, stored_with(world, temporal)).status == 200  # none of this used it up


def test_another_merchants(world, processor):
    answer, told = create(world, key=world.other_key)
    theirs = told["data"]["token"]
    answer = pay(world, stored_with(world, theirs))
    assert (answer.status, code(answer)) == (422, "TOKEN_EXPIRED"), answer
    never = pay(world, stored_with(world, theirs[:-4] + "0000"))  # there is no telling whether it exists
    assert json.loads(never.body)["message"] == json.loads(answer.body)["message"]
    assert not processor.requests
    body = json.dumps(place(theirs, " | extract:cvv")).encode()
    assert world.ask("POST", "/foreign/x", [JSON, ("x-api-key", world.other_key)], body, how="keyed").status == 200
    assert processor.only().body == json.dumps(CVC).encode()


def test_a_request_that_fails_before_sending_keeps_it(world, processor):
    temporal = make(world)
    unknown = b'{"a":"' + place(temporal).encode() + b'","b":"{{ tok_does_not_exist : detokenize }}"}'
    for body, path, status, name in ((unknown, "/any/x", 422, "TOKEN_UNKNOWN"),
                                     (stored_with(world, temporal)[:-1], REDE, 400, "JSON_CUT_OFF"),
                                     (json.dumps(place(temporal)).encode(), "/dead/x", 502, "UPSTREAM_CONNECT")):
        answer = pay(world, body, path)
        assert (answer.status, code(answer)) == (status, name), answer
    with world.client() as client:  # a client that goes away in the middle of its body
        client.send(b"POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n[\"" +
                    place(temporal).encode() + b'","')
        time.sleep(0.2)
    time.sleep(0.2)
    assert not processor.requests
    assert pay(world, stored_with(world, temporal)).status == 200
    assert processor.only().body == rede_with_cvc(VISA, CVC)
    assert code(pay(world, stored_with(world, temporal))) == "TOKEN_EXPIRED"


def test_an_unknown_outcome_uses_it_up(world, processor):
    temporal = make(world)
    processor.script("/x", slow(5))
    answer = pay(world, json.dumps(place(temporal)).encode(), "/hasty/x")
    assert (answer.status, answer.get("x-cardveil-outcome")) == (504, "unknown"), answer
    assert code(pay(world, stored_with(world, temporal))) == "TOKEN_EXPIRED"


def test_a_streamed_body(world, processor):
    """Its first bytes are gone before its last token is known: then the first token is used up, whatever comes."""
    filler, path = '"' + "x" * 100_000 + '"', "/stream/x"
    temporal = make(world)
    assert pay(world, f'["{place(temporal, " | extract:cvv")}",{filler}]'.encode(), path, chunked=True).status == 200
    assert processor.only().body == f'["{CVC}",{filler}]'.encode()
    assert code(pay(world, stored_with(world, temporal))) == "TOKEN_EXPIRED"
    temporal = make(world)
    with world.client() as client:
        first = f'["{place(temporal)}",{filler},'.encode()
        client.send(b"POST /stream/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(first), first))
        processor.wait_for(2)
        last = b'"{{ tok_does_not_exist : detokenize }}"]'
        client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last))
        assert code(client.read_answer()) == "TOKEN_UNKNOWN"
    assert code(pay(world, stored_with(world, temporal))) == "TOKEN_EXPIRED"


@pytest.mark.parametrize("workers", [1, 2])
def test_only_one_of_many_at_once(make_cardveil, processor, workers):
    veil = make_cardveil(workers=workers)
    temporal = make(veil)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(pay(veil, stored_with(veil, temporal)))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] + [422] * 11
    assert {code(answer) for answer in answers if answer.status == 422} == {"TOKEN_EXPIRED"}
    assert len(processor.requests) == 1


def test_its_time_passes(world, processor):
    temporal = make(world, ttl=1)
    assert world.metric("cardveil_temporal_tokens") >= 1
    time.sleep(1.1)
    answer = pay(world, stored_with(world, temporal))
    assert (answer.status, code(answer)) == (422, "TOKEN_EXPIRED"), answer
    assert not processor.requests


def test_it_is_gone_with_the_keeper(make_cardveil, processor):
    veil = make_cardveil()
    temporal = [make(veil) for _ in range(30)]
    old = veil.roles()["keeper"]
    os.kill(old, signal.SIGKILL)
    veil.wait_roles(lambda roles: roles.get("keeper", old) != old)
    assert pay_when_up(veil, payments.rede_template(veil.visa)).status == 200
    processor.forget()
    for token in temporal:  # more than a caller may have bad tokens: these were right once
        answer = pay(veil, stored_with(veil, token))
        assert (answer.status, code(answer)) == (422, "TOKEN_EXPIRED"), answer
    assert not processor.requests
    assert veil.metric("cardveil_temporal_tokens") == 0
    assert pay(veil, stored_with(veil, make(veil))).status == 200


def test_a_relay_that_dies_has_used_it(make_cardveil, processor):
    veil = make_cardveil(workers=1)
    temporal = make(veil)
    processor.script("/x", slow(5))
    with veil.client() as client:
        body = json.dumps(place(temporal)).encode()
        client.send(b"POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        processor.wait_for(1)
        relay = veil.relays()[0]
        os.kill(relay, signal.SIGKILL)
    veil.wait_roles(lambda roles: any(name.startswith("relay") and pid != relay for name, pid in roles.items()))
    answer = pay_when_up(veil, stored_with(veil, temporal))
    assert (answer.status, code(answer)) == (422, "TOKEN_EXPIRED"), answer
    assert len(processor.requests) == 1


def test_a_reload_keeps_it(make_cardveil, processor):
    veil = make_cardveil()
    temporal = make(veil)
    assert veil.reload()["event"] == "reloaded"
    assert pay(veil, stored_with(veil, temporal)).status == 200


def test_a_merchant_s_share(make_cardveil, processor):
    veil = make_cardveil(more={"limits": {"temporal_tokens": 8}})
    last = [make(veil) for _ in range(4)][-1]
    answer, told = create(veil)
    assert (answer.status, told["data"]["code"], answer.get("retry-after")) == (503, "TEMPORAL_FULL", "1"), told
    assert [create(veil, key=veil.other_key)[0].status for _ in range(3)] == [201, 201, 503]
    assert (veil.metric("cardveil_temporal_tokens"), veil.metric("cardveil_temporal_tokens_room")) == (6, 8)
    assert pay(veil, stored_with(veil, last)).status == 200
    assert create(veil, key=veil.other_key)[0].status == 201  # the place that came free is for the one with fewer
    assert create(veil)[0].status == 503


@pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")
def test_memory_and_files(make_cardveil, processor):
    """The holder's name stands for the CVC, whose few digits are everywhere by chance: both are in one record."""
    veil = make_cardveil()
    holder = "ZENOBIA QUILLFEATHER"
    used, waits = make(veil, holder=holder), make(veil, holder="OTHER " + holder[::-1])
    wanted = {"used": holder.encode(), "waits": holder[::-1].encode()}
    assert pay(veil, json.dumps([place(used, " | extract:cvv"), place(used, " | extract:name")]).encode(), "/any/x").status == 200
    time.sleep(0.3)
    assert scan_memory(veil.roles()["keeper"], wanted) == ["waits"]
    for pid in veil.relays():
        assert scan_memory(pid, wanted) == []
    audit = (veil.folder / "vault" / "audit.log").read_bytes()
    assert audit.count(b'"temporal.create"') == 2 and used.encode() in audit and waits.encode() in audit
    for secret in (holder.encode(), holder[::-1].encode(), CVC.encode() + b'"'):
        assert secret not in audit
    assert not find_in_folder(veil.folder, [holder.encode(), holder[::-1].encode()], skip=("cards.ndjson",))
    assert not [pan for pan in PANS if pan.encode() in audit]
    veil.cli("vault", "verify")
