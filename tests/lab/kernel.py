# SPDX-License-Identifier: Apache-2.0
"""The kernel of the guests: Debian's cloud kernel, in the form that boots fastest, and its modules."""
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

from lab.errors import InfrastructureFailure

META_PACKAGE = "linux-image-cloud-amd64"
# Needed before the root file system is there. Everything else is loaded from it, by name or by udev.
EARLY_MODULES = ("virtio_pci", "virtio_blk", "virtio_console")
# How the compressed kernel starts, and what unpacks it.
_FORMATS = ((b"\x02\x21\x4c\x18", ["lz4", "-dc"]), (b"\x28\xb5\x2f\xfd", ["zstd", "-dcq"]),
            (b"\xfd7zXZ", ["xz", "-dcq", "--single-stream"]), (b"\x1f\x8b", ["gzip", "-dcq"]))


def candidate():
    """(package, version) of the kernel that apt would install now; None when apt knows none."""
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", META_PACKAGE], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True).stdout
    package = re.search(r"^Depends: (linux-image-\S+-cloud-amd64) \(= (\S+)\)", shown, re.M)
    return package and package.groups()


def install(package, version, root, out):
    """Puts the modules of a kernel package into the guest's tree `root`; into `out` the kernel that qemu loads
    and, numbered in the order they are loaded in, the modules the initramfs needs."""
    with tempfile.TemporaryDirectory(dir=out) as directory:
        unpacked = pathlib.Path(directory)
        unpacked.chmod(0o755)
        _run("apt-get", "download", "-q", f"{package}={version}", cwd=unpacked)
        _run("dpkg-deb", "-x", next(unpacked.glob("*.deb")), unpacked / "tree")
        release = package.removeprefix("linux-image-")
        shutil.move(unpacked / "tree/lib/modules" / release, root / "usr/lib/modules" / release)
        _extract(unpacked / f"tree/boot/vmlinuz-{release}", out / "vmlinux")
    _run("chroot", root, "depmod", release)
    _copy_early_modules(root, release, out / "modules")


def _copy_early_modules(root, release, out):
    out.mkdir()
    files = []
    for module in EARLY_MODULES:
        listing = _run("chroot", root, "modprobe", "-S", release, "--show-depends", module)
        files += [line.split()[1] for line in listing.splitlines() if line.startswith("insmod ")]
    for number, file in enumerate(dict.fromkeys(files)):
        name = pathlib.Path(file).name
        packed = root / file.lstrip("/")
        if name.endswith(".xz"):
            (out / f"{number:02}-{name[:-3]}").write_bytes(_run("xz", "-dc", packed, text=False))
        else:
            shutil.copy(packed, out / f"{number:02}-{name}")


def _extract(bzimage, out):
    """Takes the ELF kernel out of a bzImage: emulated, its own decompressor would take seconds of every boot.
    See Documentation/x86/boot.rst of Linux for the numbers."""
    image = bzimage.read_bytes()
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (image[0x1F1] + 1) * 512 + offset
    payload = image[start:start + length - 4]  # the last four bytes are the unpacked size
    for magic, argv in _FORMATS:
        if payload.startswith(magic):
            elf = subprocess.run(argv, input=payload, capture_output=True).stdout
            if elf.startswith(b"\x7fELF"):
                out.write_bytes(elf)
                return
    shutil.copy(bzimage, out)  # slower to boot, but boots


def _run(*argv, cwd=None, text=True):
    done = subprocess.run([str(a) for a in argv], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        raise InfrastructureFailure(f"{argv[0]} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout.decode(errors="replace") if text else done.stdout
