# SPDX-License-Identifier: Apache-2.0
"""A client of Cybersource TMS that knows both signatures and opens encrypted answers: not a line of it is shared with the program."""

import base64
import email.utils
import hashlib
import hmac
import json
import time
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from client import Client

MERCHANT, KEY_ID = "cardveil_sandbox", "cardveil-sandbox-key"
SECRET = base64.b64encode(bytes(range(32)))
NOTIFY_KEY = bytes(range(32, 64))
HOST = "tms.test"
JSON = ("Content-Type", "application/json")


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def digest(body):
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def http_signature(method, path, body, *, secret=SECRET, key_id=KEY_ID, merchant=MERCHANT, when=None, signed_host=HOST, signed_path=None,
                   signed_body=None):
    date = email.utils.formatdate(time.time() if when is None else when, usegmt=True)
    told = digest(body if signed_body is None else signed_body)
    lines = [f"host: {signed_host}", f"date: {date}", f"request-target: {method.lower()} {signed_path or path}"]
    names = "host date request-target"
    if body:
        lines.append(f"digest: SHA-256={told}")
        names += " digest"
    lines.append(f"v-c-merchant-id: {merchant}")
    mac = base64.b64encode(hmac.new(base64.b64decode(secret), "\n".join(lines).encode(), hashlib.sha256).digest()).decode()
    field = f'keyid="{key_id}", algorithm="HmacSHA256", headers="{names} v-c-merchant-id", signature="{mac}"'
    headers = [("Date", date), ("v-c-merchant-id", merchant), ("Signature", field)]
    return headers + ([("Digest", f"SHA-256={told}")] if body else [])


def jwt(method, path, body, *, key=None, secret=SECRET, kid=KEY_ID, **changes):
    now = int(time.time())
    claims = {"iat": now, "exp": now + 120, "iss": MERCHANT, "jti": str(uuid.uuid4()), "request-host": HOST, "request-resource-path": path,
              "request-method": method.lower(), "v-c-merchant-id": MERCHANT, "v-c-jwt-version": "2"}
    if body:
        claims |= {"digest": digest(body), "digest-algorithm": "SHA-256"}
    claims |= changes
    claims = {name: value for name, value in claims.items() if value is not ...}
    header = {"alg": "RS256" if key else "HS256", "kid": kid}
    text = b64url(json.dumps(header).encode()) + "." + b64url(json.dumps(claims).encode())
    if key:
        signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = hmac.new(base64.b64decode(secret), text.encode(), hashlib.sha256).digest()
    return [("Authorization", f"Bearer {text}.{b64url(signature)}")]


def private_key(path):
    return serialization.load_pem_private_key(path.read_bytes(), None)


def open_jwe(compact, key):
    header, wrapped, nonce, cipher, tag = compact.split(".")
    told = json.loads(from_b64url(header))
    assert (told["alg"], told["enc"]) == ("RSA-OAEP-256", "A256GCM")
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    cek = key.decrypt(from_b64url(wrapped), oaep)
    return json.loads(AESGCM(cek).decrypt(from_b64url(nonce), from_b64url(cipher) + from_b64url(tag), header.encode()))


class Tms:
    """sign: how each request is signed."""

    def __init__(self, port, key, sign=http_signature):
        self.port, self.key, self.sign = port, key, sign

    def ask(self, method, path, body=None, headers=None, **signing):
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if headers is None:
            headers = self.sign(method, path, data, **signing)
        with Client(self.port) as client:
            return client.ask(method, path, [*headers, JSON] if data else headers, data, host=HOST)

    def json(self, *args, **kwargs):
        answer = self.ask(*args, **kwargs)
        return answer.status, json.loads(answer.body)

    def enrol(self, number, reference="ref-1", **changes):
        card = {"number": number, "expirationMonth": "12", "expirationYear": "2031"}
        body = {"source": "ONFILE", "card": card, "createPanInstrumentIdentifier": True, "accountReferenceId": reference, **changes}
        return self.json("POST", "/tms/v2/tokenized-cards", {name: value for name, value in body.items() if value is not ...})

    def state(self, token):
        return self.json("GET", f"/tms/v2/tokenized-cards/{token}")

    def active(self, number, reference="ref-1"):
        """Enrols and waits until it is ACTIVE; the token's id."""
        told = self.enrol(number, reference)[1]
        for _ in range(2000):
            if self.state(told["id"])[1]["state"] == "ACTIVE":
                return told["id"]
            time.sleep(0.02)
        raise AssertionError("never ACTIVE")

    def credentials(self, token, kind="CRYPTOGRAM"):
        answer = self.ask("POST", f"/tms/v2/tokens/{token}/payment-credentials", {"paymentCredentialType": kind, "transactionType": "ECOM"})
        assert (answer.status, answer.get("content-type")) == (200, "application/jose"), answer
        return open_jwe(answer.body.decode(), self.key)["tokenizedCard"]
