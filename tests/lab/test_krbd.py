# SPDX-License-Identifier: Apache-2.0
"""The contract of storage drivers and of fencing on the ceph driver, with the images mapped by a kernel: in a guest, on
a Ceph of this machine. The guest is the host that is cut off; the one that takes over maps by server processes there."""
import fnmatch
import re

from lab.ceph_site import CONF, cluster_for_guests, configure
from lab.guest import Guest
from lab.products import PROGRAMS
from lab.reports import IN_GUEST, keep
from lab.workspace import workspace
from support.daemons import BIN

NAME = "contract-ceph-krbd"
# What maps. Images alone are the same code as on this machine, where the whole suites run; nobody stops a kernel and goes
# on himself (FrozenHost: tests/lab/test_ceph.py); and what is left out besides takes long or maps nothing.
TAKEN = ("Fencing.*", "Contract.*Attach*", "Contract.*Detach*", "Contract.*Device*", "Contract.*Blank*",
         "Contract.OtherHosts*", "CephImages.AnImageThat*", "Snapshots.HoldsWhat*", "Snapshots.OfAnImageInUse*",
         "Snapshots.LongestNames")
# What depends on whether the kernel keeps the lock of what it has mapped (ceph.exclusive).
TAKEN_LENT = ("Fencing.*", "Snapshots.OfAnImageInUse*")
LEFT_OUT = ("FrozenHost", "FenceAgainstAttach", "ExpiredDeadline", "PoolNames", "NeverHad", "UnknownImage", "MadeAgain")
CASES = [f"*{case}/ceph_krbd" for case in TAKEN] + [f"*{case}/ceph_krbd_lent" for case in TAKEN_LENT]
FILTER = ":".join(CASES) + "-" + ":".join(f"*{word}*" for word in LEFT_OUT)


def test_contract(lab):
    with workspace() as directory, cluster_for_guests(directory, "osd client watch timeout = 3", mgr=True) as ceph, \
            Guest(directory / "guest", NAME, memory=1536,
                  payloads={PROGRAMS: [BIN / name for name in ("contract_tests", "volplugin-rbd.so")]}) as guest:
        configure(guest, ceph)
        guest.run(["modprobe", "rbd"])
        done = guest.run(f"VOLPLUGIN_TEST_CEPH={CONF} {PROGRAMS}/contract_tests --gtest_filter='{FILTER}' "
                         f"--gtest_output=json:{IN_GUEST}.json 2>&1", timeout=900, check=False)
        keep(guest, NAME, "json")
        print(done.stdout)
        assert done.returncode == 0, done.stdout[-8000:]
        assert "[  PASSED  ]" in done.stdout, done.stdout[-8000:]
        passed = re.findall(r"OK \] (\S+)", done.stdout)
        assert [case for case in CASES if not fnmatch.filter(passed, case)] == [], "these patterns fit no case"
