# SPDX-License-Identifier: Apache-2.0
"""A merchant's webhook receiver: verifies each delivery, keeps it, and answers badly when told to. A delivery that is not signed as
documented is a fault, and no test passes with one."""

import json
import os

from processor import Processor, message
from signatures import Unsigned, verify_webhook
from wire import PATIENCE


class Delivery:
    def __init__(self, request, told, taken):
        self.request, self.told, self.taken = request, told, taken
        self.id, self.token, self.status = told["id"], told["data"]["token"], told["data"]["status"]

    def __repr__(self):
        return f"<{self.id} {self.token} {self.status} {'taken' if self.taken else 'not taken'}>"


class Receiver(Processor):
    """failing: how many of the next deliveries are not taken (None: all); failure: the status then, or 'reset'."""

    def __init__(self, certs=None):
        super().__init__(certs)
        self.secret = b"hook-" + os.urandom(16).hex().encode()
        self.url = f"{self.url}/hooks/cards?for=tokens"
        self.deliveries = []
        self.failing, self.failure = 0, 500
        self.default = self._take

    def forget(self):
        super().forget()
        self.deliveries.clear()
        self.failing, self.failure, self.default = 0, 500, self._take

    def secrets(self):
        return [self.secret]

    def _take(self, talk):
        request = talk.read_body()
        try:
            if (request.method, request.target) != ("POST", "/hooks/cards?for=tokens"):
                raise Unsigned(f"{request.method} {request.target}")
            verify_webhook(request, self.secret)
            told = json.loads(request.body)
        except (Unsigned, ValueError) as why:
            self.faults.append(f"the webhook's receiver got: {why!r}")
            talk.send(message(400, b""))
            return True
        with self.changed:
            fails = self.failing is None or self.failing > 0
            if self.failing:
                self.failing -= 1
            self.deliveries.append(Delivery(request, told, not fails))
            self.changed.notify_all()
        if fails and self.failure == "reset":
            talk.wire.reset()
            return False
        talk.send(message(self.failure if fails else 200, b""))
        return True

    def of(self, token, taken=None):
        with self.changed:
            return [d for d in self.deliveries if d.token == token and taken in (None, d.taken)]

    def wait(self, token, status, count=1, seconds=PATIENCE):
        """The taken deliveries with this status for this token, once there are <count>."""
        def found():
            return [d for d in self.of(token, taken=True) if d.status == status]
        with self.changed:
            self.changed.wait_for(lambda: len(found()) >= count, seconds)
        assert len(found()) >= count, f"{status} of {token}: {self.deliveries}"
        return found()
