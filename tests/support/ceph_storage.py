# SPDX-License-Identifier: Apache-2.0
"""Volumes of a volplugin under test in a pool of a Ceph cluster, and what of them is on this machine."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess

from support.host import processes

SERVER = "qemu-storage-daemon"


def servers_below(directory):
    """Processes that serve an image as a file in there."""
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            if SERVER in line and f"mountpoint={directory}/" in line:
                found.append(pid)
    return found


class CephImages:
    """As support.storage. `root`: the directory of all programs under test that use the pool."""

    def __init__(self, ceph, pool, root):
        self.ceph = ceph
        self.pool = pool
        self.root = pathlib.Path(root)
        self.flags = ["--backend", "ceph", "--default-pool", f"ceph={pool}", "--ceph-conf", ceph.conf]

    def make(self):
        pass

    def clean(self):
        """When nothing of it is mounted any more."""
        for pid in self.servers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for where in self._served():
            subprocess.run(["umount", "-l", where], capture_output=True, timeout=60)

    def images(self):
        return sorted(self.ceph.rbd("ls", self.pool).stdout.split())

    def path(self, image):
        """A copy of the content of the image, or of its snapshot, "image@name"."""
        file = self.root / f"{image}.copy"
        file.unlink(missing_ok=True)
        self.ceph.rbd("export", "--no-progress", f"{self.pool}/{image}", file)
        return file

    def snapshots(self, image):
        return [found["name"] for found in json.loads(
            self.ceph.rbd("snap", "ls", "--format", "json", f"{self.pool}/{image}").stdout)]

    def devices(self):
        """Place that an image is served at -> the loop device on it, also of a volmaster."""
        found = {}
        for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
            with contextlib.suppress(OSError):
                file = backing.read_text().strip()
                if file.startswith(f"{self.root}/"):
                    found[file] = f"/dev/{backing.parts[3]}"
        return found

    def servers(self):
        return servers_below(self.root)

    def _served(self):
        with open("/proc/self/mountinfo") as table:
            places = [line.split()[4] for line in table]
        return [where for where in places if where.startswith(f"{self.root}/") and where.endswith("/device")]

    def notes(self):
        return self.ceph.note_names(self.pool)

    def leftovers(self, mounted):
        """Notes and processes that nothing stands behind."""
        images, wrong = set(self.images()), []
        for name in self.notes():
            image, kind = name.split("/")[:2]
            if image not in images or kind == "fenced" or (kind == "holder" and image not in mounted):
                wrong.append(f"note {name} is left")
        if len(self.servers()) != len(mounted):
            wrong.append(f"{len(self.servers())} processes of {SERVER} for the mounts {sorted(mounted)}")
        wrong += [f"{where} is served" for where in self._served()[len(mounted):]]
        return wrong
