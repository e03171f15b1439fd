# SPDX-License-Identifier: Apache-2.0
"""Faults while threads create, mount, write, unmount and remove volumes on three hosts over an etcd of three.

Each fault of faults.py meets each operation. During it, whatever does not need the broken part goes on; every call
ends in the time the engine would wait. Afterwards nobody helps: no volume was ever held by two hosts, nothing
that was acknowledged is lost, nothing half done stays, and every volume can be mounted and removed."""
import time

import pytest
from cluster.checker import check
from cluster.faults import FAULTS
from cluster.workload import Workload
from support.daemons import wait_until
from support.writer import SCRIPT as WRITER

OPERATIONS = {"create": ("Create", "volcli volume create"), "mount": ("Mount",), "unmount": ("Unmount",),
              "remove": ("volcli volume remove",)}
GOES_ON = 15  # seconds, besides those of the fault, in which those who do not need the broken part get what they want


@pytest.fixture(scope="module")
def cluster(clusters):
    """With a container on each host that writes all the time."""
    cluster = clusters(hosts=3, etcd_members=3)
    for host in cluster.hosts:
        host.docker("volume", "create", "-d", "volplugin", f"tenant1/of-{host.name}")
        host.engine.background("writer", f"tenant1/of-{host.name}", WRITER)
        cluster.in_use[f"tenant1/of-{host.name}"] = host.name
    return cluster


def mounted_since(history, host, since):
    return any(call.ok and call.host == host.name and call.start > since for call in history.calls("Mount"))


def wait_for_work(history, since, patience=30):
    """Each kind of call was made, and succeeded, since then."""
    def missing():
        done = {call.kind for call in history.calls() if call.ok and call.start > since}
        return [operation for operation, kinds in OPERATIONS.items() if not done & set(kinds)]
    wait_until(lambda: not missing(), "every operation works", patience)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(cluster, fault):
    history = cluster.history
    lines = {host.name: last_line(host) for host in cluster.hosts}
    workload = Workload(cluster, fault.name.replace("_", "-")).start()
    try:
        wait_for_work(history, time.monotonic())
        with history.fault(fault.name) as broken, fault.inject(cluster):
            until = time.monotonic() + fault.seconds
            wait_until(lambda: time.monotonic() > until, "the fault lasts", fault.seconds + 5)
            for host in (cluster.hosts[number] for number in fault.goes_on):
                wait_until(lambda: mounted_since(history, host, broken.start), f"{host.name} goes on mounting", GOES_ON)
        wait_for_work(history, time.monotonic())
    finally:
        workload.stop()
        print(history.report(workload.began))
    for operation, kinds in OPERATIONS.items():
        assert any(call.kind in kinds and call.overlaps(broken.start, broken.end) for call in history.calls()), \
            f"the fault met no {operation}"
    for host in cluster.hosts:
        assert last_line(host) > lines[host.name], f"the container of {host.name} does not write any more"
    check(cluster, workload)


def last_line(host):
    return int(host.engine.exec("writer", "tail -n 1 /mnt/log") or 0)
