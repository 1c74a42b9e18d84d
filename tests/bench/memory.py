# SPDX-License-Identifier: Apache-2.0
"""Memory: what an idle connection costs, and whether it stays flat while a gigabyte flows through."""

import hashlib
import socket
import threading
import time

import measure
import systems
import traffic


def read_answer(stream):
    """One answer with Content-Length; its status."""
    status = stream.readline()
    length = 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    stream.read(length)
    return int(status.split()[1]) if status else 0


def idle(system, how, path, body, count):
    """Opens <count> connections, makes one request on each, leaves them open. Bytes of RSS of all the system's processes for each
    connection; code and tables that the first requests touch are not counted."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{system.ports[how]}\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in system.headers().items()) + "\r\n"
    request = head.encode() + body
    context = systems.client_context(system.certs) if how == "tls" else None
    open_ones = []

    def one():
        sock = socket.create_connection(("127.0.0.1", system.ports[how]), timeout=20)
        if context:
            sock = context.wrap_socket(sock, server_hostname="localhost")
        sock.sendall(request)
        with sock.makefile("rb") as stream:
            status = read_answer(stream)
        if status != 200:
            raise measure.Refused(f"{system.name}: status {status} on connection {len(open_ones) + 1}\n{system.last_words()}")
        open_ones.append(sock)

    def resident():
        time.sleep(0.3)
        return sum(sum(measure.rss(pid).values()) for pid in system.roles())

    try:
        for _ in range(16):
            one()
        before = resident()
        for _ in range(count):
            one()
        return (resident() - before) / count
    finally:
        for sock in open_ones:
            sock.close()


class Sink:
    """The processor of the endless file: counts and hashes what comes, chunked or with a length, then approves."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        self.got = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                try:
                    self._receive(sock)
                except (OSError, ValueError) as problem:
                    self.got = f"cut off: {problem}"

    def _receive(self, sock):
        sock.settimeout(60)
        digest, length, room = hashlib.sha256(), 0, memoryview(bytearray(1 << 20))
        with sock.makefile("rb", buffering=1 << 18) as stream:
            fields = {}
            if not stream.readline():
                return                         # someone only looked whether the port is open
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().partition(":")
                fields[name.lower()] = value.strip()
            chunked = fields.get("transfer-encoding") == "chunked"
            while True:
                size = int(stream.readline(), 16) if chunked else int(fields["content-length"])
                if chunked and size == 0:
                    break
                while size:
                    n = stream.readinto(room[:min(size, len(room))])
                    if not n:
                        raise ValueError(f"after {length} bytes")
                    digest.update(room[:n])
                    length, size = length + n, size - n
                if not chunked:
                    break
                stream.readline()
            if chunked:
                stream.readline()
        self.got = (length, digest.hexdigest())
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\nConnection: close\r\n\r\n"
                     b'{"returnCode":"00"}')

    def close(self):
        self.listener.close()


def endless(system, sink, tokens, size, is_rewritten):
    """Streams a file through; seconds, bytes that arrived, and the growth of each role's RSS at its highest and afterwards."""
    file = traffic.Endless(tokens, size)
    system.ask("plain", "/rede/erede/v1/transactions", traffic.payment(0, tokens[0]))
    time.sleep(0.3)
    roles = system.roles()
    before = {pid: measure.rss(pid) for pid in roles}
    sink.got = None
    head = "POST /file/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in system.headers().items()) + "\r\n"
    started = time.monotonic()
    with measure.Peak(roles) as peak, socket.create_connection(("127.0.0.1", system.ports["plain"]), timeout=120) as sock:
        try:
            sock.sendall(head.encode())
            for piece in file.sent():
                sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            sock.sendall(b"0\r\n\r\n")
        except OSError:
            pass                               # refused half-way: the answer says why
        with sock.makefile("rb") as stream:
            status = read_answer(stream)
    seconds = time.monotonic() - started
    if status != 200:
        raise measure.Refused(f"{system.name}: streaming ended with status {status}; the processor: {sink.got}\n{system.last_words()}")
    wanted = file.wanted() if is_rewritten else file.unchanged()
    if sink.got != wanted:
        raise measure.Refused(f"{system.name}: the processor got {sink.got}, should have got {wanted}")
    time.sleep(0.3)
    after = {pid: measure.rss(pid) for pid in roles}

    def growth(then):
        return {role: {part: then[pid][part] - before[pid][part] for part in before[pid]} for pid, role in roles.items()}

    return {"seconds": seconds, "bytes": sink.got[0], "peak": growth(peak.highest), "after": growth(after)}
