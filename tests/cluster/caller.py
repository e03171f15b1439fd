# SPDX-License-Identifier: Apache-2.0
"""Calls of the plugin protocol from inside a host: volplugin looks at who calls, and refuses a caller that does not
see its mounts. As a program it makes the calls; Caller is the test's end of it.

One JSON document per line: in {id, socket, method, body, patience}, out {id, status, answer} or {id, error, hung}."""
import http.client
import itertools
import json
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.daemons import die_with_parent, request  # noqa: E402


class Caller:
    """Thread safe. Ends with close(); calls under way then fail."""

    def __init__(self, host):
        self._process = subprocess.Popen(host.enter([sys.executable, __file__]), stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting = {}
        self._reader = threading.Thread(target=self._read, name="answers", daemon=True)
        self._reader.start()

    def call(self, socket, method, body, patience):
        """(status, answer). OSError: nobody there, or the connection broke. TimeoutError: no answer in time."""
        asked = {"id": next(self._numbers), "socket": str(socket), "method": method, "body": body,
                 "patience": patience}
        done = threading.Event()
        with self._lock:
            self._waiting[asked["id"]] = (done, asked)
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        if not done.wait(patience + 10) or asked.get("hung"):
            raise TimeoutError(f"no answer within {patience} s")
        if "error" in asked:
            raise ConnectionError(asked["error"])
        return asked["status"], asked["answer"]

    def _read(self):
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                done, asked = self._waiting.pop(answer["id"])
            asked.update(answer)
            done.set()

    def close(self):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()


def _make_call(asked, lock):
    answer = {"id": asked["id"]}
    try:
        answer["status"], _, answer["answer"] = request(asked["socket"], "POST", f"/VolumeDriver.{asked['method']}",
                                                        json.dumps(asked["body"]) + "\n", timeout=asked["patience"])
    except TimeoutError as late:
        answer.update(error=str(late), hung=True)
    except (OSError, http.client.HTTPException) as gone:
        answer.update(error=repr(gone))
    with lock:
        print(json.dumps(answer), flush=True)


def main():
    lock = threading.Lock()
    for line in sys.stdin:
        threading.Thread(target=_make_call, args=(json.loads(line), lock), daemon=True).start()


if __name__ == "__main__":
    main()
