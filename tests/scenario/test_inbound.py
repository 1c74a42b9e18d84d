# SPDX-License-Identifier: Apache-2.0
"""Card data on its way in: a partner's requests and a partner's answers become tokens before the merchant sees them."""

import gzip
import json
import zlib

import pytest

from client import request
from inbound import RULES, aliases, booking, counts, guest, inbound_routes, matches, no_card_in, numbers, pay_with, without
from leaks import AMEX, CVC, MASTERCARD, VISA
from payments import FORM, JSON, TEXT
from processor import informational, message, reply, reply_raw, until_close


@pytest.fixture(scope="module")
def veil(session_folder, watch, rules, processor):
    from conftest import start_world  # pylint: disable=import-outside-toplevel
    made = start_world(session_folder, watch, {**rules, **RULES}, inbound_routes(processor.url)).start()
    yield made
    status = made.stop()
    watch.cardveils.remove(made)
    assert status == 0, f"serve ended with {status}"


def pushed(veil, processor, body, path="/in/bookings", headers=(JSON,), **more):
    """(the partner's answer, what the merchant received)"""
    answer = veil.ask("POST", path, headers, body, **more)
    assert answer.status == 200, answer
    return answer, processor.only()


# --- filter push ---

def test_a_pushed_booking_reaches_the_merchant_with_tokens(veil, processor):
    body = booking(guest(), guest(MASTERCARD, cvc=None), note=f"paid with {AMEX}")
    answer, seen = pushed(veil, processor, body)
    (visa, cvc), (mastercard, none) = aliases(seen.body)
    assert none is None and len({visa, cvc, mastercard}) == 3
    assert no_card_in(seen.raw) and AMEX.encode() not in seen.raw
    note = json.loads(seen.body)["note"].removeprefix("paid with ")
    assert without(seen.body, visa, cvc, mastercard, note) == without(body, VISA, CVC, MASTERCARD, AMEX)
    assert matches(seen) == counts(cards=3, cvcs=1) == matches(answer)
    assert seen.get("x-cardveil-masked") is None and visa.encode() not in answer.raw
    assert seen.get("content-length") == str(len(seen.body))
    line = veil.exchange(answer)
    assert (line["direction"], line["captured_cards"], line["captured_cvcs"]) == ("filter-push", 3, 1)


def test_what_was_captured_can_be_paid_with(veil, processor):
    _, seen = pushed(veil, processor, booking(guest()))
    (alias, cvc), = aliases(seen.body)
    assert pay_with(veil, processor, f"{{{{ {alias} : detokenize }}}}") == VISA
    assert pay_with(veil, processor, f"{{{{ {alias} : detokenize | extract:expiration | date:MM/YY }}}}") == "12/31"
    assert pay_with(veil, processor, f"{{{{ {cvc} : transaction | extract:cvv }}}}") == CVC


def test_the_same_card_has_the_same_alias(veil, processor):
    _, seen = pushed(veil, processor, booking(guest(), guest()))
    processor.forget()
    _, again = pushed(veil, processor, booking(guest()))
    (first, first_cvc), (second, _) = aliases(seen.body)
    (third, third_cvc), = aliases(again.body)
    assert first == second == third and first_cvc != third_cvc


def test_an_alias_of_digits_that_comes_back_looks_like_a_mistyped_number(veil, processor):
    _, seen = pushed(veil, processor, booking(guest(cvc=None)), "/digits/bookings")
    (alias, _), = aliases(seen.body)
    assert alias.isdigit() and len(alias) == len(VISA)
    processor.forget()
    answer = veil.ask("POST", "/digits/bookings", [JSON], seen.body)
    assert answer.status == 422 and b"INBOUND_CARD" in answer.body and b"a token of digits only" in answer.body, answer
    assert not processor.requests
    _, again = pushed(veil, processor, seen.body, "/lenient/bookings")
    assert again.body == seen.body


def test_path_query_and_fields_are_searched(veil, processor):
    answer = veil.ask("POST", f"/in/bookings/{VISA}?card={VISA[:4]}%20{VISA[4:8]}%20{VISA[8:12]}%20{VISA[12:]}&x=1",
                      [JSON, ("X-Card", f"no {MASTERCARD}!")], booking())
    assert answer.status == 200
    seen = processor.only()
    assert no_card_in(seen.raw) and b"4111%20" not in seen.raw
    assert seen.target.startswith("/bookings/") and seen.target.endswith("&x=1")
    assert seen.get("x-card").startswith("no ") and seen.get("x-card").endswith("!")
    assert matches(seen) == counts(cards=3)


def test_a_message_without_card_data_goes_on_as_it_came(veil, processor):
    body = booking(note="{{ no : placeholder }} << abcdef : detokenize >>")
    _, seen = pushed(veil, processor, body, headers=[JSON, ("Content-MD5", "x"), ("Digest", "sha-256=y"), ("X-Other", "{{ a")])
    assert seen.body == body and seen.get("content-md5") == "x" and seen.get("digest") == "sha-256=y" and seen.get("x-other") == "{{ a"


def test_digests_of_a_changed_body_are_left_out(veil, processor):
    _, seen = pushed(veil, processor, booking(guest()), headers=[JSON, ("Content-MD5", "x"), ("Content-Digest", "z"), ("ETag", '"e"')])
    assert seen.get("content-md5") is None and seen.get("content-digest") is None and seen.get("etag") == '"e"'


def test_any_format_is_searched_by_passthrough(veil, processor):
    for kind, body in ((FORM, f"a=1&pan={VISA}&b=%20"), (TEXT, f"card {VISA}, thanks"), (JSON, f'{{"deep":[{{"x":"{VISA}"}}]}}'),
                       (("Content-Type", "text/xml; charset=ISO-8859-1"), f'<?xml version="1.0"?><a b="{VISA}">\xe9</a>'),
                       (("Content-Type", "text/csv"), f"id,pan\r\n1,{VISA}\r\n"),
                       (("Content-Type", 'multipart/form-data; boundary="x y"'),
                        f'--x y\r\nContent-Disposition: form-data; name="n"\r\n\r\n{VISA}\r\n--x y--\r\n')):
        processor.forget()
        _, seen = pushed(veil, processor, body.encode("latin-1"), "/scan/any/path", [kind])
        assert no_card_in(seen.raw) and matches(seen) == counts(cards=1), kind
        assert len(seen.body) == len(body) - len(VISA) + 36, kind


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("chunked", [False, True])
def test_compressed_and_chunked_bodies_are_read(veil, processor, coding, chunked):
    body = booking(guest())
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    _, seen = pushed(veil, processor, packed, headers=[JSON, ("Content-Encoding", coding)], chunked=chunked)
    (alias, cvc), = aliases(seen.body)
    assert without(seen.body, alias, cvc) == without(body, VISA, CVC) and seen.get("content-encoding") is None


def test_the_partner_gets_the_merchants_answer_as_it_is(veil, processor):
    said = b'{"got":"{{ x : detokenize }}","n":"5555 5555 5555 4444"}'
    processor.script("/bookings", reply(201, said, [("ETag", '"1"'), ("X-Cardveil-Matches", "forged"), ("Content-Digest", "d")]))
    answer = veil.ask("POST", "/in/bookings", [JSON], booking(guest()))
    assert (answer.status, answer.body, answer.get("etag"), answer.get("content-digest")) == (201, said, '"1"', "d")
    assert answer.all("x-cardveil-matches") == ["captured-cards=1, captured-cvcs=1, revealed-cards=0, revealed-cvcs=0"]


def test_a_partner_cannot_speak_for_us(veil, processor):
    _, seen = pushed(veil, processor, booking(guest()), headers=[JSON, ("X-Cardveil-Matches", "forged"), ("X-Cardveil-Masked", "yes")])
    assert matches(seen) == counts(cards=1, cvcs=1) and seen.get("x-cardveil-masked") is None


def test_masked_pairs_are_told_where_the_route_says_so(veil, processor):
    answer, seen = pushed(veil, processor, booking(guest(), guest(AMEX, cvc=None)), "/masked/bookings")
    (visa, _), (amex, _) = aliases(seen.body)
    assert seen.get("x-cardveil-masked") == f"{visa}=411111xxxxxx1111; {amex}=378282xxxxx0005"
    assert answer.get("x-cardveil-masked") is None


def test_masked_pairs_are_bounded(veil, processor):
    _, seen = pushed(veil, processor, booking(*[guest(number, cvc=None) for number in numbers(200)]), "/masked/bookings")
    told = seen.get("x-cardveil-masked")
    assert 3900 < len(told) <= 4096 and all("=401200xxxxxx" in pair for pair in told.split("; "))
    assert matches(seen) == counts(cards=200)


# --- who may push ---

def test_a_partner_pushes_with_a_key_that_may_tokenise(veil, processor):
    may, may_not = veil.make_key("shop", "--permit", "tokenize"), veil.make_key("shop", "--permit", "proxy")
    foreign = veil.make_key("other", "--permit", "tokenize")
    for key, status in ((may, 200), (may_not, 403), (foreign, 403), ("cv_wrong_wrong", 401), (None, 401)):
        processor.forget()
        answer = veil.ask("POST", "/in/bookings", [JSON, *([("x-api-key", key)] if key else [])], booking(guest()), how="keyed")
        assert answer.status == status, (key and key[:6], answer)
        assert len(processor.requests) == (status == 200)
        if status == 200:
            assert processor.only().get("x-api-key") is None


def test_a_partner_pushes_from_an_address_that_may(veil, processor):
    answer = veil.ask("POST", "/called/bookings", [JSON], booking(guest()), how="keyed")
    assert answer.status == 200 and no_card_in(processor.only().raw)


# --- filter pull ---

def pulled(veil, processor, said, path="/pull/bookings/7", method="GET", headers=(), how=None):
    processor.script("/bookings/7", how or reply(200, said))
    return veil.ask(method, path, headers)


def test_a_pulled_answer_reaches_the_merchant_with_tokens(veil, processor):
    said = booking(guest(), guest(MASTERCARD, cvc=None), note=f"card {AMEX}")
    answer = pulled(veil, processor, said, how=reply(203, said, [("ETag", '"1"'), ("Digest", "x"), ("X-Card", VISA), ("Accept-Ranges", "bytes"),
                                                                 ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    (visa, cvc), (mastercard, _) = aliases(answer.body)
    note = json.loads(answer.body)["note"].removeprefix("card ")
    assert without(answer.body, visa, cvc, mastercard, note) == without(said, VISA, CVC, MASTERCARD, AMEX)
    assert answer.status == 203 and no_card_in(answer.raw) and matches(answer) == counts(cards=4, cvcs=1)
    assert answer.get("etag") == '"1"' and answer.get("digest") is None and answer.get("accept-ranges") is None
    assert answer.get("x-card") == visa and answer.all("set-cookie") == ["a=1", "b=2"]
    assert answer.get("content-length") == str(len(answer.body))
    assert pay_with(veil, processor, f"{{{{ {visa} : detokenize }}}}") == VISA


@pytest.mark.parametrize("way", ["chunked", "gzip", "deflate", "until close", "byte by byte"])
def test_however_the_answer_comes(veil, processor, way):
    said = booking(guest())
    how = {"chunked": reply(200, said, chunks=[1, 50, 3]),
           "gzip": reply(200, gzip.compress(said), [("Content-Encoding", "gzip")]),
           "deflate": reply(200, zlib.compress(said), [("Content-Encoding", "deflate")], chunks=[7]),
           "until close": until_close(said),
           "byte by byte": reply(200, said, chunks=[1] * len(said))}[way]
    answer = pulled(veil, processor, said, how=how)
    (alias, cvc), = aliases(answer.body)
    assert without(answer.body, alias, cvc) == without(said, VISA, CVC) and answer.get("content-encoding") is None


def test_placeholders_of_a_pull_are_filled_and_do_not_come_back(veil, processor):
    def echo(talk):
        request = talk.read_body()
        talk.send(message(body=b'{"had":%s,"guests":[{"card":{"number":"%s"}}]}' % (request.body, MASTERCARD.encode())))
        return True
    processor.script("/bookings/7", echo)
    answer = veil.ask("POST", "/pull/bookings/7", [JSON], json.dumps({"card": f"{{{{ {veil.visa} : detokenize }}}}"}).encode())
    assert json.loads(processor.only().body) == {"card": VISA}
    assert answer.status == 200 and no_card_in(answer.raw)
    assert json.loads(answer.body)["had"] == {"card": f"{{{{{veil.visa}:detokenize}}}}"}
    assert matches(answer) == counts(cards=1, revealed=1)


def test_a_streamed_request_has_its_answer_captured(veil, processor):
    processor.script("/x", reply(200, f'{{"n":"{MASTERCARD}"}}'.encode(), chunks=[5]))
    pieces = [b'{"fill":["'] + [b"x" * 50000 + b'","'] * 40 + [f'{{{{ {veil.visa} : detokenize }}}}"]}}'.encode()]
    answer = veil.ask("POST", "/streamed/x", [JSON], pieces, chunked=True)
    assert answer.status == 200 and no_card_in(answer.raw) and matches(answer) == counts(cards=1, revealed=1)
    assert processor.only().body == b"".join(pieces[:-1]) + f'{VISA}"]}}'.encode()


def test_answers_without_body_pass(veil, processor):
    for method, status in (("GET", 204), ("GET", 304), ("HEAD", 200)):
        processor.forget()
        answer = pulled(veil, processor, b"", method=method, how=reply(status, booking(guest()), [("ETag", '"1"'), ("Location", f"/x/{VISA}")]))
        assert (answer.status, answer.body, answer.get("etag")) == (status, b"", '"1"')
        assert answer.get("content-length") is None and answer.get("location").startswith("/x/") and no_card_in(answer.raw)


def test_interim_answers_pass_without_card_numbers(veil, processor):
    def early(talk):
        talk.read_body()
        talk.send(b"HTTP/1.1 103 Early\r\nLink: </a>\r\nX-Card: " + VISA.encode() + b"\r\n\r\n")
        talk.send(message(body=booking(guest())))
        return True
    answer = pulled(veil, processor, b"", how=early)
    interim, = answer.informational
    assert (interim.status, interim.get("link"), interim.get("x-card")) == (103, "</a>", None) and no_card_in(answer.raw)
    processor.forget()
    assert pulled(veil, processor, b"", how=informational(103)).status == 200


def test_parts_are_not_asked_for_and_not_passed(veil, processor):
    part = reply(206, b'{"a":"' + VISA[:8].encode(), [("Content-Range", "bytes 0-13/90")])
    answer = pulled(veil, processor, b"", headers=[("Range", "bytes=0-13"), ("If-Range", '"1"')], how=part)
    seen = processor.only()
    assert seen.get("range") is None and seen.get("if-range") is None
    assert (answer.status, json.loads(answer.body)["data"]["code"]) == (502, "ANSWER_PARTIAL") and VISA[:8].encode() not in answer.raw


@pytest.mark.parametrize("how, code", [
    (reply(200, b"xx", [("Content-Encoding", "br")]), "UPSTREAM_CODING"),
    (reply(200, gzip.compress(b"{}")[:-4], [("Content-Encoding", "gzip")]), "UPSTREAM_CODING"),
    (reply(200, b'{"a":'), "JSON_CUT_OFF"),
    (reply(200, booking(guest("4111111111111112"))), "INBOUND_CARD"),
    (reply_raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"), "UPSTREAM_CUT_OFF"),
], ids=["br", "cut gzip", "cut JSON", "no card number", "cut off"])
def test_an_answer_that_cannot_be_read_is_a_502(veil, processor, how, code):
    answer = pulled(veil, processor, b"", how=how)
    assert (answer.status, json.loads(answer.body)["data"]["code"]) == (502, code)
    assert answer.get("x-cardveil-outcome") == "unknown" and b"411111" not in answer.raw


def test_an_answer_of_another_type(veil, processor):
    page = reply(200, b"<p>" + VISA.encode(), [("Content-Type", "text/html")])
    answer = pulled(veil, processor, b"", "/ruled/bookings/7", how=page)
    assert (answer.status, json.loads(answer.body)["data"]["code"]) == (502, "ANSWER_TYPE")
    processor.forget()
    answer = pulled(veil, processor, b"", "/ruled/bookings/7", how=reply(404, b"<p>" + VISA.encode(), [("Content-Type", "text/html")]))
    assert answer.status == 404 and answer.body.startswith(b"<p>") and no_card_in(answer.raw)
    processor.forget()
    answer = pulled(veil, processor, b"", how=page)
    assert answer.status == 200 and answer.body.startswith(b"<p>") and no_card_in(answer.raw)


def test_an_answer_that_is_too_large_is_a_502(veil, processor):
    for how in (reply(200, booking(note="n" * 2000)), reply(200, booking(note="n" * 2000), chunks=[100]),
                reply(200, gzip.compress(booking(note="n" * 100000)), [("Content-Encoding", "gzip")])):
        processor.forget()
        answer = pulled(veil, processor, b"", "/little/bookings/7", how=how)
        assert (answer.status, json.loads(answer.body)["data"]["code"]) == (502, "ANSWER_TOO_LARGE"), answer


def test_passthrough_searches_whatever_is_answered(veil, processor):
    processor.script("/x", reply(200, f"a,b\n1,{VISA}\n".encode(), [("Content-Type", "text/csv")]))
    answer = veil.ask("GET", "/search/x")
    assert answer.status == 200 and answer.body.startswith(b"a,b\n1,") and no_card_in(answer.raw) and matches(answer) == counts(cards=1)


def test_the_merchant_may_ask_for_masked_pairs(veil, processor):
    answer = pulled(veil, processor, booking(guest()), headers=[("X-Cardveil-Masked", "yes")])
    (alias, _), = aliases(answer.body)
    assert answer.get("x-cardveil-masked") == f"{alias}=411111xxxxxx1111"
    assert processor.only().get("x-cardveil-masked") is None


def test_a_forward_route_whose_rules_know_answers_captures_them(veil, processor):
    answer = pulled(veil, processor, booking(guest()), "/both/bookings/7")
    (alias, _), = aliases(answer.body)
    assert no_card_in(answer.raw) and matches(answer) == counts(cards=1, cvcs=1)
    assert pay_with(veil, processor, f"{{{{ {alias} : detokenize }}}}") == VISA


# --- forward push ---

def asked(veil, processor, said, how="plain", headers=()):
    processor.script("/bookings/7", reply(200, said, [("Digest", "x")]))
    return veil.ask("GET", "/out/bookings/7", headers, how=how)


def test_a_partner_is_answered_with_card_numbers(veil, processor):
    slot = f"{{{{ {veil.mastercard} : detokenize }}}}"
    said = booking(guest(veil.visa, cvc=None), guest(slot, cvc=None), note=f"or {slot}, not {veil.visa}")
    answer = asked(veil, processor, said)
    assert answer.status == 200, answer
    assert answer.body == said.replace(slot.encode(), MASTERCARD.encode()).replace(b'"' + veil.visa.encode(), b'"' + VISA.encode())
    assert matches(answer) == counts(revealed=2) and answer.get("digest") is None
    assert answer.get("content-length") == str(len(answer.body))


def test_the_partners_request_passes_as_it_is(veil, processor):
    processor.script("/bookings", reply(200, booking()))
    body = gzip.compress(f"{{{{ {veil.visa} : detokenize }}}} {MASTERCARD}".encode())
    headers = [("Content-Type", "x/y"), ("Content-Encoding", "gzip"), ("Content-MD5", "m"), ("X-Slot", f"{{{{ {veil.visa} : detokenize }}}}")]
    answer = veil.ask("POST", "/out/bookings?q=%7B%7Bx", headers, body)
    assert answer.status == 200, answer
    seen = processor.only()
    assert seen.body == body and seen.target == "/bookings?q=%7B%7Bx"
    assert [seen.get(name) for name, _ in headers] == [value for _, value in headers]


def test_what_was_pushed_in_is_answered_in_clear(veil, processor):
    """There and back: what a merchant was given for card and CVC gives both to another partner."""
    body = booking(guest())
    _, seen = pushed(veil, processor, body)
    answer = asked(veil, processor, seen.body)
    assert answer.body == body and matches(answer) == counts(revealed=1, revealed_cvcs=1)  # the CVC's token has the card, too


@pytest.mark.parametrize("path", ["/pay/bookings/x", "/out/bookings/x", "/search/bookings/x"])
def test_what_is_not_looked_at(veil, processor, path):
    """As the README has it: the caller's own card numbers go on, in the requests of all but filter-push; an answer's where nothing is captured."""
    processor.script("/bookings/x", reply(200, f'{{"n":"{MASTERCARD}"}}'.encode(), [("X-Slot", f"{{{{ {veil.visa} : detokenize }}}}"), ("X-Card", MASTERCARD)]))
    answer = veil.ask("POST", f"{path}?c={VISA}", [JSON, ("X-Card", VISA)], f'{{"n":"{VISA}"}}'.encode())
    assert answer.status == 200, answer
    seen = processor.only()
    assert (seen.target, seen.get("x-card"), seen.body) == (f"/bookings/x?c={VISA}", VISA, f'{{"n":"{VISA}"}}'.encode())
    assert answer.get("x-slot") == f"{{{{ {veil.visa} : detokenize }}}}"
    assert ((answer.get("x-card"), MASTERCARD.encode() in answer.body) == (MASTERCARD, True)) == (path != "/search/bookings/x")
    assert path != "/search/bookings/x" or no_card_in(answer.raw)


@pytest.mark.parametrize("slot", ["{{ nosuchtoken1 : detokenize }}", "{{ broken : detokenise }}", "00000000-0000-4000-8000-000000000000"])
def test_what_cannot_be_revealed_is_a_502(veil, processor, slot):
    answer = asked(veil, processor, booking(guest(f"{{{{ {veil.visa} : detokenize }}}}", cvc=None), guest(slot, cvc=None)))
    assert answer.status == 502 and no_card_in(answer.raw), answer


def test_only_an_allowed_address_is_answered(make_cardveil, processor):
    own = make_cardveil(inbound_routes(processor.url, callers="192.0.2.0/24"), own_rules=RULES)
    processor.script("/bookings/7", reply(200, booking(guest(own.visa, cvc=None))))
    key = own.make_key("shop", "--permit", "proxy,tokenize")
    for how, headers in (("plain", []), ("keyed", []), ("keyed", [("x-api-key", key)])):
        answer = own.ask("GET", "/out/bookings/7", headers, how=how)
        assert answer.status in (401, 403) and VISA.encode() not in answer.raw, answer
    assert not processor.requests


# --- explain ---

def test_explain_shows_what_would_become_an_alias(veil):
    body = booking(guest(), note=f"card {MASTERCARD}")
    done = veil.cli("explain", "--route", "in", stdin=request("POST", f"/in/bookings/{AMEX}", [JSON], body))
    shown = done.stdout.decode()
    assert "POST /bookings/378282xxxxx0005 " in shown and "card 555555xxxxxx4444" in shown
    assert without(body, VISA, MASTERCARD, CVC).decode() in shown.replace("411111xxxxxx1111", "<>").replace("555555xxxxxx4444", "<>").replace(
        '"cvc": "xxx"', '"cvc": "<>"').replace('"cvc": "***"', '"cvc": "<>"')
    assert "captured-cards=3, captured-cvcs=1" in shown


def test_explain_of_messages_that_pass_or_are_wrong(veil):
    done = veil.cli("explain", "--route", "out", stdin=request("POST", "/out/bookings", [JSON], b'{"a": "{{ x : detokenize }}"}'))
    assert b'{"a": "{{ x : detokenize }}"}' in done.stdout
    done = veil.cli("explain", "--route", "in", stdin=request("POST", "/in/bookings", [JSON], booking(guest("12"))), check=False)
    assert done.returncode != 0 and b"$.guests[0].card.number" in done.stderr + done.stdout
