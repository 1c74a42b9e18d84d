# SPDX-License-Identifier: Apache-2.0
"""Finds secrets where none may be: in output, logs and files."""

import base64
import re

PANS = ["4111111111111111", "5555555555554444", "378282246310005", "5448280000000007", "4012888888881881", "4563960122001999"]
VISA, MASTERCARD, AMEX, REDE_TEST = PANS[:4]
CVC = "7391"


def digits_pattern(pan):
    """The digits, also with a blank, a dash, a plus or %20 between any two."""
    return re.compile(r"(?:[ \-+]|%20)?".join(pan).encode())


PAN_PATTERNS = [digits_pattern(pan) for pan in PANS]
# In JSON, a form or an attribute; between tags; in a row of CSV; on a line of its own, as in multipart.
CVC_PATTERN = re.compile(rb'''["'=:]\s*CVC(?:["'&\s]|$)|>\s*CVC\s*<|[,;|\t]CVC(?:[,;|\t\r\n]|$)|\nCVC[,;|\t]|\r\nCVC\r\n'''.replace(b"CVC", CVC.encode()))


RUN = re.compile(rb"[A-Za-z0-9+/=_-]{12,}")
FEW = 50


def which_of(secrets, data):
    """The secrets that stand in data. Thousands of them are looked for in one pass: each begins with twelve bytes of some run of letters."""
    if len(secrets) < FEW:
        return [secret for secret in secrets if secret in data]
    by_start, found = {}, set()
    for secret in secrets:
        if RUN.fullmatch(secret):
            by_start.setdefault(secret[:12], []).append(secret)
        elif secret in data:
            found.add(secret)
    for run in set(RUN.findall(data)):
        for at in range(len(run) - 11):
            found.update(secret for secret in by_start.get(run[at:at + 12], ()) if run.startswith(secret, at))
    return sorted(found)


def find_secrets(data, more=()):
    """Names what it finds, without repeating it. more: byte strings such as API keys."""
    found = []
    for pan, pattern in zip(PANS, PAN_PATTERNS):
        if pattern.search(data) or base64.b64encode(pan.encode())[:18] in data:
            found.append(f"the PAN that ends in {pan[-4:]}")
    if CVC_PATTERN.search(data):
        found.append("the CVC")
    numbers = [secret for secret in more if secret.isdigit()]
    spread = which_of(numbers, re.sub(rb"[ \-+]|%20", b"", data)) if numbers else []
    found += [f"a key: {secret[:7].decode('latin-1')}…" for secret in {*which_of(more, data), *spread}]
    return found


def find_in_folder(folder, more=(), skip=()):
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in skip:
            found += [f"{path.relative_to(folder)}: {what}" for what in find_secrets(path.read_bytes(), more)]
    return found


def scan_memory(pid, secrets):
    """Names of the secrets (name -> bytes) found in a process's writable memory. Needs root or ptrace rights."""
    found, longest = set(), max(map(len, secrets.values()))
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if "rw" not in rights or "[vvar" in line or end - start > 1 << 32:
                continue
            tail = b""
            for at in range(start, end, 1 << 22):
                try:
                    memory.seek(at)
                    piece = memory.read(min(1 << 22, end - at))
                except (OSError, ValueError):
                    break
                text = tail + piece
                found.update(name for name, secret in secrets.items() if secret in text)
                tail = text[-longest:]
    return sorted(found)
