# SPDX-License-Identifier: Apache-2.0
"""A guest that lives long: commands, files, and everything that can happen to a machine."""
import base64
import concurrent.futures
import contextlib
import pathlib
import shutil
import signal
import subprocess
import threading
import time

from lab import accel, agent_client, image, job
from lab.agent_client import AgentClient
from lab.disk import Disk, pack
from lab.errors import CommandFailed, CommandTimeout, InfrastructureFailure
from lab.qemu import Hardware, Machine
from lab.qmp import Monitor

BOOT = 120.0  # seconds a boot may take on a loaded machine
ANSWER = 30.0  # seconds an answer may take beyond the command's own deadline
_CHUNK = 1 << 20


class Command:
    """A command under way in a guest."""

    def __init__(self, guest, argv, timeout, stdin, text):
        self.guest, self.argv, self.timeout, self.text = guest, argv, timeout, text
        data = stdin.encode() if isinstance(stdin, str) else stdin or b""
        self.id, self.future = guest.agent.begin("run", argv=argv, timeout=timeout,
                                                 stdin=base64.b64encode(data).decode())

    def done(self):
        return self.future.done()

    def kill(self, number=signal.SIGKILL):
        """Signals its process group."""
        self.guest.agent.call("kill", target=self.id, signal=int(number))

    def wait(self, check=True):
        """A subprocess.CompletedProcess. Output of more than 64 MiB is an error."""
        what = self.argv[-1] if self.argv[0] == "/bin/bash" else self.argv
        with self.guest.explained():
            reply = agent_client.result(self.future, self.timeout + ANSWER, f"command {what!r}")
        out, err = (base64.b64decode(reply[name]) for name in ("out", "err"))
        shown = f"{what!r} in {self.guest.name}\n{out.decode(errors='replace')}{err.decode(errors='replace')}"
        if reply["timed_out"]:
            raise CommandTimeout(f"not done after {self.timeout} s: {shown}")
        if check and reply["code"] != 0:
            raise CommandFailed(f"status {reply['code']}: {shown}")
        if self.text:
            out, err = out.decode(errors="replace"), err.decode(errors="replace")
        return subprocess.CompletedProcess(self.argv, reply["code"], out, err)


def start_all(*guests):
    """Boots guests side by side."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(Guest.start, guests))


class Guest:
    """A virtual machine in `directory` (short, one for each guest: workspace() or pytest's fixture makes one).

    What survives            a disk of `disks`   its root         memory, processes, /tmp and /run
      reboot()               yes                 yes              no
      power_cut(), start()   what was synced     fresh            no
      the same, keep_root    what was synced     what was synced  no

    `payloads`: directory in the guest -> directory, tar file or list of files of the host; mounted read-only at
    every start. Guests have the host at 10.0.2.2 (its 127.0.0.1, too) and what it reaches; with `wire`, an end of a
    Wire, also each other. One thread at a time may start or change a guest; commands may come from many."""

    def __init__(self, directory, name="guest1", memory=1024, cpus=2, disks=(), payloads=None, wire=None,
                 keep_root=False):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.hardware = Hardware(name, memory, cpus, list(disks), {}, wire)
        self.payloads = payloads or {}
        self.keep_root = keep_root
        self.machine = self.monitor = self.agent = self.boot = None
        self.held = contextlib.ExitStack()  # the lock on the image

    # Life.

    def start(self):
        """Boots it and waits until it answers; returns itself."""
        assert not self.running(), f"{self.name} runs already"
        acceleration = accel.choose(job.boots_with)
        used = image.ensure()
        if self.machine is None:
            self.held.enter_context(used.hold())
            self.hardware.payloads = job.packed(self.payloads, self.dir)
        else:
            used = self.machine.image
        channels = {"agent": f"socket,path={self.dir}/agent,server=on,wait=off"}
        self.machine = Machine(self.dir, used, self.hardware, "agent", channels, self._root(used),
                               acceleration=acceleration)
        self.monitor, self.agent = Monitor(self.dir / "monitor"), AgentClient(self.dir / "agent")
        for stale in (self.monitor.path, self.agent.path):
            stale.unlink(missing_ok=True)
        self.machine.start()
        try:
            deadline = time.monotonic() + BOOT
            self._connect(deadline)
            self._wait_booted(deadline)
        except BaseException:
            self.power_cut()
            raise
        return self

    def running(self):
        return self.machine is not None and self.machine.running()

    def reboot(self):
        """Syncs, and starts again like a machine with a reset button: no process is asked to end, nothing is
        unmounted. Waits until it answers."""
        self.monitor.execute("set-action", reboot="reset")  # without that, a reboot ends qemu, as a panic should
        self.agent.begin("reboot")
        with self.explained():
            self.monitor.wait_event("RESET", patience=60)
        self.agent.abandon(f"{self.name} was rebooted")
        self._wait_booted(time.monotonic() + BOOT)
        self.monitor.execute("set-action", reboot="shutdown")  # not earlier: firmware resets once more itself

    def power_cut(self):
        """Ends it at once. What it had not written out is lost; start() boots it with the same disks."""
        self.machine.kill()
        self.agent.close()
        self.monitor.close()

    def stop(self):
        """The end: like a power cut, and its image may be removed."""
        if self.machine:
            self.power_cut()
        self.held.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _root(self, used):
        if not self.keep_root:
            return None
        path = self.dir / "root.disk"
        if not path.exists():
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", used.root, path], check=True)
            subprocess.run(["tune2fs", "-O", "has_journal", path], check=True, stdout=subprocess.DEVNULL)
        return path

    def _connect(self, deadline):
        for each in (self.agent, self.monitor):
            while True:
                try:
                    each.connect()
                    break
                except OSError:
                    if not self.machine.running() or time.monotonic() > deadline:
                        raise self.machine.failure("qemu did not start") from None
                    time.sleep(0.01)

    def _wait_booted(self, deadline):
        with self.explained():
            self.boot = self.agent.call("hello", patience=deadline - time.monotonic())["boot"]

    @contextlib.contextmanager
    def explained(self):
        """Adds what the console says to a failure of the lab."""
        try:
            yield
        except InfrastructureFailure as error:
            raise self.machine.failure(f"{self.name}: {error}") from None

    # Commands and files.

    def run(self, command, timeout=60.0, stdin=None, check=True, text=True):
        """Runs a list of arguments, or a text with `bash -e -o pipefail`; returns a subprocess.CompletedProcess.
        After `timeout` seconds its process group is killed and CommandTimeout raised. With `check`, a status other
        than 0 raises CommandFailed. A background process it leaves lives on."""
        return self.spawn(command, timeout, stdin, text).wait(check)

    def spawn(self, command, timeout=600.0, stdin=None, text=True):
        """The same without waiting: a Command."""
        shell = isinstance(command, str)
        argv = ["/bin/bash", "-e", "-o", "pipefail", "-c", command] if shell else [str(each) for each in command]
        return Command(self, argv, timeout, stdin, text)

    def put(self, data, path, mode=0o644):
        """Writes bytes or text to a file in the guest."""
        data = data.encode() if isinstance(data, str) else data
        for offset in range(0, len(data) or 1, _CHUNK):
            with self.explained():
                self.agent.call("put", path=str(path), offset=offset, mode=mode,
                                data=base64.b64encode(data[offset:offset + _CHUNK]).decode())

    def get(self, path):
        """The bytes of a file in the guest."""
        parts = []
        while not parts or parts[-1]:
            with self.explained():
                reply = self.agent.call("get", path=str(path), offset=sum(map(len, parts)), size=_CHUNK)
            parts.append(base64.b64decode(reply["data"]))
        return b"".join(parts)

    def push(self, source, target):
        """Copies a directory, a tar file or a list of files of the host to a directory of the running guest: the
        quick way for much. It lives as long as the guest's root."""
        disk = Disk(f"push{threading.get_native_id()}", path=self.dir / "push.disk", readonly=True)
        pack(source, disk.path)
        self.add_disk(disk)
        try:
            self.run(f"mkdir -p /run/lab/push '{target}'; mount -o ro {disk.device} /run/lab/push\n"
                     f"cp -a /run/lab/push/. '{target}'; umount /run/lab/push", 120)
        finally:
            self.remove_disk(disk.serial)
            disk.path.unlink()

    # What can happen to a machine.

    def freeze(self):
        """It stands still, its clocks too: after thaw() they are behind."""
        self.monitor.execute("stop")

    def thaw(self):
        self.monitor.execute("cont")

    def link(self, state, card="eth0"):
        """Pulls out ("off") or puts in ("on") the cable of a network card; eth1 is the one to the other guest."""
        self.monitor.execute("set_link", name=card, up={"on": True, "off": False}[state])

    def add_disk(self, disk):
        """Plugs it in, also while the guest runs, and waits until udev has made disk.device; returns the disk."""
        assert disk.serial not in [d.serial for d in self.hardware.disks], f"{disk.serial} is plugged in"
        if self.running():
            disk.make(self.dir)
            self.monitor.execute("blockdev-add", **disk.blockdev())
            self.monitor.execute("device_add", **disk.frontend())
            self.run(["udevadm", "wait", "--timeout=50", disk.device])
        self.hardware.disks.append(disk)
        return disk

    def remove_disk(self, serial):
        """Pulls it out, in use or not. Its file stays, and what is plugged in with that file again has the data."""
        disk = next(d for d in self.hardware.disks if d.serial == serial)
        if self.running():
            front = disk.frontend()["id"]
            self.monitor.execute("device_del", id=front)
            self.monitor.wait_event("DEVICE_DELETED", device=front)
            self.monitor.execute("blockdev-del", **{"node-name": disk.blockdev()["node-name"]})
        self.hardware.disks.remove(disk)
        return disk
