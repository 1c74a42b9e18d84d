# SPDX-License-Identifier: Apache-2.0
"""POST /v1/tokens/enroll, background provisioning, GET /v1/tokens/{id}/payment-credentials: to the letter of Firstoken's pages."""

import datetime
import json
import re
import uuid

import pytest

from cardveil import CERTS
from conftest import watched
from leaks import AMEX, CVC, MASTERCARD, VISA, find_secrets, scan_memory
from network import REASONS, Network
from payments import EXPIRY
from shop import ADDRESS, PERMITS, secret_file
from tms import from_b64url

SUCCESS = "Network token successfully stored"
ALREADY = "Network token already exists"
UNAVAILABLE = "Network token is unavailable"
NO_WORKFLOW = "Workflow not implemented"
UNPROVISIONED = {"reason": "Unprovisioned", "message": "INVALID_REQUEST"}
ROUTE = {"any": ("passthrough", None)}


def check_info(told, status, kind="enroll_card_response"):
    """transaction_info has every field of the seed, and nothing else."""
    info = told["data"]["transaction_info"]
    assert set(info) == {"type", "reference_code", "request_id", "status", "created_at"}
    assert (info["type"], info["status"]) == (kind, status)
    assert str(uuid.UUID(info["reference_code"])) == info["reference_code"]
    assert re.fullmatch(r"[\w-]{8,64}", info["request_id"])
    created = datetime.datetime.strptime(info["created_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    assert abs((datetime.datetime.now(datetime.timezone.utc) - created).total_seconds()) < 300
    return info


def test_enrolled(shop, network):
    token = shop.new_card()
    status, told = shop.ask_enrol(token)
    assert (status, told["status"], told["message"], set(told["data"])) == (200, "success", SUCCESS, {"transaction_info"}), told
    check_info(told, "Enrolled")
    call = network.asked("enrol")[0].body
    month, year = EXPIRY.split("/")
    assert {name: call["card"][name] for name in ("number", "expirationMonth", "expirationYear")} == {"number": VISA, "expirationMonth": month, "expirationYear": year}
    assert call["billTo"] == {"address1": "Carrera 140", "locality": "Bogotá DC", "administrativeArea": "Bogotá", "postalCode": "110001", "country": "CO"}
    assert call["accountReferenceId"]
    shown = shop.wait_for_state(token, "ACTIVE")
    assert shown["expiration_date"] == "07/2033"


def test_second_address_line_and_security_code(shop, network):
    token = shop.new_card()
    slot = f"{{{{ {token}: detokenize }}}}"
    card = {"number": slot, "expiration_date": slot, "security_code": CVC}
    assert shop.ask_enrol(token, card=card, bill_to={**ADDRESS, "address_2": "Apto 1"})[0] == 200
    call = network.asked("enrol")[0].body
    assert (call["card"].get("securityCode"), call["billTo"]["address2"]) == (CVC, "Apto 1")


def test_security_code_from_a_temporal_token(shop, network):
    status, made = shop.ask("POST", "/v1/transactions", {"number": VISA, "expiration_date": EXPIRY, "cvc": CVC})
    assert status == 201, made
    token = shop.new_card()
    slot, temporal = f"{{{{ {token}: detokenize }}}}", f"{{{{ {made['data']['token']} : transaction }}}}"
    card = {"number": slot, "expiration_date": slot, "security_code": temporal}
    assert shop.ask_enrol(token, card=card)[0] == 200
    assert network.asked("enrol")[0].body["card"]["securityCode"] == CVC
    other = shop.new_card()
    status, told = shop.ask_enrol(other, card={**card, "number": f"{{{{ {other}: detokenize }}}}", "expiration_date": f"{{{{ {other}: detokenize }}}}"})
    assert status in (400, 422) and told["status"] == "fail", told  # it was used
    assert len(network.asked("enrol")) == 1


def test_already_enrolled(shop, network):
    token = shop.active()
    status, told = shop.ask_enrol(token)
    assert (status, told["status"], told["message"], set(told["data"])) == (409, "success", ALREADY, {"transaction_info"}), told
    check_info(told, "Already_enrolled")
    assert len(network.asked("enrol")) == 1


@pytest.mark.parametrize("reason", REASONS[:5])
def test_network_refuses(shop, network, reason):
    network.refused[MASTERCARD] = reason
    token = shop.new_card(MASTERCARD)
    status, told = shop.ask_enrol(token)
    assert (status, told["status"], told["message"]) == (409, "success", UNAVAILABLE), told
    check_info(told, "Not_enrolled")
    assert set(told["data"]) == {"transaction_info", "error_info"} and told["data"]["error_info"]["reason"] == "Unprovisioned"
    assert told["data"]["error_info"]["message"] == reason
    network.refused.clear()  # eligibility may change: a later attempt is one
    assert shop.ask_enrol(token)[0] == 200


def test_no_workflow_for_this_kind_of_card(make_shop, network):
    shop = make_shop(entry={"brands": ["visa"]}, routes=ROUTE)
    for pan in (MASTERCARD, AMEX):
        status, told = shop.ask_enrol(shop.new_card(pan))
        assert (status, told["status"], told["message"]) == (409, "success", NO_WORKFLOW), told
        check_info(told, "Not_enrolled")
        assert told["data"]["error_info"] == UNPROVISIONED
    assert not network.calls
    assert shop.ask_enrol(shop.new_card(VISA))[0] == 200


MISSING = ["transaction_info", "transaction_info.type", "card", "card.number", "card.expiration_date", "bill_to", "bill_to.address_1", "bill_to.city",
           "bill_to.state", "bill_to.postal_code", "bill_to.country"]


@pytest.mark.parametrize("path", MISSING)
def test_missing_fields(shop, network, path):
    body = shop.enrol_body(shop.veil.visa)
    held, names = body, path.split(".")
    for name in names[:-1]:
        held = held[name]
    del held[names[-1]]
    status, told = shop.ask("POST", "/v1/tokens/enroll", body)
    assert (status, told["status"], told["message"]) == (400, "fail", "Invalid request"), told
    assert told["data"]["description"] == "Some fields are missing in the request"
    assert told["data"]["path"] == path or told["data"]["path"].startswith(path + "."), told
    assert not network.calls


@pytest.mark.parametrize("path, value", [
    ("transaction_info.type", "payment"), ("card.number", "4111111111111111"), ("card.number", "{{ visa }}"), ("card.number", "visa"),
    ("card.number", "{{ visa : transaction }}"), ("card.number", "{{ visa : detokenize"), ("card.number", 5),
    ("card.number", "{{ 75899d7f-f138-4647-a247-5ba24a40ec01 : detokenize }}"), ("card.number", "{{ foreign : detokenize }}"),
    ("card.expiration_date", "12/2031"), ("card.expiration_date", "{{ mastercard : detokenize }}"), ("card.security_code", "12a"),
    ("bill_to.country", "Colombia"), ("bill_to.country", ""), ("bill_to.city", ""), ("bill_to.address_1", "x" * 101)])
@pytest.mark.may_print_secrets
def test_wrong_fields(shop, network, path, value):
    body = shop.enrol_body(shop.veil.visa)
    group, name = path.split(".")
    for known in ("visa", "mastercard", "foreign"):
        value = value.replace(f"{{{{ {known} ", f"{{{{ {getattr(shop.veil, known)} ") if isinstance(value, str) else value
    body[group][name] = shop.veil.visa if value == "visa" else value
    status, told = shop.ask("POST", "/v1/tokens/enroll", body)
    assert (status, told["status"]) == (400, "fail"), told
    assert told["data"]["path"].startswith("card." if group == "card" else path), told
    assert not network.calls and not find_secrets(json.dumps(told).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"card":{"number":"a","number":"b"}}'])
def test_what_is_no_enrolment(shop, network, body):
    status, told = shop.ask("POST", "/v1/tokens/enroll", body)
    assert status in (400, 415) and told["status"] == "fail" and not network.calls


def test_key_needs_its_permission(shop, network):
    without = shop.veil.make_key("shop", "--permit", PERMITS.replace("enroll,", ""))
    status, told = shop.ask_enrol(shop.veil.visa, key=without)
    assert (status, told["data"]["code"]) == (403, "KEY_PERMISSION"), told
    default = shop.veil.make_key("shop")
    assert shop.ask_enrol(shop.veil.visa, key=default)[0] == 403
    assert shop.ask_enrol(shop.veil.visa, key="cvk_none_none")[0] == 401
    assert not network.calls


def test_key_needs_its_address(shop, network):
    elsewhere = shop.veil.make_key("shop", "--permit", PERMITS, "--allow", "10.9.8.0/24")
    status, told = shop.ask_enrol(shop.veil.visa, key=elsewhere)
    assert (status, told["data"]["code"]) == (403, "KEY_ADDRESS"), told
    assert not network.calls


def test_service_must_be_activated(shop, network):
    key = shop.veil.make_key("other", "--permit", PERMITS)
    status, told = shop.ask_enrol(shop.veil.foreign, key=key)
    assert (status, told["data"]["code"]) == (403, "NETWORK_OFF"), told
    assert not network.calls


def test_network_is_down(make_shop, network):
    """The enrolment waits in the vault, and is made when the network is back."""
    shop = make_shop(routes=ROUTE)
    token = shop.new_card()
    network.stop_listening()
    assert shop.enrol(token) is None
    network.listen_again()
    shop.wait_for_state(token, "ACTIVE")
    assert len(network.of_card(VISA)) and len({call.body["accountReferenceId"] for call in network.asked("enrol")}) == 1


def test_answer_that_was_lost_is_asked_again_by_the_same_name(make_shop, network):
    shop = make_shop(routes=ROUTE)
    token = shop.new_card()
    network.mode = "forgetful"
    before = len(network.tokens)
    shop.ask_enrol(token)
    network.wait_call("enrol")
    network.mode = "well"
    shop.wait_for_state(token, "ACTIVE")
    assert len(network.tokens) == before + 1 and len({call.body["accountReferenceId"] for call in network.asked("enrol")}) == 1


def test_provisioning_goes_on_in_the_background(shop, network, processor):
    network.provisioning = None
    token = shop.new_card()
    made = shop.enrol(token)
    assert shop.state(token).get("status") != "ACTIVE"
    assert shop.credentials(token)[0] == 404
    assert shop.pay(token, "any").status == 200
    network.provision(made)
    shop.wait_for_state(token, "ACTIVE")
    status, told = shop.ask_enrol(token)
    assert (status, told["message"]) == (409, ALREADY)


def test_provisioning_that_fails_in_the_background(shop, network):
    network.provisioning = None
    token = shop.new_card()
    network.provision(shop.enrol(token), "UNPROVISIONED", "DECLINED")
    shown = shop.wait_for(token, lambda shown: shown.get("reason"), "refused")
    assert shown["reason"] == "DECLINED" and shop.credentials(token)[0] == 404


# --- payment credentials ---

def test_payment_credentials(shop, network):
    token = shop.active()
    status, told = shop.credentials(token)
    assert (status, told["status"]) == (200, "success"), told
    check_info(told, "Provisioned", "get_payment_credentials_response")
    held = told["data"]["network_token_info"]
    given = network.given[held["card"]["cryptogram"]]
    assert held == {"status": "ACTIVE", "eci": "07", "card": {"number": given.number, "expiration_month": given.month,
                                                              "expiration_year": given.year, "cryptogram": given.cryptogram}}
    assert shop.made[token].number == given.number
    assert not find_secrets(json.dumps(told).encode())  # no card number


def test_payment_credentials_are_fresh_each_time_and_of_one_answer(shop, network):
    network.varying = True
    token = shop.active()
    seen = []
    for _ in range(6):
        held = shop.credentials(token)[1]["data"]["network_token_info"]
        card = held["card"]
        assert network.judge(card["number"], card["expiration_month"], card["expiration_year"], card["cryptogram"], held["eci"]) == ""
        seen.append(card["cryptogram"])
    assert len(set(seen)) == 6


@pytest.mark.parametrize("state", ["none", "pending", "refused", "SUSPENDED", "DELETED"])
def test_no_payment_credentials(shop, network, state):
    token = shop.new_card()
    if state == "pending":
        network.provisioning = None
        shop.enrol(token)
    elif state == "refused":
        network.refused[VISA] = "DECLINED"
        assert shop.ask_enrol(token)[0] == 409
    elif state != "none":
        shop.made[token] = shop.enrol(token)
        shop.wait_for_state(token, "ACTIVE")
        shop.changed(token, state)
        shop.wait_for_state(token, state)
    given = len(network.given)
    status, told = shop.credentials(token)
    assert (status, told["status"], told["message"]) == (404, "fail", "No active network token found"), told
    assert "card" not in told["data"].get("network_token_info", {}) and len(network.given) == given


def test_payment_credentials_of_nothing(shop):
    assert shop.credentials("75899d7f-f138-4647-a247-5ba24a40ec01")[0] == 404
    assert shop.credentials(shop.veil.foreign)[0] == 404


def test_payment_credentials_need_a_permission_of_their_own(shop, network):
    token = shop.active()
    status, told = shop.credentials(token, key=shop.veil.make_key("shop", "--permit", PERMITS.replace(",credentials", "")))
    assert (status, told["data"]["code"]) == (403, "KEY_PERMISSION"), told
    assert not network.asked("credentials")


def test_payment_credentials_have_an_audit_line(shop):
    token = shop.active()
    path = next(shop.veil.folder.glob("vault/audit*"))
    before = path.read_text(errors="replace")
    assert shop.credentials(token)[0] == 200
    added = path.read_text(errors="replace")[len(before):]
    assert any(token in line and "credentials" in line for line in added.splitlines()), added
    shop.veil.cli("vault", "verify")


def test_answer_is_not_to_be_cached(shop):
    token = shop.active()
    answer = shop.veil.ask("GET", f"/v1/tokens/{token}/payment-credentials", [("x-api-key", shop.key)], how="keyed")
    assert (answer.status, answer.get("cache-control")) == (200, "no-store")


# --- how the network is reached ---

@pytest.mark.parametrize("auth", ["http-signature", "jwt-secret", "jwt-key"])
def test_each_kind_of_signature(make_shop, own_network, session_folder, auth):
    own_network.auth = auth
    entry = {"jwt_key": secret_file(session_folder, own_network.jwt_pem), "secret": None} if auth == "jwt-key" else {}
    shop = make_shop(of=own_network, entry=entry, routes=ROUTE)
    assert shop.credentials(shop.active())[0] == 200
    assert {call.kind for call in own_network.calls} >= {"enrol", "credentials"}  # each was verified, or is a fault


@pytest.mark.parametrize("before, after", [("jwt-secret", "jwt-key"), ("jwt-key", "jwt-secret"), ("http-signature", "jwt-key")])
def test_kind_of_signature_changes_with_a_reload(make_shop, own_network, session_folder, before, after):
    """Once the reload is told, no call is signed as before: the network would refuse it."""
    own_network.auth = before
    key = secret_file(session_folder, own_network.jwt_pem)
    shop = make_shop(of=own_network, entry={"jwt_key": key, "secret": None} if before == "jwt-key" else {}, routes=ROUTE)
    token = shop.active()
    entry, own_network.auth = shop.veil.config["networks"][0], after
    for name in ("jwt_key", "secret"):
        entry.pop(name, None)
    entry |= {"auth": after} | ({"jwt_key": key} if after == "jwt-key" else {"secret": secret_file(session_folder, own_network.secret)})
    shop.veil.write_config()
    shop.veil.reload()
    own_network.calls.clear()
    assert shop.credentials(token)[0] == 200
    assert shop.credentials(shop.active())[0] == 200
    algorithms = {json.loads(from_b64url(call.request.get("authorization").split()[1].split(".")[0]))["alg"] for call in own_network.calls}
    assert algorithms == {"RS256" if after == "jwt-key" else "HS256"}


def test_profile_and_path_of_the_network(make_shop, own_network):
    own_network.profile, own_network.prefix = "93B32398-AD51-4CC2-A682-EA3E93614EB1", "/gate"
    shop = make_shop(of=own_network, entry={"profile_id": own_network.profile}, routes=ROUTE)
    assert shop.credentials(shop.active())[0] == 200


@pytest.fixture
def secure_network(watch, certificates):
    yield from watched(watch, Network(certs=str(CERTS)))


def test_network_over_tls(make_shop, secure_network):
    shop = make_shop(of=secure_network, entry={"ca": CERTS / "ca.pem"}, routes=ROUTE)
    for _ in range(4):
        assert shop.credentials(shop.active())[0] == 200
    assert secure_network.connections < len(secure_network.calls), "no connection was used again"


def test_removed_card_takes_its_network_token_along(shop, network):
    token = shop.active()
    assert shop.ask("DELETE", f"/v1/tokens/{token}")[0] == 200
    call = network.wait_call("delete")[0]
    assert call.token is shop.made[token] and call.body["reason"]["code"] == "PAYMENT_METHOD_REMOVED"


def test_no_key_of_the_network_reaches_a_relay(shop, network):
    token = shop.active()
    assert shop.credentials(token)[0] == 200
    parts = {"secret": network.secret, "notice key": network.notice_key, "answer key": network.answer_pem.split(b"\n")[5],
             "webhook secret": shop.receiver.secret}
    roles = shop.veil.roles()
    for name, pid in roles.items():
        if name != "registrar":
            assert scan_memory(pid, parts) == [], name
    assert scan_memory(roles["registrar"], parts) != [], "the registrar has them: else this test finds nothing"
