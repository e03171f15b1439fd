# SPDX-License-Identifier: Apache-2.0
"""Disks of guests, and files of the host given to guests as read-only disks."""
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

from lab.errors import InfrastructureFailure

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclasses.dataclass
class Disk:
    """A virtio disk, known in the guest by its serial number, never by a letter.

    Its file is sparse and outlives guests: what a guest has written out is there after a power cut.
    `path`: an existing or future file, default is one in the guest's directory. `shared`: two guests may have
    it at once, so nothing caches."""
    serial: str
    size: str = "1G"
    path: pathlib.Path | None = None
    shared: bool = False
    readonly: bool = False

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z0-9._]{1,20}", self.serial):
            raise ValueError(f"disk serial '{self.serial}': 1 to 20 letters, digits, dots or underscores")

    @property
    def device(self):
        """Its name in the guest, made by udev."""
        return f"/dev/disk/by-id/virtio-{self.serial}"

    def make(self, directory):
        """Its file is there afterwards."""
        self.path = pathlib.Path(self.path or directory / f"{self.serial}.disk")
        if not self.path.exists():
            with open(self.path, "wb") as file:
                file.truncate(parse_size(self.size))

    def blockdev(self):
        """For -blockdev and blockdev-add. Flushes are not waited for: only a crash of the host would show."""
        file = {"driver": "file", "filename": str(self.path), "discard": "unmap",
                "locking": "off" if self.shared else "auto"}
        return {"driver": "raw", "node-name": f"node-{self.serial}", "discard": "unmap", "file": file,
                "read-only": self.readonly, "cache": {"direct": self.shared, "no-flush": not self.shared}}

    def frontend(self):
        """For -device and device_add."""
        return {"driver": "virtio-blk-pci", "id": f"disk-{self.serial}", "drive": f"node-{self.serial}",
                "serial": self.serial, "share-rw": self.shared}


def parse_size(text):
    match = re.fullmatch(r"(\d+)([KMGT]?)", text)
    if not match:
        raise ValueError(f"size '{text}' is not like 512M or 1G")
    return int(match[1]) * _UNITS[match[2]]


def pack(source, path):
    """Makes the file `path` a read-only file system of what `source` is: a directory, a tar file, or a list of
    files. A guest mounts that in no time, and reads only what it uses."""
    with tempfile.TemporaryDirectory(dir=path.parent) as staging:
        tree = _tree(source, pathlib.Path(staging))
        sizes = [file.lstat().st_size for file in tree.rglob("*")]
        room = sum(size + 4096 for size in sizes) * 11 // 10 + (16 << 20)
        argv = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-N", str(len(sizes) + 64),
                "-E", "nodiscard,root_owner=0:0", "-d", tree, path, f"{room >> 10}k"]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise InfrastructureFailure(f"mke2fs cannot pack {source}: {done.stderr}")
    subprocess.run(["debugfs", "-w", "-R", "rmdir lost+found", path], stdin=subprocess.DEVNULL, capture_output=True)


def _tree(source, staging):
    if isinstance(source, (list, tuple)):
        for file in map(pathlib.Path, source):
            try:
                os.link(file.resolve(), staging / file.name)
            except OSError:  # another file system
                shutil.copy2(file, staging / file.name)
        return staging
    source = pathlib.Path(source)
    if source.is_dir():
        return source
    with tarfile.open(source) as tar:
        tar.extractall(staging)
    return staging
