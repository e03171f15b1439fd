# SPDX-License-Identifier: Apache-2.0
"""One qemu process: its command line, start and end."""
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import uuid

from lab import accel, initramfs
from lab.disk import Disk
from lab.errors import InfrastructureFailure
from support.daemons import die_with_parent

PROGRAM = "qemu-system-x86_64"
_KERNEL = "console=ttyS0 panic=-1 quiet mitigations=off tsc=reliable net.ifnames=0"

# A child that dies with its parent dies with the *thread* that started it. This one lives as long as we do.
_launcher = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-launcher")


def why_not():
    """Why qemu cannot run here, or None."""
    if not shutil.which(PROGRAM):
        return f"{PROGRAM} is not installed; run tools/install lab"
    done = subprocess.run([PROGRAM, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip()


@dataclasses.dataclass(frozen=True)
class WireEnd:
    """One end of a cable between two guests: the card eth1 of this guest."""
    local: pathlib.Path
    remote: pathlib.Path
    address: str


class Wire:
    """A cable between two guests; give each one of the `ends`. Either may be off or start again at any time."""

    def __init__(self, directory):
        first, second = pathlib.Path(directory) / "wire.a", pathlib.Path(directory) / "wire.b"
        self.ends = WireEnd(first, second, "10.1.0.1"), WireEnd(second, first, "10.1.0.2")


@dataclasses.dataclass
class Hardware:
    """What a machine is made of. `payloads`: read-only disks and where the guest mounts them."""
    name: str = "guest1"
    memory: int = 1024  # MiB
    cpus: int = 2
    disks: list[Disk] = dataclasses.field(default_factory=list)
    payloads: dict[str, Disk] = dataclasses.field(default_factory=dict)
    wire: WireEnd | None = None
    uuid: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))

    def config(self, mode):
        """The variables of stage/stage2.sh."""
        return {"MODE": mode, "NAME": self.name, "MACHINE_ID": self.uuid.replace("-", ""),
                "PEER_ADDRESS": self.wire.address if self.wire else "",
                "PAYLOADS": " ".join(f"{disk.serial}:{target}" for target, disk in self.payloads.items())}


class Machine:
    """A qemu process in `directory`, where its sockets, its logs and what it writes to its root are.

    `channels`: name of a port in the guest -> option of qemu for the other end. `root`: a private root file that
    keeps what is written, default is the image, of which every start has a fresh view. `extra`: more variables
    for stage/stage2.sh."""

    def __init__(self, directory, image, hardware, mode, channels, root=None, job=None, acceleration="tcg", extra=None):
        self.dir = pathlib.Path(directory)
        self.image, self.hardware, self.mode, self.channels = image, hardware, mode, channels
        self.root, self.job, self.acceleration, self.extra = root, job, acceleration, extra or {}
        self.console, self.messages = self.dir / "console.log", self.dir / "qemu.log"
        self.process = None

    def start(self):
        config = {**self.hardware.config(self.mode), **self.extra}
        initramfs.write(self.dir / "initrd", self.image, config, self.job)
        for disk in [*self.hardware.disks, *self.hardware.payloads.values()]:
            disk.make(self.dir)
        argv = self._argv()
        self.process = _launcher.submit(self._spawn, argv).result()

    def _spawn(self, argv):
        interactive = self.mode == "shell"
        with open(self.messages, "wb") as log:
            return subprocess.Popen(argv, stdin=None if interactive else subprocess.DEVNULL,
                                    stdout=None if interactive else log, stderr=log, preexec_fn=die_with_parent,
                                    env={**os.environ, "TMPDIR": str(self.dir)})

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def failure(self, what):
        """An error with all that is known of this machine."""
        parts = [what]
        for title, file in (("qemu says", self.messages), ("end of the console", self.console)):
            text = file.read_text(errors="replace").strip() if file.exists() else ""
            if text:
                parts.append(f"--- {title}:\n" + "\n".join(text.splitlines()[-60:]))
        return InfrastructureFailure("\n".join(parts))

    def _argv(self):
        hardware = self.hardware
        argv = [PROGRAM, "-name", hardware.name, *accel.arguments(self.acceleration), "-m", str(hardware.memory),
                "-smp", str(hardware.cpus), "-uuid", hardware.uuid, "-nodefaults", "-no-user-config", "-no-reboot",
                "-display", "none", "-kernel", str(self.image.vmlinux), "-initrd", str(self.dir / "initrd"),
                "-append", _KERNEL, "-serial", f"file:{self.console}",
                "-qmp", f"unix:{self.dir}/monitor,server=on,wait=off",
                "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"]
        if self.mode == "shell":
            argv += ["-chardev", "stdio,id=terminal,signal=off", "-device", "isa-serial,chardev=terminal,index=1"]
        return argv + self._channel_arguments() + self._disk_arguments() + self._network_arguments()

    def _channel_arguments(self):
        argv = ["-device", "virtio-serial-pci"]
        for name, backend in self.channels.items():
            kind, _, rest = backend.partition(",")
            argv += ["-chardev", f"{kind},id={name},{rest}",
                     "-device", f"virtserialport,chardev={name},name=lab.{name}"]
        return argv

    def _disk_arguments(self):
        root = (f"file={self.root or self.image.root},format=raw,if=none,id=root,cache=unsafe,discard=unmap,"
                f"snapshot={'off' if self.root else 'on'}")
        argv = ["-drive", root, "-device", "virtio-blk-pci,drive=root,serial=labroot"]
        for disk in [*self.hardware.disks, *self.hardware.payloads.values()]:
            argv += ["-blockdev", json.dumps(disk.blockdev()), "-device", json.dumps(disk.frontend())]
        return argv

    def _network_arguments(self):
        cards = [("eth0", "user,id=eth0")]
        if self.hardware.wire:
            cards.append(("eth1", f"dgram,id=eth1,local.type=unix,local.path={self.hardware.wire.local},"
                                  f"remote.type=unix,remote.path={self.hardware.wire.remote}"))
        argv = []
        for number, (name, backend) in enumerate(cards):
            unique = ":".join(self.hardware.uuid[i:i + 2] for i in (0, 2))
            mac = f"52:54:00:{unique}:{number:02x}"
            argv += ["-netdev", backend, "-device", f"virtio-net-pci,netdev={name},mac={mac},romfile="]
        return argv
