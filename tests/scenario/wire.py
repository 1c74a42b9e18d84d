# SPDX-License-Identifier: Apache-2.0
"""Bytes on sockets, for both ends of a scenario. The parsing is this harness's own and strict: it shares nothing with Cardveil
(llhttp) or with Python's http modules, so that a mistake in one shows in the other."""

import socket
import ssl

PATIENCE = 30  # seconds until a scenario counts as stuck; never a measure of speed


class Broken(Exception):
    """The peer sent something that is not HTTP, or ended in the middle."""


class Wire:
    """A socket with a read buffer. Everything read is kept in .seen until take_seen()."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.seen = b""

    def _more(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise Broken("the peer closed the connection")
        self.buffer += piece

    def _take(self, count):
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        self.seen += taken
        return taken

    def until(self, mark):
        while mark not in self.buffer:
            self._more()
        return self._take(self.buffer.index(mark) + len(mark))

    def exactly(self, count):
        if len(self.buffer) < count:
            pieces, have = [self.buffer], len(self.buffer)
            while have < count:
                self.buffer = b""
                self._more()
                pieces.append(self.buffer)
                have += len(self.buffer)
            self.buffer = b"".join(pieces)
        return self._take(count)

    def rest(self):
        """Until the peer closes cleanly."""
        pieces = [self.buffer]
        try:
            while True:
                self.buffer = b""
                self._more()
                pieces.append(self.buffer)
        except Broken:
            self.buffer = b"".join(pieces)
            return self._take(len(self.buffer))

    def take_seen(self):
        seen, self.seen = self.seen, b""
        return seen

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.settimeout(2)
                self.sock = self.sock.unwrap()
        except (OSError, ValueError):
            pass
        self.sock.close()

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock = self.sock
        if isinstance(sock, ssl.SSLSocket):
            sock = socket.socket(fileno=sock.detach())
        sock.close()

    def is_closed(self):
        """Waits for the peer's end; False if it says something more, or nothing for long."""
        if self.buffer:
            return False
        try:
            self.buffer = self.sock.recv(65536)
            return not self.buffer
        except ConnectionError:
            return True
        except ssl.SSLError as why:
            return "EOF" in str(why)
        except socket.timeout:
            return False


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or b"\r" in line or b"\n" in line or b"\0" in line:
            raise Broken(f"not a header field: {line[:60]!r}")
        fields.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
    return fields


class Message:
    """What requests and answers share: .fields, .body (without framing), .raw (as received)."""

    def __init__(self, fields):
        self.fields, self.body, self.raw = fields, b"", b""

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default


def read_chunked(wire):
    body = b""
    while True:
        line = wire.until(b"\r\n")[:-2]
        size = line.split(b";")[0]
        if not size or size.strip(b"0123456789abcdefABCDEF"):
            raise Broken(f"not a chunk size: {line[:40]!r}")
        if int(size, 16) == 0:
            while wire.until(b"\r\n") != b"\r\n":
                pass
            return body
        body += wire.exactly(int(size, 16))
        if wire.exactly(2) != b"\r\n":
            raise Broken("no CRLF after a chunk")


def framing_of(message):
    """('none' | 'length' | 'chunked' | 'odd', length)"""
    lengths, codings = message.all("content-length"), message.all("transfer-encoding")
    if codings:
        return ("chunked", 0) if codings == ["chunked"] and not lengths else ("odd", 0)
    if len(lengths) > 1 or (lengths and not lengths[0].isdigit()):
        return "odd", 0
    return ("length", int(lengths[0])) if lengths else ("none", 0)
