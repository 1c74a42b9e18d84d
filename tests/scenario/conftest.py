# SPDX-License-Identifier: Apache-2.0
"""Fixtures. 'world' is one running Cardveil with a vault, its keys and tokens, and recording processors behind it, shared by the
tests of a file; 'make_cardveil' gives a test one of its own. After every test all that was printed and all files are searched
for card numbers, CVCs and API keys, and the processors must have seen nothing but well-formed requests."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from cardveil import CERTS, ROOT, Cardveil, binary, free_port  # noqa: E402
from leaks import MASTERCARD, PANS, VISA, find_in_folder, find_secrets  # noqa: E402
from network import Network  # noqa: E402
from payments import card  # noqa: E402
from processor import Processor  # noqa: E402
from receiver import Receiver  # noqa: E402
from shop import Shop, approving, shop_settings  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; CI runs the short form beside it")
    config.addinivalue_line("markers", "may_print_secrets: skips the search for secrets, because the test plants one")


@pytest.fixture(scope="session", autouse=True)
def certificates():
    if pathlib.Path(binary()).name != "none" and not pathlib.Path(binary()).exists():
        pytest.exit(f"no program at {binary()}: build it, or set CARDVEIL", 3)
    subprocess.run([ROOT / "certs" / "make"], check=True, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def session_folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cardveil-scenario-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Watch:
    """Everything of one kind that a test must leave in order."""

    def __init__(self):
        self.cardveils, self.processors, self.read = [], [], {}

    def check(self):
        problems = []
        shared = [secret for processor in self.processors for secret in processor.secrets()]
        for veil in self.cardveils:
            start = self.read.get(id(veil), 0)
            printed = list(veil.printed)
            problems += [f"printed: {what}" for what in find_secrets(b"".join(printed[start:]), veil.secrets + shared)]
            problems += veil.found
            self.read[id(veil)] = len(printed)
            problems += find_in_folder(veil.folder, veil.secrets + shared, skip=("cards.ndjson",))
            text = b"".join(printed[start:])
            problems += [mark for mark in ("runtime error:", "AddressSanitizer", "Assertion") if mark.encode() in text]
        for processor in self.processors:
            problems += [f"malformed at the processor: {fault}" for fault in processor.faults]
        return problems


@pytest.fixture(scope="session")
def watch():
    return Watch()


@pytest.fixture(autouse=True)
def nothing_leaks(request, watch):
    yield
    problems = watch.check()
    if problems and not request.node.get_closest_marker("may_print_secrets"):
        pytest.fail("\n".join(problems))


def standard_routes(processor, tls_processor):
    ca = {"ca": CERTS / "ca.pem"}
    return [
        {"name": "rede", "rules": "rede", "merchant": "shop", "prefix": "/rede", "upstream": processor.url},
        {"name": "credibanco", "rules": "credibanco", "merchant": "shop", "prefix": "/credibanco", "upstream": processor.url},
        {"name": "any", "rules": "passthrough", "prefix": "/any", "upstream": processor.url},
        {"name": "secure", "rules": "passthrough", "prefix": "/secure", "upstream": tls_processor.url, **ca},
        {"name": "stream", "rules": "passthrough", "prefix": "/stream", "upstream": processor.url, "stream": "on",
         "limits": {"placeholders": 1000000}},
        {"name": "foreign", "rules": "passthrough", "merchant": "other", "prefix": "/foreign", "upstream": processor.url},
        {"name": "dead", "rules": "passthrough", "prefix": "/dead", "upstream": f"http://127.0.0.1:{free_port()}"},
        {"name": "hasty", "rules": "passthrough", "prefix": "/hasty", "upstream": processor.url,
         "deadlines": {"first_byte": "1s", "whole": "2s"}},
    ]


@pytest.fixture(scope="session")
def rules():
    """The rules of the tree, so that the program finds them beside its configuration."""
    return {path.stem: path.read_text() for path in (ROOT / "rules").glob("*.yaml")}


def watched(watch, made):
    watch.processors.append(made)
    yield made
    watch.processors.remove(made)
    made.close()


@pytest.fixture(scope="module")
def processor(watch):
    yield from watched(watch, Processor())


@pytest.fixture(scope="module")
def tls_processor(watch, certificates):
    yield from watched(watch, Processor(certs=str(CERTS)))


@pytest.fixture(scope="module")
def network(watch):
    yield from watched(watch, Network())


@pytest.fixture(scope="module")
def receiver(watch):
    yield from watched(watch, Receiver())


@pytest.fixture(autouse=True)
def fresh_record(request):
    for name in ("processor", "tls_processor", "network", "receiver"):
        if name in request.fixturenames:
            request.getfixturevalue(name).forget()
    if {"processor", "network"} <= set(request.fixturenames):
        request.getfixturevalue("processor").default = approving(request.getfixturevalue("network"))


def start_world(session_folder, watch, rules, routes, **more):
    folder = pathlib.Path(tempfile.mkdtemp(dir=session_folder))
    folder.chmod(0o755)
    veil = Cardveil(folder, routes, rules=rules, **more)
    watch.cardveils.append(veil)
    veil.make_vault()
    veil.key = veil.make_key("shop")
    veil.other_key = veil.make_key("other")
    veil.visa, veil.mastercard = veil.make_tokens([card(VISA), card(MASTERCARD)])
    veil.foreign = veil.make_tokens([card(PANS[2])], merchant="other")[0]
    return veil


@pytest.fixture(scope="module")
def world(session_folder, watch, rules, processor, tls_processor):
    veil = start_world(session_folder, watch, rules, standard_routes(processor, tls_processor))
    veil.start()
    yield veil
    status = veil.stop()
    watch.cardveils.remove(veil)
    assert status == 0, f"serve ended with {status}"


@pytest.fixture
def make_cardveil(session_folder, watch, rules, processor, tls_processor):
    """make_cardveil(routes=None, start=True, **settings) -> a Cardveil of the test's own."""
    made = []

    def make(routes=None, start=True, own_rules=None, **more):
        veil = start_world(session_folder, watch, {**rules, **(own_rules or {})},
                           routes or standard_routes(processor, tls_processor), **more)
        made.append(veil)
        return veil.start() if start else veil
    yield make
    problems = watch.check()
    for veil in made:
        if veil.process and veil.process.poll() is None:
            veil.stop()
        watch.cardveils.remove(veil)
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def shop(session_folder, watch, rules, processor, network, receiver):
    """A Cardveil whose merchant has a card network and a webhook, shared by the tests of a file."""
    own, settings = shop_settings(session_folder, processor, network, receiver)
    veil = start_world(session_folder, watch, {**rules, **own}, settings.pop("routes"), **settings)
    made = Shop(veil.start(), processor, network, receiver)
    yield made
    status = veil.stop()
    watch.cardveils.remove(veil)
    assert status == 0, f"serve ended with {status}"


@pytest.fixture
def make_shop(session_folder, make_cardveil, processor, network, receiver):
    """make_shop(start=True, of=network, …) -> a Shop of the test's own; the rest as shop_settings()."""
    def make(start=True, of=network, **changes):
        own, settings = shop_settings(session_folder, processor, of, receiver, **changes)
        return Shop(make_cardveil(start=start, own_rules=own, **settings), processor, of, receiver)
    return make


@pytest.fixture
def own_network(watch):
    """A card network that no other Cardveil knows."""
    yield from watched(watch, Network())


@pytest.fixture(params=["plain", "tls"])
def how(request):
    return request.param


@pytest.fixture(params=["keep-alive", "close"])
def ending(request):
    return request.param


@pytest.fixture
def caller(world, how, ending):
    """Asks over the listener and ending of this case; with an API key where the listener wants one."""
    key = [("x-api-key", world.key)] if how == "tls" else []
    client = world.client(how)

    def ask(*args, headers=(), **kwargs):
        answer = client.ask(*args, headers=[*headers, *key], close=ending == "close", **kwargs)
        if ending == "close":
            assert client.is_closed()
        return answer
    yield SimpleNamespace(ask=ask, client=client, key=key)
    client.close()
