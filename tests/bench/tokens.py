# SPDX-License-Identifier: Apache-2.0
"""A Cardveil whose cards have network tokens of the sandbox's card network, and a load of payments that looks at every answer."""

import asyncio
import collections
import http.client
import json
import time

import systems
import traffic

ENROL_SECONDS = 120
BODY = ('{{"capture":true,"kind":"credit","reference":"ped-{i:07d}","amount":2099,"installments":1,"cardHolderName":"{slot}",'
        '"cardNumber":"{slot}","expirationMonth":"{slot}","expirationYear":"{slot}"}}')
SECRET, NOTICE_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
CONFIG = """vault: {{ path: vault, key: file:vault.key }}
listen: [ {{ at: "127.0.0.1:{plain}", merchant: shop }} ]
admin: 127.0.0.1:{admin}
workers: 1
networks:
  - name: tms
    type: cybersource
    upstream: http://127.0.0.1:{network}
    merchant_id: cardveil_sandbox
    key_id: cardveil-sandbox-key
    secret: file:network.secret
    answer_key: file:{certs}/network.key
    notice: {{ key_id: cardveil-sandbox-notify-key, key: file:network.notice-key }}
merchants: [ {{ name: shop, network: tms }} ]
routes:
  - name: rede
    rules: rede
    merchant: shop
    prefix: /rede
    upstream: http://127.0.0.1:{sandbox}
    network_tokens: {{ volume: 100%, provision: all, budget: {budget}ms }}
  - name: rede-pan
    rules: rede
    merchant: shop
    prefix: /rede-pan
    upstream: http://127.0.0.1:{sandbox}
    network_tokens: {{ volume: 0% }}
"""


class Sandbox(systems.System):
    name = "sandbox"

    def start(self):
        self.ports = {"plain": systems.free_ports(1)[0]}
        return self.spawn(systems.cardveil_binary(), "sandbox", "--listen", f"127.0.0.1:{self.ports['plain']}", "--network-delay", "0",
                          "--network-answer-certificate", self.certs / "network.pem")

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["plain"], timeout=60)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise SystemExit(f"bench: {path}: status {answer.status}: {text[:300]!r}")
        return json.loads(text)

    def network(self, **how):
        return self.ask("POST", "/_sandbox/network", json.dumps(how))


class Cardveil(systems.Cardveil):
    """With a card network, a route that uses it and one that does not."""

    def __init__(self, folder, certs, sandbox, network, budget):
        systems.System.__init__(self, folder, certs)
        self.name, self.config = "cardveil", self.folder / "cardveil.yaml"
        self.ports = dict(zip(["plain", "admin"], systems.free_ports(2)))
        (self.folder / "rules").symlink_to(systems.ROOT / "rules")
        (self.folder / "network.secret").write_text(SECRET + "\n")
        (self.folder / "network.notice-key").write_text(NOTICE_KEY + "\n")
        self.config.write_text(CONFIG.format(**self.ports, certs=certs, sandbox=sandbox, network=network, budget=budget))

    def metric(self, name, *labels):
        """Sum of its samples; of those with one of these words among their labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["admin"], timeout=30)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{"))
                   and (not labels or any(f'"{label}"' in line for label in labels)))


# --- the load ---

class Card:
    def __init__(self, i, token):
        self.token, self.number = token, traffic.card(i)[0]
        self.network_number = None
        body = BODY.format(i=i, slot=f"{{{{ {token} : detokenize }}}}").encode()
        head = (f"POST /rede/erede/v1/transactions HTTP/1.1\r\nHost: shop\r\nAuthorization: Basic MTAwMDAxNjc6dG9rZW4=\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n")
        self.best, self.pan = (f"{head}{more}\r\n".encode() + body for more in ("", "x-cardveil-card-token-type: CARD_PAN\r\n"))


class Tally:
    def __init__(self):
        self.took, self.credentials, self.wrong = [], collections.Counter(), collections.Counter()
        self.first_token_at = None

    def note(self, card, took, status, head, body):
        self.took.append(took)
        kind = head.get("x-cardveil-card-token-type", "none told")
        fallback = head.get("x-cardveil-fallback")
        self.credentials[f"{kind} {fallback}" if fallback else kind] += 1
        if kind == "NETWORK_TOKEN":
            self.first_token_at = self.first_token_at or time.monotonic()
        told = json.loads(body) if status == 200 else {}
        if told.get("returnCode") != "00":
            self.wrong[f"status {status}: {body[:160]!r}"] += 1
            return
        number = card.network_number if kind == "NETWORK_TOKEN" else card.number
        if number and (told["cardBin"], told["last4"]) != (number[:6], number[-4:]):
            self.wrong[f"{kind} of another card"] += 1


async def read_answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in head[1:] if line)}
    return int(head[0].split()[1]), fields, await reader.readexactly(int(fields["content-length"]))


async def pay(port, tally, next_request, stop_at):
    """One connection, until the time is over or there is nothing more to send."""
    reader = writer = None
    while time.monotonic() < stop_at and (chosen := next_request()):
        card, request = chosen
        started = time.monotonic()
        try:
            if not writer:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            status, head, body = await read_answer(reader)
        except (OSError, EOFError) as problem:
            tally.wrong[f"connection: {problem!r}"] += 1
            writer = None
            continue
        tally.note(card, time.monotonic() - started, status, head, body)
        if head.get("connection") == "close":
            writer.close()
            writer = None
    if writer:
        writer.close()


def load(port, connections, next_request, seconds):
    async def all_of_them(tally):
        stop_at = time.monotonic() + seconds
        await asyncio.gather(*(pay(port, tally, next_request, stop_at) for _ in range(connections)))
        return tally
    return asyncio.run(all_of_them(Tally()))


def enrol(veil, sandbox, count, connections):
    """Stores the cards, starts Cardveil and pays with each once, after which Cardveil enrols it; (cards, the payments' tally)."""
    tokens, _, _ = veil.fill(count, veil.folder / "cards")
    veil.start()
    cards = [Card(i, token) for i, token in enumerate(tokens)]
    started = time.monotonic()
    each = iter(cards)
    first = load(veil.ports["plain"], connections, lambda: next(((card, card.best) for card in each), None), ENROL_SECONDS)
    known = []
    while len(known) < len(cards) or veil.metric("cardveil_network_orders"):
        if time.monotonic() - started > ENROL_SECONDS:
            raise SystemExit(f"bench: {len(known)} of {len(cards)} cards enrolled in {ENROL_SECONDS} s\n{veil.last_words()}")
        time.sleep(1)
        known = sandbox.ask("GET", "/_sandbox/network")["tokens"]
    numbers = {token["card"]: token["number"] for token in known}
    for card in cards:
        card.network_number = numbers[card.number]
    print(f"{len(cards):,} cards paid a first time and enrolled after it: {time.monotonic() - started:.1f} s; {len(known):,} tokens made")
    return cards, first
