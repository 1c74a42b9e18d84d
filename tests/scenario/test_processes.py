# SPDX-License-Identifier: Apache-2.0
"""Supervisor, keeper, relays, registrar: reload, drain, restart after kill -9 under load, privileges, and what a relay's memory
holds."""

import collections
import ctypes
import errno
import json
import os
import re
import signal
import socket
import stat
import threading
import time

import pytest

import payments
import processor as answers
from client import request
from leaks import VISA, scan_memory
from payments import BASIC, JSON, REDE, card
from shop import told
from wire import Broken


def pay(veil, reference="r", how="plain", **more):
    return veil.ask("POST", REDE, [JSON, BASIC], payments.rede_template(veil.visa, reference=reference), how=how, **more)


def status_of(pid):
    return dict(line.split(":", 1) for line in open(f"/proc/{pid}/status", encoding="ascii").read().splitlines())


# --- what a role is ---

def test_roles_and_their_rights(world):
    roles = world.wait_roles(lambda now: {"keeper", "registrar"} <= set(now) and any(name.startswith("relay") for name in now))
    for name, pid in roles.items():
        status = status_of(pid)
        assert status["NoNewPrivs"].strip() == "1", name
        assert status["Seccomp"].strip() == "2", name
        assert int(status["CapEff"], 16) == 0, (name, status["CapEff"])
        limits = open(f"/proc/{pid}/limits", encoding="ascii").read()
        assert re.search(r"Max core file size +0 +0 ", limits), (name, limits)
        if os.geteuid() == 0 and not name.startswith("keeper"):
            assert status["Uid"].split()[0] != "0", name


def test_a_relay_has_no_file_of_the_vault(world):
    for pid in world.relays():
        held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert not [name for name in held if "vault" in name], held
        assert "data.mdb" not in open(f"/proc/{pid}/maps", encoding="ascii").read()


def test_the_keeper_has_no_network(world):
    pid = world.roles()["keeper"]
    sockets = {os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1] for fd in os.listdir(f"/proc/{pid}/fd")
               if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")}
    internet = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        internet |= {line.split()[9] for line in open(f"/proc/{pid}/net/{table}", encoding="ascii").read().splitlines()[1:]}
    assert not sockets & internet


def test_the_audit_trail_tells_of_its_writer(make_cardveil, processor):
    """PCI DSS 10.2.1.6: starting and stopping of the audit log; 10.2.1.5: changes of who may do what."""
    veil = make_cardveil()
    trail = veil.folder / "vault" / "audit.log"
    assert pay(veil).status == 200
    veil.reload()
    for _ in range(100):
        if "config.reload" in trail.read_text():
            break
        time.sleep(0.05)
    start = veil.mark()
    os.kill(veil.roles()["keeper"], signal.SIGKILL)
    veil.wait_line(lambda line: line.get("event") == "sandbox" and line.get("process") == "keeper", start)
    veil.wait_roles(lambda now: "keeper" in now)
    veil.stop()
    lines = [json.loads(line) for line in trail.read_text().splitlines()]
    told = [line["action"] for line in lines if line["actor"] == "keeper"]
    assert told == ["keeper.start", "config.reload", "keeper.start", "keeper.stop"], told
    assert [line["action"] for line in lines].index("keeper.start") < [line["action"] for line in lines].index("reveal")


@pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's environment")
def test_a_key_in_the_environment_stays_with_the_keeper(make_cardveil, processor):
    """env: the variable is gone from every environment once it was read, and each new keeper has it all the same."""
    key = os.urandom(32).hex()
    veil = make_cardveil(more={"vault": {"path": "vault", "key": "env:CARDVEIL_KEK"}}, environment={"CARDVEIL_KEK": key})
    veil.secrets.append(key.encode())
    wanted = {"the key": key.encode(), "its bytes": bytes.fromhex(key)}
    for _ in range(2):
        roles = veil.wait_roles(lambda now: {"keeper", "registrar"} <= set(now) and any(name.startswith("relay") for name in now))
        assert pay(veil).status == 200
        for name, pid in {"supervisor": veil.process.pid, **roles}.items():
            assert key.encode() not in open(f"/proc/{pid}/environ", "rb").read(), name
            if name == "keeper" and "libasan" not in open(f"/proc/{pid}/maps", encoding="ascii").read():  # which copies its environment
                assert scan_memory(pid, {"the key": key.encode()}) == [], "its text"
            if name not in ("keeper", "supervisor"):
                assert scan_memory(pid, wanted) == [], name
        start = veil.mark()
        os.kill(roles["keeper"], signal.SIGKILL)
        veil.wait_line(lambda line: line.get("event") == "sandbox" and line.get("process") == "keeper", start)
        for _ in range(100):
            if pay(veil).status == 200:
                break
            time.sleep(0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")
def test_memory_of_a_relay(make_cardveil, processor):
    veil = make_cardveil()
    for number in range(30):
        assert pay(veil, f"m-{number}").status == 200
        assert pay(veil, f"t-{number}", how="tls", host="localhost").status == 401
    key_file = (veil.folder / "vault.key").read_text().strip()
    wanted = {"the vault's key as text": key_file.encode(), "the card number": VISA.encode()}
    try:
        wanted["the vault's key"] = bytes.fromhex(key_file)
    except ValueError:
        pass
    time.sleep(0.3)
    for pid in veil.relays():
        assert scan_memory(pid, wanted) == []
    keeper = scan_memory(veil.roles()["keeper"], {"the card number": VISA.encode()})
    assert keeper == [], "a card number stays in the keeper's memory"


# --- reload ---

def test_reload_takes_up_a_new_route(make_cardveil, processor):
    veil = make_cardveil()
    assert veil.ask("GET", "/late/x").status == 404
    veil.config["routes"].append({"name": "late", "rules": "passthrough", "prefix": "/late", "upstream": processor.url})
    veil.write_config()
    assert veil.reload()["event"] == "reloaded"
    for _ in range(20):
        if veil.ask("GET", "/late/x").status == 200:
            break
        time.sleep(0.05)
    assert veil.ask("GET", "/late/x").status == 200


def test_reload_of_a_bad_file_changes_nothing(make_cardveil, processor):
    veil = make_cardveil()
    good = veil.file.read_text()
    for bad in (good.replace("prefix: /rede", "prefux: /rede"), "routes: [", good.replace("rules: rede", "rules: none_such")):
        veil.file.write_text(bad)
        line = veil.reload()
        assert line["level"] == "error" and "failed" in line["event"], line
        assert pay(veil).status == 200
    veil.file.write_text(good)
    assert veil.reload()["event"] == "reloaded"
    assert pay(veil).status == 200


def test_reload_of_rules(make_cardveil, processor):
    veil = make_cardveil()
    rules = veil.folder / "rules" / "rede.yaml"
    text = rules.read_text()
    rules.write_text(text.replace("- POST /erede/v1/transactions", "- POST /erede/v9/transactions"))
    assert veil.reload()["event"] == "reloaded"
    for _ in range(20):
        if pay(veil).status == 404:
            break
        time.sleep(0.05)
    assert pay(veil).status == 404


def test_reload_under_load_loses_nothing(make_cardveil, processor):
    veil = make_cardveil()
    load = Load(veil, 4)
    for _ in range(10):
        veil.reload()
        time.sleep(0.1)
    load.stop()
    assert set(load.statuses) == {200}, load.statuses
    check_each_once(processor, load)


# --- drain ---

def test_drain_finishes_what_runs(make_cardveil, processor):
    veil = make_cardveil()
    processor.default = answers.slow(1.5)
    with veil.client() as busy, veil.client() as idle:
        busy.send(request("POST", REDE, [JSON, BASIC], payments.rede_template(veil.visa)))
        assert idle.ask("GET", "/nowhere").status == 404
        processor.wait_for(1)
        veil.terminate()
        answer = busy.read_answer()
        assert answer.status == 200
        assert busy.is_closed() and idle.is_closed()
    assert veil.wait_end() == 0


def test_drain_stops_accepting(make_cardveil, processor):
    veil = make_cardveil()
    processor.default = answers.slow(2)
    with veil.client() as busy:
        busy.send(request("POST", REDE, [JSON, BASIC], payments.rede_template(veil.visa)))
        processor.wait_for(1)
        start = veil.mark()
        veil.terminate()
        veil.wait_event("draining", start=start)
        time.sleep(0.3)
        with pytest.raises((OSError, Broken)):
            veil.ask("GET", "/nowhere")
        assert busy.read_answer().status == 200
    assert veil.wait_end() == 0


def test_drain_has_an_end(make_cardveil, processor):
    veil = make_cardveil(more={"drain": "1s"})
    processor.default = answers.slow(30)
    with veil.client() as busy:
        busy.send(request("POST", REDE, [JSON, BASIC], payments.rede_template(veil.visa)))
        processor.wait_for(1)
        veil.terminate()
        veil.wait_end(20)


# --- kill -9 ---

class Load:
    """Clients that pay without pause, each payment with its own reference, and never repeat one."""

    def __init__(self, veil, clients):
        self.veil, self.stopping = veil, threading.Event()
        self.statuses, self.lock = collections.Counter(), threading.Lock()
        self.wrong, self.sent = [], []
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def _note(self, status):
        with self.lock:
            self.statuses[status] += 1

    def _run(self, number):
        client, count = None, 0
        while not self.stopping.is_set():
            count += 1
            reference = f"c{number}-{count}"
            try:
                client = client or self.veil.client()
                self.sent.append(reference)
                answer = client.ask("POST", REDE, [JSON, BASIC], payments.rede_template(self.veil.visa, reference=reference))
                self._note(answer.status)
                if answer.status == 200 and answer.body != answers.APPROVED:
                    self.wrong.append(answer)
                time.sleep(0.002)  # the record of a long run stays small
                if answer.get("connection") == "close":
                    client.close()
                    client = None
            except (OSError, Broken):
                self._note("cut off")
                if client:
                    client.sock.close()
                client = None
                time.sleep(0.01)
        if client:
            client.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.wrong, self.wrong[:3]


def check_each_once(processor, load):
    """No payment reached the processor twice, and every one that arrived whole had the card number in its place."""
    seen = collections.Counter()
    for got in processor.requests:
        if not got.complete:
            continue
        reference = json.loads(got.body)["reference"]
        seen[reference] += 1
        assert got.body == payments.rede_plain(VISA, reference=reference)
    assert [reference for reference, count in seen.items() if count > 1] == []
    assert {reference for reference in seen if not reference.startswith("well-")} <= set(load.sent)
    assert seen, "no load at all"


ROUNDS = [pytest.param(3, id="short"), pytest.param(40, id="long", marks=pytest.mark.long)]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_kill_the_keeper_under_load(make_cardveil, processor, rounds):
    veil = make_cardveil()
    load = Load(veil, 4)
    for _ in range(rounds):
        time.sleep(0.4)
        old = veil.roles()["keeper"]
        os.kill(old, signal.SIGKILL)
        veil.wait_roles(lambda roles: roles.get("keeper", old) != old)
    wait_until_well(veil)
    load.stop()
    assert set(load.statuses) <= {200, 503}, load.statuses
    assert load.statuses[200], load.statuses
    check_each_once(processor, load)
    veil.cli("vault", "verify")


@pytest.mark.parametrize("rounds", ROUNDS)
def test_kill_a_relay_under_load(make_cardveil, processor, rounds):
    veil = make_cardveil(workers=2)
    load = Load(veil, 6)
    for _ in range(rounds):
        time.sleep(0.4)
        old = veil.relays()[0]
        os.kill(old, signal.SIGKILL)
        veil.wait_roles(lambda roles: old not in roles.values() and sum(name.startswith("relay") for name in roles) == 2)
    wait_until_well(veil)
    load.stop()
    assert set(load.statuses) <= {200, 503, "cut off"}, load.statuses
    check_each_once(processor, load)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_kill_everything_while_tokens_are_made(make_cardveil, processor, rounds):
    """Every token that was answered exists afterwards and opens."""
    veil = make_cardveil()
    made = []
    for turn in range(rounds):
        stopping = threading.Event()

        def create(turn=turn, stopping=stopping):
            number = 0
            while not stopping.is_set():
                number += 1
                body = json.dumps({"number": VISA, "expiration_date": "12/31", "holder": f"T {turn} {number}", "unique": True}).encode()
                try:
                    answer = veil.ask("POST", "/v1/tokens", [JSON, ("x-api-key", veil.key)], body, how="keyed")
                except (OSError, Broken):
                    return
                if answer.status == 201:
                    made.append((json.loads(answer.body)["data"]["token"], f"T {turn} {number}"))
        threads = [threading.Thread(target=create) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        veil.kill()
        stopping.set()
        for thread in threads:
            thread.join()
        veil.cli("vault", "verify")
        veil.start()
    assert len(made) >= rounds
    for token, holder in made[-200:]:
        body = f'{{"n":"{{{{ {token} : detokenize }}}}","h":"{{{{ {token} : detokenize | extract:name }}}}"}}'.encode()
        answer = veil.ask("POST", "/any/x", [JSON], body)
        assert answer.status == 200, answer
        assert processor.requests[-1].body == f'{{"n":"{VISA}","h":"{holder}"}}'.encode()


def test_kill_the_supervisor_ends_everything(make_cardveil, processor):
    veil = make_cardveil()
    roles = veil.roles()
    os.kill(veil.process.pid, signal.SIGKILL)
    veil.process.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(os.path.exists(f"/proc/{pid}") for pid in roles.values()):
        time.sleep(0.1)
    assert not [name for name, pid in roles.items() if os.path.exists(f"/proc/{pid}")]
    veil.start()
    wait_until_well(veil)


def wait_until_well(veil):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if pay(veil, f"well-{time.monotonic_ns()}").status == 200:
                return
        except (OSError, Broken):
            pass
        time.sleep(0.1)
    raise AssertionError("it does not recover")


def test_keeper_away_is_a_clear_503(make_cardveil, processor):
    veil = make_cardveil(more={"deadlines": {"keeper": "500ms"}})
    assert pay(veil).status == 200
    keeper = veil.roles()["keeper"]
    os.kill(keeper, signal.SIGSTOP)
    try:
        answer = pay(veil)
        assert answer.status == 503, answer
        assert json.loads(answer.body)["data"]["code"] in ("KEEPER_SLOW", "KEEPER_AWAY")
        assert len(processor.requests) == 1
    finally:
        os.kill(keeper, signal.SIGCONT)
    wait_until_well(veil)


def test_processor_killed_at_each_point(make_cardveil, processor):
    """Reset before the head, after it, in the answer: each ends this exchange only."""
    veil = make_cardveil()
    for script in (answers.reset_before_reading, answers.reset_after_reading, answers.no_answer, answers.cut_in_body):
        processor.script("/x", script)
        try:
            answer = veil.ask("POST", "/any/x", [JSON], b'{"a":1}')
            assert answer.status in (502, 504), answer
        except (Broken, ConnectionError):
            pass
        processor.script("/x", answers.reply())
        assert veil.ask("POST", "/any/x", [JSON], b'{"a":1}').status == 200


# --- many requests: descriptors and memory stay ---

def resources(pids):
    fds = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
    kib = sum(int(status_of(pid)["RssAnon"].split()[0]) for pid in pids)
    return fds, kib


@pytest.mark.parametrize("count", [pytest.param(3000, id="short"), pytest.param(1000000, id="long", marks=pytest.mark.long)])
def test_many_requests_leave_nothing_behind(make_cardveil, processor, count):
    veil = make_cardveil(environment={"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1:exitcode=99"})
    veil.keeping = count < 100000

    def run(amount):
        batch = 50
        data = request("POST", REDE, [JSON, BASIC], payments.rede_template(veil.visa)) * batch
        with veil.client() as client:
            for _ in range(amount // batch):
                client.send(data)
                for _ in range(batch):
                    assert client.read_answer().status == 200
                with processor.changed:
                    processor.requests.clear()
    run(count // 3)
    pids = list(veil.roles().values())
    before = resources(pids)
    run(count)
    after = resources(pids)
    assert after[0] <= before[0] + 2, (before, after)
    assert after[1] <= before[1] * 1.2 + 4096, (before, after)


def test_token_made_elsewhere_reaches_every_relay(make_cardveil, processor):
    veil = make_cardveil(workers=2)
    token = veil.make_tokens([card("4012888888881881")])[0]
    for _ in range(10):
        answer = veil.ask("POST", "/any/x", [JSON], f'{{"n":"{{{{ {token} : detokenize }}}}"}}'.encode())
        assert answer.status == 200, answer


# --- a breach of the protocol between them ---

PIDFD_GETFD = 438  # the system call; glibc has no wrapper that Python could call


def say_noise(pid):
    """Sends what is no frame through every pair that a role holds, as if it said so itself; but for 3, its line to the supervisor."""
    libc, held = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            copy = libc.syscall(PIDFD_GETFD, held, int(name), 0) if name != "3" else -1
            if copy < 0 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
                pytest.skip("another process's descriptors are not to be had here")
            if copy < 0 or not stat.S_ISSOCK(os.fstat(copy).st_mode):
                if copy >= 0:
                    os.close(copy)
                continue
            with socket.socket(fileno=copy) as pair:
                if (pair.family, pair.type & ~socket.SOCK_NONBLOCK) == (socket.AF_UNIX, socket.SOCK_SEQPACKET):
                    pair.send(b"no frame, but as long as one would be: " * 4)
    finally:
        os.close(held)


def wait_token_payment(shop, token):
    """A network token goes out again; until then each answer is one that a caller may try again."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            answer = shop.pay(token)
        except (OSError, Broken):
            continue
        if answer.status == 200 and told(answer) == ("NETWORK_TOKEN", None):
            return
        assert answer.status in (200, 503), answer
        time.sleep(0.05)
    raise AssertionError("no network token goes out any more")


@pytest.mark.parametrize("speaker, ended", [("registrar", {"registrar"}), ("relay", {"relay"}), ("keeper", {"registrar", "relay"})])
def test_a_breach_of_the_protocol_heals(make_shop, speaker, ended):
    """Whoever breaks it, it is never the keeper that is ended; the others come back with a new connection. Again and again."""
    shop = make_shop(routes={"tried": ("tried", {"volume": "100%", "budget": "30s"})})
    token = shop.active()

    def pids():
        return {name.rstrip("0123456789"): pid for name, pid in shop.veil.roles().items()}
    for _ in range(3):
        before = pids()
        say_noise(before[speaker])
        shop.veil.wait_roles(lambda _: all(pids().get(role, before[role]) != before[role] for role in ended))
        wait_token_payment(shop, token)
        after = pids()
        assert {role for role in before if after[role] != before[role]} == ended
