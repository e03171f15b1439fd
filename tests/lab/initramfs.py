# SPDX-License-Identifier: Apache-2.0
"""The initramfs of one guest: early modules, busybox, the programs in stage/ and the guest's configuration.

An uncompressed cpio archive (format "newc"), written in a hundredth of a second for each start; emulated,
unpacking a compressed one would take longer than reading it.
"""
import pathlib
import shlex
import stat

STAGE = pathlib.Path(__file__).resolve().parent / "stage"
_APPLETS = ("sh", "mount", "mkdir", "cp", "insmod", "cat", "switch_root", "sleep")


class _Archive:
    def __init__(self):
        self.parts = []
        self.entries = 0

    def add(self, name, mode, data=b""):
        self.entries += 1
        encoded = name.encode() + b"\0"
        fields = [self.entries, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.parts += [_padded(header + encoded), _padded(data)]

    def directory(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o755):
        self.add(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def bytes(self):
        self.add("TRAILER!!!", 0)
        return b"".join(self.parts)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)


def write(path, image, config, job=None):
    """`config`: shell variables for stage/stage2.sh; `job`: the text of a script that it runs."""
    archive = _Archive()
    for directory in ("bin", "dev", "proc", "sys", "run", "root", "modules", "lab"):
        archive.directory(directory)
    archive.file("bin/busybox", image.busybox.read_bytes())
    for applet in _APPLETS:
        archive.link(f"bin/{applet}", "busybox")
    for module in image.modules():
        archive.file(f"modules/{module.name}", module.read_bytes())
    archive.file("init", (STAGE / "init.sh").read_bytes())
    for program in ("stage2.sh", "agent.py"):
        archive.file(f"lab/{program}", (STAGE / program).read_bytes())
    archive.file("lab/config", "".join(f"{k}={shlex.quote(str(v))}\n" for k, v in config.items()).encode())
    if job is not None:
        archive.file("lab/job", job)
    pathlib.Path(path).write_bytes(archive.bytes())
