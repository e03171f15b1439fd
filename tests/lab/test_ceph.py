# SPDX-License-Identifier: Apache-2.0
"""Volumes in a real Ceph cluster, mapped by the kernels of two guests with real Docker engines: the device, who may
have it, and that the cluster and the kernel keep a lost host out."""
import json
import signal
import subprocess

import pytest

from lab.ceph_site import PAYLOADS, CephHost, CephMaster, cluster_for_guests, mappings, start_hosts
from lab.guest import start_all
from lab.products import print_logs
from support.daemons import wait_until
from support.writer import SCRIPT as WRITER

TTL = 10  # seconds
PATIENCE = 120  # twice that, and what a slow machine takes
POLICY = '{"default-options": {"size": "64MB", "filesystem": "ext4"}, "filesystems": {"ext4": "mkfs.ext4 -q -m0 %"}}'
X, Y, Z = "tenant1/x", "tenant1/y", "tenant1/z"
NEW_DATA = "dd if=/dev/urandom of=/mnt/new bs=64k count=32 conv=fsync 2>/dev/null; md5sum </mnt/new"


class Site:
    """The cluster, volmaster, and the hosts `first` and `second`."""

    def __init__(self, ceph, master, guests):
        self.ceph, self.master = ceph, master
        shared = [], ["--backend-option", "ceph.exclusive=false"]
        self.first, self.second = (CephHost(guest, ceph, master, "--session-ttl", f"{TTL}s", *flags)
                                   for guest, flags in zip(guests, shared))

    def create(self, *volumes):
        for volume in volumes:
            self.master.volcli("volume", "create", volume)

    def blocklist(self):
        return self.ceph.blocklist()

    def fenced(self, host):
        return self.master.node(host.name)["fenced"]

    def wait_unmapped(self, host, volume):
        with host.plugin.explained():
            wait_until(lambda: not host.mapped(volume), f"{volume} is not mapped on {host.name}", PATIENCE)

    def refused(self, host, holder):
        return f"is mounted on node '{holder.name}'" in host.plugin.refused("Mount", {"Name": X, "ID": "refused"})

    def copy(self, volume, snapshot=""):
        """The file's path."""
        file = self.master.dir / "copy"
        file.unlink(missing_ok=True)
        self.ceph.rbd("export", "--no-progress", volume.replace("/", ".") + snapshot, file)
        return file

    def fsck(self, volume):
        """Of a volume that nobody has."""
        done = subprocess.run(["e2fsck", "-fn", self.copy(volume)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout

    def log_in_snapshot(self, volume, name):
        """Lines of the writer's file, after what a mount would do, too: the journal is replayed."""
        file = self.copy(volume, f"@{name}")
        done = subprocess.run(["e2fsck", "-fp", file], capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stdout  # 1: the journal was replayed
        said = subprocess.run(["debugfs", "-R", "cat /data/log", file], capture_output=True, text=True, check=True)
        return said.stdout.split()

    def snapshots(self, volume):
        return [entry["name"] for entry in json.loads(
            self.ceph.rbd("snap", "ls", "--format", "json", volume.replace("/", ".")).stdout)]


@pytest.fixture(scope="module")
def whole(guests):
    # A dead client's hold on an image would go after 30 s by itself: nothing here may wait for that.
    with cluster_for_guests(guests.dir, "osd client watch timeout = 600") as ceph:
        ceph.make_pool()
        master = CephMaster(guests.dir / "volmaster", ceph).start()
        try:
            master.volcli("tenant", "upload", "tenant1", stdin=POLICY)
            pair = [guests.make(name, memory=1536, cpus=1, payloads=PAYLOADS, keep_root=name == "first")
                    for name in ("first", "second")]
            start_all(*pair)
            site = Site(ceph, master, pair)
            start_hosts(site.first, site.second)
            yield site
        finally:
            master.stop()
            guests.stop()  # before the cluster: nothing can be unmapped without it


@pytest.fixture
def site(whole):
    yield whole
    for host in (whole.first, whole.second):
        print_logs(host.plugin)
    print(f"--- volmaster\n{whole.master.log()[-6000:]}")


def test_kernel_device_in_a_container(site):
    """The container sees /dev/rbd, what it wrote stays, an own restart is not felt, and nothing is left."""
    first, second = site.first, site.second
    first.plugin.volcli("volume", "create", X)
    assert mappings(first.guest) == {}
    first.docker.background("writer", X, f"mount | grep ' /mnt ' >/mnt/mounts; sync; {WRITER}")
    first.wait_for_progress(X)
    device, client = first.mapped(X)
    assert first.file(X, "mounts").startswith(f"{device} on /mnt type ext4 (rw"), first.file(X, "mounts")
    assert client in site.ceph.rbd("lock", "ls", "tenant1.x").stdout, "the exclusive lock is not taken"
    assert site.refused(second, first)
    first.plugin.restart(signal.SIGKILL)
    first.wait_for_progress(X)
    assert first.mapped(X) == (device, client)
    first.docker.docker("rm", "-f", "writer")
    site.wait_unmapped(first, X)
    assert "1" in second.docker.sh(X, "cat /mnt/log").split(), "what the first host wrote"
    site.wait_unmapped(second, X)
    first.assert_log_is_whole(X)
    site.wait_unmapped(first, X)
    site.fsck(X)
    assert site.blocklist() == []


def test_mappings_by_hand(site):
    """One on this host is left alone, and not used; one elsewhere that keeps the lock is in the way."""
    first, second = site.first, site.second
    site.create(X)
    by_hand = first.guest.run(["rbd", "map", "tenant1.x"]).stdout.strip()
    first.plugin.must("Mount", {"Name": X, "ID": "1"})
    devices = first.guest.run("cd /sys/bus/rbd/devices; ls; grep -l noshare */config_info").stdout.split()
    assert len(devices) == 3 and f"/dev/rbd{devices[2].split('/')[0]}" != by_hand
    assert f"{by_hand} " not in first.guest.get("/proc/mounts").decode()
    first.plugin.must("Unmount", {"Name": X, "ID": "1"})
    assert first.mapped(X)[0] == by_hand
    first.guest.run(["rbd", "unmap", by_hand])
    by_hand = second.guest.run(["rbd", "map", "-o", "exclusive", "tenant1.x"]).stdout.strip()
    assert "locked by another client" in first.plugin.refused("Mount", {"Name": X, "ID": "1"})
    second.guest.run(["rbd", "unmap", by_hand])
    assert mappings(first.guest) == {}
    first.plugin.must("Mount", {"Name": X, "ID": "1"})
    first.plugin.must("Unmount", {"Name": X, "ID": "1"})


def test_snapshots_of_a_volume_in_use(site):
    """Taken and removed under a container that writes where krbd lends its lock; refused where it keeps it."""
    first, second = site.first, site.second
    site.create(Z)
    first.docker.background("user", Z)
    refused = site.master.refused("snapshot", "take", Z, "--name", "early")
    assert "keeps its lock" in refused and "ceph.exclusive=false" in refused, refused
    assert site.snapshots(Z) == []
    first.docker.docker("rm", "-f", "user")
    site.wait_unmapped(first, Z)
    second.docker.background("writer", Z, WRITER)
    second.wait_for_progress(Z)
    mapped, written = second.mapped(Z), []
    for name in ("a", "b"):
        written.append(second.lines(Z))
        second.docker.docker("exec", "writer", "sync")
        site.master.volcli("snapshot", "take", Z, "--name", name)
        second.wait_for_progress(Z)
    for before, name in zip(written, site.snapshots(Z)):
        there = site.log_in_snapshot(Z, name)
        assert there[:len(before)] == before and len(there) < len(second.lines(Z)), name
    site.master.volcli("snapshot", "remove", f"{Z}/a")
    second.wait_for_progress(Z)
    assert len(site.snapshots(Z)) == 1 and second.mapped(Z) == mapped and site.blocklist() == []
    assert "is mounted on node 'second'" in first.plugin.refused("Mount", {"Name": Z, "ID": "refused"})
    second.docker.docker("rm", "-f", "writer")
    site.wait_unmapped(second, Z)
    site.fsck(Z)
    second.assert_log_is_whole(Z)
    site.wait_unmapped(second, Z)
    site.master.volcli("volume", "remove", Z)


def test_adopted_images(site, tmp_path):
    """As the Go system's clusters have them, and with their data in another pool: the kernel maps both."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").write_text("of before")
    with open(tmp_path / "image", "wb") as out:
        out.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m0", "-d", tmp_path / "root", tmp_path / "image"], check=True, timeout=60)
    site.ceph.make_pool("data")
    for name, more in (("old", []), ("apart", ["--data-pool", "data"])):
        site.ceph.rbd("import", "--no-progress", "--image-feature", "layering", *more, tmp_path / "image",
                      f"tenant1.{name}")
        volume = f"tenant1/{name}"
        site.master.volcli("volume", "adopt", volume)
        said = site.first.docker.sh(volume, "cat /mnt/file; echo more >/mnt/more; mount | grep ' /mnt '")
        assert said.startswith("of before/dev/rbd"), said
        site.wait_unmapped(site.first, volume)
        assert site.second.docker.sh(volume, "cat /mnt/file /mnt/more") == "of beforemore"
        site.wait_unmapped(site.second, volume)
        site.fsck(volume)
        site.master.volcli("volume", "remove", volume)


def take_over(site, host, volume):
    """The host gets the volume by itself; its container "user" keeps it."""
    def mounted():
        return host.plugin.call("Mount", {"Name": volume, "ID": "early"})["Err"] == ""
    with host.plugin.explained():
        wait_until(mounted, f"{host.name} takes {volume} over", PATIENCE)
    host.docker.background("user", volume)
    host.plugin.must("Unmount", {"Name": volume, "ID": "early"})


def test_frozen_host_is_cut_off_and_comes_back(site):
    """Only from what another host took over: its other volume goes on."""
    first, second = site.first, site.second
    site.create(X, Y)
    first.docker.background("writer", X, WRITER)
    first.docker.background("other", Y)
    first.wait_for_progress(X)
    written = first.lines(X)
    first.docker.docker("exec", "writer", "sync")
    lost, kept = first.mapped(X), first.mapped(Y)
    assert lost[1] != kept[1], "two mappings with one client"
    first.guest.freeze()
    try:
        assert site.refused(second, first)
        take_over(site, second, X)
        assert second.lines(X)[:len(written)] == written
        assert site.blocklist() == [lost[1]]
        checksum = second.docker.docker("exec", "user", "sh", "-c", NEW_DATA)
    finally:
        first.guest.thaw()
    late = first.docker.begin("exec", "writer", "dd", "if=/dev/zero", "of=/mnt/new", "bs=4k", "count=64",
                              "conv=fsync").wait(check=False)
    assert late.returncode != 0, "a host that was cut off writes"
    first.docker.docker("exec", "other", "sh", "-c", "echo more >/mnt/more; sync -d /mnt/more")
    wait_until(lambda: site.fenced(first) == [X], "the first host finds out", PATIENCE)
    assert "fenced" in first.plugin.refused("Mount", {"Name": X, "ID": "refused"})
    assert second.docker.docker("exec", "user", "md5sum", "/mnt/new").split()[0] == checksum.split()[0]
    first.docker.docker("rm", "-f", "writer")
    wait_until(lambda: site.fenced(first) == [], "the first host has let go", PATIENCE)
    assert mappings(first.guest) == {"tenant1.y": kept} and site.blocklist() == []
    assert site.refused(first, second)
    second.docker.docker("rm", "-f", "user")
    site.wait_unmapped(second, X)
    site.fsck(X)
    assert first.docker.sh(X, "md5sum </mnt/new; echo again >/mnt/again") == checksum
    assert second.read(X, "again") == "again\n"
    assert first.docker.docker("exec", "other", "cat", "/mnt/more") == "more"
    first.docker.docker("rm", "-f", "other")
    site.wait_unmapped(first, Y)


def test_machine_that_lost_its_power_is_not_in_its_own_way(site):
    first, second = site.first, site.second
    site.create(X, Y)
    first.docker.background("writer", X, "echo kept >/mnt/before; sync; " + WRITER)
    first.wait_for_progress(X)
    _, before = first.mapped(X)
    first.guest.power_cut()
    first.guest.start()
    first.plugin.start()
    assert first.read(X, "before") == "kept\n"
    assert site.blocklist() == [before]
    site.wait_unmapped(first, X)
    assert second.read(X, "before") == "kept\n"
    for volume in (X, Y):
        site.wait_unmapped(second, volume)
        site.master.volcli("volume", "remove", volume)
    assert site.ceph.rbd("ls").stdout == ""
