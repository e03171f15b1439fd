# SPDX-License-Identifier: Apache-2.0
"""The monitor of one qemu process, in its JSON form."""
import json
import pathlib
import socket
import threading
import time

from lab.errors import InfrastructureFailure


class Monitor:
    """One caller at a time has it; the others wait."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.lock = threading.Lock()
        self.socket = None
        self.pending = b""
        self.events = []  # seen and not asked for yet

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(self.path))
        self._read(30)
        self.execute("qmp_capabilities")

    def execute(self, command, patience=30, **arguments):
        with self.lock:
            self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
            deadline = time.monotonic() + patience
            while True:
                message = self._read(deadline - time.monotonic())
                if "return" in message:
                    return message["return"]
                if "error" in message:
                    raise InfrastructureFailure(f"qemu refuses {command} {arguments}: {message['error']['desc']}")
                self._keep(message)

    def wait_event(self, name, patience=30, **data):
        """The first event of that name and with that data since the last call that waited for it."""
        deadline = time.monotonic() + patience
        with self.lock:
            while True:
                for event in self.events:
                    if event["event"] == name and data.items() <= event.get("data", {}).items():
                        self.events.remove(event)
                        return event
                self._keep(self._read(deadline - time.monotonic()))

    def _keep(self, message):
        if "event" in message:
            self.events = self.events[-100:] + [message]

    def _read(self, patience):
        try:
            while b"\n" not in self.pending:
                self.socket.settimeout(max(patience, 0.001))
                data = self.socket.recv(65536)
                if not data:
                    raise InfrastructureFailure("qemu ended")
                self.pending += data
        except TimeoutError:
            raise InfrastructureFailure("qemu's monitor did not say what was waited for") from None
        except OSError as error:
            raise InfrastructureFailure(f"qemu's monitor: {error}") from None
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None
        self.pending, self.events = b"", []
