# SPDX-License-Identifier: Apache-2.0
"""Hosted card fields: sessions, the page and its headers, and the whole of it in a browser, framed by a page of another origin."""

import json
import os
import signal
import time

import pytest

import browser as browsers
from leaks import AMEX, VISA, find_secrets
from payments import JSON
from wire import PATIENCE

SHOP_PAGE = """<!doctype html><title>Shop</title><h1>Shop</h1>
<iframe id="card" src="%s" allow="payment"></iframe><button id="pay">Pay</button>
<script>
window.heard = [];
window.addEventListener("message", (event) => { window.heard.push({ from: event.origin, ...event.data }); });
document.getElementById("pay").addEventListener("click", () =>
  document.getElementById("card").contentWindow.postMessage({ target: "cardveil", type: "submit" }, "%s"));
</script>"""
HEARD = "return window.heard.find((told) => told.type === arguments[0]);"


@pytest.fixture(scope="module")
def browser(session_folder):
    assert browsers.is_installed(), "chromium and chromedriver are missing: run tests/run, which installs them"
    made = browsers.Browser(session_folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def pages():
    made = browsers.Pages()
    yield made
    made.close()


def open_session(world, origin, status=201, key=None, **more):
    answer = world.ask("POST", "/v1/field-sessions", [("x-api-key", key or world.key), JSON],
                       json.dumps({"origin": origin, **more}).encode(), how="keyed")
    told = json.loads(answer.body)
    assert answer.status == status, told
    if status == 201:
        world.secrets.append(told["data"]["session"].encode())  # searched for in everything that is printed
    return told["data"]


def take_card(world, session, body, headers=(JSON,)):
    answer = world.ask("POST", f"/fields/{session}", list(headers), json.dumps(body).encode(), how="keyed")
    return answer.status, json.loads(answer.body)


CARD = {"number": VISA, "expiration_date": "12/2030"}


def test_session_page_and_card(world):
    session = open_session(world, "https://shop.example")
    assert session["url"] == f"/fields/{session['session']}" and session["origin"] == "https://shop.example"
    page = world.ask("GET", session["url"], how="keyed")
    policy = page.get("content-security-policy")
    assert page.status == 200 and page.get("content-type") == "text/html; charset=utf-8"
    assert "frame-ancestors https://shop.example" in policy and "default-src 'none'" in policy and "unsafe" not in policy
    assert (page.get("cache-control"), page.get("referrer-policy"), page.get("x-content-type-options")) == ("no-store", "no-referrer", "nosniff")
    assert page.get("access-control-allow-origin") is None
    status, told = take_card(world, session["session"], CARD)
    assert (status, told["data"]["token"]) == (201, world.visa), told
    assert not find_secrets(json.dumps(told).encode())


def test_session_makes_what_it_is_for(world):
    both = open_session(world, "https://shop.example", kind="both")["session"]
    status, told = take_card(world, both, {**CARD, "cvc": "123"})
    assert status == 201 and told["data"]["token"] == world.visa and told["data"]["transaction"].startswith("tmp_"), told
    assert take_card(world, both, CARD)[1]["data"]["code"] == "TEMPORAL_FIELD"
    plain = open_session(world, "https://shop.example")["session"]
    assert take_card(world, plain, {**CARD, "cvc": "123"})[1]["data"]["code"] == "CARD_FIELD"


def test_session_takes_three_cards(world):
    session = open_session(world, "https://shop.example")["session"]
    assert take_card(world, session, {**CARD, "number": "4111111111111112"})[0] == 400  # costs nothing: it never reached the vault
    assert [take_card(world, session, CARD)[0] for _ in range(4)] == [201, 201, 201, 404]
    page = world.ask("GET", f"/fields/{session}", how="keyed")
    assert page.status == 404 and b"has expired" in page.body


def test_session_expires(world):
    session = open_session(world, "https://shop.example", ttl=1)["session"]
    deadline = time.monotonic() + PATIENCE
    while (status := world.ask("GET", f"/fields/{session}", how="keyed").status) == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 404


def test_who_may_open_a_session(world):
    reader = world.make_key("shop", "--permit", "read")
    assert open_session(world, "https://shop.example", 403, key=reader)["code"] == "KEY_PERMISSION"
    assert open_session(world, "https://shop.example", 401, key="cvk_no_no")["code"] == "KEY_WRONG"
    for wrong in ("https://shop.example/", "http://shop.example", "*", "https://shop.example;x", "javascript:alert(1)"):
        assert open_session(world, wrong, 400)["code"] == "FIELD_SESSION_ORIGIN", wrong
    assert take_card(world, "fs_" + "0" * 32, CARD)[1]["data"]["code"] == "FIELD_SESSION"
    assert take_card(world, world.key, CARD)[1]["data"]["code"] == "FIELD_SESSION"
    session = open_session(world, "https://shop.example")["session"]
    assert take_card(world, session, CARD, [("content-type", "text/plain")])[0] == 415
    stolen = world.ask("POST", "/v1/tokens", [("x-api-key", session), JSON], json.dumps(CARD).encode(), how="keyed")
    assert stolen.status == 401


def test_sessions_end_with_the_keeper(make_cardveil):
    veil = make_cardveil()
    session = open_session(veil, "https://shop.example")["session"]
    os.kill(veil.roles()["keeper"], signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while (code := take_card(veil, session, CARD)[1]["data"]["code"]) == "KEEPER_AWAY" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert code == "FIELD_SESSION"


# --- in the browser ---

def show(world, browser, pages, origin=None, **more):
    """A shop's page with the card fields in a frame; into the frame."""
    session = open_session(world, origin or pages.origin, **more)
    at = f"http://127.0.0.1:{world.keyed}"
    pages["/pay"] = SHOP_PAGE % (at + session["url"] + "?lang=en", at)
    browser.open(pages.origin + "/pay")
    return session


def heard(browser, kind):
    return browser.wait(HEARD, kind)


def test_card_by_keyboard_alone(world, browser, pages):
    """Tab, digits, Enter: the shop's page gets a token and never a digit of the card."""
    show(world, browser, pages, kind="both")
    assert heard(browser, "ready")["from"] == f"http://127.0.0.1:{world.keyed}"
    browser.into_frame("#card")
    browser.type("#number", VISA)
    assert browser.run("return document.getElementById('number').value") == "4111 1111 1111 1111"
    assert browser.run("return document.getElementById('brand').textContent") == "Visa"
    browser.press(browsers.KEYS["tab"] + "1230" + browsers.KEYS["tab"] + "123" + browsers.KEYS["tab"] + "ANA SOUZA" + browsers.KEYS["enter"])
    browser.wait("return document.getElementById('status').textContent === 'Card saved.'")
    assert browser.run("return [...document.querySelectorAll('input')].every((one) => one.value === '' && one.disabled)")
    browser.out_of_frame()
    told = heard(browser, "token")
    assert told["token"] == world.visa and told["transaction"].startswith("tmp_") and told["card"]["brand"] == "visa"
    everything = json.dumps(browser.run("return window.heard"))
    assert VISA not in everything and "123" not in json.dumps([one for one in json.loads(everything) if one["type"] != "token"]).replace("127.0.0.1", "")
    changes = [one for one in json.loads(everything) if one["type"] == "change"]
    assert changes[-1]["complete"] is True and changes[0]["complete"] is False


def test_the_shops_own_button(world, browser, pages):
    show(world, browser, pages)
    heard(browser, "ready")
    browser.run("document.getElementById('pay').click()")
    assert heard(browser, "error") == {"from": f"http://127.0.0.1:{world.keyed}", "source": "cardveil", "type": "error",
                                       "code": "INCOMPLETE", "field": "number"}
    browser.into_frame("#card")
    assert browser.run("return document.getElementById('cvc-field').hidden")
    browser.type("#number", VISA)
    browser.type("#expiry", "0131")
    browser.out_of_frame()
    browser.run("document.getElementById('pay').click()")
    assert heard(browser, "token")["token"] == world.visa


def test_mistakes_are_told_to_everyone(world, browser, pages):
    """What is wrong stands beside the field, is tied to it for a screen reader, and goes when it is mended."""
    show(world, browser, pages, kind="both")
    browser.into_frame("#card")
    browser.type("#number", "4111111111111112")
    browser.type("#expiry", "0120")
    browser.type("#cvc", "12")
    browser.type("#holder", browsers.KEYS["enter"])
    state = """return ["number", "expiry", "cvc"].map((name) => {
        const input = document.getElementById(name), error = document.getElementById(input.getAttribute("aria-describedby"));
        return [input.getAttribute("aria-invalid"), error.getAttribute("role"), error.textContent, input.labels[0].textContent];
    })"""
    assert browser.run(state) == [
        ["true", "alert", "Check the card number.", "Card number"],
        ["true", "alert", "This card has expired.", "Expiry (MM/YY)"],
        ["true", "alert", "The security code has 3 digits.", "Security code"],
    ]
    assert browser.run("return document.activeElement.id") == "number"
    browser.type("#number", browsers.KEYS["backspace"] + "1")
    assert browser.run("return document.getElementById('number-error').textContent") == ""
    assert browser.run("return document.getElementById('number').getAttribute('aria-invalid')") == "false"


def test_brands_and_lengths(world, browser, pages):
    show(world, browser, pages, kind="both")
    browser.into_frame("#card")
    browser.type("#number", AMEX)
    assert browser.run("return document.getElementById('brand').textContent") == "American Express"
    browser.type("#cvc", "123")
    browser.type("#holder", browsers.KEYS["enter"])
    assert browser.run("return document.getElementById('cvc-error').textContent") == "The security code has 4 digits."


def test_another_origin_cannot_frame_it(world, browser, pages):
    show(world, browser, pages, origin="https://shop.example")
    browser.wait("return document.readyState === 'complete'")
    browser.into_frame("#card")
    assert browser.run("return document.getElementById('number') === null")
    browser.out_of_frame()
    assert browser.run("return window.heard.length") == 0
    assert any("frame-ancestors" in line for line in browser.console())


def test_messages_of_others_are_not_heard(world, browser, pages):
    """A frame beside it, of the same page but another origin, cannot press the button."""
    other = browsers.Pages()
    try:
        show(world, browser, pages)
        heard(browser, "ready")
        other["/beside"] = """<script>setTimeout(() => { parent.frames[0].postMessage({ target: "cardveil", type: "submit" }, "*");
            parent.postMessage({ source: "beside", type: "sent" }, "*"); }, 0);</script>"""
        browser.run("const f = document.createElement('iframe'); f.src = arguments[0]; document.body.append(f);", other.origin + "/beside")
        heard(browser, "sent")
        browser.run("document.getElementById('card').contentWindow.postMessage({ target: 'cardveil', type: 'focus' }, '*')")
        browser.wait("return document.activeElement.id === 'card'")  # what came later was heard
        assert browser.run("return window.heard.filter((told) => told.type === 'error').length") == 0
    finally:
        other.close()


def test_nothing_else_is_loaded_or_run(world, browser, pages):
    show(world, browser, pages)
    browser.into_frame("#card")
    assert browser.run("return document.querySelectorAll('script, link').length") == 2
    assert browser.run("const i = new Image(); return new Promise((done) => { i.onerror = () => done('stopped'); i.onload = () => done('loaded');"
                       " i.src = arguments[0]; })", pages.origin + "/x.png") == "stopped"
    assert browser.run("return fetch(arguments[0]).then(() => 'sent', () => 'stopped')", pages.origin + "/pay") == "stopped"
