# SPDX-License-Identifier: Apache-2.0
"""A Cardveil whose merchant 'shop' has a card network and a webhook: what the scenarios of network tokens have in common."""

import json
import pathlib
import re
import tempfile
import time

from client import Client
from leaks import VISA
from network import KEY_ID, MERCHANT, NOTICE_KEY_ID
from payments import EXPIRY, HOLDER, JSON, card
from processor import message
from wire import PATIENCE

PERMITS = "proxy,tokenize,read,change,delete,enroll,credentials,report"
ADDRESS = {"address_1": "Carrera 140", "city": "Bogotá DC", "state": "Bogotá", "postal_code": "110001", "country": "CO"}

# Seed 003's table, in the words of rules: what a PAN retry may follow, and what it never may.
RETRIED = ("gateway_rejected", "declined", "refer_to_issuer", "issuer_unavailable", "do_not_honor", "suspected_fraud", "expired_card", "error",
           "application_error", "token_refused")
NEVER_RETRIED = ("insufficient_funds", "limit_exceeded", "invalid_card", "lost_or_stolen", "not_permitted", "closed_account", "revoked",
                 "authentication_required", "invalid_request", "fraud", "hard", "unknown")

RULES = """
processor: tried
accept: [ POST /pay ]
body: json
card:
  number:    $.card.number
  exp_month: { at: $.card.month, as: MM }
  exp_year:  { at: $.card.year, as: YYYY }
  cvc:       $.card.cvc
  holder:    $.card.holder
network_token:
  set:  { $.card.cryptogram: cryptogram, $.card.eci: eci }
  drop: [ $.card.cvc ]
  mit_without_cryptogram: %s
reply:
  approved: { $.code: [ "00" ] }
  decline_code: [ $.code ]
  declines: { %s }
  network_transaction_id: { from: $.scheme_id, set: $.previous }
initiator: { at: $.initiator, merchant: [ "merchant" ] }
idempotency: Idempotency-Key
"""


def rules(mit_without="yes"):
    return RULES % (mit_without, ", ".join(f'{reason}: [ "no-{reason}" ]' for reason in RETRIED + NEVER_RETRIED))


def card_rules():
    """Of a processor that takes card numbers only."""
    return re.sub(r"(?ms)^network_token:.*?(?=^reply:)|^initiator:.*?\n", "", rules())


APPROVED = {"code": "00", "scheme_id": "016153570198200"}

# name: (rules, settings of network_tokens). A budget that no busy machine spends, but where it is what is tried.
ROUTES = {
    "tried": ("tried", {"volume": "100%", "budget": "30s"}),
    "retrying": ("tried", {"volume": "100%", "budget": "30s", "pan_retry": "on"}),
    "enveloped": ("tried", {"volume": "100%", "budget": "30s", "pan_retry": "on"}, {"compat": "firstoken"}),
    "strict": ("strict", {"volume": "100%", "budget": "30s"}),
    "none": ("tried", {"volume": "0%"}),
    "hasty": ("tried", {"volume": "100%", "budget": "100ms"}),
    "cards": ("cards", None),
    "any": ("passthrough", None),
}


def secret_file(folder, data):
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as made:
        made.write(data)
    return f"file:{made.name}"


def network_entry(folder, network, **changes):
    """What stands under 'networks' for this one."""
    entry = {"name": "cybersource", "type": "cybersource", "upstream": network.url + network.prefix, "merchant_id": MERCHANT, "key_id": KEY_ID,
             "auth": network.auth, "secret": secret_file(folder, network.secret), "answer_key": secret_file(folder, network.answer_pem),
             "notice": {"key_id": NOTICE_KEY_ID, "key": secret_file(folder, network.notice_key)}, **changes}
    return {name: value for name, value in entry.items() if value is not None}


def shop_settings(session_folder, processor, network, receiver, entry=None, routes=None, merchant=None, own_rules=None, **more):
    """(rules, settings for a Cardveil). entry: changes to the network's; routes: {name: (rules, network_tokens[, more])}; merchant: changes to
    the merchant's; own_rules: {name: text}."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=session_folder, prefix="secrets-"))
    listed = []
    for name, (of, tokens, *others) in (routes or ROUTES).items():
        made = {"name": name, "rules": of, "merchant": "shop", "prefix": f"/{name}", "upstream": processor.url, **(others[0] if others else {})}
        listed.append({**made, "network_tokens": tokens} if tokens is not None else made)
    shop = {"name": "shop", "network": "cybersource", "webhooks": [{"url": receiver.url, "secret": secret_file(folder, receiver.secret)}],
            **(merchant or {})}
    settings = {"networks": [network_entry(folder, network, **(entry or {}))],
                "merchants": [{name: value for name, value in shop.items() if value is not None}, {"name": "other"}], **more.pop("more", {})}
    return {"tried": rules(), "strict": rules("no"), "cards": card_rules(), **(own_rules or {})}, {"routes": listed, "more": settings, **more}


class Sent:
    """What the processor received of one payment."""

    def __init__(self, request, network):
        self.request, self.body = request, json.loads(request.body)
        held = self.body["card"]
        self.number, self.month, self.year, self.holder = held["number"], held["month"], held["year"], held.get("holder")
        self.cryptogram, self.eci, self.cvc = held.get("cryptogram"), held.get("eci"), held.get("cvc")
        self.token = next((t for t in network.tokens.values() if t.number == self.number), None)
        self.kind = "NETWORK_TOKEN" if self.token else "CARD_PAN"


class Shop:
    def __init__(self, veil, processor, network, receiver):
        self.veil, self.processor, self.network, self.receiver = veil, processor, network, receiver
        self.key = veil.make_key("shop", "--permit", PERMITS)
        self.made = {}  # token: the network token behind it
        self.serial = 0
        processor.default = approving(network)

    # --- the API ---

    def ask(self, method, path, body=None, key=None, headers=()):
        """(status, JSON)"""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.veil.ask(method, path, [*([JSON] if data else []), ("x-api-key", key or self.key), *headers], data, how="keyed")
        return answer.status, json.loads(answer.body)

    def new_card(self, pan=VISA, count=None):
        """A token of its own, or a list of them; the same card number may stand behind many."""
        made = self.veil.make_tokens([{**card(pan), "unique": True}] * (count or 1))
        return made if count else made[0]

    def enrol_body(self, token, **changes):
        slot = f"{{{{ {token}: detokenize }}}}"
        body = {"transaction_info": {"type": "enroll_card"}, "card": {"number": slot, "expiration_date": slot}, "bill_to": dict(ADDRESS)}
        return body | changes

    def ask_enrol(self, token, key=None, **changes):
        return self.ask("POST", "/v1/tokens/enroll", self.enrol_body(token, **changes), key)

    def enrol(self, token):
        """Enrols it through the API; the network token that the network made, if it was reached."""
        before = set(self.network.tokens)
        status, told = self.ask_enrol(token)
        assert (status, told["data"]["transaction_info"]["status"]) == (200, "Enrolled"), told
        new = set(self.network.tokens) - before
        if new:
            self.made[token] = self.network.tokens[new.pop()]
        return self.made.get(token)

    def state(self, token):
        """What GET shows of its network token; {} if there is none."""
        status, told = self.ask("GET", f"/v1/tokens/{token}")
        assert status == 200, told
        return told["data"].get("network_token") or {}

    def wait_for(self, token, wanted, what):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            shown = self.state(token)
            if wanted(shown):
                return shown
            time.sleep(0.05)
        raise AssertionError(f"{token} is not {what}: {shown}")

    def wait_for_state(self, token, state):
        return self.wait_for(token, lambda shown: shown.get("status") == state, state)

    def active(self, pan=VISA):
        """A new card, enrolled and ACTIVE."""
        token = self.new_card(pan)
        self.enrol(token)
        self.wait_for_state(token, "ACTIVE")
        return token

    def credentials(self, token, key=None):
        return self.ask("GET", f"/v1/tokens/{token}/payment-credentials", key=key)

    def changed(self, token, state, event="updated"):
        """The network changes it and says so."""
        self.network.provision(self.made[token], state)
        answer = self.network.notify(self.veil.keyed, self.made[token], event)
        assert answer.status == 200, answer

    # --- payments ---

    def body(self, token, **more):
        self.serial += 1
        slot = f"{{{{ {token} : detokenize }}}}"
        held = {"number": slot, "month": slot, "year": slot, "cvc": "123", "holder": slot}
        return json.dumps({"reference": f"pay-{self.serial}", "card": held, "amount": 2099, **more}).encode()

    def pay(self, token, route="tried", headers=(), client=None, body=None, **more):
        data = self.body(token, **more) if body is None else body
        ask = client.ask if client else self.veil.ask
        return ask("POST", f"/{route}/pay", [JSON, *headers], data)

    def sent(self, count=1):
        """What the processor received, once there are <count> payments."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            complete = [request for request in self.processor.wait_for(count) if request.complete]
            if len(complete) >= count:
                break
            time.sleep(0.01)
        assert len(complete) == count, complete
        return [Sent(request, self.network) for request in complete]

    def paid(self, token, route="tried", **more):
        """One payment; (its answer, what the processor received of it)."""
        before = len(self.processor.requests)
        answer = self.pay(token, route, **more)
        assert answer.status == 200, answer
        return answer, self.sent(before + 1)[-1]

    def is_right(self, sent):
        """All of a network token's payment is of one answer, and its cryptogram new."""
        return self.network.judge(sent.number, sent.month, sent.year, sent.cryptogram, sent.eci) == ""

    def client(self):
        return Client(self.veil.plain)

    def line(self, answer):
        return self.veil.exchange(answer)

    def metrics(self, *words):
        """Sum of the samples whose name and labels have all the words."""
        total = 0.0
        for line in self.veil.admin_get("/metrics").body.decode().splitlines():
            if not line.startswith("#") and all(word in line.rsplit(" ", 1)[0] for word in words):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def wait_metrics(self, wanted, *words):
        """The processes tell their counts now and then."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.metrics(*words)) != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        assert found == wanted, f"{words}: {found}, not {wanted}"

    def settled_metrics(self, *words):
        """Once what came before is told: it stays the same for as long as it takes another payment's to show."""
        seen = self.metrics("cardveil_requests_total")
        self.veil.ask("GET", "/nowhere")
        deadline = time.monotonic() + PATIENCE
        while self.metrics("cardveil_requests_total") <= seen and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.metrics(*words)


def is_pan(sent, pan=VISA):
    """All of the card, nothing of a network token."""
    month, year = EXPIRY.split("/")
    return (sent.number, sent.month, sent.year, sent.holder, sent.cvc, sent.cryptogram, sent.eci) == (pan, month, year, HOLDER, "123", None, None)


def told(answer):
    return answer.get("x-cardveil-card-token-type"), answer.get("x-cardveil-fallback")


# --- behaviours of the processor ---

def answering(network, decide):
    """decide(Sent) -> the answer's JSON, or a behaviour."""
    def behave(talk):
        sent = Sent(talk.read_body(), network)
        answer = decide(sent)
        if callable(answer):
            return answer(talk)
        talk.send(message(body=json.dumps(answer).encode()))
        return True
    return behave


def approving(network):
    return answering(network, lambda sent: APPROVED)


def declining_tokens(network, code):
    """Declines network tokens, approves card numbers."""
    return answering(network, lambda sent: {"code": code} if sent.kind == "NETWORK_TOKEN" else APPROVED)
