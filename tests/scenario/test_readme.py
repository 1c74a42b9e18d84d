# SPDX-License-Identifier: Apache-2.0
"""The README tells the truth about what the program prints of itself."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from cardveil import CERTS

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CARDVEIL", str(ROOT / "build/sanitize/src/cli/cardveil"))


def printed(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, check=True).stdout


def test_settings_table_is_the_programs():
    readme = (ROOT / "README.md").read_text()
    table = re.search(r"<!-- settings: .*? -->\n(.*?)\n<!-- /settings -->", readme, re.S).group(1)
    assert table == printed("check", "--settings=markdown").strip()


def test_every_command_is_in_the_readme():
    commands = re.findall(r"^  ([a-z]+) ", printed("--help"), re.M)
    assert len(commands) >= 7
    readme = (ROOT / "README.md").read_text()
    for command in commands:
        assert f"cardveil {command}" in readme, command


def checked(folder, text, *more):
    (folder / "cardveil.yaml").write_text(text)
    (folder / "rules").symlink_to(ROOT / "rules")
    (folder / "certs").mkdir()
    for kind in ("pem", "key"):
        (folder / "certs" / f"server.{kind}").write_bytes((CERTS / f"server.{kind}").read_bytes())
    (folder / "certs" / "server.key").chmod(0o600)
    done = subprocess.run([BINARY, "check", "-c", folder / "cardveil.yaml", *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


INBOUND = """
  route       reservations: /reservations to https://pms.shop.example:443, rules ota-reservation, merchant shop
              filter-push: cards in requests become aliases (six-four, find: pan); callers 192.0.2.0/24, others by API key
  route       channel: /channel to https://api.channel.example:443, rules booking-webhook, merchant shop
              filter-pull: requests are given card data, cards in answers become aliases (uuid, find: pan)
  route       desk: /desk to https://pms.shop.example:443/desk, rules booking-webhook, merchant shop
              forward-push: answers are given card data; callers 198.51.100.7, 2001:db8::/32 only
  route       switch: /switch to https://api.switch.example:443, rules booking-webhook, merchant shop
              forward-pull: requests are given card data, cards in answers become aliases (uuid, find: pan)
  route       anything: /anything to https://pms.shop.example:443/anything, rules passthrough, merchant shop
              filter-push: cards in requests become aliases (uuid, find: pan)
  route       their-channel: /their-channel to https://api.ota.example:443, rules booking-webhook, merchant shop
              filter-pull: requests are given card data, cards in answers become aliases (32, find: pan); compat pci-proxy
  route       their-receiver: /their-receiver to https://api.userede.com.br:443, rules rede, merchant shop
              forward-pull: requests are given card data; compat pci-proxy
  route       their-push: /v1/push/hotel to https://pms.shop.example:443/hook, rules ota-reservation, merchant shop
              filter-push: cards in requests become aliases (32, unique, find: pan); compat pci-proxy
"""


def test_check_says_where_card_numbers_go(tmp_path):
    assert INBOUND.strip("\n") in checked(tmp_path, (ROOT / "examples" / "inbound.yaml").read_text())


def test_check_says_it_to_programs_too(tmp_path):
    routes = {one["name"]: one for one in json.loads(checked(tmp_path, (ROOT / "examples" / "inbound.yaml").read_text(), "--json"))["routes"]}
    assert {(one["direction"], one["request"], one["answer"]) for one in routes.values()} == {
        ("filter-push", "captured", "passes"), ("filter-pull", "revealed", "captured"), ("forward-push", "passes", "revealed"),
        ("forward-pull", "revealed", "captured"), ("forward-pull", "revealed", "passes")}
    assert routes["desk"]["callers"] == "198.51.100.7, 2001:db8::/32" and "alias" not in routes["desk"]
    pushed = routes["their-push"]
    assert (pushed["alias"], pushed["unique"], pushed["find_pan"], pushed["compat"]) == ("32", True, True, "pci-proxy")


@pytest.mark.parametrize("name,said", [
    ("firstoken", "0f11 to the caller, as its answer"), ("inbound", "forward-push: answers are given card data; callers 198.51.100.7 only"),
    ("pci-proxy", "aliases (32, find: pan); compat pci-proxy")])
def test_the_configurations_work_as_printed(tmp_path, name, said):
    readme = (ROOT / "README.md").read_text()
    text = re.search(rf"<!-- {name}: checked by a test -->\n```yaml\n(.*?)```", readme, re.S).group(1)
    listen = "" if "listen:" in text else "listen: [ at: 127.0.0.1:8080 ]\n"
    assert said in checked(tmp_path, listen + text)
