# SPDX-License-Identifier: Apache-2.0
"""The README tells the truth about what the program prints of itself."""

import os
import pathlib
import re
import subprocess

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


def test_the_configuration_for_firstokens_users_works_as_printed(tmp_path):
    readme = (ROOT / "README.md").read_text()
    text = re.search(r"<!-- firstoken: checked by a test -->\n```yaml\n(.*?)```", readme, re.S).group(1)
    (tmp_path / "cardveil.yaml").write_text(text)
    (tmp_path / "rules").symlink_to(ROOT / "rules")
    (tmp_path / "certs").mkdir()
    for kind in ("pem", "key"):
        (tmp_path / "certs" / f"server.{kind}").write_bytes((CERTS / f"server.{kind}").read_bytes())
    (tmp_path / "certs" / "server.key").chmod(0o600)
    done = subprocess.run([BINARY, "check", "-c", tmp_path / "cardveil.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "0f11 to the caller, as its answer" in done.stdout, done.stdout
