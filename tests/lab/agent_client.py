# SPDX-License-Identifier: Apache-2.0
"""The host's side of stage/agent.py: one connection, any number of requests under way."""
import concurrent.futures
import contextlib
import json
import pathlib
import socket
import threading
import uuid

from lab.errors import CommandFailed, InfrastructureFailure


class AgentClient:
    """Threads: one reader, which ends with the connection. Calls may come from any thread."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.lock = threading.Lock()  # guards `waiting` and writing
        self.socket = None
        self.reader = None
        self.waiting = {}

    def connect(self):
        """Raises OSError while qemu is not listening."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        connection.sendall(b"\n")  # ends the line that a connection before this one may have left unfinished
        self.socket = connection
        self.reader = threading.Thread(target=self._read, args=(connection,), name="lab-agent", daemon=True)
        self.reader.start()

    def begin(self, operation, **arguments):
        """(id, future of the reply). The future fails when the connection ends."""
        identifier = uuid.uuid4().hex
        future = concurrent.futures.Future()
        line = json.dumps({"id": identifier, "op": operation, **arguments}).encode() + b"\n"
        with self.lock:
            self.waiting[identifier] = future
            try:
                self.socket.sendall(line)
            except (OSError, AttributeError):
                del self.waiting[identifier]
                raise InfrastructureFailure("the guest's agent is not connected: the guest ended") from None
        return identifier, future

    def call(self, operation, patience=60.0, **arguments):
        return result(self.begin(operation, **arguments)[1], patience, operation)

    def abandon(self, reason):
        """Fails everything that is under way, as after a reboot, when no reply will come."""
        with self.lock:
            lost, self.waiting = list(self.waiting.values()), {}
        for future in lost:
            future.set_exception(InfrastructureFailure(reason))

    def close(self):
        if self.socket:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.reader.join()
            self.socket.close()
        self.socket = None

    def _read(self, connection):
        pending = bytearray()
        with contextlib.suppress(OSError):
            while data := connection.recv(1 << 18):
                pending += data
                if b"\n" in data:
                    *lines, rest = pending.split(b"\n")
                    pending = bytearray(rest)
                    for line in lines:
                        self._deliver(line)
        self.abandon("the guest ended")

    def _deliver(self, line):
        try:
            reply = json.loads(line)
        except ValueError:
            return  # the rest of what was meant for a connection before this one
        with self.lock:
            future = self.waiting.pop(reply.get("id"), None)
        if future:
            future.set_result(reply)


def result(future, patience, what):
    try:
        reply = future.result(patience)
    except concurrent.futures.TimeoutError:
        raise InfrastructureFailure(f"the guest did not answer within {patience:g} s: {what}") from None
    if "error" in reply:
        raise CommandFailed(f"{what}: {reply['error']}")
    return reply
