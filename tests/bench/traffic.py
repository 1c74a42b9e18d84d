# SPDX-License-Identifier: Apache-2.0
"""What is sent: 100,000 cards, the e.Rede payment, the batch of 7,200 placeholders, the endless file."""

import hashlib
import json

BATCH_PLACEHOLDERS, BATCH_BYTES = 7200, 1_100_000
BLOCK_BYTES = 64 * 1024
PAYMENT = ('{"capture":true,"kind":"credit","reference":"@REFERENCE@","amount":2099,"installments":1,"cardholderName":"ANA SOUZA",'
           '"cardNumber":"{{ @TOKEN@ : detokenize }}","expirationMonth":"{{ @TOKEN@ : detokenize }}",'
           '"expirationYear":"{{ @TOKEN@ : detokenize }}","securityCode":"123","softDescriptor":"LOJA","subscription":false,'
           '"origin":1,"distributorAffiliation":0,"storageCard":"0"}')
HEADERS = {"User-Agent": "shop/1.0", "Accept": "application/json", "Content-Type": "application/json",
           "Authorization": "Basic MTAwMDAxNjc6dG9rZW4=", "Transaction-Response": "brand-return-opened"}


def luhn_digit(digits):
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def card(i):
    """Card i: number, month, year. The first is a public test number's neighbour; all pass the Luhn check."""
    digits = f"411111{i:09d}"
    return digits + luhn_digit(digits), f"{1 + i % 12:02d}", str(2030 + i % 5)


def cards_ndjson(count):
    for i in range(count):
        number, month, year = card(i)
        yield json.dumps({"number": number, "expiration_date": f"{month}/{year}", "holder": "ANA SOUZA"}) + "\n"


def payment(i, token):
    return PAYMENT.replace("@REFERENCE@", f"ped-{i:07d}").replace("@TOKEN@", token).encode()


def batch(values, width):
    """One value in each of 7,200 objects. Padded, so that with values of <width> it has 1.1 MB."""
    def row(i, value, note):
        return f'{{"reference":"lote-{i:06d}","amount":{100000 + i},"installments":1,"note":"{note}","cardNumber":"{value}"}}'

    note = "x" * max(0, BATCH_BYTES // BATCH_PLACEHOLDERS - len(row(0, "", "")) - width - 1)
    return f'{{"rows":[{",".join(row(i, value, note) for i, value in enumerate(values))}]}}'.encode()


def batch_pair(tokens):
    """A batch as it is sent and as the processor must get it; its tokens are spread over all that are given."""
    step = max(1, len(tokens) // BATCH_PLACEHOLDERS)
    chosen = [(i * step) % len(tokens) for i in range(BATCH_PLACEHOLDERS)]
    placeholders = [f"{{{{ {tokens[i]} : detokenize }}}}" for i in chosen]
    width = len(placeholders[0])
    return batch(placeholders, width), batch((card(i)[0] for i in chosen), width)


INBOUND = {"in-small": (1, 1024), "in-one": (1, 1_000_000), "in-many": (1000, 1_000_000)}  # cards, bytes


def inbound(cards, size):
    """A booking webhook (rules/booking-webhook.yaml) with so many cards of the 100,000, padded to about that size."""
    def row(i, note):
        number, month, year = card(i * 97)
        return json.dumps({"id": f"R-{i:06d}", "room": "double", "guest": {"name": "ANA SOUZA", "note": note},
                           "guarantee": {"card": {"number": number, "expiry": f"{month}/{year[2:]}", "holder": "ANA SOUZA"}}})

    rows = [row(i, "") for i in range(cards)]
    note = "no smoking, late arrival " * max(0, (size - sum(map(len, rows)) - 64) // (25 * cards))
    return ('{"event":"reservation.created","reservations":[' + ",".join(row(i, note) for i in range(cards)) + "]}").encode()


class Endless:
    """A JSON file of any size, made while it is sent: blocks of 64 KiB, each with one placeholder, each of another card."""

    def __init__(self, tokens, size):
        record = '{"reference":"arq-000000","amount":2099,"installments":1,"note":"nothing to see here, %s"},' % ("move along " * 20)
        self.filler = (record * (BLOCK_BYTES // len(record))).encode()
        self.tokens, self.blocks = tokens, max(1, size // BLOCK_BYTES)

    def _stream(self, value_of):
        yield b'{"rows":['
        for i in range(self.blocks):
            yield self.filler + f'{{"cardNumber":"{value_of(i % len(self.tokens))}"}}{"," if i + 1 < self.blocks else "]}"}'.encode()

    def sent(self):
        return self._stream(lambda i: f"{{{{ {self.tokens[i]} : detokenize }}}}")

    def wanted(self):
        """Length and SHA-256 of what the processor must get."""
        return measure_pieces(self._stream(lambda i: card(i)[0]))

    def unchanged(self):
        return measure_pieces(self.sent())


def measure_pieces(pieces):
    digest, length = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        length += len(piece)
    return length, digest.hexdigest()
