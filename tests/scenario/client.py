# SPDX-License-Identifier: Apache-2.0
"""A client that sends exactly the bytes it is told to."""

import socket
import ssl

from wire import PATIENCE, Broken, Message, Wire, framing_of, parse_fields, read_chunked


class Answer(Message):
    def __init__(self, status, fields, informational):
        super().__init__(fields)
        self.status, self.informational = status, informational

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:300]!r}>"


def request(method="POST", path="/", headers=(), body=b"", host="localhost", chunked=False, close=False, version="1.1"):
    """The bytes of one request. body: bytes, or a list of chunks when chunked."""
    lines = [f"{method} {path} HTTP/{version}", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if close:
        lines.append("Connection: close")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        pieces = body if isinstance(body, list) else [body]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
    else:
        framed = body
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + framed


class Client(Wire):
    def __init__(self, port, tls=False, ca=None, certificate=None, host="127.0.0.1", tls_version=None):
        sock = socket.create_connection((host, port), timeout=PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context(cafile=ca)
            if certificate:
                context.load_cert_chain(f"{certificate}.pem", f"{certificate}.key")
            if tls_version:
                context.minimum_version = context.maximum_version = tls_version
            sock = context.wrap_socket(sock, server_hostname="localhost")
        super().__init__(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read_answer(self, to_head=False):
        """The next final answer; 1xx ones before it are in .informational."""
        informational = []
        while True:
            lines = self.until(b"\r\n\r\n")[:-4].split(b"\r\n")
            version, _, rest = lines[0].partition(b" ")
            if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
                raise Broken(f"not a status line: {lines[0][:80]!r}")
            answer = Answer(int(rest[:3]), parse_fields(lines[1:]), informational)
            if answer.status >= 200:
                break
            informational.append(answer)
        framing, length = framing_of(answer)
        if framing == "odd":
            raise Broken(f"odd framing in {answer}")
        if to_head or answer.status in (204, 304):
            pass
        elif framing == "chunked":
            answer.body = read_chunked(self)
        elif framing == "length":
            answer.body = self.exactly(length)
        else:
            answer.body = self.rest()
        answer.raw = self.take_seen()
        return answer

    def ask(self, *args, **kwargs):
        self.send(request(*args, **kwargs))
        return self.read_answer(to_head=(args[0] if args else kwargs.get("method", "POST")) == "HEAD")
