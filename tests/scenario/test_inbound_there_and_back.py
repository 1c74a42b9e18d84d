# SPDX-License-Identifier: Apache-2.0
"""There and back, in each format: what a partner pushes comes in with aliases, and goes out again with what they stand for, by the
places of the rules: as placeholders, as bare tokens ('compat: pci-proxy'), and in an answer to a partner. It is the same bytes each time."""

import re

import pytest

from inbound import counts, matches, no_card_in
from leaks import CVC, MASTERCARD, VISA
from processor import reply

NAMES = "{ number: pan, expiry: { at: exp, as: MMYY }, cvc: cvc, holder: who }"
MEMBERS = NAMES.replace("pan", "$.card.pan").replace("exp,", "$.card.exp,").replace("cvc: cvc", "cvc: $.card.cvc").replace("who", "$.who")
NODES = NAMES.replace("pan", "//card/@pan").replace("exp,", "//card/exp/text(),").replace("cvc: cvc", "cvc: //card/@cvc").replace("who", "//card/who/text()")
OBJECT = '{ "id":1.50e2,"card" : {"pan":"@N","exp":"@E",\t"cvc":"@C"},"who":"@H"}'
PART = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n@{}\r\n'
# content type, places, what a name with quotes is, then head, row and tail of a document; and how many rows
FORMATS = {
    "json": ("application/json", MEMBERS, 'Ana \\"A\\" Sousa', "\n", OBJECT, " ", 1),
    "ndjson": ("application/x-ndjson", MEMBERS, 'Ana \\"A\\" Sousa', "\n", OBJECT + "\r\n", "", 2),
    "form": ("application/x-www-form-urlencoded", NAMES, "Ana+%22A%22+Sousa", "id=%31", "&pan=@N&exp=@E&cvc=@C&who=@H", "&x", 1),
    "xml": ("text/xml", NODES, "Ana &quot;A&quot; Sousa", "<r>\r\n", "<card cvc='@C' pan = '@N'><exp>@E</exp><who>@H</who></card>", "</r><!-- -->", 1),
    "multipart": ("multipart/form-data; boundary=b", NAMES, 'Ana "A" Sousa', "pre\r\n",
                  PART.format("pan", "N") + PART.format("exp", "E") + PART.format("cvc", "C") + PART.format("who", "H"), "--b--\r\n", 1),
    "csv": ("text/csv", NAMES, 'Ana ""A"" Sousa', '\ufeff"who";pan;note;exp;cvc\r\n', '"@H";@N;"a;b";"@E";@C\r\n', "\r\n", 2),
}


def rules_of():
    made = {}
    for body, said in FORMATS.items():
        made[f"sent-{body}"] = f"processor: partner\naccept: [ POST /x ]\nbody: {body}\ncard: {said[1]}\n"
        made[f"asked-{body}"] = f"processor: partner\naccept: [ GET /asked ]\nbody: {body}\nanswer: {{ body: {body}, card: {said[1]} }}\n"
    return made


def routes_of(body, upstream):
    def route(name, direction, rules="sent", **more):
        return {"name": f"{name}-{body}", "rules": f"{rules}-{body}", "merchant": "shop", "prefix": f"/{name}/{body}", "upstream": upstream,
                "direction": direction, **more}
    return [route("in", "filter-push"), route("out", "forward-pull"), route("bare", "forward-pull", compat="pci-proxy"),
            route("answer", "forward-push", "asked", callers="127.0.0.0/8")]


@pytest.fixture(scope="module")
def veil(session_folder, watch, rules, processor):
    from conftest import start_world  # pylint: disable=import-outside-toplevel
    made = start_world(session_folder, watch, {**rules, **rules_of()}, [route for body in FORMATS for route in routes_of(body, processor.url)]).start()
    yield made
    status = made.stop()
    watch.cardveils.remove(made)
    assert status == 0, f"serve ended with {status}"


class Document:
    def __init__(self, body):
        self.kind, _, self.holder, self.head, self.row, self.tail, self.count = FORMATS[body]
        self.headers = [("Content-Type", self.kind)]

    def of(self, rows, expiry="1231", holder=None):
        """The bytes with these (number, CVC) pairs; expiry and holder: by row where they are lists."""
        text = self.head
        for i, (number, cvc) in enumerate(rows):
            row = self.row.replace("@N", number).replace("@C", cvc)
            row = row.replace("@E", expiry if isinstance(expiry, str) else expiry[i])
            text += row.replace("@H", self.holder if holder is None else holder[i])
        return (text + self.tail).encode()

    def aliases(self, data):
        """The pairs that stand there; all around them is as it was."""
        places = self.of([(f"N{i}N", f"C{i}C") for i in range(self.count)])
        found = re.fullmatch(re.sub(rb"[NC]\d[NC]", rb"([A-Za-z0-9_-]+)", re.escape(places)), data)
        assert found, data
        order = re.findall(rb"([NC]\d)[NC]", places)
        stand = {name.decode(): alias.decode() for name, alias in zip(order, found.groups())}
        return [(stand[f"N{i}"], stand[f"C{i}"]) for i in range(self.count)]


@pytest.mark.parametrize("body", FORMATS)
def test_there_and_back(veil, processor, body):
    document = Document(body)
    cards = [(VISA, CVC), (MASTERCARD, CVC)][:document.count]
    original = document.of(cards)

    def push():
        processor.forget()
        answer = veil.ask("POST", f"/in/{body}/x", document.headers, original)
        assert answer.status == 200, answer
        seen = processor.only()
        assert no_card_in(seen.raw) and matches(seen) == counts(cards=document.count, cvcs=document.count)
        processor.forget()
        return seen.body, document.aliases(seen.body)

    _, pairs = push()
    slots = [(f"{{{{{number}:detokenize}}}}", f"{{{{{cvc}:transaction}}}}") for number, cvc in pairs]
    numbers = [number for number, _ in slots]
    assert veil.ask("POST", f"/out/{body}/x", document.headers, document.of(slots, numbers, numbers)).status == 200
    assert processor.only().body == original
    came, _ = push()
    assert veil.ask("POST", f"/bare/{body}/x", document.headers, came).status == 200
    assert processor.only().body == original
    came, _ = push()
    processor.script("/asked", reply(200, came, document.headers))
    answer = veil.ask("GET", f"/answer/{body}/asked")
    assert (answer.status, answer.body) == (200, original), answer


def test_a_broken_row_goes_nowhere(veil, processor):
    slot = f"{{{{ {veil.visa} : detokenize }}}}"
    for body, sent, code in (("csv", f"id;note\n{slot};1\n", b"CSV_HEADER"), ("csv", f"pan|who\n{slot.replace(' }}', ' | parse:integer }}')}|x\n", b"PLACEHOLDER_SYNTAX"),
                             ("ndjson", f'{{}}\n{{"card":{{"pan":"{slot}"}}\n', b"JSON_CUT_OFF")):
        processor.forget()
        answer = veil.ask("POST", f"/out/{body}/x", Document(body).headers, sent.encode())
        assert answer.status in (400, 422) and code in answer.body, answer
        assert not processor.requests
