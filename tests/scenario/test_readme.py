# SPDX-License-Identifier: Apache-2.0
"""The README tells the truth about what the program prints of itself."""

import os
import pathlib
import re
import subprocess

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
