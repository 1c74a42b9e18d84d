# SPDX-License-Identifier: Apache-2.0
"""Bad input: each kind gets its own clear answer, and nothing is sent upstream."""

import json

import pytest

import payments
from leaks import CVC, VISA
from payments import BASIC, FORM, JSON, REDE

UNKNOWN = "tok_does_not_exist"


def refused(world, answer, status, *names):
    """The answer's shape, its name, and the same name in the log."""
    assert answer.status == status, answer
    assert answer.get("x-cardveil-source") == "proxy"
    told = json.loads(answer.body)
    assert told["status"] == "fail" and told["message"], told
    assert told["data"]["code"] in names, told
    line = world.exchange(answer)
    assert line["reason"] == told["data"]["code"], line
    return told


def nothing_sent(processor):
    assert processor.connections == 0 or not processor.requests, processor.requests


def body_of(slot):
    return f'{{"a":"{slot}"}}'.encode()


JSON_CASES = [
    ("unknown token", body_of(f"{{{{ {UNKNOWN} : detokenize }}}}"), 422, "TOKEN_UNKNOWN"),
    ("unknown kind", body_of("{{ TOKEN1 : reveal }}"), 422, "PLACEHOLDER_KIND"),
    ("unknown stage", body_of("{{ TOKEN1 : detokenize | upper:all }}"), 422, "PLACEHOLDER_STAGE"),
    ("word for a stage", body_of("{{ TOKEN1 : detokenize | upper }}"), 422, "PLACEHOLDER_SYNTAX"),
    ("unknown element", body_of("{{ TOKEN1 : detokenize | extract:pin }}"), 422, "PLACEHOLDER_STAGE"),
    ("unknown date", body_of("{{ TOKEN1 : detokenize | extract:expiration | date:DD }}"), 422, "PLACEHOLDER_STAGE"),
    ("token too short", body_of("{{ TOK : detokenize }}"), 422, "PLACEHOLDER_TOKEN"),
    ("token too long", body_of("{{ " + "T" * 65 + " : detokenize }}"), 422, "PLACEHOLDER_TOKEN"),
    ("word after the kind", body_of("{{ TOKEN1 : detokenize extra }}"), 422, "PLACEHOLDER_SYNTAX"),
    ("empty stage", body_of("{{ TOKEN1 : detokenize | }}"), 422, "PLACEHOLDER_SYNTAX"),
    ("two bars", body_of("{{ TOKEN1 : detokenize || extract:card }}"), 422, "PLACEHOLDER_SYNTAX"),
    ("CVC of a permanent token", body_of("{{ TOKEN1 : detokenize | extract:cvv }}"), 422, "PLACEHOLDER_STAGE"),
    ("placeholder in a name", b'{"{{ TOKEN1 : detokenize }}":1}', 422, "PLACEHOLDER_IN_KEY"),
    ("mixed integer", body_of("x{{ TOKEN1 : detokenize | parse:integer }}"), 422, "PLACEHOLDER_MIXED_NUMBER"),
    ("JSON cut off", b'{"a":"b"', 400, "JSON_CUT_OFF"),
    ("JSON empty", b"", 400, "JSON_CUT_OFF"),
    ("JSON with a comma too many", b'{"a":1,}', 400, "JSON_SYNTAX"),
    ("two documents", b'{"a":1}{"b":2}', 400, "JSON_TRAILING"),
    ("bad UTF-8", b'{"a":"\xff"}', 400, "UTF8"),
    ("overlong UTF-8", b'{"a":"\xc0\xaf"}', 400, "UTF8"),
    ("encoded surrogate", b'{"a":"\xed\xa0\x80"}', 400, "UTF8"),
    ("lone surrogate", b'{"a":"\\ud800"}', 400, "JSON_SURROGATE"),
    ("low surrogate first", b'{"a":"\\udc00\\ud800"}', 400, "JSON_SURROGATE"),
    ("depth 65", b"[" * 65 + b"]" * 65, 400, "JSON_DEPTH"),
]


@pytest.mark.parametrize("what, body, status, name", JSON_CASES, ids=[case[0] for case in JSON_CASES])
def test_bad_json_or_placeholder(world, processor, what, body, status, name):
    answer = world.ask("POST", "/any/x", [JSON], body)
    refused(world, answer, status, name, *(["JSON_SYNTAX"] if what == "JSON empty" else []))
    nothing_sent(processor)


def test_depth_64_is_taken(world, processor):
    body = b"[" * 64 + b"]" * 64
    assert world.ask("POST", "/any/x", [JSON], body).status == 200
    assert processor.only().body == body


def test_duplicate_member_on_a_rule_path(world, processor):
    body = payments.rede_template(world.visa).replace(b'"storageCard"', b'"cardNumber":"4","storageCard"')
    refused(world, world.ask("POST", REDE, [JSON, BASIC], body), 400, "JSON_DUPLICATE_KEY")
    nothing_sent(processor)


def test_duplicate_member_spelled_otherwise(world, processor):
    body = payments.rede_template(world.visa).replace(b'"storageCard"', b'"card\\u004eumber":"4","storageCard"')
    refused(world, world.ask("POST", REDE, [JSON, BASIC], body), 400, "JSON_DUPLICATE_KEY")
    nothing_sent(processor)


def test_duplicate_form_field(world, processor):
    body = payments.credibanco_template("70906e55-7114-41d6-8332-4609dc6590f4", world.visa) + b"&%24PAN=4"
    refused(world, world.ask("POST", "/credibanco/payment/rest/paymentorder.do", [FORM], body), 400, "FORM_DUPLICATE")
    nothing_sent(processor)


def test_bad_percent_sign_in_a_form(world, processor):
    refused(world, world.ask("POST", "/any/x", [FORM], b"a=%4&b=1"), 400, "FORM_SYNTAX")
    nothing_sent(processor)


def test_another_merchants_token(world, processor):
    refused(world, world.ask("POST", REDE, [JSON, BASIC], payments.rede_template(world.foreign)), 422, "TOKEN_UNKNOWN")
    nothing_sent(processor)


@pytest.mark.parametrize("where", ["header", "query", "path"])
def test_unknown_token_elsewhere(world, processor, where):
    slot = f"{{{{ {UNKNOWN} : detokenize }}}}"
    quoted = slot.replace("{", "%7B").replace("}", "%7D").replace(" ", "%20")
    path = {"header": "/any/x", "query": f"/any/x?a={quoted}", "path": f"/any/{quoted}"}[where]
    answer = world.ask("GET", path, [("X-Card", slot)] if where == "header" else [])
    refused(world, answer, 422, "TOKEN_UNKNOWN")
    nothing_sent(processor)


def make_temporal(world):
    body = json.dumps({"number": VISA, "expiration_date": "12/31", "cvc": CVC, "ttl": 600}).encode()
    answer = world.ask("POST", "/v1/transactions", [JSON, ("x-api-key", world.key)], body, how="keyed")
    assert answer.status == 201, answer
    return json.loads(answer.body)["data"]["token"]


def test_temporal_token_where_a_permanent_belongs(world, processor):
    token = make_temporal(world)
    refused(world, world.ask("POST", "/any/x", [JSON], body_of(f"{{{{ {token} : detokenize }}}}")), 422, "TOKEN_WRONG_KIND")
    nothing_sent(processor)


def test_permanent_token_where_a_temporal_belongs(world, processor):
    refused(world, world.ask("POST", "/any/x", [JSON], body_of(f"{{{{ {world.visa} : transaction }}}}")), 422, "TOKEN_WRONG_KIND")
    nothing_sent(processor)


def test_element_that_the_token_lacks(world, processor):
    token = world.make_tokens([{"number": "4563960122001999", "expiration_date": "12/31"}])[0]
    refused(world, world.ask("POST", "/any/x", [JSON], body_of(f"{{{{ {token} : detokenize | extract:name }}}}")), 422, "ELEMENT_MISSING")
    nothing_sent(processor)


def test_body_over_the_limit(world, processor):
    body = b'{"a":"' + b"x" * (1 << 20) + b'"}'
    with world.client() as client:
        try:
            client.send(b"POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            client.send(body)
        except OSError:
            pass
        refused(world, client.read_answer(), 413, "BODY_TOO_LARGE")
    nothing_sent(processor)


def test_chunked_body_over_the_limit(world, processor):
    with world.client() as client:
        client.send(b"POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":[0\r\n")
        try:
            for _ in range(1200):
                client.send(b"400\r\n" + b",1" * 512 + b"\r\n")
        except OSError:
            pass
        refused(world, client.read_answer(), 413, "BODY_TOO_LARGE")
    nothing_sent(processor)


def test_gzip_bomb(world, processor):
    import gzip
    body = gzip.compress(b'{"a":"' + b"x" * (8 << 20) + b'"}')
    refused(world, world.ask("POST", "/any/x", [JSON, ("Content-Encoding", "gzip")], body), 413, "BODY_INFLATE")
    nothing_sent(processor)


@pytest.mark.parametrize("body", [b"not gzip at all", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"])
def test_broken_gzip(world, processor, body):
    refused(world, world.ask("POST", "/any/x", [JSON, ("Content-Encoding", "gzip")], body), 400, "CONTENT_CODING_BROKEN")
    nothing_sent(processor)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip"])
def test_other_content_codings(world, processor, coding):
    refused(world, world.ask("POST", "/any/x", [JSON, ("Content-Encoding", coding)], b"abc"), 415, "CONTENT_CODING")
    nothing_sent(processor)


@pytest.mark.parametrize("headers", [[FORM], [("Content-Type", "application/xml")], [], [FORM, JSON]])
def test_wrong_content_type_for_the_route(world, processor, headers):
    answer = world.ask("POST", REDE, [BASIC, *headers], payments.rede_template(world.visa))
    refused(world, answer, 415, "ROUTE_CONTENT_TYPE")
    told = json.loads(answer.body)["data"]
    assert "application/json" in told["description"] and told.get("path") == (headers[0][1] if len(headers) == 1 else None), told
    nothing_sent(processor)


def test_no_route(world, processor):
    refused(world, world.ask("POST", "/nowhere", [JSON], b"{}"), 404, "ROUTE_NONE")
    refused(world, world.ask("POST", "/redeX/erede/v1/transactions", [JSON], b"{}"), 404, "ROUTE_NONE")
    nothing_sent(processor)


@pytest.mark.parametrize("path", ["/rede/erede/v1/other", "/rede/erede/v1/transactions/../other", "/rede//erede/v1/transactions",
                                  "/rede/%65rede/v1/other"])
def test_path_the_rules_do_not_accept(world, processor, path):
    answer = world.ask("POST", path, [JSON, BASIC], payments.rede_template(world.visa))
    assert 400 <= answer.status < 500, answer
    nothing_sent(processor)


def test_too_many_placeholders(world, processor):
    slot = f'"{{{{ {world.visa} : detokenize }}}}"'
    body = ("[" + ",".join([slot] * 1001) + "]").encode()
    refused(world, world.ask("POST", "/any/x", [JSON], body), 413, "PLACEHOLDER_COUNT")
    nothing_sent(processor)


# --- callers ---

def test_no_api_key(world, processor):
    refused(world, world.ask("POST", REDE, [JSON, BASIC], payments.rede_template(world.visa), how="keyed"), 401, "KEY_MISSING")
    nothing_sent(processor)


@pytest.mark.parametrize("key", ["x", "cvk_000000000000_" + "A" * 40, ""])
def test_wrong_api_key(world, processor, key):
    answer = world.ask("POST", REDE, [JSON, BASIC, ("x-api-key", key)], payments.rede_template(world.visa), how="keyed")
    refused(world, answer, 401, "KEY_WRONG", "KEY_MISSING")
    nothing_sent(processor)


def test_wrong_key_on_a_listener_that_needs_none(world, processor):
    answer = world.ask("POST", REDE, [JSON, BASIC, ("x-api-key", "cvk_000000000000_" + "A" * 40)], payments.rede_template(world.visa))
    refused(world, answer, 401, "KEY_WRONG")
    nothing_sent(processor)


def test_revoked_key(world, processor):
    key = world.make_key("shop")
    ask = lambda: world.ask("GET", "/any/x", [("x-api-key", key)], how="keyed")  # noqa: E731
    assert ask().status == 200
    world.cli("key", "revoke", key.split("_")[1])
    import time
    for _ in range(100):
        answer = ask()
        if answer.status == 401:
            break
        time.sleep(0.1)
    refused(world, answer, 401, "KEY_WRONG")


def test_key_without_the_permission(world, processor):
    key = world.make_key("shop", "--permit", "read")
    answer = world.ask("POST", REDE, [JSON, BASIC, ("x-api-key", key)], payments.rede_template(world.visa), how="keyed")
    refused(world, answer, 403, "KEY_PERMISSION")
    nothing_sent(processor)


def test_key_from_another_address(world, processor):
    key = world.make_key("shop", "--allow", "10.1.2.0/24,2001:db8::/32")
    answer = world.ask("POST", REDE, [JSON, BASIC, ("x-api-key", key)], payments.rede_template(world.visa), how="keyed")
    refused(world, answer, 403, "KEY_ADDRESS")
    nothing_sent(processor)


def test_key_from_an_allowed_address(world, processor):
    key = world.make_key("shop", "--allow", "10.1.2.0/24,127.0.0.0/8")
    assert world.ask("GET", "/any/x", [("x-api-key", key)], how="keyed").status == 200


def test_another_merchants_route(world, processor):
    refused(world, world.ask("POST", "/foreign/x", [JSON], b"{}"), 403, "KEY_MERCHANT")
    nothing_sent(processor)


def test_twenty_one_bad_tokens(make_cardveil, processor):
    veil = make_cardveil()
    for number in range(20):
        answer = veil.ask("POST", "/any/x", [JSON], body_of(f"{{{{ guess{number:04} : detokenize }}}}"))
        refused(veil, answer, 422, "TOKEN_UNKNOWN")
    answer = veil.ask("POST", "/any/x", [JSON], body_of("{{ guess9999 : detokenize }}"))
    refused(veil, answer, 429, "TOO_MANY_BAD_TOKENS")
    answer = veil.ask("POST", "/any/x", [JSON], body_of(f"{{{{ {veil.visa} : detokenize }}}}"))
    refused(veil, answer, 429, "TOO_MANY_BAD_TOKENS")
    nothing_sent(processor)


def test_twenty_one_bad_tokens_through_the_api(make_cardveil, processor):
    veil = make_cardveil()
    key = ("x-api-key", veil.key)
    for number in range(20):
        method = ("GET", "PATCH", "DELETE")[number % 3]
        body, headers = (b'{"expiration_date":"12/31"}', [key, JSON]) if method == "PATCH" else (b"", [key])
        answer = veil.ask(method, f"/v1/tokens/guess{number:04}", headers, body, how="keyed")
        refused(veil, answer, 404, "TOKEN_NOT_FOUND")
    answer = veil.ask("GET", f"/v1/tokens/{veil.visa}", [key], how="keyed")
    refused(veil, answer, 429, "TOO_MANY_BAD_TOKENS")
    answer = veil.ask("POST", "/any/x", [JSON, key], body_of(f"{{{{ {veil.visa} : detokenize }}}}"), how="keyed")
    refused(veil, answer, 429, "TOO_MANY_BAD_TOKENS")
    nothing_sent(processor)


def test_rate_of_a_key(make_cardveil, processor):
    veil = make_cardveil(more={"rate": 5})
    statuses = []
    with veil.client("keyed") as client:
        for _ in range(60):
            answer = client.ask("GET", "/any/x", [("x-api-key", veil.key)])
            statuses.append(answer.status)
            if answer.status == 429:
                break
    assert statuses[0] == 200 and statuses[-1] == 429, statuses
    refused(veil, answer, 429, "KEY_RATE")
