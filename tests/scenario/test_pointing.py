# SPDX-License-Identifier: Apache-2.0
"""How traffic is pointed at Cardveil: by host name, with several certificates on one listener."""

import datetime
import json
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cardveil import CERTS, free_port
from client import Client, request
from leaks import VISA
from payments import JSON
from wire import PATIENCE


def slot(veil):
    return f"{{{{ {veil.visa} : detokenize }}}}"


def body(veil):
    return json.dumps({"n": slot(veil)}).encode()


PAID = json.dumps({"n": VISA}).encode()


def code_of(answer):
    assert answer.get("x-cardveil-source") == "proxy", answer
    return json.loads(answer.body)["data"]["code"]


def refused(answer, status, code):
    assert (answer.status, code_of(answer)) == (status, code), answer
    return answer


# --- by host name ---

def make_certificate(folder, name, *hosts):
    """A leaf of the development CA for these names: {'certificate': PATH, 'key': PATH}."""
    ca = x509.load_pem_x509_certificate((CERTS / "ca.pem").read_bytes())
    ca_key = serialization.load_pem_private_key((CERTS / "ca.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(ca.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=True)
            .sign(ca_key, hashes.SHA256()))
    paths = {"certificate": folder / f"{name}.pem", "key": folder / f"{name}.key"}
    paths["certificate"].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths["key"].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


class NamedClient(Client):
    """Over TLS, asking for that name; None: for none. The certificate is checked against <shown>."""

    def __init__(self, port, name, shown=None):
        context = ssl.create_default_context(cafile=CERTS / "ca.pem")
        context.check_hostname = name is not None
        raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        sock = context.wrap_socket(raw, server_hostname=name)
        self.names = {value for kind, value in sock.getpeercert()["subjectAltName"] if kind == "DNS"}
        assert shown is None or shown in self.names, self.names
        super(Client, self).__init__(sock)


ROUTES = [("exact", {"host": "api.partner.example"}), ("deep", {"host": "api.partner.example", "prefix": "/deep"}),
          ("wild", {"host": '"*.partner.example"'}), ("wild-deep", {"host": '"*.partner.example"', "prefix": "/deep/er"}),
          ("any", {"prefix": "/any"}), ("any-deep", {"prefix": "/any/deep"}), ("other", {"host": "OTHER.example", "prefix": "/v1/tokens"})]


@pytest.fixture(scope="module")
def hosted(session_folder, watch, rules, processor, certificates):
    from conftest import start_world
    routes = [{"name": name, "rules": "passthrough", "upstream": f"{processor.url}/{name}", **how} for name, how in ROUTES]
    veil = start_world(session_folder, watch, rules, routes)
    pairs = [make_certificate(veil.folder, "first", "api.partner.example", "shared.example"),
             make_certificate(veil.folder, "second", "*.partner.example"),
             make_certificate(veil.folder, "third", "other.example", "shared.example")]
    veil.named = free_port()
    veil.config["listen"].append({"at": f"127.0.0.1:{veil.named}", "tls": pairs})
    veil.write_config()
    veil.start()
    yield veil
    assert veil.stop() == 0
    watch.cardveils.remove(veil)


@pytest.mark.parametrize("host, path, reached", [
    ("api.partner.example", "/x", "/exact/x"), ("API.Partner.EXAMPLE", "/x", "/exact/x"), ("api.partner.example.", "/x", "/exact/x"),
    ("api.partner.example:9443", "/x", "/exact/x"), ("api.partner.example.:9443", "/x", "/exact/x"),
    ("api.partner.example", "/deep/x", "/deep/x"), ("api.partner.example", "/deeper/x", "/exact/deeper/x"),
    ("api.partner.example", "/any/x", "/exact/any/x"),        # a route with a host comes before one without, whatever its prefix
    ("api.partner.example", "/deep/er/x", "/deep/er/x"),      # and the very name before a wildcard
    ("new.partner.example", "/x", "/wild/x"), ("new.partner.example", "/deep/er/x", "/wild-deep/x"),
    ("a.new.partner.example", "/any/x", "/any/x"),            # two more labels: not under the wildcard
    ("partner.example", "/any/x", "/any/x"), ("localhost", "/any/deep/x", "/any-deep/x"), ("127.0.0.1", "/any/x", "/any/x"), ("[::1]", "/any/x", "/any/x"),
    ("xapi.partner.example.evil", "/any/x", "/any/x"), ("api.partner.example", "/v1/tokens/x", "/exact/v1/tokens/x"),
    ("other.example", "/v1/tokens/x", "/other/x"),
])
def test_host_leads_to_its_route(hosted, processor, host, path, reached):
    answer = hosted.ask("POST", path, [JSON], body(hosted), host=host)
    assert answer.status == 200, answer
    got = processor.only()
    assert (got.path, got.body) == (reached, PAID)
    assert got.get("host") == f"127.0.0.1:{processor.port}"


@pytest.mark.parametrize("host, path", [("partner.example", "/x"), ("a.b.partner.example", "/x"), ("other.example", "/x"), ("localhost", "/")])
def test_host_without_a_route(hosted, processor, host, path):
    refused(hosted.ask("POST", path, [JSON], body(hosted), host=host), 404, "ROUTE_NONE")
    assert not processor.requests


def test_api_answers_where_no_host_route_takes_it(hosted, processor):
    got = hosted.ask("GET", f"/v1/tokens/{hosted.visa}", host="localhost")
    assert (got.status, json.loads(got.body)["data"]["id"] if "id" in json.loads(got.body)["data"] else hosted.visa) == (200, hosted.visa)
    assert hosted.ask("GET", f"/v1/tokens/{hosted.visa}", host="other.example").status == 200
    assert processor.only().path == f"/other/{hosted.visa}"


def test_absolute_form_leads_like_host(hosted, processor):
    answer = hosted.ask("POST", "http://api.partner.example/x", [JSON], body(hosted), host="api.partner.example")
    assert (answer.status, processor.only().path) == (200, "/exact/x")


@pytest.mark.parametrize("name, shown", [("api.partner.example", "api.partner.example"), ("new.partner.example", "*.partner.example"),
                                         ("other.example", "other.example"), ("shared.example", "api.partner.example"), (None, "api.partner.example")])
def test_certificate_by_name(hosted, name, shown):
    with NamedClient(hosted.named, name, shown) as client:
        refused(client.ask("GET", "/nowhere", host="localhost"), 404, "ROUTE_NONE")


def test_name_of_no_certificate_gets_the_first(hosted):
    with pytest.raises(ssl.SSLCertVerificationError):
        NamedClient(hosted.named, "unknown.example")


@pytest.mark.parametrize("name, host, status", [
    ("api.partner.example", "api.partner.example", 200), ("other.example", "other.example", 200), ("new.partner.example", "second.partner.example", 200),
    ("api.partner.example", "new.partner.example", 421), ("other.example", "api.partner.example", 421), ("new.partner.example", "api.partner.example", 200),
    (None, "api.partner.example", 200), (None, "other.example", 421), ("other.example", "shared.example", 404), ("api.partner.example", "unknown.example", 404),
])
def test_host_and_the_connection_it_came_over(hosted, processor, name, host, status):
    """RFC 9110 7.4: 421 where another certificate is the one for this host, and the one that was shown does not name it."""
    with NamedClient(hosted.named, name) as client:
        answer = client.ask("POST", "/v1/tokens/x", [JSON, ("x-api-key", hosted.key)], body(hosted), host=host)
        assert answer.status == status, answer
        if status == 421:
            refused(answer, 421, "MISDIRECTED")
    assert len(processor.requests) == (status == 200)


def test_reload_brings_another_certificate(hosted):
    hosted.config["listen"][-1]["tls"].append(make_certificate(hosted.folder, "late", "late.example"))
    hosted.write_config()
    hosted.reload()
    with NamedClient(hosted.named, "late.example", "late.example") as client:
        refused(client.ask("GET", "/nowhere", host="late.example"), 404, "ROUTE_NONE")
