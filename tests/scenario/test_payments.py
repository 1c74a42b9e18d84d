# SPDX-License-Identifier: Apache-2.0
"""The main job: placeholders go in, card data comes out at the processor, byte for byte; over plain TCP and TLS, kept alive and
closed after."""

import pytest

import payments
from leaks import MASTERCARD, VISA
from payments import BASIC, CREDIBANCO, FORM, HOLDER, JSON, REDE, TEXT


def slot(token, *stages):
    return "{{ " + " | ".join([f"{token} : detokenize", *stages]) + " }}"


def test_rede_payment(world, processor, caller):
    answer = caller.ask("POST", REDE, headers=[JSON, BASIC], body=payments.rede_template(world.visa))
    assert (answer.status, answer.body) == (200, b'{"returnCode":"00","returnMessage":"Success.","tid":"12345678901234567890"}')
    got = processor.only()
    assert (got.method, got.target) == ("POST", "/erede/v1/transactions")
    assert got.body == payments.rede_plain(VISA)
    assert got.get("authorization") == BASIC[1]
    assert answer.get("x-cardveil-source") == "processor"
    assert answer.get("x-cardveil-card-token-type") == "CARD_PAN"
    assert answer.get("x-cardveil-request-id")


def test_credibanco_payment(world, processor, caller):
    order = "70906e55-7114-41d6-8332-4609dc6590f4"
    answer = caller.ask("POST", f"{CREDIBANCO}/paymentorder.do", headers=[FORM], body=payments.credibanco_template(order, world.mastercard))
    assert answer.status == 200, answer
    got = processor.only()
    assert got.target == "/payment/rest/paymentorder.do"
    assert got.body == payments.credibanco_plain(order, MASTERCARD)


def test_many_payments_on_one_connection(world, processor):
    with world.client() as client:
        for number in range(20):
            body = payments.rede_template(world.visa, reference=f"n-{number}")
            assert client.ask("POST", REDE, [JSON, BASIC], body).status == 200
    bodies = [request.body for request in processor.wait_for(20)]
    assert bodies == [payments.rede_plain(VISA, reference=f"n-{number}") for number in range(20)]


def test_log_line_of_a_payment(world, processor):
    start = world.mark()
    answer = world.ask("POST", REDE, [JSON, BASIC], payments.rede_template(world.visa))
    line = world.exchange(answer, start)
    assert (line["status"], line["route"], line["merchant"], line["credential"]) == (200, "rede", "shop", "CARD_PAN")


def test_secrets_of_the_caller_are_not_forwarded(world, processor):
    key = world.key
    answer = world.ask("POST", REDE, [JSON, BASIC, ("x-api-key", key), ("X-Cardveil-Initiator", "merchant"), ("X-Other", "stays")],
                       payments.rede_template(world.visa), how="keyed")
    assert answer.status == 200, answer
    got = processor.only()
    assert got.get("x-other") == "stays"
    assert not [name for name, _ in got.fields if name.lower() == "x-api-key" or name.lower().startswith("x-cardveil-")]
    assert key.encode() not in got.raw


def test_hop_by_hop_fields_end_here(world, processor):
    answer = world.ask("POST", "/any/x", [TEXT, ("Connection", "x-mine"), ("X-Mine", "1"), ("Keep-Alive", "timeout=5"), ("TE", "trailers")], b"a")
    assert answer.status == 200, answer
    got = processor.only()
    assert not [value for name in ("x-mine", "keep-alive", "te", "proxy-connection") for value in got.all(name)]


# --- the grammar, through the pass-through rules ---

GRAMMAR = [
    ("{slot}", VISA),
    ("{{{{{t}:detokenize}}}}", VISA),
    ("<< {t} : detokenize >>", VISA),
    ("{{{{  {t}   :   detokenize | extract:card }}}}", VISA),
    ("{{{{ {t} : detokenize | extract:name }}}}", HOLDER),
    ("{{{{ {t} : detokenize | extract:last4 }}}}", "1111"),
    ("{{{{ {t} : detokenize | extract:bin }}}}", "411111"),
    ("{{{{ {t} : detokenize | extract:token }}}}", "{t}"),
    ("{{{{ {t} : detokenize | extract:expiration | date:MM }}}}", "12"),
    ("{{{{ {t} : detokenize | extract:expiration | date:YY }}}}", "31"),
    ("{{{{ {t} : detokenize | extract:expiration | date:YYYY }}}}", "2031"),
    ("{{{{ {t} : detokenize | extract:expiration | date:MM/YY }}}}", "12/31"),
    ("{{{{ {t} : detokenize | extract:expiration | date:MM/YYYY }}}}", "12/2031"),
    ("{{{{ {t} : detokenize | extract:expiration | date:YYYY/MM }}}}", "2031/12"),
    ("{{{{ {t} : detokenize | extract:expiration | date:YYYY-MM }}}}", "2031-12"),
    ("a {{{{ {t} : detokenize | extract:bin }}}} b {{{{ {t} : detokenize | extract:last4 }}}} c", "a 411111 b 1111 c"),
]


@pytest.mark.parametrize("written, wanted", GRAMMAR)
def test_grammar_in_json(world, processor, written, wanted):
    token = world.visa
    text = written.format(t=token, slot=slot(token))
    answer = world.ask("POST", "/any/x", [JSON], f'{{ "a" : [1.50, "{text}" ,null],"b":"\\u00e9"}}'.encode())
    assert answer.status == 200, answer
    assert processor.only().body == f'{{ "a" : [1.50, "{wanted.format(t=token)}" ,null],"b":"\\u00e9"}}'.encode()


def test_bare_number_in_json(world, processor):
    body = f'{{"month":"{slot(world.visa, "extract:expiration", "date:MM", "parse:integer")}","n":"{slot(world.visa, "parse:integer")}"}}'
    assert world.ask("POST", "/any/x", [JSON], body.encode()).status == 200
    assert processor.only().body == b'{"month":12,"n":4111111111111111}'


def test_two_tokens_in_one_request(world, processor):
    body = f'{{"a":"{slot(world.visa)}","b":"{slot(world.mastercard)}","c":"{slot(world.visa)}"}}'
    assert world.ask("POST", "/any/x", [JSON], body.encode()).status == 200
    assert processor.only().body == f'{{"a":"{VISA}","b":"{MASTERCARD}","c":"{VISA}"}}'.encode()


def test_header_query_and_path(world, processor):
    quoted = f"%7B%7B%20{world.visa}%20%3A%20detokenize%20%7D%7D"
    answer = world.ask("GET", f"/any/cards/{quoted}/x?n={quoted}&m=1", [("X-Card", f"n={slot(world.visa)};")])
    assert answer.status == 200, answer
    got = processor.only()
    assert got.target == f"/cards/{VISA}/x?n={VISA}&m=1"
    assert got.get("x-card") == f"n={VISA};"


def test_form_with_encoded_names_and_values(world, processor):
    body = f"a=1&%24PAN=%7b%7b+{world.visa}+%3a+detokenize+%7d%7d&b=%2B&c".encode()
    answer = world.ask("POST", "/any/x", [FORM], body)
    assert answer.status == 200, answer
    assert processor.only().body == f"a=1&%24PAN={VISA}&b=%2B&c".encode()


def test_holder_is_escaped_for_where_it_stands(make_cardveil, processor):
    veil = make_cardveil()
    token = veil.make_tokens([payments.card("4012888888881881", holder='A "B" \\ é&=+%')])[0]
    text = slot(token, "extract:name")
    assert veil.ask("POST", "/any/x", [JSON], f'{{"n":"{text}"}}'.encode()).status == 200
    assert processor.only().body == '{"n":"A \\"B\\" \\\\ é&=+%"}'.encode()
    processor.forget()
    quoted = text.replace(" ", "+").replace("{", "%7B").replace("}", "%7D").replace("|", "%7C")
    assert veil.ask("POST", "/any/x", [FORM], f"n={quoted}".encode()).status == 200
    from urllib.parse import parse_qs
    assert parse_qs(processor.only().body.decode()) == {"n": ['A "B" \\ é&=+%']}


@pytest.mark.parametrize("size", [1, 2, 7, 33])
def test_any_split_of_the_bytes(world, processor, size):
    from client import request
    data = request("POST", REDE, [JSON, BASIC], payments.rede_template(world.visa))
    with world.client() as client:
        for at in range(0, len(data), size):
            client.send(data[at:at + size])
        assert client.read_answer().status == 200
    assert processor.only().body == payments.rede_plain(VISA)


# --- bytes that are not placeholders go on as they came ---

@pytest.mark.parametrize("text", ["{{", "}}", "{{ }}", "{{ word }}", "{ TOKEN : detokenize }", "{{ abc", "<< abc", "<<>>", "{{{", "{{ a b : c", "{{ TOKEN1 : detokenize ",
                                  "{{ TOKEN1 : detokenize }", "<< TOKEN1 : detokenize }}"])
def test_other_braces_are_plain_text(world, processor, text):
    body = f'{{"a":"{text}"}}'.encode()
    answer = world.ask("POST", "/any/x", [JSON], body)
    assert answer.status == 200, answer
    assert processor.only().body == body


IDENTITY = [
    b'{"a":1e400,"b":-0.0,"c":1.0000000000000000000001,"d":12345678901234567890123}',
    b' {\t"\\u0061" : "\\/\\b\\f\\n\\r\\t\\ud83d\\ude00\xf0\x9f\x98\x80" }\n',
    b'[]', b'"text"', b'-1', b'true', b'[[[[[[]]]]]]', b'{"":""}',
]


@pytest.mark.parametrize("body", IDENTITY)
def test_json_without_placeholders_is_untouched(world, processor, body):
    answer = world.ask("POST", "/any/x", [JSON], body)
    assert answer.status == 200, answer
    assert processor.only().body == body


def test_over_tls_on_both_sides(world, tls_processor):
    answer = world.ask("POST", "/secure/x", [JSON, ("x-api-key", world.key)], f'{{"n":"{slot(world.visa)}"}}'.encode(), how="tls")
    assert answer.status == 200, answer
    assert tls_processor.only().body == f'{{"n":"{VISA}"}}'.encode()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_versions(world, processor, version):
    import ssl
    with world.client("tls", tls_version=getattr(ssl.TLSVersion, version)) as client:
        assert client.sock.version() == version.replace("_", ".")
        assert client.ask("GET", "/any/x", [("x-api-key", world.key)]).status == 200


def test_tls_1_1_is_refused(world):
    import ssl
    with pytest.raises((ssl.SSLError, OSError)):
        world.client("tls", tls_version=ssl.TLSVersion.TLSv1_1)
