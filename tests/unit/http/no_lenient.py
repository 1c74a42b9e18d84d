# SPDX-License-Identifier: Apache-2.0
"""No source may set a lenient flag of llhttp: each of them opens a smuggling hole. With --must-fail, a planted call must be found."""

import pathlib
import re
import sys
import tempfile

LENIENT = re.compile(r"llhttp_set_lenient|lenient_flags|LENIENT_[A-Z]")


def offenders(root):
    return [p for p in sorted(pathlib.Path(root).rglob("*.[ch]")) if LENIENT.search(p.read_text())]


def main():
    if sys.argv[2:] == ["--must-fail"]:
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "planted.c").write_text("void f(llhttp_t *p) { llhttp_set_lenient_headers(p, 1); }\n")
            return 0 if offenders(folder) else 1
    found = offenders(sys.argv[1])
    count = len(list(pathlib.Path(sys.argv[1]).rglob("*.c")))
    for p in found:
        print("sets a lenient flag:", p)
    return 1 if found or count == 0 else 0


sys.exit(main())
