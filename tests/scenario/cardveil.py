# SPDX-License-Identifier: Apache-2.0
"""Starts the real program with a real vault in a folder of its own, and watches everything it prints."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

from client import Client
from leaks import find_secrets
from wire import PATIENCE

ROOT = pathlib.Path(__file__).resolve().parents[2]
CERTS = ROOT / "certs" / "dev"
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99"}


def binary():
    return os.environ.get("CARDVEIL", str(ROOT / "build" / "sanitize" / "src" / "cli" / "cardveil"))


GIVEN = set()


def free_port():
    """A port that is free now and that nobody in this run was given before."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def to_yaml(value, indent=0):
    """Plain block YAML, as people write it."""
    pad, lines = " " * indent, []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{pad}{key}:", to_yaml(item, indent + 2)]
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            lines.append(f"{pad}{key}:")
            for entry in item:
                block = to_yaml(entry, indent + 4).split("\n")
                lines += [f"{pad}  - {block[0].strip()}", *block[1:]]
        elif isinstance(item, list):
            lines.append(f"{pad}{key}: [ {', '.join(str(entry) for entry in item)} ]")
        else:
            lines.append(f"{pad}{key}: {item}")
    return "\n".join(lines)


class Cardveil:
    """One 'cardveil serve' with its vault. Ports: .plain stands for merchant shop; .keyed is plain and wants an API key; .tls
    wants one too; .admin."""

    def __init__(self, folder, routes, more=None, rules=None, workers=1, environment=None):
        self.folder = pathlib.Path(folder)
        self.plain, self.keyed, self.tls, self.admin = (free_port() for _ in range(4))
        self.config = {
            "vault": {"engine": "lmdb", "path": "vault", "key": "file:vault.key"},
            "listen": [
                {"at": f"127.0.0.1:{self.plain}", "merchant": "shop"},
                {"at": f"127.0.0.1:{self.keyed}"},
                {"at": f"127.0.0.1:{self.tls}", "tls": {"certificate": CERTS / "server.pem", "key": CERTS / "server.key"}},
            ],
            "admin": f"127.0.0.1:{self.admin}",
            "merchants": [{"name": "shop"}, {"name": "other"}],
            "workers": workers,
            "routes": routes,
            **(more or {}),
        }
        for name, text in (rules or {}).items():
            (self.folder / "rules").mkdir(exist_ok=True)
            (self.folder / "rules" / f"{name}.yaml").write_text(text)
        self.environment = {**os.environ, **SANITIZERS, **(environment or {})}
        self.printed = []      # bytes of every command and of serve, for the search for secrets
        self.secrets = []      # API keys made here
        self.lines = []        # serve's stderr, parsed
        self.keeping = True    # False: its lines are searched for secrets and dropped, for runs of a million requests
        self.found = []
        self.changed = threading.Condition()
        self.process = self.collector = None
        self.write_config()

    @property
    def file(self):
        return self.folder / "cardveil.yaml"

    def write_config(self):
        self.file.write_text(to_yaml(self.config) + "\n")

    # --- commands ---

    def cli(self, *args, stdin=None, check=True, secret_output=False, config=True):
        command = [binary(), *map(str, args)] + (["-c", str(self.file)] if config else [])
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=300, env=self.environment, cwd=self.folder, check=False)
        self.printed.append(done.stderr)
        if not secret_output:
            self.printed.append(done.stdout)
        if check:
            assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stderr.decode(errors='replace')}"
        return done

    def make_vault(self):
        self.cli("vault", "init")

    def make_key(self, merchant="shop", *more):
        key = self.cli("key", "create", "--merchant", merchant, *more, secret_output=True).stdout.decode().strip().split()[-1]
        self.secrets += [key.encode(), key.rsplit("_", 1)[-1].encode()]
        return key

    def make_tokens(self, cards, merchant="shop"):
        lines = "".join(json.dumps(card) + "\n" for card in cards)
        out = self.cli("token", "create", "--merchant", merchant, stdin=lines.encode()).stdout.decode()
        tokens = out.split()
        assert len(tokens) == len(cards), out
        return tokens

    # --- serve ---

    def start(self):
        start = self.mark()
        self.process = subprocess.Popen([binary(), "serve", "-c", str(self.file)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=self.environment, cwd=self.folder, start_new_session=True)
        self.collector = threading.Thread(target=self._collect, args=(self.process,), daemon=True)
        self.collector.start()
        self.wait_event("serving", start=start)
        return self

    def _collect(self, process):
        batch = []
        for line in process.stdout:
            if not self.keeping:
                batch.append(line)
                if len(batch) == 5000:
                    self.found += find_secrets(b"".join(batch), self.secrets)
                    batch.clear()
                continue
            try:
                parsed = json.loads(line)
            except ValueError:
                parsed = {"event": "unparsed", "text": line.decode(errors="replace")}
            with self.changed:
                self.printed.append(line)
                self.lines.append(parsed)
                self.changed.notify_all()
        self.found += find_secrets(b"".join(batch), self.secrets)
        with self.changed:
            self.lines.append({"event": "output ended"})
            self.changed.notify_all()

    def wait_line(self, wanted, start=0, seconds=PATIENCE):
        """The first log line from <start> on for which wanted(line) holds."""
        def find():
            return next((line for line in self.lines[start:] if wanted(line)), None)
        with self.changed:
            self.changed.wait_for(lambda: find() is not None or self.lines[start:][-1:] == [{"event": "output ended"}], seconds)
            found = find()
        assert found is not None, "no such log line in:\n" + "\n".join(map(str, self.lines[-60:]))
        return found

    def wait_event(self, *events, start=0):
        return self.wait_line(lambda line: line.get("event") in events, start)

    def mark(self):
        with self.changed:
            return len(self.lines)

    def exchange(self, answer, start=0):
        """The log line of the exchange that gave this answer."""
        wanted = answer.get("x-cardveil-request-id")
        assert wanted, f"no x-cardveil-request-id in {answer}"
        masked = re.sub(r"\d{12,}", lambda digits: f"{digits[0][:6]}x{digits[0][-4:]}", wanted)  # what looks like a PAN is never logged
        return self.wait_line(lambda line: line.get("event") == "exchange" and str(line.get("request")) in (wanted, masked), start)

    def reload(self):
        start = self.mark()
        os.kill(self.process.pid, signal.SIGHUP)
        return self.wait_line(lambda line: "reload" in line.get("event", ""), start)

    def terminate(self):
        os.kill(self.process.pid, signal.SIGTERM)

    def wait_end(self, seconds=60):
        return self.process.wait(seconds)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.terminate()
            try:
                self.wait_end()
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("serve did not end after SIGTERM") from None
            self.collector.join(PATIENCE)
        return self.process.returncode if self.process else None

    def kill(self):
        """kill -9 of everything this serve started."""
        for pid in [self.process.pid, *self.roles().values()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.collector.join(PATIENCE)  # so that its last words are not taken for the next one's

    def roles(self):
        """{'relay0': pid, 'keeper': pid, ...} of the children, from their command lines."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (OSError, IndexError, ValueError):
                continue
            if parent == self.process.pid:
                title = b" ".join(words).decode(errors="replace")
                for role in ("relay", "keeper", "registrar"):
                    if role in title:
                        found[f"{role}{len(found)}" if role == "relay" else role] = int(entry.name)
        return found

    def relays(self):
        return [pid for name, pid in self.roles().items() if name.startswith("relay")]

    def wait_roles(self, wanted, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            roles = self.roles()
            if wanted(roles):
                return roles
            time.sleep(0.05)
        raise AssertionError(f"roles: {self.roles()}")

    # --- clients ---

    def client(self, how="plain", **more):
        if how == "tls":
            return Client(self.tls, tls=True, ca=CERTS / "ca.pem", **more)
        return Client(self.keyed if how == "keyed" else self.plain, **more)

    def ask(self, *args, how="plain", **kwargs):
        with self.client(how) as client:
            return client.ask(*args, **kwargs)

    def admin_get(self, path):
        with Client(self.admin) as client:
            return client.ask("GET", path, close=True)

    def metric(self, name):
        """Sum of a metric's samples."""
        total = 0.0
        for line in self.admin_get("/metrics").body.decode().splitlines():
            if line.startswith(name) and line[len(name):len(name) + 1] in ("{", " "):
                total += float(line.rsplit(" ", 1)[1])
        return total
