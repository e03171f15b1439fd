# SPDX-License-Identifier: Apache-2.0
"""Runs in a guest: calls of the volume plugin protocol, all at the same time, each on a connection of its own.

plugin_calls.py SOCKET, with [[method, body], ...] on stdin. Prints a line [index, seconds, answer] for each as it
comes."""
import http.client
import json
import socket
import sys
import threading
import time


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def call(method, body):
    connection = Connection(sys.argv[1], timeout=130)
    try:
        connection.request("POST", f"/{method}", json.dumps(body) + "\n", {"Host": "d"})
        return json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        return {"Err": f"no answer: {error!r}"}
    finally:
        connection.close()


def report(index, method, body):
    started = time.monotonic()
    answer = call(method, body)
    with printing:
        print(json.dumps([index, round(time.monotonic() - started, 1), answer]), flush=True)


printing = threading.Lock()
threads = [threading.Thread(target=report, args=(i, *each)) for i, each in enumerate(json.load(sys.stdin))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
