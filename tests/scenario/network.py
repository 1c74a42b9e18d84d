# SPDX-License-Identifier: Apache-2.0
"""A card network as Cybersource TMS documents it: verifies every signature, remembers every call, gives each card a network token
and each payment a cryptogram of its own, and is well or unwell as a test wants. A request that is not signed or formed as
documented is a fault, and no test passes with one."""

import base64
import functools
import json
import os
import re
import socket
import threading
import time
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from client import Client
from processor import Processor, message
from signatures import hmac_base64, verify_http_signature, verify_jwt
from tms import b64url
from wire import PATIENCE, Broken

MERCHANT, KEY_ID, NOTICE_KEY_ID = "scenario_mid", "8c1f0b6a-0d7e-4f8e-9a55-aa0000000001", "8c1f0b6a-0d7e-4f8e-9a55-aa0000000002"
TYPES = {"3": ("amex", "003", "americanexpress"), "4": ("489537", "001", "visa"), "5": ("520473", "002", "mastercard"),
         "2": ("520473", "002", "mastercard")}
REASONS = ("INVALID_REQUEST", "CARD_VERIFICATION_FAILED", "CARD_NOT_ELIGIBLE", "CARD_NOT_ALLOWED", "DECLINED", "SERVICE_UNAVAILABLE",
           "SYSTEM_ERROR")


def check_digit(digits):
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


@functools.lru_cache
def make_keys(use):
    """(private key, its PEM), one for each use."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key, pem


def seal(data, public_key, header):
    """JWE, compact: RSA-OAEP-256 and A256GCM."""
    head = b64url(json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", **header}).encode())
    cek, nonce = os.urandom(32), os.urandom(12)
    wrapped = public_key.encrypt(cek, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    sealed = AESGCM(cek).encrypt(nonce, data, head.encode())
    return ".".join([head, *(b64url(part) for part in (wrapped, nonce, sealed[:-16], sealed[-16:]))])


class NetworkToken:
    def __init__(self, number, pan, card, reference, kind):
        self.id, self.instrument = uuid.uuid4().hex.upper(), "70" + str(uuid.uuid4().int)[:17]
        self.number, self.pan, self.reference, self.kind = number, pan, reference, kind
        self.suffix, self.card_month, self.card_year = pan[-4:], card["expirationMonth"], card["expirationYear"]
        self.month, self.year = "07", "2033"
        self.state, self.reason, self.ready, self.removed = "UNPROVISIONED", None, None, False

    def told(self):
        """As GET shows it."""
        shown = {"id": self.id, "object": "tokenizedCard", "state": self.state, "type": self.kind,
                 "card": {"suffix": self.suffix, "expirationMonth": self.card_month, "expirationYear": self.card_year},
                 "_links": {"self": {"href": f"/tms/v2/tokenized-cards/{self.id}"},
                            "instrumentIdentifier": {"href": f"/tms/v1/instrumentidentifiers/{self.instrument}"}}}
        if self.reason:
            shown["reason"] = self.reason
        if self.state != "UNPROVISIONED":
            shown |= {"number": f"{self.number[:6]}XXXXXX{self.number[-4:]}", "expirationMonth": self.month, "expirationYear": self.year}
        return shown


class Given:
    """One answer with credentials: what it held, and how often a processor has seen its cryptogram."""

    def __init__(self, token, number, month, year, cryptogram, eci):
        self.token, self.number, self.month, self.year = token, number, month, year
        self.cryptogram, self.eci, self.used = cryptogram, eci, 0


class Call:
    def __init__(self, kind, request, body, token=None):
        self.kind, self.request, self.body, self.token = kind, request, body, token
        self.at = time.monotonic()


class Network(Processor):
    """Told by attributes: latency (seconds), mode ('well', 'reset', 'forgetful': does it, then resets; or a status), provisioning
    (seconds to ACTIVE; None: when the test calls provision()), refused {pan: reason}, no_cryptogram (set of PANs), varying (each
    answer with credentials has an expiry and an ECI of its own, so that a mixture shows)."""

    def __init__(self, certs=None):
        super().__init__(certs)
        self.secret = base64.b64encode(os.urandom(32))
        self.notice_key = base64.b64encode(os.urandom(32))
        self.jwt_key, self.jwt_pem = make_keys("jwt")
        self.answer_key, self.answer_pem = make_keys("answers")
        self.lock = threading.RLock()
        self.auth, self.profile, self.prefix = "jwt-secret", None, ""
        self.tokens, self.by_reference, self.given, self.seen = {}, {}, {}, set()
        self.serial_number = int.from_bytes(os.urandom(2), "big") * 10000
        self.era = 0
        self.forget()

    def forget(self):
        """Well again, and no calls seen, nor will those be that are still being answered; the tokens stay."""
        super().forget()
        self.era += 1
        self.default = self._behave
        self.latency, self.mode, self.provisioning = 0, "well", 0
        self.refused, self.no_cryptogram, self.varying = {}, set(), False
        self.calls, self.wrong_payments = [], []

    # --- what tests ask ---

    def of_card(self, pan):
        """The network tokens that were made for a card."""
        with self.lock:
            return [token for token in self.tokens.values() if token.pan == pan]

    def only_token(self, pan):
        made = self.of_card(pan)
        assert len(made) == 1, f"{len(made)} network tokens for the card that ends in {pan[-4:]}"
        return made[0]

    def asked(self, kind, token=None):
        with self.lock:
            return [call for call in self.calls if call.kind == kind and token in (None, call.token)]

    def references(self, pan):
        """The distinct names that enrolments of a card came under."""
        return {call.body.get("accountReferenceId") for call in self.asked("enrol") if call.body["card"]["number"] == pan}

    def secrets(self):
        """What may stand nowhere outside: keys, numbers of network tokens, cryptograms (the part that needs no escapes)."""
        keys = [self.secret, self.notice_key, *self.jwt_pem.split(b"\n")[1:-2], *self.answer_pem.split(b"\n")[1:-2]]
        with self.lock:
            return keys + [t.number.encode() for t in self.tokens.values()] + [c[:16].encode() for c in self.given]

    def wait_call(self, kind, count=1, seconds=PATIENCE):
        with self.changed:
            self.changed.wait_for(lambda: len(self.asked(kind)) >= count, seconds)
        found = self.asked(kind)
        assert len(found) >= count, f"{len(found)} calls of {kind}: {[call.kind for call in self.calls]}"
        return found

    # --- what tests do ---

    def provision(self, token, state="ACTIVE", reason=None):
        with self.lock:
            token.state, token.reason, token.ready = state, reason, None

    def renew(self, token):
        with self.lock:
            token.year = str(int(token.year) + 3)

    def replace_pan(self, token, pan):
        """The issuer gave another card: the token stays."""
        with self.lock:
            token.suffix, token.card_year = pan[-4:], str(int(token.card_year) + 4)

    def stop_listening(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.changed:
            left = list(self.open)
        for wire in left:
            try:
                wire.reset()
            except OSError:
                pass  # it had just ended by itself

    def listen_again(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    def judge(self, number, month, year, cryptogram=None, eci=None):
        """A payment as the issuer's network sees it: '' when all is of one answer and the cryptogram is new."""
        with self.lock:
            known = next((t for t in self.tokens.values() if t.number == number), None)
            given = self.given.get(cryptogram)
            if not known:
                wrong = "no network token" if cryptogram or eci else ""
            elif cryptogram is None:
                wrong = "an ECI without a cryptogram" if eci else ""
            elif not given:
                wrong = "a cryptogram that was never given"
            else:
                given.used += 1
                held = (given.number, given.month, given.year, given.eci)
                wrong = "a cryptogram used again" if given.used > 1 else "a mixture of answers" if held != (number, month, year, eci) else ""
            if wrong:
                self.wrong_payments.append(wrong)
            return wrong

    def notify(self, port, token, event="updated", *, signs="payload", array=False, link_only=False, key=None, key_id=NOTICE_KEY_ID, when=None,
               field=None, body=None, path="/v1/network-events/cybersource", **client):
        """Sends a signed notification to a Cardveil; its answer."""
        links = {"paymentInstruments": [], "customers": [],
                 "instrumentIdentifiers": [{"href": f"https://tms.example/tms/v1/instrumentidentifiers/{token.instrument}"}]}
        payload = {"data": {"id": uuid.uuid4().hex if link_only else token.id, "version": "1.0", "_links": links,
                            "type": "tokenizedCardEnrollments" if event == "provisioned" else "tokenizedCardUpdates"}, "organizationId": MERCHANT}
        payload = json.dumps([payload] if array else payload, separators=(",", ":"))
        if body is None:
            body = json.dumps({"eventType": f"tms.networktoken.{event}", "eventDate": "2026-01-01T00:00:00", "webhookId": str(uuid.uuid4()),
                               "notificationId": str(uuid.uuid4()), "retryNumber": 0, "productId": "tokenManagement",
                               "organizationId": MERCHANT})[:-1] + f', "payload" : {payload} }}'
        stamp = str(int((time.time() if when is None else when) * 1000))
        covered = body if signs == "body" else payload
        mac = hmac_base64(base64.b64decode(self.notice_key if key is None else key), f"{stamp}.{covered}".encode())
        headers = [("Content-Type", "application/json"), ("v-c-event-type", f"tms.networktoken.{event}"), ("v-c-organization-id", MERCHANT),
                   ("v-c-retry-count", "0")]
        field = f"t={stamp};keyId={key_id};sig={mac}" if field is None else field
        with Client(port, **client) as told:
            return told.ask("POST", path, [*headers, *([("v-c-signature", field)] if field else [])], body.encode())

    # --- what it answers ---

    def _behave(self, talk):
        request = talk.read_body()
        request.era, mode = self.era, self.mode
        if mode == "reset":
            talk.wire.reset()
            return False
        if self.latency:
            self.stopping.wait(self.latency)
        if isinstance(mode, int):
            talk.send(message(mode, b'{"errors":[{"type":"internalError","message":"not now"}]}'))
            return True
        try:
            self._verify(request)
            status, told, kind = self._answer(request)
        except (Broken, ValueError, KeyError, TypeError, AssertionError) as why:
            self.faults.append(f"the network got {request.method} {request.path}: {why!r}")
            talk.send(message(401, b'{"response":{"rmsg":"Authentication Failed"}}'))
            return True
        with self.changed:
            self.changed.notify_all()
        if mode == "forgetful":
            talk.wire.reset()
            return False
        talk.send(message(status, told if isinstance(told, bytes) else json.dumps(told).encode(), [("Content-Type", kind)]))
        return True

    def _verify(self, request):
        if self.auth == "http-signature":
            verify_http_signature(request, self.secret, KEY_ID, MERCHANT)
        elif self.auth == "jwt-secret":
            verify_jwt(request, MERCHANT, KEY_ID, secret=self.secret, seen=self.seen)
        else:
            verify_jwt(request, MERCHANT, KEY_ID, public_key=self.jwt_key.public_key(), seen=self.seen)
        assert request.get("profile-id") == self.profile, f"profile-id {request.get('profile-id')}"
        assert not request.body or request.get("content-type", "").split(";")[0] == "application/json", "no JSON"
        assert request.target.startswith(self.prefix + "/tms/"), "a path outside TMS"

    def _answer(self, request):
        body = json.loads(request.body, object_pairs_hook=no_twins) if request.body else {}
        path = request.target[len(self.prefix):]
        for method, pattern, serve in (("POST", r"/tms/v2/tokenized-cards", self._enrol), ("GET", r"/tms/v2/tokenized-cards/(\w+)", self._state),
                                       ("POST", r"/tms/v2/tokenized-cards/(\w+)/delete", self._delete),
                                       ("POST", r"/tms/v2/tokens/(\w+)/payment-credentials", self._credentials),
                                       ("GET", r"/tms/v1/instrumentidentifiers/(\w+)", self._instrument)):
            found = re.fullmatch(pattern, path)
            if found and method == request.method:
                with self.lock:
                    self._pass_time()
                    status, told = serve(request, body, *found.groups())
                return status, told, "application/jose" if isinstance(told, bytes) else "application/json;charset=utf-8"
        raise Broken("no such call")

    def _pass_time(self):
        for token in self.tokens.values():
            if token.ready is not None and time.monotonic() >= token.ready:
                token.state, token.ready = "ACTIVE", None

    def _note(self, kind, request, body, token=None):
        if request.era == self.era:
            self.calls.append(Call(kind, request, body, token))

    def _enrol(self, request, body):
        allowed = {"source", "card", "createPanInstrumentIdentifier", "consumerId", "accountReferenceId", "billTo", "passcode"}
        assert set(body) <= allowed, f"fields {set(body) - allowed}"
        assert body["source"] == "ONFILE" and body.get("createPanInstrumentIdentifier") in (None, True)
        card = body["card"]
        pan = card["number"]
        assert set(card) <= {"number", "expirationMonth", "expirationYear", "type", "securityCode"}, f"card fields {set(card)}"
        assert re.fullmatch(r"\d{12,19}", pan) and check_digit(pan[:-1]) == pan[-1], "not a card number"
        assert re.fullmatch(r"0[1-9]|1[0-2]", card["expirationMonth"]) and re.fullmatch(r"20\d\d", card["expirationYear"]), "not an expiry"
        first, code, kind = TYPES[pan[0]]
        assert card.get("type", code) == code, f"type {card.get('type')}"
        assert re.fullmatch(r"\d{3,4}", card.get("securityCode", "000")), "not a security code"
        self._check_address(body.get("billTo", {}))
        reference = body.get("accountReferenceId")
        assert reference is None or re.fullmatch(r"[\w-]{1,64}", reference), "not a reference"
        known = self.by_reference.get((pan, reference)) if reference else None
        if not known:
            self.serial_number += 1
            digits = f"{first}{self.serial_number:09d}" if first.isdigit() else f"3795{self.serial_number:010d}"
            known = NetworkToken(digits + check_digit(digits), pan, card, reference, kind)
            self.by_reference[pan, reference] = self.tokens[known.id] = known
            known.reason = self.refused.get(pan)
            if not known.reason and self.provisioning == 0:
                known.state = "ACTIVE"
            elif not known.reason and self.provisioning:
                known.ready = time.monotonic() + self.provisioning
            status = 201
        else:
            status = 200
        self._note("enrol", request, body, known)
        return status, known.told()

    @staticmethod
    def _check_address(bill_to):
        assert set(bill_to) <= {"address1", "address2", "locality", "administrativeArea", "postalCode", "country"}, f"billTo {set(bill_to)}"
        assert all(isinstance(value, str) for value in bill_to.values())
        assert re.fullmatch(r"[A-Z]{2}", bill_to.get("country", "BR")), "not a country"

    def _state(self, request, body, token_id):
        token = self.tokens.get(token_id)
        self._note("state", request, body, token)
        return self._gone(token) if not token or token.removed else (200, token.told())

    def _instrument(self, request, body, instrument):
        token = next((t for t in self.tokens.values() if t.instrument == instrument), None)
        self._note("instrument", request, body, token)
        return (200, {"id": instrument, "object": "instrumentIdentifier", "state": "ACTIVE", "tokenizedCard": token.told()}) if token else self._gone(None)

    def _delete(self, request, body, token_id):
        token = self.tokens.get(token_id)
        self._note("delete", request, body, token)
        assert body["reason"]["code"] in ("FRAUD", "PAYMENT_METHOD_REMOVED"), "not a reason"
        if not token or token.removed:
            return self._gone(token)
        token.state, token.removed = "DELETED", True
        self.by_reference.pop((token.pan, token.reference), None)
        return 200, token.told()

    @staticmethod
    def _gone(token):
        return 410 if token else 404, {"errors": [{"type": "notAvailable" if token else "notFound", "message": "Token not found"}]}

    def _credentials(self, request, body, token_id):
        allowed = {"paymentCredentialType", "transactionType", "clientCorrelationId"}
        assert set(body) <= allowed, f"fields {set(body) - allowed}"
        kind = body["paymentCredentialType"]
        assert kind in ("CRYPTOGRAM", "NETWORK_TOKEN") and body.get("transactionType") in (None, "ECOM")
        token = self.tokens.get(token_id)
        self._note("credentials", request, body, token)
        if not token or token.removed:
            return self._gone(token)
        if token.state == "UNPROVISIONED":
            return 409, {"errors": [{"type": "conflict", "message": "Action cannot be performed"}]}
        if token.pan in self.no_cryptogram and kind == "CRYPTOGRAM":
            return 500, {"errors": [{"type": "internalError", "message": "Internal error"}]}
        shown = token.told() | {"source": "ONFILE", "enrollmentId": uuid.uuid4().hex, "tokenReferenceId": uuid.uuid4().hex}
        shown.pop("_links")
        if token.state == "ACTIVE":
            shown |= self._fresh(token, kind)
        plain = {"card": {"type": TYPES[token.pan[0]][1], **shown["card"]}, "tokenizedCard": shown}
        header = {"kid": "1a2b", "cty": "json", "iat": int(time.time())} if len(self.given) % 2 else {}
        return 200, seal(json.dumps(plain).encode(), self.answer_key.public_key(), header).encode()

    def _fresh(self, token, kind):
        count, month, year, eci = len(self.given), token.month, token.year, "07" if token.kind == "visa" else "06"
        if self.varying:
            month, year, eci = f"{count % 12 + 1:02d}", str(2033 + count % 9), ("05", "06", "07", "02")[count % 4]
        shown = {"number": token.number, "expirationMonth": month, "expirationYear": year, "requestorId": "40010051602"}
        if kind == "CRYPTOGRAM":
            cryptogram = ""
            while not re.fullmatch(r"[A-Za-z0-9]{16}.*[+/].*", cryptogram):
                cryptogram = base64.b64encode(os.urandom(20)).decode()
            self.given[cryptogram] = Given(token, token.number, month, year, cryptogram, eci)
            shown |= {"cryptogram": cryptogram, "eci": eci}
        return shown


def no_twins(pairs):
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), f"a member twice: {names}"
    return dict(pairs)
