# SPDX-License-Identifier: Apache-2.0
"""volplugin with logical volumes in a power cut while it makes many: records and volumes agree, and what was acknowledged
is there, whole."""
import pytest

from lab.disk import Disk
from lab.load import cut_while_creating
from lab.products import PAYLOADS, GuestLvm, GuestVolplugin, print_logs
from support.daemons import wait_until

POLICY = '{"default-options": {"size": "8MB", "filesystem": "ext4"}, "filesystems": {"ext4": "mkfs.ext4 -q -m0 %"}}'


@pytest.fixture(scope="module")
def guest(guests):
    guest = guests("crash", disks=[Disk("disk1", "20G")], payloads=PAYLOADS, keep_root=True)
    guest.run(f"vgcreate vg {guest.hardware.disks[0].device}")
    return guest


@pytest.fixture(scope="module")
def lvm(guest):
    return GuestLvm(guest, "vg")


@pytest.fixture(scope="module")
def first(guest):
    plugin = GuestVolplugin(guest, "vg").start()
    plugin.volcli("tenant", "upload", "tenant1", stdin=POLICY)
    return plugin


@pytest.fixture
def volplugin(first):
    if not first.running():
        first.start()
    yield first
    print_logs(first)


def records(plugin):
    """Image name -> phase, of all volumes."""
    return {f"{r['tenant']}.{r['name']}": r["phase"] for r in plugin.listed("volume", "list-all")}


def test_power_cut_while_volumes_are_made(guest, volplugin, lvm):
    """Of the volumes that were not acknowledged each is there like the others, or not at all."""
    names = [f"tenant1/p{i:02}" for i in range(30)]
    acknowledged = cut_while_creating(volplugin, names)
    guest.start()
    volplugin.start()

    def agree():
        found = records(volplugin)
        return set(found.values()) == {"ready"} and set(found) == set(lvm.volumes())

    wait_until(agree, "what was half made is finished or gone", 90)
    listed = volplugin.names()
    assert acknowledged <= set(listed) <= set(names)
    assert {name.replace("/", ".") for name in listed} == set(lvm.volumes())
    for name in listed:
        guest.run(["fsck.ext4", "-fn", lvm.device(name.replace("/", "."))])
    answers, _ = volplugin.call_all("Mount", [{"Name": name, "ID": "1"} for name in listed])
    guest.run(["touch", *(f"{answer['Mountpoint']}/file" for answer in answers)])
    volplugin.call_all("Unmount", [{"Name": name, "ID": "1"} for name in listed])
