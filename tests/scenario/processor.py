# SPDX-License-Identifier: Apache-2.0
"""A payment processor that records the raw bytes of every request and answers by script, well or badly."""

import gzip
import socket
import ssl
import threading
import time

from wire import PATIENCE, Broken, Message, Wire, framing_of, parse_fields, read_chunked

APPROVED = b'{"returnCode":"00","returnMessage":"Success.","tid":"12345678901234567890"}'


class Request(Message):
    def __init__(self, method, target, fields, connection):
        super().__init__(fields)
        self.method, self.target, self.connection = method, target, connection
        self.head = b""
        self.complete = False

    @property
    def path(self):
        return self.target.split("?")[0]

    def __repr__(self):
        return f"<{self.method} {self.target} {self.fields} {self.body[:200]!r}>"


class Conversation:
    """What a behaviour works with: one request whose head was read, and the wire."""

    def __init__(self, processor, wire, request):
        self.processor, self.wire, self.request = processor, wire, request

    def read_body(self):
        request, wire = self.request, self.wire
        framing, length = framing_of(request)
        if framing == "odd":
            raise Broken(f"ambiguous framing reached the processor: {request.fields}")
        if request.get("expect", "").lower() == "100-continue":
            wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if framing == "chunked":
            request.body = read_chunked(wire)
        elif framing == "length":
            request.body = wire.exactly(length)
        request.raw = request.head + wire.take_seen()
        request.complete = True
        return request

    def send(self, data):
        self.wire.send(data)


def message(status=200, body=APPROVED, headers=(), chunks=None, length=None):
    """The bytes of an answer. chunks: sizes to cut the body into; then it is sent chunked."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers)]
    if not any(name.lower() == "content-type" for name, _ in headers):
        lines.append("Content-Type: application/json")
    if chunks is not None:
        lines.append("Transfer-Encoding: chunked")
        pieces, rest = [], body
        for size in chunks:
            pieces.append(rest[:size])
            rest = rest[size:]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in [*pieces, rest] if p) + b"0\r\n\r\n"
    else:
        framed = body
        if status not in (204, 304):
            lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + framed


# Behaviours: called with a Conversation when a head was read; True keeps the connection.

def reply(*args, **kwargs):
    def behave(talk):
        talk.read_body()
        data = message(*args, **kwargs)
        if talk.request.method == "HEAD":
            data = data[:data.index(b"\r\n\r\n") + 4]
        talk.send(data)
        return True
    return behave


def reply_raw(data, keep=False):
    def behave(talk):
        talk.read_body()
        talk.send(data)
        return keep
    return behave


def reply_in_pieces(data, size=1, pause=0.0):
    def behave(talk):
        talk.read_body()
        for at in range(0, len(data), size):
            talk.send(data[at:at + size])
            if pause:
                time.sleep(pause)
        return True
    return behave


def slow(seconds, inner=None):
    def behave(talk):
        talk.read_body()
        talk.processor.stopping.wait(seconds)
        talk.send(message()) if inner is None else inner(talk)
        return True
    return behave


def early(status=413, close=True):
    """Answers as soon as the head is there, without reading the body."""
    def behave(talk):
        talk.send(message(status, b'{"early":true}', [("Connection", "close")] if close else []))
        if close:
            talk.processor.stopping.wait(0.3)
            return False
        talk.read_body()
        return True
    return behave


def no_answer(talk):
    talk.read_body()
    return False


def reset_before_reading(talk):
    talk.wire.reset()
    return False


def reset_after_reading(talk):
    talk.read_body()
    talk.wire.reset()
    return False


def cut_in_body(talk):
    talk.read_body()
    talk.send(message(body=APPROVED, length=len(APPROVED) + 500))
    return False


def cut_in_chunk(talk):
    talk.read_body()
    talk.send(message(body=APPROVED, chunks=[10])[:-5])
    return False


def until_close(body=APPROVED, clean=True):
    def behave(talk):
        talk.read_body()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body)
        if not clean:
            talk.wire.sock.shutdown(socket.SHUT_RDWR) if not isinstance(talk.wire.sock, ssl.SSLSocket) else \
                socket.socket.shutdown(talk.wire.sock, socket.SHUT_RDWR)
        return False
    return behave


def informational(*statuses):
    def behave(talk):
        talk.read_body()
        for status in statuses:
            talk.send(b"HTTP/1.1 %d Early\r\nLink: </a>\r\n\r\n" % status)
        talk.send(message())
        return True
    return behave


def echo(status=200, coding=None, chunks=None, in_header=False, wrap=b'{"echo":%s}', content_type="application/json"):
    """Answers with what it received, as careless processors do in their error texts."""
    def behave(talk):
        request = talk.read_body()
        body = wrap % request.body if b"%s" in wrap else wrap
        headers = [("Content-Type", content_type)]
        if in_header:
            headers.append(("X-Echo", request.body.decode("latin-1").replace("\r", "").replace("\n", "")))
        if coding == "gzip":
            body = gzip.compress(body)
            headers.append(("Content-Encoding", "gzip"))
        elif coding:
            headers.append(("Content-Encoding", coding))
        talk.send(message(status, body, headers, chunks))
        return True
    return behave


class Processor:
    def __init__(self, certs=None, client_ca=None, host="127.0.0.1"):
        self.tls = certs is not None
        self.requests, self.faults, self.scripts = [], [], {}
        self.connections, self.serial = 0, 0
        self.default = reply()
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.open = set()
        self.context = None
        if certs:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(f"{certs}/processor.pem", f"{certs}/processor.key")
            if client_ca:
                self.context.load_verify_locations(client_ca)
                self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server((host, 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://{'localhost' if self.tls else host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def script(self, path, behaviour):
        self.scripts[path] = behaviour

    def forget(self):
        with self.changed:
            self.requests.clear()
            self.faults.clear()
            self.scripts.clear()
            self.connections = 0
            self.default = reply()

    def wait_for(self, count, seconds=PATIENCE):
        with self.changed:
            self.changed.wait_for(lambda: len(self.requests) >= count, seconds)
            return list(self.requests)

    def secrets(self):
        """What it knows that may stand in no log and no file."""
        return []

    def only(self):
        """The one request it got, complete."""
        with self.changed:
            self.changed.wait_for(lambda: self.requests and self.requests[0].complete, PATIENCE)
            got = list(self.requests)
        assert len(got) == 1, got
        assert got[0].complete, got
        return got[0]

    def close(self):
        self.stopping.set()
        self.listener.close()
        with self.changed:
            left = list(self.open)
        for wire in left:
            try:
                wire.sock.close()
            except OSError:
                pass

    def _accept(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            sock.settimeout(120)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
        except (OSError, ssl.SSLError):
            sock.close()
            return
        wire = Wire(sock)
        with self.changed:
            self.connections += 1
            self.serial += 1
            number = self.serial
            self.open.add(wire)
        try:
            while self._one(wire, number):
                pass
        except (Broken, OSError, ValueError) as why:
            if isinstance(why, Broken) and wire.seen + wire.buffer:
                self.faults.append(f"{why}: {(wire.seen + wire.buffer)[:200]!r}")
        finally:
            with self.changed:
                self.open.discard(wire)
            wire.close()

    def _one(self, wire, number):
        head = wire.until(b"\r\n\r\n")
        lines = head[:-4].split(b"\r\n")
        parts = lines[0].split(b" ")
        if len(parts) != 3 or parts[2] != b"HTTP/1.1":
            raise Broken(f"not a request line: {lines[0][:80]!r}")
        request = Request(parts[0].decode("ascii"), parts[1].decode("ascii"), parse_fields(lines[1:]), number)
        request.head = wire.take_seen()
        if len(request.all("host")) != 1:
            raise Broken("not one Host")
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        behave = self.scripts.get(request.path, self.default)
        try:
            return behave(Conversation(self, wire, request))
        finally:
            with self.changed:
                self.changed.notify_all()
