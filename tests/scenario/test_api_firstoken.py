# SPDX-License-Identifier: Apache-2.0
"""Firstoken's tokenisation API, in the vendor's own request shapes; the forms of tokens in ours; PCI Proxy's authorization."""

import base64
import json

import pytest

import payments
from leaks import CVC, MASTERCARD, VISA, find_secrets
from payments import BASIC, JSON, REDE

TOKENIZE = "/v1/tokenization/simple"
REQUESTS = "/transactions/requests"


@pytest.fixture(scope="module")
def veil(session_folder, watch, rules, processor):
    from conftest import start_world  # pylint: disable=import-outside-toplevel
    def route(name, **more):
        return {"name": name, "rules": "rede", "merchant": "shop", "prefix": f"/{name}", "upstream": processor.url, **more}
    made = start_world(session_folder, watch, rules, [route("rede"), route("bare", compat="pci-proxy")],
                       more={"bad_tokens": {"count": 1000}}).start()
    yield made
    status = made.stop()
    watch.cardveils.remove(made)
    assert status == 0, f"serve ended with {status}"


def call(veil, method, path, body=None, key=None, headers=()):
    key = [("x-api-key", key or veil.key)] if key != "none" else []
    text = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = veil.ask(method, path, [*([JSON] if body is not None else []), *key, *headers], text, how="keyed")
    assert not find_secrets(answer.raw)
    return answer.status, (json.loads(answer.body) if answer.body else {})


def card(number=VISA, **more):
    return {"card": number, "name": payments.HOLDER, "exp": "12/31", **more}


def tokenize(veil, *cards, **more):
    status, told = call(veil, "POST", TOKENIZE, {"chd": list(cards) or [card()], "tags": [], "scheme": 7, "isEightDigitsBin": False, **more})
    return told["data"]["tokens"] if status == 200 else (status, told)


def luhn(digits):
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)) % 10 == 0


def pay(veil, processor, slot, path=REDE, expiry=("12", "2031"), holder=payments.HOLDER):
    before = len(processor.requests)
    answer = veil.ask("POST", path, [JSON, BASIC, ("x-api-key", veil.key)], payments.rede(slot, *expiry, holder=holder), how="keyed")
    return answer.status, processor.requests[before:]


@pytest.mark.parametrize("scheme, eight, first", [(1, False, 6), ("1", True, 8), (3, False, 6), ("3", True, 8)])
def test_a_token_of_a_scheme_pays_until_it_is_deleted(veil, processor, scheme, eight, first):
    made, = tokenize(veil, scheme=scheme, isEightDigitsBin=eight)
    token = made["token"]
    assert (made["card"], made["scheme"], made["status"], made["tags"]) == ("411111******1111", int(scheme), 1, []), made
    assert made["created_by"] == {"name": "API"} and made["createdAt"].endswith("Z")
    assert len(token) == 16 and token[:first] == VISA[:first] and token[-4:] == VISA[-4:] and token != VISA
    assert (token.isdigit() and not luhn(token)) if int(scheme) == 1 else token[first:-4].isalpha(), token
    slot = f"{{{{ {token} : detokenize }}}}"
    for status, sent in (pay(veil, processor, slot, expiry=(slot, slot), holder=slot),
                         pay(veil, processor, token, REDE.replace("/rede/", "/bare/", 1))):  # a bare alias in a card field
        assert status == 200 and [got.body for got in sent] == [payments.rede_plain(VISA)]
    status, told = call(veil, "GET", f"/v1/tokens/{token}")
    assert status == 200 and told["data"]["token"] == token and len(told["data"]["card_token"]) == 36, told
    status, told = call(veil, "DELETE", "/v1/tokens", {"tokens": [token, token, "no_such_token", "a b"]})
    assert status == 200 and sorted(one["status"] for one in told["data"]["tokens"]) == [0, 0, 0, 1], told
    assert [one["id"] for one in told["data"]["tokens"]] == [token, token, "no_such_token", ""], told
    assert pay(veil, processor, slot, expiry=(slot, slot), holder=slot) == (422, [])
    assert call(veil, "GET", f"/v1/tokens/{told['data']['tokens'][0]['id']}")[0] == 404


def test_persistent_and_not(veil):
    def tokens(**more):
        return [tokenize(veil, card(MASTERCARD), **more)[0]["token"] for _ in range(2)]
    for scheme in (1, 3, 7):
        same, other = tokens(scheme=scheme, type="persistent"), tokens(scheme=scheme)
        assert len(set(same)) == 1 and len({*same, *other}) == 3, (same, other)
    twice = tokenize(veil, card(MASTERCARD), card(MASTERCARD), scheme=1, type="persistent")
    assert twice[0]["token"] == twice[1]["token"]


def test_a_mixed_batch(veil):
    made = tokenize(veil, card(), card("4111111111111112"), {"name": "A B", "exp": "12/31"}, card(exp="12-2031x"), card(4111111111111111), card(True))
    assert [(one["status"], one.get("code")) for one in made] == [
        (1, None), (0, "CARD_NUMBER"), (0, "CARD_NUMBER"), (0, "CARD_EXPIRY"), (1, None), (0, "CARD_NUMBER")], made
    assert all((one["token"] is None) == (one["status"] == 0) for one in made)
    assert len(tokenize(veil, *[card()] * 100)) == 100


BAD = [
    ({"chd": [card()], "scheme": 7}, 400, "REQUEST_FIELD", "tags"),
    ({"chd": [card()], "tags": [], "scheme": 8}, 400, "SCHEME_LUHN_VALID", "scheme"),
    ({"chd": [card()], "tags": [], "scheme": 4}, 400, "REQUEST_FIELD", "scheme"),
    ({"chd": card(), "tags": [], "scheme": 7}, 400, "REQUEST_FIELD", "chd"),
    ({"chd": [card()] * 101, "tags": [], "scheme": 7}, 400, "REQUEST_FIELD", "chd"),
    ([card()], 400, "REQUEST_FIELD", "$"),
    (b'{"chd":[', 400, "JSON_SYNTAX", None),
]


@pytest.mark.parametrize("body, status, code, path", BAD)
def test_bad_bodies(veil, body, status, code, path):
    got, told = call(veil, "POST", TOKENIZE, body)
    assert (got, told["status_code"], told["status"], told["code"]) == (status, status, "fail", code) and told["desc"], told
    assert told.get("data", {}).get("path") == path, told


def test_a_huge_batch_is_refused_before_it_is_read(veil):
    got, _ = call(veil, "POST", TOKENIZE, {"chd": [card()] * 2000, "tags": [], "scheme": 7})
    assert got == 413


def test_temporal_tokens(veil, processor):
    chd = card(cvv=CVC)
    status, told = call(veil, "POST", REQUESTS, {"chd": chd, "amount": 10.5, "currency": "BRL", "additional_info": {}, "ttl": 300})
    assert status == 200 and told["status"] == "success", told
    one = told["data"]["id"]
    for ttl in (28801, 0, "300", None):
        got, told = call(veil, "POST", REQUESTS, {"chd": chd, "amount": 0, "currency": "BRL", "ttl": ttl})
        assert (got, told["code"], told["data"]["path"]) == (400, "TEMPORAL_TTL", "ttl"), told
    assert call(veil, "GET", f"{REQUESTS}/{one}/inspect") == (200, {"status_code": 200, "status": "success", "desc": "Success", "data": {"status": "success"}})
    status, told = call(veil, "POST", f"{REQUESTS}/{one}/tokenize", {"tags": [], "scheme": 3, "type": "persistent"})
    stored = told["data"]["tokens"][0]
    assert status == 200 and stored["status"] == 1 and stored["token"][:6] == VISA[:6] and stored["token"][6:12].isalpha(), told
    slot = f"{{{{ {stored['token']} : detokenize }}}}"
    status, sent = pay(veil, processor, slot, expiry=(slot, slot), holder=slot)
    assert status == 200 and sent[0].body == payments.rede_plain(VISA)
    with_cvc = f"{{{{ {one} : transaction }}}}"  # the CVC is where it was, until a payment has used it
    status, sent = pay(veil, processor, with_cvc, expiry=(with_cvc, with_cvc), holder=with_cvc)
    assert status == 200 and sent[0].body == payments.rede_plain(VISA)
    assert call(veil, "GET", f"{REQUESTS}/{one}/inspect")[1]["data"] == {"status": "fail"}
    assert call(veil, "POST", f"{REQUESTS}/{one}/tokenize", {"tags": [], "scheme": 3})[1]["code"] == "TOKEN_EXPIRED"
    status, told = call(veil, "POST", REQUESTS, {"chd": chd, "amount": 0, "currency": "BRL", "ttl": 28800})
    two = told["data"]["id"]
    assert call(veil, "DELETE", f"{REQUESTS}/{two}")[1]["data"] == {"id": two, "status": 1}
    assert call(veil, "DELETE", f"{REQUESTS}/{two}")[1]["code"] == "TOKEN_EXPIRED"
    with_cvc = with_cvc.replace(one, two)
    assert pay(veil, processor, with_cvc, expiry=(with_cvc, with_cvc), holder=with_cvc) == (422, [])


def test_no_number_goes_out_and_permissions_are_those_of_ours(veil):
    for method, path, body in (("POST", "/v1/detokenization/simple", {"tokens": [veil.visa]}), ("GET", f"{REQUESTS}/tmp_x", None)):
        for key in (veil.key, veil.make_key("shop", "--permit", "tokenize")):
            status, told = call(veil, method, path, body, key=key)
            assert status == 403 and told["code"] == "NEVER_REVEALED" and "placeholder" in told["desc"], told
        status, told = call(veil, method, path, body, key="none")
        assert status == 403 and told["code"] == "KEY_MISSING", told
    reader = veil.make_key("shop", "--permit", "read")
    for method, path, body in (("POST", TOKENIZE, {"chd": [card()], "tags": [], "scheme": 7}), ("DELETE", "/v1/tokens", {"tokens": [veil.visa]}),
                               ("POST", REQUESTS, {"chd": card(cvv=CVC), "ttl": 1}), ("DELETE", f"{REQUESTS}/tmp_x", None),
                               ("POST", f"{REQUESTS}/tmp_x/tokenize", {"tags": [], "scheme": 7})):
        status, told = call(veil, method, path, body, key=reader)
        assert status == 403 and told["code"] == "KEY_PERMISSION", (path, told)
    status, told = call(veil, "DELETE", "/v1/tokens", {"tokens": [veil.foreign]})
    assert status == 200 and told["data"]["tokens"][0]["status"] == 0
    assert call(veil, "GET", f"/v1/tokens/{veil.foreign}", key=veil.other_key)[0] == 200


@pytest.mark.parametrize("wanted, right", [("six-four", lambda t: len(t) == 16 and t[6:12].isalpha()), ("tok_{uuid}", lambda t: len(t) == 40),
                                           (32, lambda t: len(t) == 32), ("uuid", lambda t: len(t) == 36)])
def test_the_form_of_a_token(veil, wanted, right):
    body = {"number": MASTERCARD, "expiration_date": "12/31", "format": wanted}
    first, again = call(veil, "POST", "/v1/tokens", body), call(veil, "POST", "/v1/tokens", body)
    token = first[1]["data"]["token"]
    assert right(token) and again[1]["data"]["token"] == token, first
    unique = call(veil, "POST", "/v1/tokens", {**body, "unique": True})[1]["data"]["token"]
    assert right(unique) and unique != token
    own = first[1]["data"].get("card_token", token)
    status, told = call(veil, "GET", f"/v1/tokens/{own}")
    assert status == 200 and told["data"]["token"] == own and "card_token" not in told["data"]
    status, told = call(veil, "POST", "/v1/tokens", {**body, "format": "six"})
    assert (status, told["data"]["code"], told["data"]["path"]) == (422, "CARD_FORMAT", "format"), told
    line = json.dumps({"number": MASTERCARD, "expiration_date": "12/31"}).encode() + b"\n"
    made = veil.cli("token", "create", "--merchant", "shop", "--format", str(wanted), stdin=line).stdout.decode().strip()
    assert made == token
    assert veil.cli("token", "create", "--merchant", "shop", "--format", "six", stdin=line, check=False).returncode == 2


def test_alias_api_with_merchant_and_key_as_basic(veil):
    def ask(user, key, path=f"/v1/aliases/{veil.visa}"):
        pair = base64.b64encode(f"{user}:{key}".encode()).decode()
        answer = veil.ask("GET", path, [("Authorization", f"Basic {pair}")], b"", how="keyed")
        return answer.status, answer.get("www-authenticate")
    assert ask("shop", veil.key) == (200, None)
    challenge = 'Basic realm="cardveil"'
    assert ask("shop", veil.key[:-1] + "x") == ask("other", veil.key) == ask("", veil.key) == ask("shop", "") == (401, challenge)
    assert ask("other", veil.other_key) == (400, None)  # right, but no such alias of that merchant
    assert ask("shop", veil.key, f"/v1/tokens/{veil.visa}")[0] == 401  # here only
