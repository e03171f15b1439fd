# SPDX-License-Identifier: Apache-2.0
"""lvmvd under load and in bad moments: a hundred calls at once, killed while it makes volumes, a power cut, and a
second lvmvd. What was acknowledged is there, whole; nothing else is half there."""
import json

import pytest

from lab.disk import Disk
from lab.load import create_all, cut_while_creating
from lab.products import PAYLOADS, GuestLvm, GuestLvmvd, print_logs
from support.daemons import wait_until

GROUP = "vg"
UNFINISHED = f"/var/lib/lvmvd/{GROUP}/unfinished"


@pytest.fixture(scope="module")
def guest(guests):
    guest = guests("crash", disks=[Disk("disk1", "20G")], payloads=PAYLOADS, keep_root=True)
    guest.run(f"vgcreate {GROUP} {guest.hardware.disks[0].device}")
    return guest


@pytest.fixture(scope="module")
def lvm(guest):
    return GuestLvm(guest, GROUP)


@pytest.fixture(scope="module")
def first(guest):
    return GuestLvmvd(guest, GROUP, "--default-size=8")


@pytest.fixture
def lvmvd(guest, first):
    if not first.running():
        first.start()
    yield first
    print_logs(first)
    guest.run(f"umount -q {first.root}/* || true; lvremove -q -y {GROUP}")


def unfinished(guest):
    return guest.run(f"ls {UNFINISHED}").stdout.split()


def wait_recovered(guest, lvm, name):
    wait_until(lambda: not unfinished(guest) and name not in lvm.volumes(), f"nothing of {name} is left", 60)


# Conditions without a program, so that they notice at once.
MOMENTS = {"the volume appears": "[ -e /dev/mapper/vg-half ]",
           "mkfs runs": "for f in /proc/[0-9]*/comm; do read c <$f && [[ $c = mkfs* ]] && break; done 2>/dev/null"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_the_middle_of_a_create(guest, lvmvd, lvm, moment):
    """The half-made volume is removed by the next lvmvd, and its name can be taken again."""
    body = {"Name": "half", "Opts": {"size": "4G", "filesystem": "ext2"}}  # made more slowly than the others
    create = lvmvd.begin_all("Create", [body])
    guest.run(f"until {MOMENTS[moment]}; do :; done; kill -9 {lvmvd.pid}")
    assert "no answer" in json.loads(create.wait().stdout)[2]["Err"]
    assert unfinished(guest) == ["half.json"]
    lvmvd.start()
    assert "half" not in lvmvd.names()
    wait_recovered(guest, lvm, "half")
    lvmvd.must("Create", body)
    assert lvmvd.names() == ["half"] and lvm.filesystem("half") == "ext2"


def test_creating_what_exists_does_not_hide_it(lvmvd):
    """Others find the volume while somebody tries to create it again."""
    lvmvd.must("Create", {"Name": "here"})
    again = lvmvd.begin_all("Create", [{"Name": "here"}] * 6)
    found = []
    while not again.done():
        found.append(lvmvd.call("Get", {"Name": "here"})["Err"])
    assert "already exists" in again.wait().stdout
    assert found and set(found) == {""}


def test_a_second_lvmvd_removes_nothing_of_the_first(guest, lvmvd, lvm):
    """It starts, with the same state directory, while the first makes a volume. Refusing to start is right, too."""
    create = lvmvd.begin_all("Create", [{"Name": "young", "Opts": {"size": "4G", "filesystem": "ext2"}}])
    guest.run(f"until {MOMENTS['mkfs runs']}; do :; done; kill -STOP {lvmvd.pid}")
    second = GuestLvmvd(guest, GROUP, name="second")
    try:
        second.launch()
        wait_until(lambda: "Start listening" in second.log() or not second.running(), "the second one has started")
    finally:
        guest.run(f"kill -CONT {lvmvd.pid}")
    assert json.loads(create.wait().stdout)[2] == {"Err": ""}
    mounted = lvmvd.call("Mount", {"Name": "young"})
    if second.running():
        second.stop()
    assert mounted["Err"] == "" and lvm.volumes() == {"young": 4096}, second.log()


def test_a_hundred_volumes_at_once(lvmvd, lvm):
    """A hundred clients create a volume each, and then remove it."""
    names = sorted(f"v{i}" for i in range(100))
    create_all(lvmvd, names)
    assert lvmvd.names() == names and sorted(lvm.volumes()) == names
    removed, slowest = lvmvd.call_all("Remove", [{"Name": name} for name in names])
    print(f"100 removes: the slowest took {slowest} s")
    assert removed == [{"Err": ""}] * 100
    assert lvmvd.names() == [] and lvm.volumes() == {}


def test_power_cut_while_volumes_are_made(guest, lvmvd, lvm):
    """What was acknowledged is there, with a clean file system. Of the others each is there like that, or not at
    all."""
    names = [f"p{i:02}" for i in range(30)]
    acknowledged = cut_while_creating(lvmvd, names)
    guest.start()
    lvmvd.start()
    wait_until(lambda: not unfinished(guest), "what was half made is removed", 60)
    listed = lvmvd.names()
    assert acknowledged <= set(listed) and sorted(lvm.volumes()) == listed
    assert len(listed) < len(names)  # it was in time
    for name in listed:
        guest.run(["fsck.ext4", "-fn", lvm.device(name)])
    points = {answer["Mountpoint"] for answer in lvmvd.call_all("Mount", [{"Name": name} for name in listed])[0]}
    assert points == {f"{lvmvd.root}/{name}" for name in listed}
    guest.run(["touch", *(f"{point}/file" for point in points)])
