# SPDX-License-Identifier: Apache-2.0
"""A running 'cardveil sandbox'."""

import json
import os
import subprocess

from cardveil import SANITIZERS, binary, free_port
from client import Client


class Sandbox:
    def __init__(self, *more, folder=None):
        self.port = free_port()
        self.process = subprocess.Popen([binary(), "sandbox", "--listen", f"127.0.0.1:{self.port}", *map(str, more)], stderr=subprocess.PIPE,
                                        cwd=folder, env={**os.environ, **SANITIZERS})
        self.said = self.process.stderr.readline().decode()
        assert "no money moves" in self.said, self.said

    def ask(self, *args, **kwargs):
        with Client(self.port) as client:
            return client.ask(*args, **kwargs)

    def json(self, *args, **kwargs):
        answer = self.ask(*args, **kwargs)
        return answer.status, json.loads(answer.body)

    def stop(self):
        self.process.terminate()
        return self.process.wait(30)
