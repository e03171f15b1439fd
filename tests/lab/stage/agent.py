# SPDX-License-Identifier: Apache-2.0
"""Runs commands in a guest for the host, over a virtio-serial port: works without any network.

usage: agent.py PORT READY-FILE. Each line is one JSON object; bytes are in base64. A request has an `id`, and
its one reply too; replies come in any order. Commands run beside each other, each with a deadline, in process
groups of their own; what they write goes to files, so that a daemon left behind holds nothing up. A line
that is no JSON is the rest of a broken connection and ignored.
"""
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

LIMIT = 64 << 20  # bytes of output
SCRATCH = "/run/lab"

running = {}  # id -> Popen
write_lock = threading.Lock()


def text(data):
    return base64.b64encode(data).decode()


def run(request):
    with tempfile.TemporaryFile(dir=SCRATCH) as stdin, tempfile.TemporaryFile(dir=SCRATCH) as out, \
            tempfile.TemporaryFile(dir=SCRATCH) as err:
        stdin.write(base64.b64decode(request.get("stdin", "")))
        stdin.seek(0)
        process = subprocess.Popen(request["argv"], stdin=stdin, stdout=out, stderr=err, cwd="/root",
                                   start_new_session=True)
        running[request["id"]] = process
        timed_out = False
        try:
            process.wait(request["timeout"])
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        finally:
            del running[request["id"]]
        if any(os.fstat(f.fileno()).st_size > LIMIT for f in (out, err)):
            raise ValueError(f"more than {LIMIT >> 20} MiB of output: write it to a file and get that")
        out.seek(0)
        err.seek(0)
        return {"code": process.returncode, "timed_out": timed_out, "out": text(out.read()), "err": text(err.read())}


def kill(request):
    process = running.get(request["target"])
    if process:
        os.killpg(process.pid, request["signal"])
    return {"found": process is not None}


def put(request):
    with open(request["path"], "r+b" if request["offset"] else "wb") as file:
        file.seek(request["offset"])
        file.write(base64.b64decode(request["data"]))
        os.fchmod(file.fileno(), request["mode"])
    return {}


def get(request):
    with open(request["path"], "rb") as file:
        file.seek(request["offset"])
        return {"data": text(file.read(request["size"]))}


def hello(request):
    with open("/proc/sys/kernel/random/boot_id") as file:
        return {"boot": file.read().strip()}


def reboot(request):
    """No process is asked to end and nothing unmounted, but nothing is lost: all is synced and made read-only."""
    os.sync()
    sysrq("u")  # only starts to make file systems read-only
    deadline = time.monotonic() + 10
    while not os.statvfs("/").f_flag & os.ST_RDONLY and time.monotonic() < deadline:
        time.sleep(0.02)
    sysrq("b")
    return {}


def sysrq(letter):
    with open("/proc/sysrq-trigger", "w") as file:
        file.write(letter)


OPERATIONS = {f.__name__: f for f in (run, kill, put, get, hello, reboot)}


def answer(request, port):
    try:
        reply = OPERATIONS[request["op"]](request)
    except Exception as error:  # told to the host: nothing here may end the agent
        reply = {"error": f"{type(error).__name__}: {error}"}
    data = (json.dumps({**reply, "id": request["id"]}) + "\n").encode()
    with write_lock:
        while data:
            data = data[os.write(port, data):]


def main():
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.02)
    port = os.open(sys.argv[1], os.O_RDWR | os.O_CLOEXEC)
    pending = []
    while True:
        data = os.read(port, 1 << 16)
        if not data:  # the host is not connected
            pending = []
            time.sleep(0.05)
            continue
        pending.append(data)
        if b"\n" not in data:
            continue
        *lines, rest = b"".join(pending).split(b"\n")
        pending = [rest]
        for line in lines:
            try:
                request = json.loads(line)
            except ValueError:
                continue
            threading.Thread(target=answer, args=(request, port), daemon=True).start()


main()
