# SPDX-License-Identifier: Apache-2.0
"""Reservations in XML and forms in multipart, by the shipped rules: a partner pushes them, the merchant gets aliases and pays with
them, and a merchant fetches them. What stands around the cards comes through byte for byte."""

import json
import re

import pytest

from inbound import counts, matches, no_card_in, pay_with
from leaks import AMEX, CVC, MASTERCARD, VISA
from payments import JSON
from processor import reply, reply_raw

XML = ("Content-Type", "text/xml; charset=utf-8")
LATIN1 = ("Content-Type", "application/xml;charset=ISO-8859-1")
FORM_DATA = ("Content-Type", 'multipart/form-data; boundary="--- b"')
FORM_RULES = """
processor: checkout-form
accept: [ POST /form ]
body: multipart
card: { number: pan, expiry: { at: exp, as: MM/YY }, cvc: cvc, holder: name }
find: pan
"""
# Any text is a form, of one name: what does not say that it is one is not taken for one.
PLAIN_FORM_RULES = """
processor: plain-form
accept: [ POST /x, GET /x ]
body: form
card: { number: $pan }
answer: { body: form, card: { number: $pan } }
"""


def route(name, rules, direction, upstream):
    return {"name": name, "rules": rules, "merchant": "shop", "prefix": f"/{name}", "upstream": upstream, "direction": direction}


@pytest.fixture(scope="module", name="veil")
def veil_fixture(session_folder, watch, rules, processor):
    from conftest import start_world  # pylint: disable=import-outside-toplevel
    routes = [route("ota", "ota-reservation", "filter-push", processor.url), route("fetch", "ota-reservation", "filter-pull", processor.url),
              route("form", "checkout-form", "filter-push", processor.url), route("scan", "passthrough", "filter-push", processor.url),
              route("reveal", "ota-reservation", "forward-pull", processor.url), route("pay", "passthrough", "forward-pull", processor.url),
              route("simple", "plain-form", "filter-push", processor.url), route("get", "plain-form", "filter-pull", processor.url),
              route("hook", "booking-webhook", "filter-push", processor.url), route("poll", "booking-webhook", "filter-pull", processor.url),
              {**route("typed", "passthrough", "filter-push", processor.url), "pass_types": "application/pdf, image/*"},
              {**route("pull", "passthrough", "filter-pull", processor.url), "pass_types": "image/*"}]
    made = start_world(session_folder, watch, {**rules, "checkout-form": FORM_RULES, "plain-form": PLAIN_FORM_RULES}, routes).start()
    yield made
    status = made.stop()
    watch.cardveils.remove(made)
    assert status == 0, f"serve ended with {status}"


def reservation(number=VISA, cvc=CVC, other=MASTERCARD, note=AMEX, encoding="utf-8"):
    return (f'<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>\n<OTA_HotelResNotifRQ '
            f'xmlns="http://www.opentravel.org/OTA/2003/05"><HotelReservation ResStatus = "Commit">\n'
            f'<PaymentCard CardCode="VI" CardNumber="{number}"\n ExpireDate=\'1231\' SeriesCode="{cvc}"><CardHolderName>Zo\xe9 &amp; Co</CardHolderName>'
            f'</PaymentCard><o:PaymentCard xmlns:o="urn:x" ExpireDate="0132"><o:CardNumber Mask="x"><o:PlainText><![CDATA[{other}]]></o:PlainText>'
            f'</o:CardNumber></o:PaymentCard><!-- kept -->\n<Text>call +49 30 1234567; {note}</Text></HotelReservation></OTA_HotelResNotifRQ>'
            f'</s:Body></s:Envelope>\r\n').encode(encoding)


def aliases_of(body):
    """number, CVC, the other number, the note's"""
    return re.search(rb'CardNumber="([^"]*)".*SeriesCode="([^"]*)".*CDATA\[([^\]]*)\].*1234567; ([^<]*)<', body, re.S).groups()


def expect_reservation(body, encoding):
    number, cvc, other, note = (alias.decode() for alias in aliases_of(body))
    assert len({number, cvc, other, note, VISA, CVC, MASTERCARD, AMEX}) == 8
    assert body == reservation(number, cvc, other, note, encoding)
    return number, cvc, other, note


@pytest.mark.parametrize("kind,encoding", [(XML, "utf-8"), (LATIN1, "iso-8859-1")], ids=["utf-8", "iso-8859-1"])
def test_a_pushed_reservation_reaches_the_merchant_with_aliases(veil, processor, kind, encoding):
    processor.forget()
    answer = veil.ask("POST", "/ota/reservations", [kind], reservation(encoding=encoding))
    assert answer.status == 200, answer
    seen = processor.only()
    assert no_card_in(seen.raw) and AMEX.encode() not in seen.raw
    number, cvc, other, note = expect_reservation(seen.body, encoding)
    assert matches(seen) == counts(cards=3, cvcs=1)
    assert pay_with(veil, processor, f"{{{{ {number} : detokenize }}}}") == VISA
    assert pay_with(veil, processor, f"{{{{ {number} : detokenize | extract:expiration | date:MM/YY }}}}") == "12/31"
    assert pay_with(veil, processor, f"{{{{ {number} : detokenize | extract:name }}}}") == "Zo\xe9 & Co"
    assert pay_with(veil, processor, f"{{{{ {cvc} : transaction | extract:cvv }}}}") == CVC
    assert pay_with(veil, processor, f"{{{{ {other} : detokenize }}}}") == MASTERCARD
    assert pay_with(veil, processor, f"{{{{ {other} : detokenize | extract:expiration | date:MM/YY }}}}") == "01/32"
    assert pay_with(veil, processor, f"{{{{ {note} : detokenize }}}}") == AMEX


def test_rules_of_one_format_take_no_other(veil, processor):
    """A message that does not say its type is read as the rules say; one that says another, never."""
    processor.forget()
    assert veil.ask("POST", "/ota/x", [], reservation()).status == 200
    expect_reservation(processor.only().body, "utf-8")
    processor.forget()
    for headers, status, named in (([], 400, b"XML_SYNTAX"), ([JSON], 415, b'"path":"application/json"'), ([("Content-Type", f"text/{VISA}")], 415, b"XML (")):
        answer = veil.ask("POST", "/ota/x", headers, b'{"n":1}')
        assert answer.status == status and named in answer.body and no_card_in(answer.raw), answer
    untyped = json.dumps({"pan": VISA}).encode()
    answer = veil.ask("POST", "/simple/x", [], untyped)
    assert answer.status == 415 and b"application/x-www-form-urlencoded" in answer.body, answer
    assert not processor.requests
    processor.default = reply_raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(untyped) + untyped)
    answer = veil.ask("GET", "/get/x")
    assert answer.status == 502 and no_card_in(answer.raw), answer


@pytest.mark.parametrize("method,body", [("POST", b"<OTA_ReadRQ/>"), ("GET", b"")], ids=["POST", "GET"])
def test_a_fetched_reservation_comes_back_with_aliases(veil, processor, method, body):
    processor.forget()
    processor.script("/read", reply(200, reservation(), [XML]))
    answer = veil.ask(method, "/fetch/read", [XML] if body else [], body)
    assert answer.status == 200, answer
    assert no_card_in(answer.raw) and processor.only().body == body
    expect_reservation(answer.body, "utf-8")


def bookings(visa=VISA, cvc=CVC, mastercard=MASTERCARD, note=AMEX):
    """A list as rules/booking-webhook.yaml has it, with spelling of its own and a number in the remarks."""
    return (f'{{"event":"reservation.created", "reservations":[{{"id":"R-\\u0031","guarantee":{{"card":{{"number":"{visa}","expiry" : "12/31",'
            f'"cvc":"{cvc}","holder":"ANA SOUZA"}}}}}},\n {{"id":"R-2","nights":2.0,"guarantee":{{"card":{{"number":"{mastercard}","exp_month":"01",'
            f'"exp_year":"2032"}}}},"remarks":"or {note}"}}]}}').encode()


def expect_bookings(veil, processor, body):
    first, second = (one["guarantee"]["card"] for one in json.loads(body)["reservations"])
    note = json.loads(body)["reservations"][1]["remarks"].removeprefix("or ")
    assert body == bookings(first["number"], first["cvc"], second["number"], note) and no_card_in(body) and AMEX.encode() not in body
    for alias, number, expiry in ((first["number"], VISA, "12/31"), (second["number"], MASTERCARD, "01/32")):
        assert pay_with(veil, processor, f"{{{{ {alias} : detokenize }}}}") == number
        assert pay_with(veil, processor, f"{{{{ {alias} : detokenize | extract:expiration | date:MM/YY }}}}") == expiry
    assert pay_with(veil, processor, f"{{{{ {first['number']} : detokenize | extract:name }}}}") == "ANA SOUZA"
    assert pay_with(veil, processor, f"{{{{ {first['cvc']} : transaction | extract:cvv }}}}") == CVC
    assert pay_with(veil, processor, f"{{{{ {note} : detokenize }}}}") == AMEX


def test_booking_webhook_serves_a_push_and_a_poll(veil, processor):
    processor.forget()
    answer = veil.ask("POST", "/hook/bookings", [JSON], bookings())
    assert answer.status == 200, answer
    seen = processor.only()
    assert matches(seen) == counts(cards=3, cvcs=1)
    expect_bookings(veil, processor, seen.body)
    processor.forget()
    processor.script("/bookings", reply(200, bookings()))
    answer = veil.ask("GET", "/poll/bookings")
    assert answer.status == 200 and matches(answer) == counts(cards=3, cvcs=1), answer
    expect_bookings(veil, processor, answer.body)
    head = veil.ask("HEAD", "/poll/bookings")
    assert head.status == 200 and not head.body, head


def test_placeholders_in_xml_are_served_by_rule(veil, processor):
    processor.forget()
    body = b'<r><PaymentCard CardNumber="{{ %s : detokenize }}" ExpireDate="{{ %s : detokenize }}"/></r>' % ((veil.visa.encode(),) * 2)
    assert veil.ask("POST", "/reveal/x", [XML], body).status == 200
    seen = processor.only().body
    assert re.fullmatch(rb'<r><PaymentCard CardNumber="%s" ExpireDate="\d{4}"/></r>' % VISA.encode(), seen), seen


@pytest.mark.parametrize("body,path", [
    (b'<!DOCTYPE r [<!ENTITY a "4111111111111111">]><r>&a;</r>', None),
    (b"<r><PaymentCard CardNumber='4111111111111112'/></r>", "/r/PaymentCard/@CardNumber"),
    (b"<r>" * 65 + b"</r>" * 65, None), (b"<r>41111111<!-- -->11111111</r>", "/r"), (b"<r>\xff</r>", "/r"), (b"<r>&nbsp;</r>", "/r"), (b"<r>", "/r"),
    (b"\xff\xfe<\0r\0/\0>\0", None)], ids=["entity", "number", "deep", "split", "utf-8", "unknown", "cut", "utf-16"])
def test_what_cannot_be_read_for_sure_goes_nowhere(veil, processor, body, path):
    processor.forget()
    answer = veil.ask("POST", "/ota/x", [("Content-Type", "text/xml")], body)
    assert answer.status in (400, 422), answer
    assert path is None or path.encode() in answer.body, answer
    assert not processor.requests


def form(pan, cvc, line, note):
    head = "----- b\r\nContent-Disposition: form-data; name="
    return (f'{head}"name"\r\n\r\nAna\r\n{head}"pan"\r\n\r\n{pan}\r\n{head}exp\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n12/31\r\n{head}cvc\r\n\r\n{cvc}\r\n'
            f'{head}"list"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\nid;pan\r\n1;{line}\n\r\n{head}note\r\n\r\nor {note}?\r\n----- b--\r\n').encode()


def test_a_form_in_parts_reaches_the_merchant_with_aliases(veil, processor):
    processor.forget()
    answer = veil.ask("POST", "/form/form", [FORM_DATA], form(VISA, CVC, MASTERCARD, AMEX))
    assert answer.status == 200, answer
    seen = processor.only()
    made = re.search(rb'name="pan"\r\n\r\n(.*?)\r.*name=cvc\r\n\r\n(.*?)\r.*\n1;(.*?)\n.*or (.*?)\?', seen.body, re.S)
    pan, cvc, line, note = (alias.decode() for alias in made.groups())
    assert no_card_in(seen.raw) and seen.body == form(pan, cvc, line, note)
    assert pay_with(veil, processor, f"{{{{ {pan} : detokenize | extract:expiration | date:MM/YY }}}}") == "12/31"
    assert pay_with(veil, processor, f"{{{{ {cvc} : transaction | extract:cvv }}}}") == CVC


@pytest.mark.parametrize("kind,body", [
    ("multipart/form-data", form(VISA, CVC, "", "")), ("multipart/form-data; boundary=x; boundary=\"--- b\"", form(VISA, CVC, "", "")),
    ("multipart/form-data; boundary=\"--- b\"", form(VISA, CVC, "", "")[:-10]),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=pan\r\nContent-Transfer-Encoding: base64\r\n\r\nNDEx\r\n--b--"),
], ids=["no boundary", "two boundaries", "cut off", "base64"])
def test_parts_that_cannot_be_read_for_sure_go_nowhere(veil, processor, kind, body):
    processor.forget()
    answer = veil.ask("POST", "/form/form", [("Content-Type", kind)], body)
    assert answer.status in (400, 415), answer
    assert not processor.requests


def test_passthrough_finds_numbers_in_both(veil, processor):
    for kind, body in ((XML, f"<a b='{VISA}'>{MASTERCARD}</a>"), (FORM_DATA, form(VISA, "", MASTERCARD, "").decode())):
        processor.forget()
        assert veil.ask("POST", "/scan/x", [kind], body.encode()).status == 200
        assert no_card_in(processor.only().raw)


HIDDEN = b'{"n":"\\u0034111111111111111"}'


@pytest.mark.parametrize("kind,body", [
    ("text/json", HIDDEN), ("application/x-ndjson", b"{}\n" + HIDDEN + b"\n"), ("application/json-seq", b"\x1e" + HIDDEN + b"\n"), (None, HIDDEN),
    ("application/soap+xml", b"<r>&#52;111111111111111</r>"), (None, f"say {VISA}".encode()), ("text/x-anything", f"say {VISA}".encode()),
    ("multipart/related; boundary=b", b"--b\r\nContent-Type: application/json\r\n\r\n" + HIDDEN + b"\r\n--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--b--\r\n"),
], ids=["json", "ndjson", "json-seq", "untyped json", "xml", "untyped text", "text", "parts"])
def test_every_type_is_read_as_what_it_is(veil, processor, kind, body):
    processor.forget()
    answer = veil.ask("POST", "/typed/x", [("Content-Type", kind)] if kind else [], body)
    assert answer.status == 200, answer
    seen = processor.only()
    assert no_card_in(seen.raw) and matches(seen) == counts(cards=1) and b"111111111111" not in seen.body


@pytest.mark.parametrize("kind,coding,body,names", [
    ("application/zip", None, b"PK\3\4", b"application/zip"), ("application/octet-stream", None, b"x", b"pass_types"), (None, None, b"PK\3\4\0", b"content type"),
    ("multipart/form-data; boundary=b", None, b'--b\r\nContent-Disposition: form-data; name=f; filename=a\r\nContent-Type: application/zip\r\n\r\nPK\r\n--b--\r\n',
     b"f: application/zip"), ("text/plain", "br", b"x", b"content coding"), ("text/plain", "gzip, gzip", b"x", b"content coding"),
], ids=["zip", "octets", "untyped", "file", "brotli", "twice"])
def test_what_cannot_be_looked_into_goes_nowhere(veil, processor, kind, coding, body, names):
    processor.forget()
    head = ([("Content-Type", kind)] if kind else []) + ([("Content-Encoding", coding)] if coding else [])
    answer = veil.ask("POST", "/typed/x", head, body)
    assert answer.status == 415 and names in answer.body, answer
    assert not processor.requests


def test_listed_types_go_on_as_they_came(veil, processor):
    processor.forget()
    assert veil.ask("POST", "/typed/x", [("Content-Type", "application/pdf")], b"%PDF\0\xff").status == 200
    assert processor.only().body == b"%PDF\0\xff"
    for path, kind in (("/image", "image/png"), ("/zip", "application/zip")):
        processor.script(path, reply(200, b"\x89PNG\0", [("Content-Type", kind)]))
    processor.script("/empty", reply(200, b"", [("Content-Type", "application/zip")]))
    processor.script("/none", reply(204, b"", [("Content-Type", "application/zip")]))
    assert veil.ask("GET", "/pull/image").body == b"\x89PNG\0"
    assert veil.ask("HEAD", "/pull/zip").status == 200
    assert veil.ask("GET", "/pull/empty").status == 200
    assert veil.ask("GET", "/pull/none").status == 204
    refused = veil.ask("GET", "/pull/zip")
    assert refused.status == 502 and b"application/zip" in refused.body and b"pass_types" in refused.body, refused
