# SPDX-License-Identifier: Apache-2.0
"""One script in one throwaway guest."""
import pathlib
import re
import select
import socket
import sys
import time

from lab import accel, image
from lab.disk import Disk, pack
from lab.errors import InfrastructureFailure
from lab.qemu import Hardware, Machine
from lab.workspace import workspace

_FIRST_BOOT = 30.0  # seconds; a working KVM needs two


def run_job(script, hardware=None, payloads=None, timeout=600.0, output=sys.stdout.buffer):
    """Runs `script` (bytes or text; bash unless its first line says otherwise) and returns its exit status. What it
    writes goes to `output` as it comes. `payloads`: directory in the guest -> directory, tar file or list of files.
    Whatever ends the guest before the script has ended raises InfrastructureFailure."""
    return _run(script, hardware or Hardware(), payloads or {}, timeout, output, accel.choose(boots_with))


def boots_with(acceleration):
    """Whether a guest runs with it at all."""
    try:
        return _run("true", Hardware(), {}, _FIRST_BOOT, None, acceleration) == 0
    except InfrastructureFailure:
        return False


def packed(payloads, directory):
    """The disks for payloads, to be mounted by stage/stage2.sh."""
    disks = {}
    for number, (target, source) in enumerate(payloads.items()):
        path = pathlib.Path(directory) / f"payload{number}.disk"
        pack(source, path)
        disks[target] = Disk(f"payload{number}", path=path, readonly=True)
    return disks


def _run(script, hardware, payloads, timeout, output, acceleration):
    script = script.encode() if isinstance(script, str) else script
    if not script.startswith(b"#!"):
        script = b"#!/bin/bash\n" + script
    used = image.ensure()
    with used.hold(), workspace() as directory:
        hardware.payloads = packed(payloads, directory)
        channels = {"output": f"socket,path={directory}/output,server=on,wait=off",
                    "status": f"file,path={directory}/status"}
        machine = Machine(directory, used, hardware, "job", channels, job=script, acceleration=acceleration)
        machine.start()
        try:
            _stream(machine, directory / "output", output, time.monotonic() + timeout)
        except TimeoutError:
            raise machine.failure(f"the job did not end within {timeout:g} s") from None
        finally:
            machine.kill()
        trailer = re.fullmatch(r"LAB-EXIT (\d+)\n", _text(directory / "status"))
        if not trailer:
            raise machine.failure("the guest ended before the job did")
        return int(trailer[1])


def _text(path):
    return path.read_text() if path.exists() else ""


def _stream(machine, path, output, deadline):
    """Copies what comes until qemu ends."""
    with socket.socket(socket.AF_UNIX) as source:
        while True:
            try:
                source.connect(str(path))
                break
            except OSError:
                if not machine.running() or time.monotonic() > deadline:
                    raise machine.failure("qemu did not start") from None
                time.sleep(0.01)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                raise TimeoutError
            try:
                data = source.recv(1 << 16)
            except ConnectionResetError:
                break
            if not data:
                break
            if output:
                output.write(data)
                output.flush()
    machine.process.wait(max(deadline - time.monotonic(), 5))
