# SPDX-License-Identifier: Apache-2.0
"""volplugin with logical volumes, thick and thin, and a real Docker engine in a guest."""
import signal

import pytest

from lab.disk import Disk
from lab.docker_site import DockerSite
from lab.products import PAYLOADS, GuestLvm, GuestVolplugin, print_logs
from support.daemons import ROOT, wait_until
from support.writer import SCRIPT as WRITER

POLICY = (ROOT / "docs" / "examples" / "tenant1.json").read_text()


@pytest.fixture(scope="module")
def machine(guests):
    """A volume group with a thin pool in it; each has its volplugin."""
    guest = guests("docker", disks=[Disk("disk1", "20G")], payloads=PAYLOADS, memory=1536, cpus=1)
    guest.run(f"vgcreate vg {guest.hardware.disks[0].device}; lvcreate -y -L 4G --type thin-pool -n thin vg")
    site = DockerSite(GuestVolplugin(guest, "vg"), "volplugin", GuestLvm(guest, "vg")).start()
    site.plugin.volcli("tenant", "upload", "tenant1", stdin=POLICY)
    return site


@pytest.fixture(scope="module")
def thin_volplugin(machine):
    plugin = GuestVolplugin(machine.guest, "vg/thin", name="volthin").start()
    plugin.volcli("tenant", "upload", "tenant1", stdin=POLICY)
    yield plugin
    plugin.stop()


@pytest.fixture
def site(machine):
    yield machine
    machine.print_logs()


def record(plugin, volume):
    [found] = [r for r in plugin.listed("volume", "list-all") if f"{r['tenant']}/{r['name']}" == volume]
    return found


def uses(plugin, volume):
    """How many mount points of containers use it, as the mount record says."""
    found = [r for r in plugin.listed("mount", "list") if f"{r['tenant']}/{r['name']}" == volume]
    return len(found[0]["uses"]) if found else 0


def wait_released(plugin, lvm, volume):
    wait_until(lambda: uses(plugin, volume) == 0, f"the mount record of {volume} is gone", 60)
    lvm.wait_unused(volume.replace("/", "."))


def test_containers_share_a_volume_of_the_policy(site):
    """The container sees a logical volume with the policy's file system and size. A second one uses it, too, and goes
    on when the first is gone."""
    site.create("tenant1/x")
    device = "/dev/mapper/vg-tenant1.x"
    assert site.lvm.volumes()["tenant1.x"] == 1024 and site.lvm.filesystem("tenant1.x") == "ext4"
    shown = record(site.plugin, "tenant1/x")
    assert (shown["phase"], shown["size-bytes"]) == ("ready", 1 << 30)
    site.docker.background("c1", "tenant1/x", "mount | grep ' /mnt ' >/mnt/mounts; df -m /mnt | tail -n 1 >/mnt/size")
    site.docker.background("c2", "tenant1/x", "cat /mnt/mounts >/mnt/copy")
    assert uses(site.plugin, "tenant1/x") == 2
    site.docker.docker("rm", "-f", "c1")
    assert uses(site.plugin, "tenant1/x") == 1
    assert site.plugin.refused("Remove", {"Name": "tenant1/x"})
    said = site.docker.docker("exec", "c2", "cat", "/mnt/copy", "/mnt/size").splitlines()
    assert said[0].startswith(f"{device} on /mnt type ext4 (rw")
    assert 900 < int(said[-1].split()[0 if len(said[-1].split()) == 5 else 1]) <= 1024
    site.docker.docker("rm", "-f", "c2")
    wait_released(site.plugin, site.lvm, "tenant1/x")
    site.plugin.volcli("volume", "remove", "tenant1/x")
    assert "tenant1.x" not in site.lvm.volumes()


def test_a_container_goes_on_when_volplugin_is_restarted(site):
    site.create("tenant1/restart", "--opt", "size=64MB")
    site.docker.background("writer", "tenant1/restart", WRITER)
    assert site.plugin.stop() == 0
    site.wait_for_progress("tenant1/restart")
    site.plugin.start()
    assert site.plugin.kill() == 128 + signal.SIGKILL
    site.wait_for_progress("tenant1/restart")
    site.plugin.start()
    site.wait_for_progress("tenant1/restart")
    assert uses(site.plugin, "tenant1/restart") == 1
    site.docker.docker("stop", "writer")
    wait_released(site.plugin, site.lvm, "tenant1/restart")
    site.assert_log_is_whole("tenant1/restart")


def test_a_container_is_back_after_a_reboot(site):
    site.create("tenant1/kept", "--opt", "size=64MB")
    site.docker.background("always", "tenant1/kept", f"echo again >>/mnt/starts; sync; {WRITER}", "--restart", "always")
    site.wait_for_progress("tenant1/kept")
    lines = site.lines("tenant1/kept")
    site.guest.reboot()
    site.plugin.start()
    site.docker.start()
    site.wait_running("always")
    site.wait_for_progress("tenant1/kept")
    assert site.file("tenant1/kept", "starts").split() == ["again"] * 2
    assert site.lines("tenant1/kept")[:len(lines)] == lines
    assert uses(site.plugin, "tenant1/kept") == 1
    site.docker.docker("rm", "-f", "always")
    wait_released(site.plugin, site.lvm, "tenant1/kept")


def test_thin_volumes(site, thin_volplugin):
    """Written by a container, kept over a restart of volplugin, of the size that the options say, and thin."""
    plugin, lvm = thin_volplugin, site.lvm
    site.docker.docker("volume", "create", "-d", "volthin", "--opt", "size=2GB", "tenant1/t")
    assert site.docker.sh("tenant1/t", "mount | grep ' /mnt '; echo hello >/mnt/file").startswith(
        "/dev/mapper/vg-tenant1.t on /mnt type ext4 (rw")
    wait_released(plugin, lvm, "tenant1/t")
    plugin.restart(signal.SIGKILL)
    kind, size, pool = site.guest.run(
        "lvs --noheadings --units m --nosuffix -o segtype,lv_size,pool_lv vg/tenant1.t").stdout.split()
    assert (kind, float(size), pool) == ("thin", 2048, "thin")
    assert record(plugin, "tenant1/t")["phase"] == "ready"
    point = plugin.must("Mount", {"Name": "tenant1/t", "ID": "1"})["Mountpoint"]
    assert site.guest.get(f"{point}/file") == b"hello\n"
    plugin.must("Unmount", {"Name": "tenant1/t", "ID": "1"})
    wait_released(plugin, lvm, "tenant1/t")
    plugin.volcli("volume", "remove", "tenant1/t")
    assert "tenant1.t" not in lvm.volumes()
    print_logs(plugin)
