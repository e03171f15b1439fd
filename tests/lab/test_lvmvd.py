# SPDX-License-Identifier: Apache-2.0
"""lvmvd as the requirements describe it, with a real Docker engine in a guest: the walk-through, volumes shared by
containers, and restarts of lvmvd, Docker and the machine."""
import json
import signal

import pytest

from lab.docker_site import DockerSite
from lab.products import PAYLOADS, GuestLvm, GuestLvmvd
from support.writer import SCRIPT as WRITER

GROUP = "services-vg"
DRIVER = "lvm-volume-driver"


@pytest.fixture(scope="module")
def machine(guests):
    """Steps 2 to 7 of the requirements. Docker is started by the lab: there is no service manager."""
    guest = guests("docker", payloads=PAYLOADS, memory=1536, cpus=1)
    guest.run("""
        truncate -s 50g docker-lvm-volume.img
        losetup /dev/loop0 docker-lvm-volume.img
        pvcreate /dev/loop0
        vgcreate services-vg /dev/loop0""")
    lvmvd = GuestLvmvd(guest, GROUP, "--default-size=1")
    assert lvmvd.argv[1:] == ["--default-size=1", "--volume-group-name=services-vg",
                              "--mount-root=/var/volume/mnt-services-vg"]
    return DockerSite(lvmvd, DRIVER, GuestLvm(guest, GROUP)).start()


@pytest.fixture
def site(machine):
    yield machine
    machine.print_logs()


def test_the_walk_through_and_a_size_in_the_name(site):
    """A container writes to a volume of 4 GB that it asked for by the name; the default is 1 MB, here one extent."""
    site.create("myvolume")
    said = site.docker.sh("my-volume-oS4G", "mount | grep ' /mnt '; df -m /mnt | tail -n 1; echo hello >/mnt/file",
                          "--volume-driver", DRIVER).splitlines()
    device = site.lvm.device("my-volume-oS4G")
    assert device == "/dev/mapper/services--vg-my--volume--oS4G"
    assert said[0].startswith(f"{device} on /mnt type ext4 (rw")
    assert 3800 < int(said[-1].split()[0]) <= 4096
    assert {name: site.lvm.volumes()[name] for name in ("myvolume", "my-volume-oS4G")} == {
        "myvolume": 4, "my-volume-oS4G": 4096}
    site.lvm.wait_unused("my-volume-oS4G")
    listed = site.guest.run("lvs --noheadings -o lv_name -v services-vg").stdout.split()
    assert {"myvolume", "my-volume-oS4G"} <= set(listed)
    assert site.read("my-volume-oS4G", "file") == "hello\n"
    site.docker.docker("volume", "rm", "myvolume", "my-volume-oS4G")
    assert not {"myvolume", "my-volume-oS4G"} & set(site.lvm.volumes())


def test_two_containers_share_a_volume(site):
    """One writes, the other reads and goes on when the first is gone; the volume is unmounted with the last one, and
    removed only after that. Options choose size and file system. docker cp does not disturb the count."""
    site.create("shared", "--opt", "size=320M", "--opt", "filesystem=xfs")
    assert site.lvm.volumes()["shared"] == 320
    site.docker.background("c1", "shared", "echo from c1 >/mnt/one")
    assert site.lvm.mounts("shared") == [(f"{site.plugin.root}/shared", "xfs")]
    site.docker.background("c2", "shared", "cat /mnt/one >/mnt/two")
    site.guest.put("copied\n", "/root/three")
    site.docker.docker("cp", "/root/three", "c1:/mnt/three")
    site.docker.docker("rm", "-f", "c1")
    assert site.docker.docker("exec", "c2", "sh", "-c", "cat /mnt/two /mnt/three; echo 4 >/mnt/four") == (
        "from c1\ncopied")
    assert site.plugin.refused("Remove", {"Name": "shared"}) == "Volume shared is still mounted"
    assert "in use" in site.docker.fails("volume", "rm", "shared")
    site.docker.docker("rm", "-f", "c2")
    site.lvm.wait_unused("shared")
    assert site.read("shared", "four") == "4\n"
    site.docker.docker("volume", "rm", "shared")
    assert "shared" not in site.lvm.volumes()


def test_a_container_goes_on_when_lvmvd_is_restarted(site):
    """The mount outlives lvmvd, ended by SIGTERM or SIGKILL; the next one knows who uses it."""
    site.create("restart", "--opt", "size=64M")
    site.docker.background("writer", "restart", WRITER)
    assert site.plugin.stop() == 0
    site.guest.run(f"[ ! -e {site.plugin.socket} ]")
    site.wait_for_progress("restart")
    site.plugin.start()
    assert site.plugin.refused("Remove", {"Name": "restart"}) == "Volume restart is still mounted"
    assert site.plugin.kill() == 128 + signal.SIGKILL
    site.wait_for_progress("restart")
    site.plugin.start()
    # One more use, of the engine's kind, and its end.
    site.docker.docker("cp", "writer:/mnt/log", "/root/log")
    site.wait_for_progress("restart")
    site.docker.docker("stop", "writer")
    site.lvm.wait_unused("restart")
    site.assert_log_is_whole("restart")
    site.docker.docker("rm", "writer")
    site.docker.docker("volume", "rm", "restart")


def test_containers_are_back_after_a_restart_of_docker_and_of_the_machine(site):
    def is_back():
        site.wait_running("always")
        site.wait_for_progress("kept")

    site.create("kept", "--opt", "size=64M")
    site.docker.background("always", "kept", f"echo again >>/mnt/starts; sync; {WRITER}", "--restart", "always")
    site.wait_for_progress("kept")
    site.docker.restart()
    is_back()
    lines = site.lines("kept")
    site.guest.reboot()
    site.guest.run("losetup /dev/loop0 docker-lvm-volume.img")
    site.plugin.start()
    site.docker.start()
    is_back()
    assert site.file("kept", "starts").split() == ["again"] * 3
    assert site.lines("kept")[:len(lines)] == lines
    status = json.loads(site.docker.docker("volume", "inspect", "kept"))[0]
    assert (status["Driver"], status["Mountpoint"]) == (DRIVER, f"{site.plugin.root}/kept")
    site.docker.docker("rm", "-f", "always")
    site.lvm.wait_unused("kept")
    site.docker.docker("volume", "rm", "kept")
    assert "kept" not in site.lvm.volumes()
