#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes files as C: embed.py OUT.h FILE… makes an array NAME and a slice NAME_slice of each."""
import pathlib
import sys

out, *files = map(pathlib.Path, sys.argv[1:])
parts = ["/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by embed.py. */\n#include \"base/slice.h\"\n"]
for file in files:
    name = file.name.replace(".", "_")
    data = file.read_bytes()
    lines = [",".join(str(b if b < 128 else b - 256) for b in data[i:i + 32]) for i in range(0, len(data), 32)]
    parts.append(f"static const char {name}[] = {{\n" + ",\n".join(lines) + "};\n")
    parts.append(f"static const slice {name}_slice = {{{name}, sizeof {name}}};\n")
out.write_text("".join(parts))
