# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven through WebDriver (W3C, https://www.w3.org/TR/webdriver2/) by plain HTTP, and a small web server whose
pages stand on another origin than Cardveil."""

import http.client
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cardveil import free_port
from wire import PATIENCE

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver 12.1
KEYS = {"tab": "\ue004", "enter": "\ue007", "backspace": "\ue003"}


class Browser:
    def __init__(self, folder):
        self.port = free_port()
        self.log = open(pathlib.Path(folder) / "chromedriver.log", "wb")
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=self.log, stderr=self.log)
        profile = tempfile.mkdtemp(dir=folder)
        # --no-sandbox: tests run as root in containers too; nothing but pages of this machine is opened.
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
        wanted = {"goog:chromeOptions": {"args": flags}, "acceptInsecureCerts": True, "goog:loggingPrefs": {"browser": "ALL"}}
        deadline = time.monotonic() + 60
        while True:
            try:
                self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}}, whole=True)["sessionId"]
                break
            except (ConnectionError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def call(self, method, path, body=None, whole=False):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        target = path if whole else f"/session/{self.session}{path}"
        link.request(method, target, None if body is None else json.dumps(body), {"content-type": "application/json"})
        value = json.loads(link.getresponse().read())["value"]
        link.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message'].splitlines()[0]}")
        return value

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def wait(self, script, *args):
        """Until the script's value is true; that value."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.run(script, *args)):
            assert time.monotonic() < deadline, f"{script}: {value!r}\n{self.console()}"
            time.sleep(0.05)
        return value

    def into_frame(self, selector):
        self.call("POST", "/frame", {"id": self.find(selector)})

    def out_of_frame(self):
        self.call("POST", "/frame", {"id": None})

    def find(self, selector):
        return self.call("POST", "/element", {"using": "css selector", "value": selector})

    def type(self, selector, text):
        self.call("POST", f"/element/{self.find(selector)[ELEMENT]}/value", {"text": text})

    def press(self, text):
        """To whatever has the focus."""
        actions = [step for key in text for step in ({"type": "keyDown", "value": key}, {"type": "keyUp", "value": key})]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def console(self):
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def close(self):
        try:
            self.call("DELETE", f"/session/{self.session}", whole=True)
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.log.close()


class Pages:
    """pages["/pay"] = HTML: a web server on an origin of its own."""

    def __init__(self):
        held = self.held = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                text = held.get(self.path.split("?")[0])
                self.send_response(200 if text else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((text or "").encode())

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __setitem__(self, path, text):
        self.held[path] = text

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def is_installed():
    return all(any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.environ["PATH"].split(":"))
               for name in ("chromium", "chromedriver"))
