# SPDX-License-Identifier: Apache-2.0
"""The commands, the admin pages, and the vault on disk."""

import json
import os
import re
import shutil
import stat

import pytest

import payments
from client import request
from leaks import PANS, VISA, find_secrets
from payments import BASIC, JSON, REDE, card


def test_help_and_wrong_usage(make_cardveil):
    veil = make_cardveil(start=False)
    assert veil.cli("--help", config=False).returncode == 0
    for words in (["nonsense"], ["vault"], ["vault", "nonsense"], ["serve", "--nonsense"], ["key", "create"], ["token", "create"],
                  ["webhook"], ["webhook", "show"], ["webhook", "resend", "a", "b"], ["webhook", "list", "--state", "lost"],
                  ["webhook", "resend", "a", "--json"], ["webhook", "show", "a", "--state", "failed"], ["report", "today"],
                  ["report", "--from", "yesterday"], ["report", "--from", "2026-02-01", "--to", "2026-01-01"], ["report", "--since", "2026-01-01"]):
        done = veil.cli(*words, check=False, config=False)
        assert done.returncode == 2 and done.stderr, (words, done)


def test_report_and_webhooks_of_an_empty_vault(make_cardveil):
    veil = make_cardveil(start=False)
    for words in (["report", "--merchant", "shp"], ["webhook", "list", "--merchant", "shp"]):
        done = veil.cli(*words, check=False)
        assert done.returncode == 2 and b"no merchant 'shp'" in done.stderr, done
    told = [json.loads(line) for line in veil.cli("report", "--json").stdout.splitlines()]
    assert [(line["merchant"], line["cards_with_token"], line["routes"]) for line in told] == [("shop", 0, []), ("other", 0, [])]
    text = veil.cli("report", "--merchant", "shop", "--route", "rede").stdout.decode()
    assert "no payments on route rede" in text and "nan" not in text
    done = veil.cli("webhook", "list")
    assert done.stdout == b"" and b"no such webhooks" in done.stderr
    for words in (["show"], ["resend"]):
        done = veil.cli("webhook", *words, "547bc38b-fa5b-4b9c-9437-22c0ae983e40", check=False)
        assert done.returncode == 1 and b"no webhook has this id" in done.stderr, done


def test_a_mistyped_action_gets_the_nearest_one(make_cardveil):
    veil = make_cardveil(start=False)
    for words, wanted in ((["vault", "rotat"], b"'rotat'; did you mean 'rotate'?"), (["key", "lsit"], b"did you mean 'list'?"),
                          (["token", "make"], b"known here: create"), (["webhook", "resned"], b"did you mean 'resend'?"), (["vault", "fly"], b"known here: init, stat")):
        done = veil.cli(*words, check=False)
        assert done.returncode == 2 and wanted in done.stderr and done.stderr.count(b"\n") == 1, done


def test_a_backup_that_cannot_be_made_says_why(make_cardveil):
    veil = make_cardveil(start=False)
    done = veil.cli("vault", "backup", "/proc/nothing", check=False)
    assert done.returncode == 1 and b"No such file or directory" in done.stderr and b"/proc/nothing" in done.stderr, done


def test_vault_files_are_private(make_cardveil):
    veil = make_cardveil(start=False)
    assert stat.S_IMODE(os.stat(veil.folder / "vault").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(veil.folder / "vault.key").st_mode) == 0o600
    for folder, _, names in os.walk(veil.folder / "vault"):
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) & 0o077 == 0, name


def test_init_twice_changes_nothing(make_cardveil):
    veil = make_cardveil(start=False)
    before = (veil.folder / "vault.key").read_bytes()
    assert veil.cli("vault", "init", check=False).returncode == 1
    assert (veil.folder / "vault.key").read_bytes() == before
    assert b"1" in veil.cli("vault", "stat").stdout


def test_no_vault_and_wrong_key(make_cardveil):
    veil = make_cardveil(start=False)
    key = veil.folder / "vault.key"
    kept = key.read_text()
    key.write_text("0" * 64 + "\n")
    assert veil.cli("vault", "stat", check=False).returncode == 1
    key.write_text(kept)
    assert veil.cli("vault", "stat").returncode == 0
    shutil.rmtree(veil.folder / "vault")
    done = veil.cli("vault", "stat", check=False)
    assert done.returncode == 1 and b"vault init" in done.stderr


def spoil_missing(key):
    key.unlink()


def spoil_form(key):
    key.write_text("not a key\n")


def spoil_mode(key):
    key.chmod(0o644)


def spoil_kind(key):
    key.unlink()
    key.mkdir()


def spoil_another(key):
    key.write_text("ab" * 32 + "\n")


KEY_FAULTS = [
    (spoil_missing, "VAULT_KEY_MISSING", b"is not there"),
    (spoil_form, "VAULT_KEY_FORM", b"64 hexadecimal digits"),
    (spoil_mode, "VAULT_KEY_OPEN_TO_OTHERS", b"chmod 600"),
    (spoil_kind, "VAULT_KEY_UNREADABLE", b"plain file"),
    (spoil_another, "VAULT_KEY", b"not this vault's"),
]


@pytest.mark.parametrize("spoil, name, words", KEY_FAULTS, ids=[fault[1] for fault in KEY_FAULTS])
def test_each_fault_of_the_key_file_is_told(make_cardveil, spoil, name, words):
    """What is wrong, where, and what to do: by the command on the terminal, by serve in its log, which then ends with 2."""
    veil = make_cardveil(start=False)
    key = veil.folder / "vault.key"
    spoil(key)
    done = veil.cli("vault", "stat", check=False)
    assert done.returncode == 1 and words in done.stderr and str(key).encode() in done.stderr, done
    done = veil.cli("serve", check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 2, lines
    assert any(line.get("event") == "role_failed" and line.get("error") == name and words.decode() in line["reason"] for line in lines), lines
    assert any(line.get("event") == "vault" and line.get("key", "").endswith("vault.key") for line in lines), lines


def test_commands_on_the_vault_need_no_certificates_or_rules(make_cardveil):
    veil = make_cardveil(start=False)
    veil.file.write_text(veil.file.read_text().replace("server.pem", "none.pem").replace("server.key", "none.key").replace("rules: rede", "rules: none"))
    assert veil.cli("check", check=False).returncode == 2
    for words in (["vault", "stat"], ["vault", "verify"], ["key", "list"]):
        veil.cli(*words)
    assert veil.make_tokens([card(VISA)]) == [veil.visa]
    veil.make_key("shop")


def test_token_create_reports_bad_lines(make_cardveil):
    veil = make_cardveil(start=False)
    lines = [json.dumps(card(VISA)), "not json", json.dumps(card("4111111111111112")), json.dumps(card(PANS[1]))]
    done = veil.cli("token", "create", "--merchant", "shop", stdin="\n".join(lines).encode(), check=False)
    assert done.returncode == 1
    assert done.stdout.decode().split() == [veil.visa, veil.mastercard]
    assert b"2" in done.stderr and b"3" in done.stderr


@pytest.mark.parametrize("count", [2000, pytest.param(100000, marks=pytest.mark.long)])
def test_many_cards(make_cardveil, count):
    veil = make_cardveil(start=False)

    def number(n):
        digits = f"400000{n:09}"
        total = sum((d if i % 2 else (d * 2 - 9 if d > 4 else d * 2)) for i, d in enumerate(map(int, reversed(digits))))
        return digits + str(-total % 10)
    cards = [card(number(n)) for n in range(count)]
    tokens = veil.make_tokens(cards)
    assert len(set(tokens)) == count
    assert veil.make_tokens(cards[:100]) == tokens[:100]
    assert veil.cli("vault", "verify").returncode == 0


def test_verify_finds_a_damaged_record(make_cardveil):
    veil = make_cardveil(start=False)
    stores = [path for path in (veil.folder / "vault").rglob("data.mdb")]
    assert stores
    data = bytearray(stores[0].read_bytes())
    token = veil.visa.encode()
    found = [at for at in range(len(data)) if data.startswith(token, at)]
    assert found, "the token's record is not in the store"
    for at in found:
        data[at + len(token) + 20] ^= 1
    stores[0].write_bytes(data)
    assert veil.cli("vault", "verify", check=False).returncode == 1


def test_verify_finds_an_edited_audit_trail(make_cardveil):
    veil = make_cardveil(start=False)
    trail = veil.folder / "vault" / "audit.log"
    lines = trail.read_text().splitlines(keepends=True)
    assert len(lines) >= 3
    del lines[1]
    trail.write_text("".join(lines))
    assert veil.cli("vault", "verify", check=False).returncode == 1


def pay(veil, processor, token=None):
    answer = veil.ask("POST", REDE, [JSON, BASIC], payments.rede_template(token or veil.visa))
    assert answer.status == 200, answer
    assert processor.requests[-1].body == payments.rede_plain(VISA)


def test_rotate_and_backup_while_serving(make_cardveil, processor):
    veil = make_cardveil()
    pay(veil, processor)
    veil.cli("vault", "rotate")
    pay(veil, processor)
    veil.cli("vault", "backup", veil.folder / "copy")
    veil.cli("vault", "verify")
    pay(veil, processor)
    veil.stop()
    shutil.rmtree(veil.folder / "vault")
    veil.config["vault"]["path"] = "copy"
    veil.write_config()
    veil.cli("vault", "verify")
    veil.start()
    pay(veil, processor)


def test_the_audit_trail_is_archived_while_serving(make_cardveil, processor):
    veil = make_cardveil()
    pay(veil, processor)
    done = veil.cli("vault", "archive")
    archived = sorted((veil.folder / "vault").glob("audit.*.log"))
    assert len(archived) == 1 and str(archived[0]).encode() in done.stdout, (archived, done.stdout)
    pay(veil, processor)
    pay(veil, processor)
    assert '"action":"vault.archive"' in (veil.folder / "vault" / "audit.log").read_text().splitlines()[0]
    assert (veil.folder / "vault" / "audit.log").read_text().count('"action":"reveal"') == 2
    whole = json.loads(veil.cli("vault", "verify", "--json").stdout)
    assert whole["good"] and whole["audit_first_line"] == 1
    archived[0].rename(veil.folder / archived[0].name)
    rest = json.loads(veil.cli("vault", "verify", "--json").stdout)
    assert rest["good"] and rest["audit_first_line"] == whole["audit_lines"] - rest["audit_lines"] + 1
    veil.cli("vault", "backup", veil.folder / "copy")
    veil.stop()
    veil.config["vault"]["path"] = "copy"
    veil.write_config()
    assert json.loads(veil.cli("vault", "verify", "--json").stdout)["good"]


def new_key(path):
    path.write_text(os.urandom(32).hex() + "\n")
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, path.parent.stat().st_uid, path.parent.stat().st_gid)


def test_the_key_encryption_key_is_rotated_while_serving(make_cardveil, processor):
    """The README's steps: both keys in the configuration, a restart, rotate --kek, the old one out."""
    veil = make_cardveil(start=False)
    done = veil.cli("vault", "rotate", "--kek", check=False)
    assert done.returncode == 2 and b"vault.old_key" in done.stderr, done
    new_key(veil.folder / "new.key")
    veil.config["vault"].update(key="file:new.key", old_key="file:vault.key")
    veil.write_config()
    veil.start()
    veil.wait_line(lambda line: line.get("event") == "vault_old_key" and "rotate --kek" in line["reason"])
    pay(veil, processor)
    assert json.loads(veil.cli("vault", "stat", "--json").stdout)["under_old_key"] == 1
    assert b"rotated" in veil.cli("vault", "rotate", "--kek").stdout
    assert json.loads(veil.cli("vault", "stat", "--json").stdout)["under_old_key"] == 0
    pay(veil, processor)
    assert veil.ask("POST", "/v1/tokens", [JSON], json.dumps(card("4012888888881881")).encode()).status == 201
    veil.cli("vault", "rotate")  # the data keys too: the serving keeper opens the new key ring
    pay(veil, processor)
    assert b"nothing to do" in veil.cli("vault", "rotate", "--kek").stdout
    veil.stop()
    (veil.folder / "vault.key").unlink()
    del veil.config["vault"]["old_key"]
    veil.write_config()
    assert json.loads(veil.cli("vault", "verify", "--json").stdout)["good"]
    veil.start()
    pay(veil, processor)
    trail = (veil.folder / "vault" / "audit.log").read_text()
    assert '"action":"vault.rotate_kek"' in trail


def test_tokens_made_by_a_command_are_served_at_once(world, processor):
    token = world.make_tokens([card("4012888888881881")])[0]
    answer = world.ask("POST", REDE, [JSON, BASIC], payments.rede_template(token))
    assert answer.status == 200, answer


def test_keys_are_listed_without_their_secret(world):
    out = world.cli("key", "list").stdout
    assert world.key.split("_")[1].encode() in out
    assert world.key.rsplit("_", 1)[1].encode() not in out


# --- check and explain ---

def test_check_is_content_with_a_good_file(make_cardveil):
    assert make_cardveil(start=False).cli("check").returncode == 0


def test_check_reports_every_mistake_with_its_place(make_cardveil):
    veil = make_cardveil(start=False)
    veil.file.write_text(veil.file.read_text().replace("prefix: /rede\n", "prefux: /rede\n").replace("upstream: http://127", "upstream: ftp://127", 1)
                         + "workes: 3\nlimits: { head: lots }\n")
    done = veil.cli("check", check=False)
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == 2
    places = [line for line in text.splitlines() if re.match(r"\S*cardveil\.yaml:\d+:\d+: ", line)]
    assert len(places) >= 4, text
    assert "workers" in text and "prefix" in text


@pytest.mark.parametrize("text", ["", "\0", "- a", "a: [", "listen: 5", "&a [*a]", "vault: &x {path: *x}", "\xff\xfe", "a: b\n" * 3])
def test_check_survives_anything(make_cardveil, text):
    veil = make_cardveil(start=False)
    veil.file.write_bytes(text.encode("latin-1"))
    done = veil.cli("check", check=False)
    assert done.returncode == 2 and (done.stdout or done.stderr)


def test_a_file_that_is_not_there(make_cardveil):
    veil = make_cardveil(start=False)
    for words in (["check"], ["serve"]):
        done = veil.cli(*words, "-c", veil.folder / "nothing.yaml", check=False, config=False)
        assert done.returncode == 2 and b"nothing.yaml" in done.stderr + done.stdout


def test_explain_shows_what_would_go_out_masked(make_cardveil):
    veil = make_cardveil(start=False)
    data = request("POST", REDE, [JSON, BASIC], payments.rede_template(veil.visa))
    done = veil.cli("explain", "--route", "rede", stdin=data, check=False)
    text = done.stdout.decode()
    assert done.returncode == 0, done
    assert "POST /erede/v1/transactions" in text
    assert '"storageCard":"0"' in text and "card.number" in text.replace("_", ".") or "cardNumber" in text
    assert not find_secrets(done.stdout + done.stderr)


def test_explain_of_a_bad_request(make_cardveil):
    veil = make_cardveil(start=False)
    data = request("POST", REDE, [JSON, BASIC], b'{"cardNumber":"{{ x : detokenize }}"}')
    done = veil.cli("explain", "--route", "rede", stdin=data, check=False)
    assert done.returncode == 1 and b"PLACEHOLDER_TOKEN" in done.stdout + done.stderr


# --- admin ---

def test_health_and_readiness(world):
    assert world.admin_get("/healthz").status == 200
    assert world.admin_get("/readyz").status == 200
    assert world.admin_get("/other").status == 404


def test_metrics(world, processor):
    before = world.metric("cardveil_requests_total"), world.metric("cardveil_reveals_total")
    world.ask("POST", REDE, [JSON, BASIC], payments.rede_template(world.visa))
    world.ask("GET", "/nowhere")
    assert world.metric("cardveil_requests_total") >= before[0] + 2
    assert world.metric("cardveil_reveals_total") >= before[1] + 1
    page = world.admin_get("/metrics")
    assert page.get("content-type", "").startswith("text/plain")
    for name in ("cardveil_outcomes_total", "cardveil_keeper_seconds_bucket", "cardveil_upstream_seconds_bucket", "cardveil_client_connections",
                 "cardveil_client_bytes_total"):
        assert name.encode() in page.body, name
