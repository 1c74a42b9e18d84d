# SPDX-License-Identifier: Apache-2.0
"""CVCs that were found in messages: in the keeper's memory and nowhere else, for one authorisation, and for messages that went on."""

import json
import os
import signal
import time

import pytest

from cardveil import free_port
from inbound import RULES, aliases, booking, guest, inbound_routes, no_card_in
from leaks import MASTERCARD, VISA, find_in_folder, scan_memory
from payments import JSON
from processor import reply
from test_inbound import pushed
from wire import PATIENCE, Broken

HOLDER_BYTES = 128
TEMPORAL = "cardveil_temporal_tokens"


def routes(processor):
    made = inbound_routes(processor.url)
    push = {"rules": "booking", "merchant": "shop", "direction": "filter-push"}
    return made + [{**push, "name": "nobody", "prefix": "/nobody", "upstream": f"http://127.0.0.1:{free_port()}"},
                   {**push, "name": "brief", "prefix": "/brief", "upstream": processor.url, "cvc_ttl": "1s"}]


def code(answer):
    return json.loads(answer.body)["data"]["code"]


def comes_to(veil, count):
    """So many temporal tokens are in the keeper's memory, now or soon: an exchange's end is told after its answer."""
    deadline = time.monotonic() + PATIENCE
    while veil.metric(TEMPORAL) != count:
        assert time.monotonic() < deadline, f"{veil.metric(TEMPORAL)} temporal tokens, not {count}"
        time.sleep(0.02)


def pay(veil, *slots):
    """Asked again while the keeper is being restarted."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = veil.ask("POST", "/pay/charge", [JSON], json.dumps(slots).encode())
            if answer.status != 503 or time.monotonic() > deadline:
                return answer
        except (OSError, Broken):
            assert time.monotonic() < deadline
        time.sleep(0.05)


def number_of(alias):
    return f"{{{{ {alias} : detokenize }}}}"


def cvc_of(alias):
    return f"{{{{ {alias} : transaction | extract:cvv }}}}"


def test_only_what_went_on_is_kept(make_cardveil, processor):
    """Room for one CVC of this merchant: whatever leaves one behind shows."""
    veil = make_cardveil(routes(processor), own_rules=RULES, more={"limits": {"temporal_tokens": 2}})
    two = booking(guest(), guest(MASTERCARD))
    for _ in range(3):
        answer = veil.ask("POST", "/in/bookings", [JSON], two)
        assert (answer.status, code(answer), answer.get("retry-after")) == (503, "TEMPORAL_FULL", "1"), answer
        assert not processor.requests
        comes_to(veil, 0)
    processor.script("/bookings/7", reply(200, two))
    for _ in range(3):
        answer = veil.ask("GET", "/pull/bookings/7")
        assert (answer.status, code(answer)) == (502, "TEMPORAL_FULL") and no_card_in(answer.raw), answer
        comes_to(veil, 0)
    assert veil.ask("POST", "/nobody/bookings", [JSON], booking(guest())).status in (502, 503)
    comes_to(veil, 0)
    processor.forget()
    processor.script("/bookings", reply(500, b"{}"))  # it has read it: who knows what it keeps
    assert veil.ask("POST", "/in/bookings", [JSON], booking(guest())).status == 500
    (alias, cvc), = aliases(processor.only().body)
    comes_to(veil, 1)
    assert veil.ask("POST", "/in/bookings", [JSON], booking(guest())).status == 503
    assert pay(veil, number_of(alias), cvc_of(cvc)).status == 200
    comes_to(veil, 0)
    processor.script("/bookings/8", reply(200, booking(guest())))
    (_, cvc), = aliases(veil.ask("GET", "/pull/bookings/8").body)
    comes_to(veil, 1)
    assert pay(veil, cvc_of(cvc)).status == 200


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_restart_ends_every_cvc(make_cardveil, processor, how):
    veil = make_cardveil(routes(processor), own_rules=RULES)
    holder, cvc = "YOLANDA UNDERHILL", "6183"
    veil.secrets.append(holder.encode())  # stands beside the CVC wherever that is: no file or log may have it
    _, seen = pushed(veil, processor, booking(guest(VISA, cvc, holder)))
    (number, alias), = aliases(seen.body)
    comes_to(veil, 1)
    if how == "killed":
        old = veil.roles()["keeper"]
        os.kill(old, signal.SIGKILL)
        veil.wait_roles(lambda roles: roles.get("keeper", old) != old)
    else:
        assert veil.stop() == 0
        veil.start()
    processor.forget()
    answer = pay(veil, number_of(number), cvc_of(alias))
    assert (answer.status, code(answer)) == (422, "TOKEN_EXPIRED") and b"kept in memory only" in answer.body, answer
    assert not processor.requests
    comes_to(veil, 0)
    assert pay(veil, number_of(number)).status == 200
    assert json.loads(processor.only().body) == [VISA]
    assert not find_in_folder(veil.folder, [holder.encode(), f'"{cvc}"'.encode()], skip=("cards.ndjson",))


def record(holder, cvc):
    """As it stands in the keeper's table: the holder, filled up with zeros, then the CVC behind its length."""
    return holder.encode().ljust(HOLDER_BYTES + 1, b"\0") + bytes([len(cvc)]) + cvc.encode()


def mapping_of(pid, secret):
    """VmFlags of the mapping that has it."""
    spans, flags = [], {}
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if "-" in words[0] and len(words) >= 5 and not words[0].endswith(":"):
                spans.append(tuple(int(part, 16) for part in words[0].split("-")))
            elif words[0] == "VmFlags:":
                flags[spans[-1]] = words[1:]
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for (start, end), has in flags.items():
            if "wr" not in has or end - start > 1 << 24:
                continue
            memory.seek(start)
            if secret in memory.read(end - start):
                return has
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")
def test_a_memory_image_has_no_cvc_that_is_over(make_cardveil, processor):
    """Used, over, or of a message that went nowhere: in no role's memory. One that waits is in memory that no core dump has."""
    veil = make_cardveil(routes(processor), own_rules=RULES, environment={"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1:exitcode=99"})
    cards = {"used": ("YOLANDA UNDERHILL", "6183"), "over": ("XAVIER OVERBURY", "5926"), "nowhere": ("WALBURGA NETTLESHIP", "4817"),
             "waits": ("VALENTIN WATERHOUSE", "8261")}
    paths = {"over": "/brief/bookings", "nowhere": "/nobody/bookings"}
    veil.secrets += [holder.encode() for holder, _ in cards.values()]
    for name, (holder, cvc) in cards.items():
        answer = veil.ask("POST", paths.get(name, "/in/bookings"), [JSON], booking(guest(VISA, cvc, holder)))
        assert (answer.status == 200) == (name != "nowhere"), answer
    used = aliases(processor.requests[0].body)[0][1]
    assert pay(veil, cvc_of(used), f"{{{{ {used} : transaction | extract:name }}}}").status == 200
    comes_to(veil, 1)
    keeper = veil.roles()["keeper"]
    frames = {f"frame: {name}": (holder + cvc).encode() for name, (holder, cvc) in cards.items()}
    assert scan_memory(keeper, frames | {name: record(*card) for name, card in cards.items()}) == ["waits"]
    assert "dd" in mapping_of(keeper, record(*cards["waits"]))  # MADV_DONTDUMP
    bodies = {name: f'"cvc": "{cvc}"'.encode() for name, (_, cvc) in cards.items()}
    for pid in veil.relays():
        assert scan_memory(pid, frames | bodies) == []
    assert not find_in_folder(veil.folder, list(bodies.values()), skip=("cards.ndjson",))
