# SPDX-License-Identifier: Apache-2.0
"""Chooses how the guests' processor is made: by KVM, or emulated by qemu (TCG), which runs everywhere."""
import os
import pathlib
import re

from lab import image
from lab.errors import InfrastructureFailure

_ARGUMENTS = {"kvm": ["-accel", "kvm", "-cpu", "host"], "tcg": ["-accel", "tcg,thread=multi", "-cpu", "max"]}


def arguments(name):
    return _ARGUMENTS[name]


def choose(boots):
    """"kvm" or "tcg": what VOLPLUGIN_LAB_ACCEL says, else KVM where `boots("kvm")` shows that it works.
    A machine may have /dev/kvm and run no guest with it; this is found out once for each boot of the machine."""
    wanted = os.environ.get("VOLPLUGIN_LAB_ACCEL", "auto")
    if wanted in _ARGUMENTS:
        return wanted
    if wanted != "auto":
        raise InfrastructureFailure(f"VOLPLUGIN_LAB_ACCEL is '{wanted}', not auto, kvm or tcg")
    if not _promising():
        return "tcg"
    known = image.CACHE / f"accel-{pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    if not known.exists():
        answer = "kvm" if boots("kvm") else "tcg"
        for old in image.CACHE.glob("accel-*"):
            old.unlink(missing_ok=True)
        known.write_text(answer)
    return known.read_text()


def _promising():
    """Whether the processor has what KVM needs; without, KVM interprets instructions, and not all of them."""
    flags = re.search(r"^flags\s*:.*\b(vmx|svm)\b", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return bool(flags) and os.access("/dev/kvm", os.R_OK | os.W_OK)
