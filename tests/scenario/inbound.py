# SPDX-License-Identifier: Apache-2.0
"""Routes whose traffic brings cards in, and the messages that the scenarios send over them."""

import json
import re

from leaks import CVC, MASTERCARD, VISA
from payments import HOLDER, JSON

BOOKING_RULES = """
processor: channel
accept: [ POST /bookings, "GET /bookings/*", "HEAD /bookings/*", "POST /bookings/*" ]
body: json
card:
  number:    "$.guests[*].card.number"
  exp_month: { at: "$.guests[*].card.month", as: MM }
  exp_year:  { at: "$.guests[*].card.year", as: YYYY }
  cvc:       "$.guests[*].card.cvc"
  holder:    "$.guests[*].card.holder"
find: pan
answer:
  body: json
  card:
    number:    "$.guests[*].card.number"
    exp_month: { at: "$.guests[*].card.month", as: MM }
    exp_year:  { at: "$.guests[*].card.year", as: YYYY }
    cvc:       "$.guests[*].card.cvc"
    holder:    "$.guests[*].card.holder"
  find: pan
"""
# The same without looking everywhere.
FIELDS_RULES = re.sub(r"(?m)^ *find: pan\n", "", BOOKING_RULES)

RULES = {"booking": BOOKING_RULES, "fields": FIELDS_RULES}


def inbound_routes(upstream, callers="127.0.0.0/8"):
    def route(name, direction, rules="booking", **more):
        made = {"name": name, "rules": rules, "merchant": "shop", "prefix": f"/{name}", "upstream": upstream, "direction": direction, **more}
        return {**made, "callers": callers} if direction == "forward-push" else made
    return [
        route("in", "filter-push"),
        route("called", "filter-push", callers=callers),
        route("masked", "filter-push", masked="on"),
        route("lenient", "filter-push", "fields", invalid="pass"),
        route("hidden", "filter-push", "fields", invalid="mask"),
        route("digits", "filter-push", "fields", alias="digits"),
        route("scan", "filter-push", "passthrough"),
        route("few", "filter-push", limits={"placeholders": 3}),
        route("small", "filter-push", body={"buffer": "1K"}),
        route("pull", "filter-pull"),
        route("ruled", "filter-pull", "fields"),
        route("search", "filter-pull", "passthrough"),
        route("streamed", "filter-pull", "passthrough", stream="on"),
        route("little", "filter-pull", body={"buffer": "1K"}),
        route("out", "forward-push"),
        route("pay", "forward-pull", "passthrough"),
        route("both", "forward-pull"),
    ]


def guest(number=VISA, cvc=CVC, holder=HOLDER):
    held = {"number": number, "month": "12", "year": "2031", "holder": holder}
    return {"name": "Ana", "card": {**held, "cvc": cvc} if cvc else held}


def numbers(count):
    """So many different Visa numbers."""
    def check(digits):
        total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
        return str(-total % 10)
    return [f"{401200000000000 + i}{check(str(401200000000000 + i))}" for i in range(count)]


def booking(*guests, note="late arrival"):
    """Odd spelling on purpose: whatever stands outside the places must come through byte for byte."""
    inner = ",\n ".join(json.dumps(one, indent=1) for one in guests)
    return f'{{ "id":"b-\\u00471","total": 1.50e2,\t"note":"{note}", "guests" :[ {inner} ]}}'.encode()


def aliases(body):
    """(number, CVC) aliases of each guest."""
    return [(one["card"]["number"], one["card"].get("cvc")) for one in json.loads(body)["guests"]]


def without(body, *texts):
    """The body with what was replaced taken out: equal before and after."""
    for text in texts:
        body = body.replace(text.encode(), b"<>")
    return body


def matches(message):
    """x-cardveil-matches as {name: count}."""
    told = message.get("x-cardveil-matches")
    assert re.fullmatch(r"captured-cards=\d+, captured-cvcs=\d+, revealed-cards=\d+, revealed-cvcs=\d+", told or ""), told
    return {name: int(count) for name, count in (pair.split("=") for pair in told.split(", "))}


def counts(cards=0, cvcs=0, revealed=0, revealed_cvcs=0):
    return {"captured-cards": cards, "captured-cvcs": cvcs, "revealed-cards": revealed, "revealed-cvcs": revealed_cvcs}


def no_card_in(data):
    return not any(pan.encode() in data for pan in (VISA, MASTERCARD))


def pay_with(veil, processor, slot):
    """What reaches a processor for this placeholder."""
    processor.forget()
    answer = veil.ask("POST", "/pay/charge", [JSON], json.dumps({"card": slot}).encode())
    assert answer.status == 200, answer
    return json.loads(processor.only().body)["card"]
