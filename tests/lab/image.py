# SPDX-License-Identifier: Apache-2.0
"""The guest image: Debian packages and a kernel, built once and kept in a cache.

The image holds packages only. What differs between guests, and every program of ours, comes with the
initramfs, so that a change there does not cost a build. An image is found by its key: the kernel's version
and a hash over the package list and the options. It is built under a temporary name and renamed when whole,
and whoever uses it holds a shared lock on it.
"""
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from lab import kernel
from lab.errors import InfrastructureFailure
from support.daemons import ROOT, die_with_parent

PACKAGES = ROOT / "tools" / "packages" / "guest"
CACHE = pathlib.Path(os.environ.get("VOLPLUGIN_LAB_CACHE", "/var/cache/volplugin-lab"))
KEPT = 2  # images: the newest, and one of another branch
DISK_SIZE = "4G"  # sparse; about 0.8 GB are used

# In namespaces of its own no mount and no process of it is left, however it ends.
_CONTAINED = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
_MMDEBSTRAP = ["mmdebstrap", "--variant=minbase", "--mode=root", "--quiet", "--aptopt=APT::Install-Recommends false",
               "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
               "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
               "--customize-hook=rm -rf $1/var/lib/apt/lists/* $1/var/cache/apt/* $1/var/cache/debconf/*-old"]
# No journal: a guest's root does not outlive it.
_MKE2FS = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0"]


class Image:
    """A built image: the files root.img, vmlinux, busybox and modules/ in `directory`."""

    def __init__(self, directory):
        self.dir = directory
        self.root, self.vmlinux, self.busybox = directory / "root.img", directory / "vmlinux", directory / "busybox"

    def modules(self):
        return sorted((self.dir / "modules").iterdir())

    def hold(self):
        """A file that keeps the image from being removed as long as it is open."""
        file = open(self.dir / "lock")
        fcntl.flock(file, fcntl.LOCK_SH)
        return file


def packages():
    return sorted(PACKAGES.read_text().split())


def _key(candidate):
    recipe = json.dumps([packages(), _MMDEBSTRAP, _MKE2FS, DISK_SIZE, kernel.EARLY_MODULES])
    suffix = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    return f"{candidate[0].removeprefix('linux-image-')}_{candidate[1]}_{suffix}", suffix


@functools.cache
def ensure():
    """The image for today's package list and kernel; builds it when there is none. Blocks for minutes then."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        candidate, directory = _wanted()
        if directory is None:  # of a newer kernel, maybe: the lists are old, or there are none
            _say("updating the package lists")
            subprocess.run(["apt-get", "update", "-q"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            candidate, directory = _wanted()
        if directory is None and candidate is None:
            raise InfrastructureFailure(f"apt knows no package {kernel.META_PACKAGE}, also after apt-get update")
        if directory is None:
            directory = _build(candidate)
            _remove_old()
        os.utime(directory)
        return Image(directory)


def _wanted():
    """The kernel to use, and the directory of the image if it is there."""
    candidate = kernel.candidate()
    key, suffix = _key(candidate or ("", ""))
    # Without package lists the kernel is unknown; then the image with any kernel will do.
    images = [CACHE / key] if candidate else sorted(CACHE.glob(f"*_{suffix}"), key=lambda d: d.stat().st_mtime)
    return candidate, next((d for d in reversed(images) if d.exists()), None)


def _build(candidate):
    directory = CACHE / _key(candidate)[0]
    missing = [name for name in ("mmdebstrap", "mke2fs", "lz4") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        raise InfrastructureFailure("building the guest image needs root" if not missing else
                                    f"not installed: {' '.join(missing)}; run tools/install lab")
    started = time.monotonic()
    _say(f"building the guest image, {len(packages())} packages and {candidate[0]}: once, one to two minutes")
    for left in CACHE.glob("building-*"):
        shutil.rmtree(left)
    made = pathlib.Path(tempfile.mkdtemp(prefix="building-", dir=CACHE))
    try:
        made.chmod(0o755)
        _fill(candidate, made, lambda what: _say(f"[{time.monotonic() - started:3.0f} s] {what}"))
        made.rename(directory)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _say(f"[{time.monotonic() - started:3.0f} s] the image is {directory}")
    return directory


def _fill(candidate, made, say):
    root = made / "root"
    say("installing packages (mmdebstrap)")
    _debootstrap(root, made / "build.log")
    say("adding the kernel")
    kernel.install(*candidate, root, made)
    shutil.copy(root / "bin/busybox", made / "busybox")
    say("making the file system")
    done = subprocess.run([*_MKE2FS, "-d", root, made / "root.img", DISK_SIZE], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise InfrastructureFailure(f"mke2fs failed: {done.stderr}")
    (made / "lock").touch()
    shutil.rmtree(root)


def _debootstrap(root, log):
    argv = [*_CONTAINED, *_MMDEBSTRAP, f"--include={','.join(packages())}", _codename(), str(root), *_sources()]
    with open(log, "w") as out:
        # TMPDIR of the caller may not exist inside.
        code = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=die_with_parent,
                              env={**os.environ, "TMPDIR": "/tmp"}).returncode
    if code != 0:
        raise InfrastructureFailure("mmdebstrap failed:\n" + log.read_text(errors="replace")[-4000:])


def _codename():
    return re.search(r"^VERSION_CODENAME=(\S+)", pathlib.Path("/etc/os-release").read_text(), re.M)[1]


def _sources():
    """The files below /etc/apt in which this machine names its Debian mirrors."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(SOURCESENTRY)",
                             "Created-By: Packages"], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    files = {line.partition("|")[2].rpartition(":")[0] for line in listed.splitlines() if line.startswith("Debian|")}
    if not files:
        raise InfrastructureFailure("no source of Debian packages is configured in /etc/apt")
    return sorted(files)


def _remove_old():
    images = sorted((d for d in CACHE.glob("*_*") if d.is_dir()), key=lambda d: d.stat().st_mtime, reverse=True)
    for old in images[KEPT:]:
        with contextlib.suppress(OSError), open(old / "lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # in use: another time
            _say(f"removing the old image {old.name}")
            shutil.rmtree(old)


def _say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)
