# SPDX-License-Identifier: Apache-2.0
"""Cardveil as an HTTPS forward proxy: CONNECT and absolute-form, hosts of routes read, others tunnelled or refused; and its local CA."""

import base64
import datetime
import http.client
import json
import os
import socket
import ssl

import pytest
from cryptography import x509

from cardveil import CERTS, free_port
from client import Client, request
from leaks import MASTERCARD, VISA
from payments import JSON
from processor import message, reply
from wire import PATIENCE, Broken, Wire, parse_fields

HOST = "api.partner.example"
PAID = json.dumps({"n": VISA}).encode()


def body(veil):
    return json.dumps({"n": f"{{{{ {veil.visa} : detokenize }}}}"}).encode()


def refused(answer, status, code):
    assert answer.get("x-cardveil-source") == "proxy", answer
    assert (answer.status, json.loads(answer.body)["data"]["code"]) == (status, code), answer
    return answer


def connect_bytes(target, headers=(), host=None, version="1.1"):
    lines = [f"CONNECT {target} HTTP/{version}", *([f"Host: {host or target}"] if host != "" else []), *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


class Outer(Client):
    """The client's connection to the proxy, until the tunnel stands."""

    def connect(self, target, headers=(), **more):
        """None: the tunnel stands. Else the refusal."""
        self.send(connect_bytes(target, headers, **more))
        return self.read_established()

    def read_established(self):
        head = self.until(b"\r\n\r\n")
        lines = head[:-4].split(b"\r\n")
        if lines[0].split(b" ")[1] == b"200":
            names = {name.lower() for name, _ in parse_fields(lines[1:])}
            assert not names & {"content-length", "transfer-encoding"}
            return None
        self.buffer = head + self.buffer
        return self.read_answer()


class Inner(Client):
    """Inside the tunnel, over TLS with whatever stands at its other end. Works over TLS too: nothing of it needs the socket's descriptor."""

    def __init__(self, outer, ca, name, early=None):
        self.outer = outer
        self.incoming, self.outgoing = early[:2] if early else (ssl.MemoryBIO(), ssl.MemoryBIO())
        context = ssl.create_default_context(cafile=ca)
        self.tls = early[2] if early else context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        Wire.__init__(self, self)
        self._run(self.tls.do_handshake)

    def _run(self, what, *arguments):
        while True:
            try:
                done = what(*arguments)
                self.outer.send(self.outgoing.read())
                return done
            except ssl.SSLWantReadError:
                self.outer.send(self.outgoing.read())
                piece = self.outer._take(len(self.outer.buffer)) or self.outer.sock.recv(65536)
                if not piece:
                    raise Broken("the tunnel ended") from None
                self.incoming.write(piece)

    def recv(self, count):
        try:
            return self._run(self.tls.read, count)
        except ssl.SSLZeroReturnError:
            return b""

    def sendall(self, data):
        at = 0
        while at < len(data):
            at += self._run(self.tls.write, data[at:at + 16384])

    def settimeout(self, seconds):
        self.outer.sock.settimeout(seconds)

    def close(self):
        self.outer.close()

    def certificate(self):
        return x509.load_der_x509_certificate(self.tls.getpeercert(binary_form=True))


@pytest.fixture(scope="module")
def proxy(session_folder, watch, rules, processor, tls_processor):
    from conftest import start_world
    up = f"https://localhost:{tls_processor.port}/base"
    routes = [{"name": "read", "rules": "passthrough", "merchant": "shop", "host": HOST, "upstream": processor.url},
              {"name": "deep", "rules": "passthrough", "merchant": "shop", "host": HOST, "prefix": "/deep", "upstream": processor.url + "/other"},
              {"name": "wild", "rules": "passthrough", "host": '"*.wild.example"', "upstream": processor.url},
              {"name": "up", "rules": "passthrough", "merchant": "shop", "prefix": "/up", "upstream": up, "ca": CERTS / "ca.pem"},
              {"name": "up-other", "rules": "passthrough", "merchant": "other", "prefix": "/up-other", "upstream": up, "ca": CERTS / "ca.pem"},
              {"name": "foreign", "rules": "passthrough", "merchant": "other", "host": "foreign.example", "upstream": processor.url},
              {"name": "odd", "rules": "passthrough", "merchant": "shop", "prefix": "/odd", "upstream": "https://api.odd.example:8443"},
              {"name": "odd-other", "rules": "passthrough", "merchant": "other", "prefix": "/odd-other", "upstream": "https://their.odd.example:8443"}]
    veil = start_world(session_folder, watch, rules, routes)
    veil.tunnelling, veil.wide, veil.closed = (free_port() for _ in range(3))
    for listen in veil.config["listen"]:
        listen["forward_proxy"] = "on"
    allowed = [{"url": f'"https://127.0.0.1:{tls_processor.port}"', "private": "yes"}, {"url": f'"https://localhost:{processor.port}"'},
               {"url": '"https://*.odd.example"'}]
    veil.config["listen"] += [
        {"at": f"127.0.0.1:{veil.tunnelling}", "merchant": "shop", "forward_proxy": {"others": "tunnel", "targets": allowed}},
        {"at": f"127.0.0.1:{veil.wide}", "merchant": "shop", "forward_proxy": {"others": "tunnel"}},
        {"at": f"127.0.0.1:{veil.closed}", "merchant": "shop"}]
    veil.write_config()
    veil.cli("ca", "init")
    veil.ca = veil.folder / "ca.pem"
    veil.ca.write_bytes(veil.cli("ca", "export").stdout)
    veil.start()
    yield veil
    assert veil.stop() == 0
    watch.cardveils.remove(veil)


def inside(veil, target=f"{HOST}:443", port=None, headers=(), name=None, ca=None):
    outer = Outer(port or veil.plain)
    assert outer.connect(target, headers) is None
    return Inner(outer, ca or veil.ca, name or target.rsplit(":", 1)[0])


def refusal(veil, target, port=None, headers=(), **more):
    with Outer(port or veil.plain) as outer:
        answer = outer.connect(target, headers, **more)
        assert answer is not None, "a tunnel stands"
        return answer


def basic(user, password=""):
    return [("Proxy-Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]


# --- what is read ---

def test_host_of_a_route_is_read(proxy, processor):
    with inside(proxy) as client:
        for n in range(3):
            answer = client.ask("POST", f"/x/{n}?q=1", [JSON], body(proxy), host=HOST)
            assert (answer.status, answer.get("x-cardveil-source")) == (200, "processor"), answer
    assert [(got.target, got.body, got.connection) for got in processor.requests] == [(f"/x/{n}?q=1", PAID, processor.requests[0].connection) for n in range(3)]
    assert {got.get("host") for got in processor.requests} == {f"127.0.0.1:{processor.port}"}


def test_inside_requests_are_as_if_they_came_by_host(proxy, processor):
    with inside(proxy) as client:
        assert client.ask("POST", "/deep/x", [JSON], body(proxy), host=HOST).status == 200
        assert client.ask("GET", f"/v1/tokens/{proxy.visa}", host=HOST).get("x-cardveil-source") == "processor"  # all of the host is its route's
        assert client.ask("POST", f"http://{HOST}/abs", [JSON], body(proxy), host=HOST).status == 200
        refused(client.ask("POST", "/x", [JSON], b'{"n":"{{ nothing-of-ours : detokenize }}"}', host=HOST), 422, "TOKEN_UNKNOWN")
    assert [got.path for got in processor.requests] == ["/other/x", f"/v1/tokens/{proxy.visa}", "/abs"]


def test_upstream_host_of_a_route_is_read(proxy, tls_processor):
    with inside(proxy, f"localhost:{tls_processor.port}") as client:
        host = f"localhost:{tls_processor.port}"
        assert client.ask("POST", "/base/x", [JSON], body(proxy), host=host).status == 200
        assert client.ask("POST", "/base", [JSON], body(proxy), host=host).status == 200
    for path in ("/elsewhere", "/up/x", "/basement"):
        with inside(proxy, f"localhost:{tls_processor.port}") as client:
            refused(client.ask("POST", path, [JSON], body(proxy), host=host), 404, "ROUTE_NONE")
    assert [(got.path, got.body) for got in tls_processor.requests] == [("/base/x", PAID), ("/base/", PAID)]
    refused(refusal(proxy, f"localhost:{tls_processor.port + 1}"), 403, "PROXY_PORT")


def test_upstream_host_that_two_merchants_have(proxy, tls_processor):
    host = f"localhost:{tls_processor.port}"
    with inside(proxy, host, proxy.keyed, basic(proxy.other_key)) as client:
        answer = client.ask("POST", "/base/x", [JSON], b'{"n":1}', host=host)
        assert (answer.status, proxy.exchange(answer)["route"]) == (200, "up-other")
    with inside(proxy, host, proxy.keyed, basic(proxy.key)) as client:
        assert proxy.exchange(client.ask("POST", "/base/x", [JSON], b'{"n":1}', host=host))["route"] == "up"


def test_leaf_certificates(proxy):
    ca = x509.load_pem_x509_certificate(proxy.ca.read_bytes())
    serials = set()
    for host in (HOST, "one.wild.example", "two.wild.example"):
        with inside(proxy, f"{host.upper()}:443", name=host) as client:
            leaf = client.certificate()
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [host]
        assert leaf.issuer == ca.subject and not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert datetime.timedelta(hours=23) < leaf.not_valid_after - now < datetime.timedelta(hours=25)
        assert leaf.not_valid_after - leaf.not_valid_before <= datetime.timedelta(hours=26)
        serials.add(leaf.serial_number)
    assert len(serials) == 3 and min(serials) > 1 << 64
    with inside(proxy) as client:
        first = client.certificate().serial_number
    with inside(proxy) as client:
        assert client.certificate().serial_number == first  # kept


def test_ca_is_for_these_names_only(proxy):
    ca = x509.load_pem_x509_certificate(proxy.ca.read_bytes())
    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints)
    basic_constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and {name.value for name in constraints.value.permitted_subtrees} == {HOST, "wild.example", "localhost", "foreign.example", "api.odd.example", "their.odd.example"}
    assert len(constraints.value.excluded_subtrees) == 2  # all addresses, of both kinds
    assert basic_constraints.critical and (basic_constraints.value.ca, basic_constraints.value.path_length) == (True, 0)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign and not usage.digital_signature


def test_host_that_the_tunnel_was_not_opened_for(proxy, processor):
    for host in ("one.wild.example", "foreign.example", "localhost", "evil.example"):
        with inside(proxy) as client:
            refused(client.ask("POST", "/x", [JSON], body(proxy), host=host), 421, "MISDIRECTED")
    assert not processor.requests


def test_connect_inside_a_tunnel(proxy):
    with inside(proxy) as client:
        client.send(connect_bytes("one.wild.example:443"))
        assert client.read_answer().status == 501


@pytest.mark.parametrize("size", [1, 100_000, 900_000])
def test_large_bodies_in_both_directions(proxy, processor, size):
    from processor import echo
    processor.default = echo(wrap=b"%s")
    data = json.dumps({"n": "x" * size}).encode()
    with inside(proxy) as client:
        answer = client.ask("POST", "/x", [JSON], data, host=HOST)
        assert (answer.status, answer.body == data) == (200, True)


def test_client_that_does_not_wait_for_the_answer(proxy, processor):
    """Its first TLS bytes come in one piece with the CONNECT."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=proxy.ca).wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    outer = Outer(proxy.plain)
    outer.send(connect_bytes(f"{HOST}:443") + outgoing.read())
    assert outer.read_established() is None
    with Inner(outer, proxy.ca, HOST, (incoming, outgoing, tls)) as client:
        assert client.ask("POST", "/x", [JSON], body(proxy), host=HOST).status == 200
    assert processor.only().body == PAID


def test_client_without_host_field(proxy):
    """Python's http.client sent HTTP/1.0 without Host until 3.11."""
    with Outer(proxy.plain) as outer:
        assert outer.connect(f"{HOST}:443", host="", version="1.0") is None


def test_through_a_tls_listener(proxy, processor):
    outer = Outer(proxy.tls, tls=True, ca=CERTS / "ca.pem")
    assert outer.connect(f"{HOST}:443", basic(proxy.key)) is None
    with Inner(outer, proxy.ca, HOST) as client:
        assert client.ask("POST", "/x", [JSON], body(proxy), host=HOST).status == 200
    assert processor.only().body == PAID


def test_with_pythons_own_client(proxy, processor):
    context = ssl.create_default_context(cafile=proxy.ca)
    client = http.client.HTTPSConnection("127.0.0.1", proxy.keyed, context=context, timeout=PATIENCE)
    client.set_tunnel(HOST, 443, headers=dict(basic("cardveil", proxy.key)))
    client.request("POST", "/x", body(proxy), {"Content-Type": "application/json"})
    assert client.getresponse().status == 200
    client.close()
    assert processor.only().body == PAID


# --- who may ---

def test_key_of_the_proxy(proxy, processor):
    for headers in (basic(proxy.key), basic("any", proxy.key), [("Proxy-Authorization", f"Bearer {proxy.key}")], [("proxy-authorization", f"bearer {proxy.key}")]):
        with inside(proxy, port=proxy.keyed, headers=headers) as client:
            assert client.ask("POST", "/x", [JSON], body(proxy), host=HOST).status == 200
    assert len(processor.requests) == 4 and all(got.get("proxy-authorization") is None for got in processor.requests)


@pytest.mark.parametrize("headers", [
    [], [("Proxy-Authorization", "")], [("Proxy-Authorization", "Basic")], [("Proxy-Authorization", "Basic !")], [("Proxy-Authorization", "Digest x")],
    basic("nobody"), basic("", ""), [("Proxy-Authorization", "Bearer " + "x" * 300)], basic("x" * 2000), [("x-api-key", "KEY")], [("Authorization", "Bearer KEY")]])
def test_without_a_right_key(proxy, headers, watch):
    headers = [(name, value.replace("KEY", proxy.key)) for name, value in headers]
    for target in (f"{HOST}:443", "evil.example:443", "127.0.0.1:22"):  # and nothing is told of what would have been read
        answer = refused(refusal(proxy, target, proxy.keyed, headers), 407, "PROXY_KEY")
        assert answer.get("proxy-authenticate", "").startswith("Basic ")


def test_two_keys(proxy):
    refused(refusal(proxy, f"{HOST}:443", proxy.keyed, basic(proxy.key) * 2), 407, "PROXY_KEY")


def test_key_without_permission_to_proxy(proxy):
    key = proxy.make_key("shop", "--permit", "read")
    refused(refusal(proxy, f"{HOST}:443", proxy.keyed, basic(key)), 403, "KEY_PERMISSION")


def test_hosts_of_another_merchant(proxy, processor):
    refused(refusal(proxy, "foreign.example:443"), 403, "PROXY_HOST")
    refused(refusal(proxy, f"{HOST}:443", proxy.keyed, basic(proxy.other_key)), 403, "PROXY_HOST")
    with inside(proxy, "foreign.example:443", proxy.keyed, basic(proxy.other_key)) as client:
        assert client.ask("GET", "/x", host="foreign.example").status == 200
    with inside(proxy, "one.wild.example:443", proxy.keyed, basic(proxy.other_key)) as client:
        refused(client.ask("POST", "/x", [JSON], body(proxy), host="one.wild.example"), 422, "TOKEN_UNKNOWN")
    assert len(processor.requests) == 1


def test_listener_that_is_no_proxy(proxy):
    answer = refusal(proxy, f"{HOST}:443", proxy.closed)
    assert answer.status == 501


# --- others ---

@pytest.mark.parametrize("target", ["evil.example:443", "127.0.0.3:443", "a.b.wild.example:443", "wild.example:443", "[::1]:443", "8.8.8.8:443"])
def test_others_are_refused(proxy, target):
    refused(refusal(proxy, target), 403, "PROXY_HOST")


def test_listed_others_are_passed_on_unread(proxy, tls_processor):
    with inside(proxy, f"127.0.0.1:{tls_processor.port}", proxy.tunnelling, ca=CERTS / "ca.pem") as client:
        assert client.certificate().issuer == x509.load_pem_x509_certificate((CERTS / "ca.pem").read_bytes()).subject
        answer = client.ask("POST", "/x", [JSON, ("x-api-key", "theirs")], body(proxy), host="127.0.0.1")
        assert answer.get("x-cardveil-source") is None
    got = tls_processor.only()
    assert (got.body, got.get("x-api-key"), got.get("host")) == (body(proxy), "theirs", "127.0.0.1")


def test_much_is_passed_on(proxy, tls_processor):
    data = os.urandom(6 << 20)
    tls_processor.script("/much", reply(200, data))
    with inside(proxy, f"127.0.0.1:{tls_processor.port}", proxy.tunnelling, ca=CERTS / "ca.pem") as client:
        assert client.ask("POST", "/much", [JSON], data, host="127.0.0.1").body == data
    assert tls_processor.only().body == data


def test_host_of_a_route_is_read_where_others_are_tunnelled(proxy, processor):
    with inside(proxy, port=proxy.tunnelling) as client:
        assert client.ask("POST", "/x", [JSON], body(proxy), host=HOST).status == 200
    assert processor.only().body == PAID


def test_upstream_that_is_an_address(proxy, processor):
    """It is read, but no certificate of the local CA is for an address."""
    refused(refusal(proxy, f"127.0.0.1:{processor.port}", proxy.tunnelling), 403, "CA_NAME")
    assert processor.connections == 0


def test_others_that_are_not_listed(proxy, tls_processor, processor):
    for target in ("127.0.0.3:443", f"127.0.0.2:{processor.port}", "evil.example:443", f"127.0.0.2:{tls_processor.port}"):
        refused(refusal(proxy, target, proxy.tunnelling), 403, "PROXY_TARGET")
    for target in ("evil.example:22", "8.8.8.8:80", f"127.0.0.3:{tls_processor.port}"):
        refused(refusal(proxy, target, proxy.wide), 403, "PROXY_TARGET")
    assert tls_processor.connections == processor.connections == 0


def test_private_addresses_are_not_reached(proxy, processor):
    refused(refusal(proxy, f"localhost:{processor.port}", proxy.tunnelling), 403, "TARGET_PRIVATE")
    for target in ("127.0.0.3:443", "10.0.0.1:443", "169.254.169.254:443", "[::1]:443", "[::ffff:127.0.0.1]:443", "[64:ff9b::7f00:1]:443", "[fd00::1]:443"):
        refused(refusal(proxy, target, proxy.wide), 403, "TARGET_PRIVATE")
    assert processor.connections == 0


def test_host_of_a_route_at_another_port_does_not_pass_unread(proxy):
    for port in (proxy.plain, proxy.wide, proxy.tunnelling):  # refused, the port that anybody may have, a wildcard: only its own name in the list counts
        refused(refusal(proxy, "API.odd.example:443", port), 403, "PROXY_PORT")
    refused(refusal(proxy, "api.odd.example:8444", proxy.wide), 403, "PROXY_PORT")
    refused(refusal(proxy, "their.odd.example:443"), 403, "PROXY_HOST")  # and nobody is told of another merchant's routes
    refused(refusal(proxy, "their.odd.example:443", proxy.keyed, basic(proxy.other_key)), 403, "PROXY_PORT")


@pytest.mark.parametrize("target, status, code", [
    ("api.partner.example", 400, "TARGET_PORT"), ("api.partner.example:", 400, "TARGET_PORT"), ("api.partner.example:0", 400, "TARGET_PORT"),
    ("api.partner.example:0443", 400, "TARGET_PORT"), ("api.partner.example.:443", 400, "TARGET_DOT"), ("0x7f.1:443", 400, "TARGET_ADDRESS_FORM"),
    ("2130706433:443", 400, "TARGET_ADDRESS_FORM"), ("[::ffff:7f00:1]:443", 400, "TARGET_ADDRESS_FORM"), ("x" * 64 + ".example:443", 400, "TARGET_HOST"),
    ("user@api.partner.example:443", 400, "TARGET_USERINFO"), ("/x", 400, "REQUEST"), ("http://api.partner.example:443", 400, "REQUEST"),
    ("api%2epartner.example:443", 400, "REQUEST"), ("*", 400, "REQUEST"), (":443", 400, "REQUEST"), ("a b:443", 400, "REQUEST"),
])
def test_what_is_no_target(proxy, target, status, code):
    answer = refusal(proxy, target)
    assert answer.status == status
    if code != "REQUEST" and not code.endswith("USERINFO"):
        refused(answer, status, code)


def test_odd_connects(proxy):
    refused(refusal(proxy, f"{HOST}:443", host="evil.example:443"), 400, "HOST_TARGET_MISMATCH")
    refused(refusal(proxy, f"{HOST}:443", headers=[("Content-Length", "5")]), 400, "CONNECT_CONTENT")
    refused(refusal(proxy, f"{HOST}:443", headers=[("Transfer-Encoding", "chunked")]), 400, "CONNECT_CONTENT")
    refused(refusal(proxy, f"{HOST}:443", headers=[("Host", f"{HOST}:443")]), 400, "HOST_MANY")


# --- absolute-form ---

def test_absolute_form_is_read(proxy, processor):
    for how, headers in (("plain", []), ("keyed", basic(proxy.key)), ("keyed", [("x-api-key", proxy.key)]), ("tls", basic(proxy.key))):
        answer = proxy.ask("POST", f"http://{HOST}/deep/x", [JSON, *headers], body(proxy), how=how, host=HOST)
        assert answer.status == 200, answer
    assert {(got.path, got.body, got.get("proxy-authorization")) for got in processor.requests} == {("/other/x", PAID, None)}


def test_absolute_form_for_an_upstream_host(proxy, tls_processor):
    host = f"localhost:{tls_processor.port}"
    assert proxy.ask("POST", f"http://{host}/base/x", [JSON], body(proxy), host=host).status == 200
    assert tls_processor.only().path == "/base/x"


def test_absolute_form_for_others(proxy, processor, tls_processor):
    for host in ("evil.example", "127.0.0.2", f"evil.example:{tls_processor.port}"):
        refused(proxy.ask("POST", f"http://{host}/up/x", [JSON], body(proxy), host=host), 403, "PROXY_HOST")  # nor by a route without a host
    assert not processor.requests and not tls_processor.requests


def test_absolute_form_without_a_key(proxy):
    answer = refused(proxy.ask("POST", f"http://{HOST}/x", [JSON], body(proxy), how="keyed", host=HOST), 407, "PROXY_KEY")
    assert answer.get("proxy-authenticate", "").startswith("Basic ")
    refused(proxy.ask("POST", "/x", [JSON], body(proxy), how="keyed", host=HOST), 401, "KEY_MISSING")


# --- the local CA ---

def small(make_cardveil, processor, **more):
    veil = make_cardveil([{"name": "read", "rules": "passthrough", "host": HOST, "upstream": processor.url}], start=False, **more)
    veil.config["listen"][0]["forward_proxy"] = "on"
    veil.write_config()
    return veil


def test_without_a_ca(make_cardveil, processor):
    veil = small(make_cardveil, processor).start()
    refused(refusal(veil, f"{HOST}:443"), 503, "CA_MISSING")
    failed = veil.cli("ca", "export", check=False)
    assert failed.returncode == 1 and b"cardveil ca init" in failed.stderr


def test_ca_for_other_names(make_cardveil, processor):
    veil = small(make_cardveil, processor)
    veil.cli("ca", "init", "--name", "other.example")
    veil.start()
    refused(refusal(veil, f"{HOST}:443"), 403, "CA_NAME")


def test_ca_is_made_once_and_replaced_when_asked(make_cardveil, processor):
    veil = small(make_cardveil, processor)
    assert HOST.encode() in veil.cli("ca", "init").stdout
    first = veil.cli("ca", "export").stdout
    again = veil.cli("ca", "init", check=False)
    assert again.returncode == 1 and veil.cli("ca", "export").stdout == first
    veil.ca = veil.folder / "ca.pem"
    veil.ca.write_bytes(first)
    veil.start()
    with inside(veil) as client:
        old = client.certificate().issuer
    veil.cli("ca", "init", "--name", "partner.example", "--replace")
    second = veil.cli("ca", "export").stdout
    assert second != first
    veil.ca.write_bytes(second)
    veil.reload()
    with inside(veil) as client:
        assert client.certificate().issuer != old
        assert client.ask("POST", "/x", [JSON], body(veil), host=HOST).status == 200


def test_ca_outlives_rotation_and_is_verified(make_cardveil, processor):
    veil = small(make_cardveil, processor)
    before = json.loads(veil.cli("vault", "verify", "--json").stdout)["records"]
    veil.cli("ca", "init")
    assert json.loads(veil.cli("vault", "verify", "--json").stdout)["records"] == before + 1
    first = veil.cli("ca", "export").stdout
    veil.cli("vault", "rotate")
    assert veil.cli("ca", "export").stdout == first
    veil.ca = veil.folder / "ca.pem"
    veil.ca.write_bytes(first)
    veil.start()
    with inside(veil) as client:
        assert client.ask("POST", "/x", [JSON], body(veil), host=HOST).status == 200
    trail = (veil.folder / "vault" / "audit.log").read_text()
    assert '"ca.init"' in trail and '"ca.sign"' in trail


@pytest.mark.parametrize("words", [(), ("init", "x"), ("inti",), ("export", "--replace"), ("export", "--name", "a.example"), ("init", "--name", "10.0.0.1"),
                                   ("init", "--name", "*"), ("init", "--name", ""), ("init", "--nam"), ("--bad",)])
def test_ca_command_used_wrongly(make_cardveil, processor, words):
    veil = make_cardveil(start=False)
    failed = veil.cli("ca", *words, check=False)
    assert failed.returncode == 2 and failed.stderr


def test_tunnels_end_with_the_program(make_cardveil, processor, tls_processor):
    allowed = [{"url": f'"https://127.0.0.1:{tls_processor.port}"', "private": "yes"}]
    veil = small(make_cardveil, processor)
    veil.config["listen"][0]["forward_proxy"] = {"others": "tunnel", "targets": allowed}
    veil.write_config()
    veil.cli("ca", "init")
    veil.ca = veil.folder / "ca.pem"
    veil.ca.write_bytes(veil.cli("ca", "export").stdout)
    veil.start()
    reading, passing = inside(veil), inside(veil, f"127.0.0.1:{tls_processor.port}", ca=CERTS / "ca.pem")
    assert reading.ask("GET", "/x", host=HOST).status == passing.ask("GET", "/x", host="127.0.0.1").status == 200
    assert veil.stop() == 0
    assert reading.recv(1) == b""  # TLS is ended there
    with pytest.raises(Broken):
        passing.recv(1)  # and there it is not ours to end
    assert {line["read"] for line in veil.lines if line.get("event") == "tunnel"} == {"yes", "no"}
