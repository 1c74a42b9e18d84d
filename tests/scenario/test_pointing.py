# SPDX-License-Identifier: Apache-2.0
"""How traffic is pointed at Cardveil: by host name, with several certificates on one listener; by the URL in a header."""

import datetime
import json
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cardveil import CERTS, ROOT, free_port
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


# --- by the URL in a header ---

HEADERS = ["x-cardveil-url", "x-cc-url", "ft-url-destiny"]


@pytest.fixture(scope="module")
def targeted(session_folder, watch, rules, processor, tls_processor):
    """Merchant shop may send to the processors, though they are on loopback; merchant other lists them, but not as private."""
    from conftest import start_world
    ca = {"ca": CERTS / "ca.pem"}
    routes = [{"name": "target", "rules": "passthrough", "prefix": "/pull", "target_header": "on", **ca},
              {"name": "rede", "rules": "rede", "prefix": "/rede", "merchant": "shop", "target_header": "on", **ca},
              {"name": "plain", "rules": "passthrough", "prefix": "/plain", "upstream": processor.url}]
    port = tls_processor.port
    shop = [{"url": f'"https://{host}:{port}"', "private": "yes"} for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]")]
    shop += [{"url": f'"{processor.url}"', "private": "yes", "insecure": "yes"}, {"url": '"https://*.host.example:8443"'}]
    other = [{"url": f'"https://localhost:{port}"'}]
    merchants = [{"name": "shop", "targets": shop}, {"name": "other", "targets": other}]
    veil = start_world(session_folder, watch, rules, routes, more={"merchants": merchants}).start()
    veil.target = f"https://localhost:{port}"
    yield veil
    assert veil.stop() == 0
    watch.cardveils.remove(veil)


def send_to(veil, url, path="/pull", name="x-cardveil-url", how="plain", headers=(), **more):
    return veil.ask("POST", path, [JSON, *([(name, url)] if url is not None else []), *headers], body(veil), how=how, **more)


@pytest.mark.parametrize("name", HEADERS + ["X-CC-URL"])
def test_target_header_leads_there_and_stays_here(targeted, tls_processor, name):
    answer = send_to(targeted, targeted.target + "/v2/bookings?x=1", name=name)
    assert answer.status == 200, answer
    got = tls_processor.only()
    assert (got.target, got.body, got.get("host")) == ("/v2/bookings?x=1", PAID, f"localhost:{tls_processor.port}")
    assert all(got.get(header) is None for header in HEADERS)
    assert targeted.exchange(answer)["target"] == "localhost"


@pytest.mark.parametrize("url, path, reached", [
    ("", "/pull", "/"), ("/", "/pull", "/"), ("/", "/pull/", "/"), ("/v1", "/pull", "/v1"), ("/v1/", "/pull", "/v1/"), ("/v1", "/pull/a/b", "/v1/a/b"),
    ("/v1/", "/pull/a", "/v1/a"), ("", "/pull/a/b?c=d", "/a/b?c=d"), ("?x=1", "/pull/a?c=d", "/a?x=1&c=d"), ("/v1?x=1", "/pull", "/v1?x=1"),
    ("/v1?", "/pull", "/v1?"), ("/v1", "/pull?", "/v1?"),
])
def test_whole_url_and_base(targeted, tls_processor, url, path, reached):
    answer = send_to(targeted, targeted.target + url, path)
    assert (answer.status, tls_processor.only().target) == (200, reached), answer


def test_placeholder_in_the_url(targeted, tls_processor):
    answer = send_to(targeted, f"{targeted.target}/cards/{{{{{targeted.visa}:detokenize}}}}?last={{{{{targeted.visa}:detokenize|extract:last4}}}}")
    assert (answer.status, tls_processor.only().target) == (200, f"/cards/{VISA}?last={VISA[-4:]}"), answer


def test_rules_judge_the_path_of_the_target(targeted, tls_processor):
    assert send_to(targeted, targeted.target + "/erede/v1/transactions", "/rede").status == 200
    refused(send_to(targeted, targeted.target + "/erede/v1/other", "/rede"), 404, "ROUTE_NOT_ACCEPTED")
    refused(send_to(targeted, targeted.target, "/rede/erede/v1/other"), 404, "ROUTE_NOT_ACCEPTED")
    assert tls_processor.only().path == "/erede/v1/transactions"


def test_connections_are_kept_for_each_target(targeted, tls_processor, processor):
    for _ in range(3):
        assert send_to(targeted, targeted.target + "/a").status == 200
        assert send_to(targeted, processor.url + "/b").status == 200
    assert {request.connection for request in tls_processor.requests} == {tls_processor.requests[0].connection}
    assert {request.connection for request in processor.requests} == {processor.requests[0].connection}
    assert {request.path for request in processor.requests} == {"/b"}


@pytest.mark.parametrize("url", [
    "https://api.example/", "https://localhost/", "https://localhost:444/", "http://localhost:{port}/", "https://127.0.0.3:{port}/", "https://host.example:8443/",
    "https://a.b.host.example:8443/", "https://x.host.example/", "https://x.host.example.evil:8443/", "https://[::1]:{port}/", "https://localhost.evil.example:{port}/",
    "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::7f00:1]/",
])
def test_only_what_is_listed(targeted, tls_processor, url):
    refused(send_to(targeted, url.format(port=tls_processor.port)), 403, "TARGET_NOT_ALLOWED")
    assert tls_processor.connections == 0


def test_another_merchants_list_does_not_count(targeted, tls_processor, processor):
    key = [("x-api-key", targeted.other_key)]
    for url in (processor.url + "/", f"https://127.0.0.1:{tls_processor.port}/"):
        refused(targeted.ask("GET", "/pull", [("x-cardveil-url", url), *key], how="keyed"), 403, "TARGET_NOT_ALLOWED")
    assert processor.connections == tls_processor.connections == 0


def test_name_that_resolves_to_a_private_address(targeted, tls_processor):
    """Merchant other lists the name, but not as private: what it resolves to is not connected to."""
    answer = targeted.ask("GET", "/pull", [("x-cardveil-url", targeted.target), ("x-api-key", targeted.other_key)], how="keyed")
    refused(answer, 403, "TARGET_PRIVATE")
    assert answer.get("x-cardveil-outcome") is None
    assert tls_processor.connections == 0
    assert send_to(targeted, targeted.target).status == 200 # nor does the connection that merchant shop may have serve merchant other
    refused(targeted.ask("GET", "/pull", [("x-cardveil-url", targeted.target), ("x-api-key", targeted.other_key)], how="keyed"), 403, "TARGET_PRIVATE")
    assert len(tls_processor.requests) == 1


def test_listed_private_addresses_in_every_form(targeted, tls_processor):
    assert send_to(targeted, f"https://127.0.0.1:{tls_processor.port}/").status == 200
    assert send_to(targeted, f"https://LOCALHOST:{tls_processor.port}/").status == 200
    assert len(tls_processor.requests) == 2


def test_certificate_of_the_target_is_verified(targeted, tls_processor):
    refused(send_to(targeted, f"https://[::ffff:127.0.0.1]:{tls_processor.port}/"), 502, "UPSTREAM_TLS")
    assert not tls_processor.requests


@pytest.mark.parametrize("url, code", [
    ("", "TARGET_SCHEME"), ("localhost", "TARGET_SCHEME"), ("//localhost", "TARGET_SCHEME"), ("ftp://localhost/", "TARGET_SCHEME"),
    ("file:///etc/passwd", "TARGET_SCHEME"), ("https:\\\\localhost", "TARGET_SCHEME"), ("https://", "TARGET_HOST"), ("https:///x", "TARGET_HOST"),
    ("https://user@{here}/", "TARGET_USERINFO"), ("https://user:word@{here}/", "TARGET_USERINFO"), ("https://{here}@evil.example/", "TARGET_USERINFO"),
    ("https://evil.example\\@{here}/", "TARGET_SYNTAX"), ("https://{here}\\.evil.example/", "TARGET_SYNTAX"), ("https://{here}#@evil.example/", "TARGET_FRAGMENT"),
    ("https://{here}/#x", "TARGET_FRAGMENT"), ("https://localhost:0{port}/", "TARGET_PORT"), ("https://localhost:/", "TARGET_PORT"),
    ("https://localhost:65536/", "TARGET_PORT"), ("https://localhost:0/", "TARGET_PORT"), ("https://localhost:https/", "TARGET_PORT"),
    ("https://localhost.:{port}/", "TARGET_DOT"), ("https://%6cocalhost:{port}/", "TARGET_ENCODED"), ("https://localhost%2eevil:{port}/", "TARGET_ENCODED"),
    ("https://l\u00f6calhost:{port}/", "TARGET_IDN"), ("https://0x7f.1:{port}/", "TARGET_ADDRESS_FORM"), ("https://2130706433:{port}/", "TARGET_ADDRESS_FORM"),
    ("https://127.1:{port}/", "TARGET_ADDRESS_FORM"), ("https://0177.0.0.1:{port}/", "TARGET_ADDRESS_FORM"), ("https://0x7f000001:{port}/", "TARGET_ADDRESS_FORM"),
    ("https://[0:0:0:0:0:0:0:1]:{port}/", "TARGET_ADDRESS_FORM"), ("https://[::ffff:7f00:1]:{port}/", "TARGET_ADDRESS_FORM"),
    ("https://[::1%25lo]:{port}/", "TARGET_ADDRESS_FORM"), ("https://[::1:{port}/", "TARGET_HOST"), ("https://*.host.example:8443/", "TARGET_HOST"),
    ("https://{here}/a b", "TARGET_SYNTAX"), ("https://{here}/\\..\\x", "TARGET_SYNTAX"), ("https://{here}/" + "x" * 2048, "TARGET_LENGTH"),
    ("https://" + "x." * 130 + "example/", "TARGET_HOST"), ("https://{here}, https://{here}", "TARGET_PORT"),
])
def test_what_is_no_target(targeted, tls_processor, url, code):
    port = tls_processor.port
    refused(send_to(targeted, url.replace("{here}", f"localhost:{port}").replace("{port}", str(port))), 400, code)
    assert tls_processor.connections == 0


@pytest.mark.parametrize("path", ["/../x", "/a/%2e%2E/x", "/a/..;b/x", "/a/.%2f", "/a/..%5cx"])
def test_target_that_climbs(targeted, tls_processor, path):
    refused(send_to(targeted, targeted.target + path), 404, "ROUTE_NOT_ACCEPTED")
    refused(send_to(targeted, targeted.target + "/a/..", "/pull/x"), 404, "ROUTE_NOT_ACCEPTED")
    assert tls_processor.connections == 0


def test_two_targets(targeted, tls_processor):
    first, second = targeted.target + "/a", targeted.target + "/b"
    for name in HEADERS:
        refused(send_to(targeted, first, headers=[(name, second)]), 400, "TARGET_TWICE")
    assert tls_processor.connections == 0
    assert send_to(targeted, first, headers=[("x-cc-url", first)]).status == 200


def test_no_target(targeted):
    refused(send_to(targeted, None), 400, "TARGET_MISSING")


def test_strangers_are_told_nothing_of_targets(targeted, tls_processor):
    for url in ("https://10.0.0.1/", "https://api.example/", targeted.target):
        refused(send_to(targeted, url, how="keyed"), 401, "KEY_MISSING")
    assert tls_processor.connections == 0


def test_redirects_are_the_callers_to_follow(targeted, tls_processor, processor):
    from processor import reply
    tls_processor.script("/moved", reply(302, b"", [("Location", processor.url + "/elsewhere")]))
    answer = send_to(targeted, targeted.target + "/moved")
    assert (answer.status, answer.get("location")) == (302, processor.url + "/elsewhere")
    assert len(tls_processor.requests) == 1 and not processor.requests


def test_header_means_nothing_elsewhere_and_goes_nowhere(targeted, processor, tls_processor):
    for name in HEADERS:
        assert send_to(targeted, targeted.target + "/x", "/plain/y", name).status == 200
    assert {(got.path, *(got.get(header) for header in HEADERS)) for got in processor.requests} == {("/y", None, None, None)}
    assert tls_processor.connections == 0


def test_explain_shows_where_it_would_go(targeted):
    wanted = request("POST", "/pull/b", [JSON, ("x-cc-url", "https://x.host.example:8443/a?q=1")], body(targeted))
    shown = targeted.cli("explain", "--route", "target", stdin=wanted).stdout.decode()
    assert "to https://x.host.example:8443," in shown and "POST /a/b?q=1 HTTP/1.1\r\nhost: x.host.example:8443\r\n" in shown
    assert "x-cc-url" not in shown


# --- the example ---

def test_example_is_right(make_cardveil):
    veil = make_cardveil(start=False)
    (veil.folder / "certs").mkdir()
    for name in ("server", "rede"):
        for kind in ("pem", "key"):
            (veil.folder / "certs" / f"{name}.{kind}").write_bytes((CERTS / f"server.{kind}").read_bytes())
    veil.file.write_text((ROOT / "examples" / "pointing.yaml").read_text())
    said = veil.cli("check").stdout.decode()
    assert "2 certificates" in said and "forward proxy, others are tunnelled" in said and "the URL in x-cardveil-url" in said
    assert "rede: rede.cards.shop.example/ to" in said
    shown = json.loads(veil.cli("check", "--json").stdout)
    assert [(route.get("host"), route.get("target_header")) for route in shown["routes"]] == [
        ("rede.cards.shop.example", None), ("api.payments.example.com", None), (None, True)]
