# SPDX-License-Identifier: Apache-2.0
"""Where the volumes of a volplugin under test lie, and what the kernel says of their devices.

VOLPLUGIN_TEST_STORAGE chooses: `loop` (the default), `lvm-thick` or `lvm-thin`. The latter need a kernel with
device-mapper: the lab runs tests with them (tests/lab/test_lvm.py)."""
import contextlib
import errno
import os
import pathlib
import subprocess

KIND = os.environ.get("VOLPLUGIN_TEST_STORAGE", "loop")


def storage_in(directory):
    return LoopImages(directory) if KIND == "loop" else LogicalVolumes(directory, thin=KIND == "lvm-thin")


class LoopImages:
    """Files in the pool directories of volplugin's own data directory."""

    flags = ()

    def __init__(self, directory):
        self.data = pathlib.Path(directory) / "data"

    def make(self):
        pass

    def clean(self):
        pass

    def images(self):
        pools = self.data / "pools"
        return sorted(p.name for p in pools.glob("*/*")) if pools.exists() else []

    def path(self, image):
        """A file or device with the image's content, when nothing has it mounted."""
        return self.data / "pools" / "default" / image

    def devices(self):
        """Image -> the device that shows it."""
        found = {}
        for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
            with contextlib.suppress(OSError):
                file = backing.read_text().strip()
                if file.startswith(str(self.data)):
                    found[file.split("/")[-1]] = "/dev/" + backing.parts[3]
        return found

    def leftovers(self, _mounted):
        """What there must not be besides when nothing is going on and just these images are mounted, a line each."""
        return []


class LogicalVolumes:
    """A volume group of its own on a sparse file, with a thin pool or without."""

    def __init__(self, directory, thin):
        self.dir = pathlib.Path(directory)
        self.group = "vg" + str(self.dir).replace("/", "-")
        self.pool = f"{self.group}/thin" if thin else self.group
        self.thin = thin
        self.device = None
        self.flags = ("--backend", "lvm", "--default-pool", f"lvm={self.pool}")

    def make(self):
        if self.device:
            return
        file = self.dir / "disk"
        with open(file, "wb") as out:
            out.truncate(2 << 30)
        self.device = _run("losetup", "--show", "-f", file)
        _run("vgcreate", "-y", self.group, self.device)
        if self.thin:
            _run("lvcreate", "-y", "--type", "thin-pool", "-L", "1G", "-n", "thin", self.group)

    def clean(self):
        if self.device:
            subprocess.run(["vgremove", "-ff", "-y", self.group], capture_output=True, timeout=60)
            subprocess.run(["losetup", "-d", self.device], capture_output=True, timeout=60)

    def images(self):
        if not self.device:
            return []
        listed = _run("lvs", "--noheadings", "--separator", "|", "-o", "lv_name,lv_tags", self.group)
        rows = (line.strip().split("|") for line in listed.splitlines())
        return sorted(name for name, tags in rows if tags.startswith("volplugin"))

    def path(self, image):
        return pathlib.Path("/dev") / self.group / image

    def devices(self):
        """Image -> its device, of those that somebody uses; LVM leaves unused ones active."""
        prefix = self.group.replace("-", "--") + "-"
        found = {}
        for node in pathlib.Path("/dev/mapper").glob(prefix + "*"):
            if not node.name.startswith(prefix + "thin") and _in_use(node):
                found[node.name.removeprefix(prefix).replace("--", "-")] = str(node)
        return found

    def leftovers(self, _mounted):
        return []


def _in_use(device):
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def _run(*argv):
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout.strip()
