# SPDX-License-Identifier: Apache-2.0
"""'compat: firstoken': /proxy/ with its ft-… headers and its envelope, /routes/ID that answers with what it was sent, for users who change
a host name and nothing else. The requests are those of its documents' curl samples."""

import base64
import gzip
import json
import re

import pytest

from inbound import BOOKING_RULES, aliases, booking, guest, matches, no_card_in, without
from leaks import CVC, MASTERCARD, VISA
from payments import EXPIRY, HOLDER, JSON
from processor import message, reply, reply_raw

ANY = BOOKING_RULES.replace('accept: [ POST /bookings, "GET /bookings/*", "HEAD /bookings/*", "POST /bookings/*" ]', 'accept: [ "* *" ]')
SECRET = "5d1c9e55-9d5c-4f2c-8a5f-0d5d3f6f7a10"
BASIC = {"Authorization": "Basic " + base64.b64encode(b"user:secret").decode()}


def routes(processor):
    def route(name, **more):
        return {"name": name, "rules": "passthrough", "prefix": f"/{name}", "compat": "firstoken", **more}

    def inbound(name, **more):
        return route(name, **{"rules": "any_booking", "merchant": "shop", "direction": "filter-push", **more})
    return [
        route("pay", upstream=processor.url + "/pay"),
        route("deeper", upstream=processor.url + "/pay/deeper"),
        route("channel", upstream=processor.url + "/channel", direction="filter-pull", rules="any_booking"),
        route("small", upstream=processor.url + "/small", body={"buffer": "1K"}),
        route("hosted", upstream=processor.url + "/pay", merchant="other", host="other.example", prefix="/"),
        route("foreign", upstream=processor.url + "/foreign", merchant="other"),
        route("any", prefix="/proxy", target_header="on"),
        inbound("back", prefix=f"/routes/{SECRET}"),
        inbound("open", prefix="/routes/open", callers="127.0.0.0/8", unique="yes", masked="on", alias="eight-four"),
        inbound("onward", prefix="/routes/onward", callers="127.0.0.0/8", upstream=processor.url + "/hook"),
    ]


@pytest.fixture(scope="module")
def veil(session_folder, watch, rules, processor):
    from conftest import start_world  # pylint: disable=import-outside-toplevel
    targets = [{"url": f'"{processor.url}"', "private": "yes", "insecure": "yes"}, {"url": '"https://localhost:9"'}]
    made = start_world(session_folder, watch, {**rules, "any_booking": ANY}, routes(processor),
                       more={"merchants": [{"name": "shop", "targets": targets}, {"name": "other"}]}).start()
    made.tokenizer = made.make_key("shop", "--permit", "tokenize")
    yield made
    status = made.stop()
    watch.cardveils.remove(made)
    assert status == 0, f"serve ended with {status}"


@pytest.fixture
def call(veil, processor):
    """call(path or URL, …): one call of /proxy/, as that proxy's users make it."""
    def ask(url, body=b"", method="POST", key=None, ft_headers=None, raw=None, headers=(), path="/proxy/", **more):
        named = {"ft-url-destiny": processor.url + url if url and url.startswith("/") else url, "ft-access-key": key or veil.key,
                 "ft-headers": json.dumps(ft_headers) if isinstance(ft_headers, dict) else ft_headers, "ft-keep-response-format": raw}
        own = [(name, value) for name, value in named.items() if value not in (None, "absent")]
        return veil.ask(method, path, [*([JSON] if body else []), *own, *headers], body, how="keyed", **more)
    return ask


def template(token):
    return json.dumps({"chd": {"card": f"{{{{{token}:detokenize | extract:card}}}}", "name": f"{{{{{token}:detokenize | extract:name}}}}",
                               "exp": f"{{{{{token}:detokenize | extract:expiration | date:MM/YY}}}}"},
                       "order": {"order_id": "A-1", "value": 10.5}}).encode()


def filled(token):
    text = template(token).decode()
    for element, value in (("card", VISA), ("name", HOLDER), ("expiration | date:MM/YY", EXPIRY[:3] + EXPIRY[-2:])):
        text = text.replace(f"{{{{{token}:detokenize | extract:{element}}}}}", value)
    return text.encode()


def refused(answer, status, code, path=None):
    assert answer.get("x-cardveil-source") == "proxy", answer
    said = json.loads(answer.body)
    assert (answer.status, said["status"], said["data"]["code"], said["data"].get("path")) == (status, "fail", code, path), answer
    return answer


# --- /proxy/ ---

def test_a_payment_as_in_the_documents(veil, processor, call):
    body = template(veil.visa)
    processor.default = reply(201, b'{ "id" : 1.50 }\n', [("X-Theirs", "t"), ("ft-other", "forged"), ("Digest", "SHA-256=x")])
    answer = call("/pay/v1/charge?a=%20b", body, ft_headers={**BASIC, "X-Version": 2, "x-api-key": "theirs", "accept": "text/x"},
                  headers=[("Accept", "*/*"), ("ft-other", "o"), ("x-api-key", "not ours")])
    seen = processor.only()
    assert (seen.method, seen.target, seen.body) == ("POST", "/pay/v1/charge?a=%20b", filled(veil.visa))
    assert seen.all("authorization") == [BASIC["Authorization"]] and seen.all("x-version") == ["2"] and seen.all("accept") == ["text/x"]
    assert seen.all("x-api-key") == ["theirs"] and veil.key.encode() not in seen.raw
    assert not [name for name, _ in seen.fields if name.lower().startswith(("ft-", "x-cardveil-"))]
    assert answer.status == 201 and answer.body == b'{"status":201,"data":{ "id" : 1.50 }\n}'
    assert answer.all("content-type") == ["application/json"] and answer.get("x-theirs") == "t"
    assert answer.get("ft-other") is None and answer.get("digest") is None
    assert answer.get("x-cardveil-source") == "processor" and matches(answer)["revealed-cards"] == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_and_both_spellings_of_the_path(processor, call, method):
    answer = call("/pay/x", method=method, path="/proxy" if method == "PUT" else "/proxy/")
    assert answer.status == 200 and json.loads(answer.body)["data"]["returnCode"] == "00"
    assert processor.only().method == method


def test_the_route_is_the_one_that_the_url_lies_in(veil, processor, call):
    for url, name, target in (("/pay", "pay", "/pay"), ("/pay/x?q=1", "pay", "/pay/x?q=1&own=2"), ("/pay/deeper/y", "deeper", "/pay/deeper/y?own=2"),
                              ("/elsewhere?z", "any", "/elsewhere?z&own=2")):
        processor.forget()
        answer = call(url, method="GET", path="/proxy/?own=2" if "own" in target else "/proxy/")
        assert processor.only().target == target and veil.exchange(answer)["route"] == name


def test_a_host_of_its_own_comes_first(veil, processor, call):
    """Two merchants with one destination: the host that is called tells them apart, for a key says whose it is only later."""
    for host, key, name in (("other.example", veil.other_key, "hosted"), ("localhost", veil.key, "deeper")):
        answer = call("/pay/deeper/x", method="GET", key=key, host=host)
        assert answer.status == 200 and veil.exchange(answer)["route"] == name
    refused(call("/pay/deeper/x", method="GET", host="other.example"), 403, "KEY_MERCHANT")


@pytest.mark.parametrize("spelling, value", [
    ("{{%s: detokenize }}", VISA), ("{{ %s : detokenization }}", VISA), (" {{%s:detokenize|extract:card}}", " " + VISA),
    ("{{%s:detokenize | extract:expiration | date: MM }}/ {{%s:detokenize|extract:expiration|date:YY}}", "12/ 31"),
    ("{{ %s : detokenize | extract:token}}", None),
])
def test_spellings_in_bodies_and_in_ft_headers(veil, processor, call, spelling, value):
    text = spelling.replace("%s", veil.visa)
    answer = call("/pay/x", json.dumps({"a": text}).encode(), ft_headers={"X-Card": "is " + text})
    assert answer.status == 200, answer
    assert json.loads(processor.only().body)["a"] == (value or veil.visa) and processor.only().get("x-card") == "is " + (value or veil.visa)


def test_numbers_and_xml(veil, processor, call):
    slot = f"{{{{{veil.visa}:detokenize|extract:expiration|date:YY|parse:int}}}}"
    assert call("/pay/x", f'{{"y":"{slot}"}}'.encode()).status == 200 and processor.only().body == b'{"y":31}'
    processor.forget()
    xml = f"<ns3:numTarjeta>{{{{{veil.visa}:detokenize|extract:card}}}}</ns3:numTarjeta>"
    call("/pay/x", xml.encode(), ft_headers={"content-type": "application/xml"})
    assert processor.only().body == f"<ns3:numTarjeta>{VISA}</ns3:numTarjeta>".encode()
    assert processor.only().all("content-type") == ["application/xml"]


# --- answers ---

@pytest.mark.parametrize("said, shown", [
    (reply(200, b"", [("Content-Type", "text/plain")]), b'{"status":200,"data":null}'),
    (reply(503, b"busy \xc3\xa9\n", [("Content-Type", "text/html; charset=utf-8")]), b'{"status":503,"data":"busy \xc3\xa9\\u000A"}'),
    (reply(200, gzip.compress(b'{"a":1}'), [("Content-Encoding", "gzip")]), b'{"status":200,"data":{"a":1}}'),
    (reply_raw(b"HTTP/1.1 200 OK\r\n\r\n[1, 2]"), b'{"status":200,"data":[1, 2]}'),
    (reply(200, b'{"a":[1,2,3]}', chunks=[3, 5]), b'{"status":200,"data":{"a":[1,2,3]}}'),
], ids=["nothing", "text", "gzip", "until close", "chunks"])
def test_answers_in_the_envelope(processor, call, said, shown):
    processor.default = said
    answer = call("/pay/x", b"{}")
    assert (answer.body, answer.all("content-type"), answer.get("content-encoding")) == (shown, ["application/json"], None)
    assert answer.get("content-length") == str(len(shown)) and answer.status == json.loads(shown)["status"]


def test_answers_that_have_no_content(processor, call):
    for status in (204, 304):
        processor.default = reply_raw(b"HTTP/1.1 %d X\r\nX-A: b\r\n\r\n" % status, keep=True)
        answer = call("/pay/x", method="GET")
        assert (answer.status, answer.body, answer.get("content-type"), answer.get("x-a")) == (status, b"", None, "b")
    processor.default = reply(200, b'{"a":1}')
    answer = call("/pay/x", method="HEAD")
    assert (answer.status, answer.get("content-length"), answer.get("content-type")) == (200, None, "application/json")


def test_answers_that_no_envelope_can_hold(processor, call):
    for said, code in ((reply(200, b"%PDF\x00\xff", [("Content-Type", "application/pdf")]), "ENVELOPE_TEXT"),
                       (reply(200, b"caf\xe9", [("Content-Type", "text/plain; charset=iso-8859-1")]), "ENVELOPE_TEXT"),
                       (reply(200, b"x" * 2000), "ENVELOPE_SIZE"), (reply(200, b"x" * 2000, chunks=[700, 700]), "ENVELOPE_SIZE")):
        processor.default = said
        answer = refused(call("/small/x", b"{}"), 502, code)
        assert answer.get("x-cardveil-outcome") == "unknown" and "ft-keep-response-format" in json.loads(answer.body)["message"]
        assert call("/small/x", b"{}", raw="true").status == 200


def test_the_raw_answer(processor, call):
    said = b'{ "id" : 1.50 }'
    processor.default = reply(202, said, [("Content-Type", "application/problem+json"), ("Digest", "SHA-256=x")])
    answer = call("/pay/x", b"{}", raw="TRUE")
    assert (answer.status, answer.body, answer.get("content-type"), answer.get("digest")) == (202, said, "application/problem+json", "SHA-256=x")
    assert call("/pay/x", b"{}", raw="false").body == b'{"status":202,"data":' + said + b"}"


def test_what_comes_back_is_guarded_and_captured_first(veil, processor, call):
    processor.default = lambda talk: talk.send(message(body=talk.read_body().body)) or True
    answer = call("/pay/x", template(veil.visa))
    assert no_card_in(answer.raw) and f"{{{{{veil.visa}:detokenize}}}}".encode() in answer.body and json.loads(answer.body)["status"] == 200
    said = booking(guest(), guest(MASTERCARD, cvc=None))
    processor.default = reply(200, said)
    answer = call("/channel/list", method="GET")
    inner = answer.body[len(b'{"status":200,"data":'):-1]
    (visa, cvc), (mastercard, _) = aliases(inner)
    assert json.loads(answer.body)["status"] == 200 and without(inner, visa, cvc, mastercard) == without(said, VISA, CVC, MASTERCARD)
    assert no_card_in(answer.raw) and matches(answer)["captured-cards"] == 2
    processor.default = reply(200, b"")
    assert call("/channel/list", method="GET").body == b'{"status":200,"data":null}'


# --- what is refused ---

@pytest.mark.parametrize("more, status, code", [
    ({"url": "absent"}, 400, "COMPAT_URL"), ({"url": ""}, 400, "COMPAT_URL"),
    ({"headers": [("FT-Url-Destiny", "https://b.example")]}, 400, "COMPAT_URL"),
    ({"url": "ftp://a.example/"}, 400, "TARGET_SCHEME"), ({"url": "https://a@b.example/"}, 400, "TARGET_USERINFO"),
    ({"url": "/foreign/../pay"}, 404, "ROUTE_NOT_ACCEPTED"), ({"url": "https://localhost:9/"}, 403, "TARGET_PRIVATE"),
    ({"url": "https://elsewhere.example/"}, 403, "TARGET_NOT_ALLOWED"), ({"url": "/foreign/x"}, 403, "KEY_MERCHANT"),
    ({"headers": [("x-cc-url", "https://b.example")], "url": "/elsewhere"}, 400, "TARGET_TWICE"),
    ({"key": "absent"}, 403, "COMPAT_ACCESS_KEY"), ({"key": "cv_wrong_wrong"}, 403, "KEY_WRONG"), ({"key": "tokenize only"}, 403, "KEY_PERMISSION"),
    ({"headers": [("ft-access-key", "cv_wrong_wrong")]}, 403, "KEY_WRONG"),
    ({"raw": "yes"}, 400, "COMPAT_RAW"), ({"raw": "true", "headers": [("ft-keep-response-format", "true")]}, 400, "COMPAT_RAW"),
    ({"headers": [("ft-encryption", '{"key":"k","type":"RSA","is_partial":true}')]}, 400, "COMPAT_ENCRYPTION"),
    ({"path": "/proxy/hash/?type=SHA256"}, 501, "COMPAT_HASH"), ({"path": "/proxy/jose"}, 501, "COMPAT_JOSE"), ({"path": "/proxy/wssec"}, 501, "COMPAT_WSSEC"),
    ({"body": b'{"a":"{{ TOKEN1 : detokenize | extract:card | encrypt }}"}'}, 422, "PLACEHOLDER_ENCRYPT"),
    ({"body": b'{"a":"{{ 00000000-0000-4000-8000-000000000000 : detokenize }}"}'}, 422, "TOKEN_UNKNOWN"),
    ({"ft_headers": {"X-Card": "{{ 00000000-0000-4000-8000-000000000000 : detokenize }}"}}, 422, "TOKEN_UNKNOWN"),
    ({"ft_headers": "Authorization: Basic x"}, 400, "FT_HEADERS_JSON"), ({"ft_headers": '["a"]'}, 400, "FT_HEADERS_JSON"),
    ({"ft_headers": "{}", "headers": [("ft-headers", "{}")]}, 400, "FT_HEADERS_JSON"),
], ids=str)
def test_calls_that_are_refused(veil, processor, call, more, status, code):
    more = {"url": "/pay/x", **more}
    if more.get("key") == "tokenize only":
        more["key"] = veil.tokenizer
    place = "$.a" if code == "PLACEHOLDER_ENCRYPT" else None
    assert not [name for name, _ in refused(call(**more), status, code, place).fields if name.lower() == "www-authenticate"]
    assert not processor.requests


@pytest.mark.parametrize("text, code, member", [
    ('{"a":"x\\r\\nHost: evil"}', "FT_HEADERS_VALUE", "a"), ('{"b":1,"a\\u000d\\u000aHost":"evil"}', "FT_HEADERS_NAME", "a  Host"),
    ('{"Host":"evil.example"}', "FT_HEADERS_OURS", "Host"), ('{"Content-Length":"0"}', "FT_HEADERS_OURS", "Content-Length"),
    ('{"transfer_encoding":"chunked"}', "FT_HEADERS_OURS", "transfer_encoding"), ('{"ft-access-key":"k"}', "FT_HEADERS_OURS", "ft-access-key"),
    ('{"x-cardveil-url":"https://b.example"}', "FT_HEADERS_OURS", "x-cardveil-url"), ('{"a":{}}', "FT_HEADERS_VALUE", "a"),
    ('{"a":1,"A":2}', "FT_HEADERS_TWICE", "A"),
], ids=str)
def test_members_that_are_refused_by_name(processor, call, text, code, member):
    refused(call("/pay/x", ft_headers=text), 400, code, member)
    assert not processor.requests


def test_other_paths_and_other_callers(veil, processor):
    assert veil.ask("GET", "/proxy/more", [("ft-access-key", veil.key)], how="keyed").status == 400  # the route 'any', by its prefix
    answer = veil.ask("POST", "/pay/x", [JSON, ("ft-access-key", veil.key), ("ft-headers", '{"a":"b"}')], b"{}", how="keyed")
    assert answer.status == 200 and not answer.body.startswith(b'{"status"')  # by its prefix a route speaks plainly
    seen = processor.only()
    assert seen.target == "/pay/x" and not [name for name, _ in seen.fields if name.lower().startswith("ft-")]
    answer = veil.ask("POST", "/proxy/", [JSON, ("ft-url-destiny", processor.url + "/pay/y")], b"{}")  # a sidecar needs no key
    assert answer.status == 200 and processor.requests[-1].target == "/pay/y"


# --- /routes/ID ---

def test_a_route_without_upstream_gives_the_message_back(veil, processor):
    body = booking(guest(), note="isEightDigitsBin")
    answer = veil.ask("POST", f"/routes/{SECRET}?a=b", [("Content-Type", "application/json; charset=utf-8"), ("ft-access-key", veil.tokenizer)],
                      body, how="keyed")
    assert answer.status == 200, answer
    (alias, cvc), = aliases(answer.body)
    assert without(answer.body, alias, cvc) == without(body, VISA, CVC) and no_card_in(answer.raw)
    assert answer.get("content-type") == "application/json; charset=utf-8" and answer.get("content-length") == str(len(answer.body))
    assert answer.get("x-cardveil-source") == "proxy" and answer.get("x-content-type-options") == "nosniff"
    assert matches(answer)["captured-cards"] == 1 and answer.get("x-cardveil-masked") is None
    line = veil.exchange(answer)
    assert (line["route"], line["direction"], line["captured_cards"], line["status"]) == ("back", "filter-push", 1, 200)
    assert not processor.requests and veil.metric('cardveil_outcomes_total{outcome="api"}') >= 1
    again = veil.ask("POST", f"/routes/{SECRET}", [JSON, ("Content-Encoding", "gzip"), ("x-api-key", veil.tokenizer)], gzip.compress(body), how="keyed")
    assert aliases(again.body)[0][0] == alias and again.get("content-encoding") is None
    typed = veil.ask("POST", f"/routes/{SECRET}", [("Content-Type", f"application/json; note={VISA}"), ("x-api-key", veil.tokenizer)], b"{}", how="keyed")
    assert (typed.body, typed.get("content-type")) == (b"{}", f"application/json; note={alias}")


def test_an_open_route_never_tells_a_known_card(veil, processor):
    told = [veil.ask("POST", "/routes/open", [JSON], booking(guest()), how="keyed") for _ in range(2)]
    (first, cvc), (second, _) = (aliases(answer.body)[0] for answer in told)
    assert first != second and re.fullmatch(r"41111111[A-Z0-9]+1111", first)
    assert told[0].get("x-cardveil-masked") == f"{first}=411111xxxxxx1111"
    paid = veil.ask("POST", "/proxy/", [JSON, ("ft-url-destiny", processor.url + "/pay/x")], json.dumps({"a": f"{{{{{first}:detokenize}}}}", "b": f"{{{{{cvc}:transaction|extract:cvv}}}}"}).encode())
    assert paid.status == 200 and json.loads(processor.only().body) == {"a": VISA, "b": CVC}


def test_routes_keep_connections_and_have_no_more_to_say(veil, processor):
    with veil.client("keyed") as client:
        for method, body in (("POST", booking(guest())), ("PUT", booking()), ("GET", b"")):
            answer = client.ask(method, "/routes/open", [JSON], body)
            assert answer.status == 200 and (answer.get("connection"), bool(answer.body)) == ("keep-alive", bool(body))
    refused(veil.ask("POST", f"/routes/{SECRET}", [JSON], booking(guest()), how="keyed"), 403, "KEY_MISSING")
    refused(veil.ask("POST", "/routes/open", [JSON], booking(guest("4111111111111112")), how="keyed"), 422, "INBOUND_CARD", "$.guests[0].card.number")
    refused(veil.ask("POST", "/routes/unknown", [JSON], booking(guest()), how="keyed"), 404, "ROUTE_NONE")
    assert not processor.requests


def test_a_route_with_upstream_goes_on(veil, processor):
    answer = veil.ask("POST", "/routes/onward", [JSON, ("ft-other", "o")], booking(guest()), how="keyed")
    assert answer.status == 200 and answer.get("x-cardveil-source") == "processor"
    seen = processor.only()
    assert seen.target == "/hook" and no_card_in(seen.raw) and seen.get("ft-other") is None


def test_explain_shows_what_goes_back(veil):
    request = b"POST /routes/open HTTP/1.1\ncontent-type: application/json\n\n" + booking(guest(cvc=None))
    shown = veil.cli("explain", "--route", "open", stdin=request).stdout.decode()
    assert "back to the caller" in shown and "HTTP/1.1 200 OK" in shown and "411111******1111" in shown.replace("x", "*") and VISA not in shown
