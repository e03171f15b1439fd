#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Ceph part of tools/bench: runs bench_ceph_cycle on a cluster of its own, and ends it.

ceph_on_this_machine.py DIRECTORY STORE ROUNDS: a new directory; the OSD's store, memstore or bluestore."""
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.ceph import Ceph  # noqa: E402
from support.daemons import BIN, die_with_parent  # noqa: E402

SIZE = 64 << 30  # more than an image of 10 GiB; sparse


def main(directory, store, rounds):
    directory.mkdir()
    with Ceph(directory / "ceph", store, mgr=True, size=SIZE) as ceph:
        pool = ceph.make_pool()
        return subprocess.run([BIN / "bench_ceph_cycle", BIN / "volplugin", directory / "cycle", "--conf", ceph.conf,
                               "--pool", pool, "--rounds", rounds], preexec_fn=die_with_parent).returncode


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), *sys.argv[2:]))
