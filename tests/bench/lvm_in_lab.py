#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The LVM part of tools/bench: runs bench_lvm_cycle and bench_lvm_programs in a guest of the lab.

lvm_in_lab.py ROUNDS. Exit status 77: qemu cannot run here, nothing was measured."""
import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import accel, job, qemu  # noqa: E402
from lab.disk import Disk  # noqa: E402
from lab.guest import Guest  # noqa: E402
from lab.products import PROGRAMS, GuestLvmvd, GuestVolplugin  # noqa: E402
from lab.workspace import workspace  # noqa: E402
from support.daemons import BIN  # noqa: E402

SKIPPED = 77
BINARIES = [BIN / name for name in ("lvmvd", "volplugin", "volcli", "bench_lvm_cycle", "bench_lvm_programs")]
SECONDS_PER_ROUND = 60  # at most: not what is measured
TENANT = "bench"
POLICY = '{"default-options": {"size": "512MB", "filesystem": "ext4"}, "filesystems": {"ext4": "mkfs.ext4 %"}}'


def main(rounds):
    why_not = qemu.why_not()
    if why_not:
        print(f"SKIPPED, nothing is measured: qemu cannot run here: {why_not}")
        return SKIPPED
    with workspace() as directory:
        guest = Guest(directory, "bench", disks=[Disk("lvm", "16G")], payloads={PROGRAMS: BINARIES})
        with guest:
            prepare(guest)
            lvmvd = GuestLvmvd(guest, "vg").start()
            measure_times(guest, lvmvd, rounds)
            count_programs(guest, lvmvd)
    return 0


def prepare(guest):
    """A volume group on a disk of its own, with room for thick volumes and a thin pool that is in use."""
    guest.run(f"vgcreate vg {Disk('lvm').device}\n"
              "lvcreate -y -L 6G --type thin-pool -n pool vg; lvcreate -y -V 1G --thinpool pool -n other vg\n"
              "mkdir /run/bench; mount -t tracefs none /sys/kernel/tracing")


def measure_times(guest, lvmvd, rounds):
    print(f"guest under {accel.choose(job.boots_with)}, 2 processors; load of the host {host_load()}")
    print(guest.run(["bench_lvm_cycle", "vg", lvmvd.socket, "/run/bench", rounds], rounds * SECONDS_PER_ROUND).stdout)
    print(f"load of the host afterwards {host_load()}", flush=True)


def count_programs(guest, lvmvd):
    sides = ["lvmvd", lvmvd.socket, ""]
    for kind, pool in (("thick", "vg"), ("thin", "vg/pool")):
        plugin = GuestVolplugin(guest, pool, name=f"volplugin-{kind}").start()
        plugin.volcli("tenant", "upload", TENANT, stdin=POLICY)
        sides += [f"volplugin, {kind}", plugin.socket, TENANT]
    print("\nPrograms started for one volume:\n")
    print(guest.run(["bench_lvm_programs", "vg", "/run/bench", *sides], 600).stdout, flush=True)


def host_load():
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
