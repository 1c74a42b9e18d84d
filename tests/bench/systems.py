# SPDX-License-Identifier: Apache-2.0
"""The programs: Cardveil, nginx passing the traffic through, nginx + Lua, and the processor that all of them talk to. Each is
started on free ports of 127.0.0.1 in a folder of its own and stopped at the end, however the bench ends."""

import ctypes
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import measure
import traffic

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
START_SECONDS = 20
PR_SET_PDEATHSIG = 1
prctl = ctypes.CDLL(None).prctl


def cardveil_binary():
    named = os.environ.get("CARDVEIL", str(ROOT / "build" / "release" / "src" / "cli" / "cardveil"))
    if not os.access(named, os.X_OK):
        raise SystemExit(f"bench: no program at {named}: meson setup build/release && ninja -C build/release, or set CARDVEIL")
    return os.path.abspath(named)


def bench_scan():
    built = pathlib.Path(cardveil_binary()).parents[2] / "tests" / "bench" / "bench_scan"
    if not os.access(built, os.X_OK):
        raise SystemExit(f"bench: no program at {built}: it is built with cardveil, by ninja -C build/release")
    return built


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def client_context(certs):
    return ssl.create_default_context(cafile=str(certs / "ca.pem"))


class System:
    """A running program. Subclasses set .name and .ports: {"plain": …, "tls": …}."""

    name = "?"
    key = None

    def __init__(self, folder, certs):
        self.folder, self.certs = pathlib.Path(folder), certs
        self.folder.mkdir()
        self.log = self.folder / "stderr.log"
        self.process = None
        self.ports = {}

    def spawn(self, *command):
        # Should the bench be killed outright, its programs get SIGTERM from the kernel.
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder, start_new_session=True,
                                            preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM))
        deadline = time.monotonic() + START_SECONDS
        for port in self.ports.values():
            self._wait_port(port, deadline)
        return self

    def _wait_port(self, port, deadline):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"bench: {self.name} did not start:\n{self.last_words()}") from None
                time.sleep(0.02)

    def stop(self):
        if not self.process:
            return
        pids = measure.tree(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self.process = None

    def last_words(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:]) if self.log.exists() else ""

    def roles(self):
        """{pid: role} of all its processes."""
        found = {}
        for pid in measure.tree(self.process.pid):
            try:
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            word = re.search(r"\b(relay|keeper|registrar|worker)\b", title)
            found[pid] = word[1] if word and pid != self.process.pid else "supervisor"
        return found

    def workers(self):
        return [pid for pid, role in self.roles().items() if role in ("relay", "worker")]

    def url(self, how, path):
        return f"{'https' if how == 'tls' else 'http'}://127.0.0.1:{self.ports[how]}{path}"

    def headers(self):
        return {**traffic.HEADERS, **({"x-api-key": self.key} if self.key else {})}

    def ask(self, how, path, body):
        """One request on a connection of its own; the answer's status."""
        context = {"context": client_context(self.certs)} if how == "tls" else {}
        kind = http.client.HTTPSConnection if how == "tls" else http.client.HTTPConnection
        connection = kind("127.0.0.1", self.ports[how], timeout=30, **context)
        try:
            connection.request("POST", path, body, self.headers())
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException) as problem:
            raise measure.Refused(f"{self.name}: {path}: {problem}\n{self.last_words()}") from problem
        finally:
            connection.close()


# --- nginx ---

NGINX = """{modules}
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile {files};
pid nginx.pid;
error_log stderr error;
events {{ worker_connections {connections}; }}
http {{
    client_body_temp_path temp/body; proxy_temp_path temp/proxy; fastcgi_temp_path temp/fastcgi; uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    ssl_protocols TLSv1.2 TLSv1.3;
{http}
}}
"""

# As many members as Cardveil's line for an exchange has, about as long, and collected as Cardveil collects them (net/loop.c).
LOG_BUFFER = " buffer=16k flush=20ms"
LOG_FORMAT = """    log_format exchange escape=json '{"time":"$time_iso8601","level":"info","process":"worker","n":0,"event":"exchange",'
        '"request":"$connection-$connection_requests","status":$status,"route":"rede","merchant":"shop","uri":"$uri",'
        '"upstream":"$upstream_addr","upstream_status":"$upstream_status","bytes_in":$request_length,"bytes_out":$bytes_sent,'
        '"s":$request_time,"upstream_s":"$upstream_response_time","peer":"$remote_addr"}';
    access_log access.log exchange%s;
"""


def nginx_modules():
    for folder in ("/usr/lib/nginx/modules", "/usr/share/nginx/modules"):
        if os.path.exists(f"{folder}/ngx_http_lua_module.so"):
            return f"load_module {folder}/ndk_http_module.so;\nload_module {folder}/ngx_http_lua_module.so;"
    raise SystemExit("bench: nginx's Lua module is missing: deploy/packages bench")


class Nginx(System):
    def start(self, http_part, modules=""):
        (self.folder / "temp").mkdir()
        conf = self.folder / "nginx.conf"
        conf.write_text(NGINX.format(modules=modules, http=http_part, files=16384, connections=8192,
                                     user="user root;" if os.geteuid() == 0 else ""))
        return self.spawn("nginx", "-p", f"{self.folder}/", "-e", "stderr", "-c", conf)


class Processor(Nginx):
    """Answers a fixed e.Rede answer. 'rewritten' ports want card data in the body, 'untouched' ports the placeholders."""

    name = "processor"

    def __init__(self, folder, certs):
        super().__init__(folder, certs)
        names = ["rewritten", "untouched", "rewritten_tls", "untouched_tls"]
        self.ports = dict(zip(names, free_ports(len(names))))

    def start(self, batches, names, inbound):
        """batches: the folder that has sent-NAME and wanted-NAME; inbound: {name: cards}, of which there is sent-NAME only."""
        servers = "".join(self._server(name) for name in self.ports)
        listed = ", ".join(f'"{name}"' for name in names)
        counted = ", ".join(f'["{name}"] = {cards}' for name, cards in inbound.items())
        return super().start(f"""
    access_log off;
    client_body_buffer_size 2m;
    lua_package_path "{HERE}/lua/?.lua;;";
    init_by_lua_block {{ require("processor").load("{batches}", {{{listed}}}, {{{counted}}}) }}
{servers}""", nginx_modules())

    def _server(self, name):
        tls = name.endswith("_tls")
        return f"""
    server {{
        listen 127.0.0.1:{self.ports[name]}{" ssl" if tls else ""} backlog=4096;
        ssl_certificate {self.certs}/processor.pem;
        ssl_certificate_key {self.certs}/processor.key;
        location / {{ content_by_lua_block {{ require("processor").answer("{name.removesuffix("_tls")}") }} }}
    }}
"""


class NginxProxy(Nginx):
    """nginx with one worker in front of the processor; with Lua if it is given the cards."""

    def __init__(self, folder, certs, name, processor, sink=None, cards=None, log_buffer=LOG_BUFFER):
        super().__init__(folder, certs)
        self.name, self.processor, self.sink, self.cards, self.log_buffer = name, processor, sink, cards, log_buffer

    def start(self):
        self.ports = dict(zip(["plain", "tls"], free_ports(2)))
        kind = "rewritten" if self.cards else "untouched"
        lua = """    lua_package_path "%s/lua/?.lua;;";
    init_by_lua_block { require("substitute").load("%s") }
""" % (HERE, self.cards) if self.cards else ""
        upstreams = {"processor": self.processor.ports[kind], "processor_tls": self.processor.ports[f"{kind}_tls"],
                     **({"sink": self.sink} if self.sink else {})}
        http_part = lua + LOG_FORMAT % self.log_buffer + "".join(f"""
    upstream {name} {{
        server 127.0.0.1:{port};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 60s;
    }}
""" for name, port in upstreams.items()) + self._servers()
        return super().start(http_part, nginx_modules() if self.cards else "")

    def _servers(self):
        rewrite = 'access_by_lua_block { require("substitute").rewrite() }' if self.cards else ""
        sink = "location /file/ { proxy_request_buffering off; proxy_pass http://sink/; }" if self.sink else ""
        locations = f"""
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_ssl_trusted_certificate {self.certs}/ca.pem;
        proxy_ssl_verify on;
        proxy_ssl_name localhost;
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
        client_body_buffer_size 16k;
        location /rede/ {{ {rewrite} proxy_pass http://processor/; }}
        location /rede-tls/ {{ {rewrite} proxy_pass https://processor_tls/; }}
        location /collected/ {{ client_body_buffer_size 2m; {rewrite} proxy_pass http://processor/; }}
        location /inbound/ {{ client_body_buffer_size 2m; proxy_pass http://processor/; }}
        location /filed/ {{ proxy_pass http://processor/; }}
        location /streamed/ {{ proxy_request_buffering off; proxy_pass http://processor/; }}
        {sink}

"""
        return f"""
    server {{
        listen 127.0.0.1:{self.ports["plain"]} backlog=4096;
{locations}
    }}
    server {{
        listen 127.0.0.1:{self.ports["tls"]} ssl backlog=4096;
        ssl_certificate {self.certs}/server.pem;
        ssl_certificate_key {self.certs}/server.key;
{locations}
    }}
"""


# --- Cardveil ---

CONFIG = """vault: {{ path: vault, key: file:vault.key }}
listen:
  - at: 127.0.0.1:{plain}
    merchant: shop
  - at: 127.0.0.1:{tls}
    tls: {{ certificate: {certs}/server.pem, key: {certs}/server.key }}
admin: 127.0.0.1:{admin}
merchants:
  - name: shop
workers: {workers}
routes:
  - {{ name: rede, rules: rede, merchant: shop, prefix: /rede, upstream: "http://127.0.0.1:{rewritten}" }}
  - {{ name: rede-tls, rules: rede, merchant: shop, prefix: /rede-tls, upstream: "https://localhost:{rewritten_tls}", ca: {certs}/ca.pem }}
  - name: collected
    rules: passthrough
    merchant: shop
    prefix: /collected
    upstream: http://127.0.0.1:{rewritten}
    body: {{ buffer: 4M }}
    limits: {{ placeholders: 10000 }}
  - name: streamed
    rules: passthrough
    merchant: shop
    prefix: /streamed
    upstream: http://127.0.0.1:{rewritten}
    stream: on
    limits: {{ placeholders: 10000 }}
  - name: inbound
    rules: booking-webhook
    merchant: shop
    direction: filter-push
    prefix: /inbound
    upstream: http://127.0.0.1:{rewritten}
    body: {{ buffer: 4M }}
  - name: file
    rules: passthrough
    merchant: shop
    prefix: /file
    upstream: http://127.0.0.1:{sink}
    stream: on
    limits: {{ placeholders: 1000000 }}
"""


class Cardveil(System):
    def __init__(self, folder, certs, name, processor, sink, workers, vault=None):
        super().__init__(folder, certs)
        self.name, self.config = name, self.folder / "cardveil.yaml"
        self.ports = dict(zip(["plain", "tls", "admin"], free_ports(3)))
        (self.folder / "rules").symlink_to(ROOT / "rules")
        self.config.write_text(CONFIG.format(**self.ports, certs=certs, workers=workers, sink=sink, **processor.ports))
        if vault:
            # The store's file is sparse.
            subprocess.run(["cp", "-r", "--sparse=always", vault.folder / "vault", self.folder / "vault"], check=True)
            shutil.copy2(vault.folder / "vault.key", self.folder / "vault.key")
            self.key = vault.key

    def command(self, *words, **more):
        return subprocess.Popen([cardveil_binary(), *words, "-c", str(self.config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=open(self.log, "ab"), cwd=self.folder, **more)

    def run(self, *words):
        process = self.command(*words)
        out, _ = process.communicate(timeout=60)
        if process.returncode:
            raise SystemExit(f"bench: cardveil {' '.join(words)}: exit status {process.returncode}\n{self.last_words()}")
        return out.decode()

    def fill(self, count, cards_file):
        """A fresh vault with <count> cards; the tokens, seconds taken and the most memory used."""
        self.run("vault", "init")
        self.key = self.run("key", "create", "--merchant", "shop").split()[-1]
        source, result = self.folder / "cards.ndjson", self.folder / "tokens"
        with open(source, "w", encoding="ascii") as out:
            out.writelines(traffic.cards_ndjson(count))
        started = time.monotonic()
        with open(source, "rb") as cards, open(result, "wb") as out, open(self.log, "ab") as log:
            process = subprocess.Popen([cardveil_binary(), "token", "create", "--merchant", "shop", "-c", str(self.config)],
                                       stdin=cards, stdout=out, stderr=log, cwd=self.folder)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        tokens = result.read_text().split()
        if process.returncode or len(tokens) != count:
            raise SystemExit(f"bench: cardveil token create: {len(tokens)} tokens of {count} cards\n{self.last_words()}")
        with open(cards_file, "w", encoding="ascii") as out:
            out.writelines("\t".join((token, *traffic.card(i))) + "\n" for i, token in enumerate(tokens))
        source.unlink()
        return tokens, seconds, usage.ru_maxrss * 1024

    def start(self):
        self.spawn(cardveil_binary(), "serve", "-c", self.config)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: {self.name} is not ready:\n{self.last_words()}")
            time.sleep(0.05)
        return self

    def _is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["admin"], timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
