# SPDX-License-Identifier: Apache-2.0
"""The lab itself: what tests of storage build on, and that a broken guest is never a passed test."""
import concurrent.futures
import io
import pathlib
import subprocess
import tarfile
import time

import pytest

from lab.disk import Disk
from lab.errors import CommandFailed, CommandTimeout, InfrastructureFailure
from lab.guest import start_all
from lab.job import run_job
from lab.qemu import Hardware, Wire
from lab.workspace import workspace
from support.daemons import BIN, ROOT, wait_until
from support.host import alive

PROGRAMS = [BIN / name for name in ("volplugin", "volmaster", "volcli")]


@pytest.fixture(scope="module")
def pair(guests):
    """Two guests with a cable between them; `one` has a disk and the programs, `two` keeps its root."""
    wire = Wire(guests.dir)
    one = guests.make("one", wire=wire.ends[0], disks=[Disk("lab1")], payloads={"/opt/volplugin/bin": PROGRAMS})
    two = guests.make("two", wire=wire.ends[1], memory=512, keep_root=True)
    start_all(one, two)
    return one, two


@pytest.fixture
def one(pair):
    return pair[0]


def formatted(guest):
    """lab1 with an empty file system on /mnt."""
    guest.run("if mountpoint -q /mnt; then umount /mnt; fi\n"
              "mkfs.ext4 -q -F /dev/disk/by-id/virtio-lab1; mount /dev/disk/by-id/virtio-lab1 /mnt")


# Jobs

def test_a_job_has_a_status_output_disks_and_payloads(lab, tmp_path):
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "file").write_text("from a directory\n")
    with tarfile.open(tmp_path / "some.tar", "w") as tar:
        tar.add(tmp_path / "directory" / "file", "sub/file")
    output = io.BytesIO()
    status = run_job("cat /payload/*/file /tar/sub/file; echo problem >&2\n"
                     "blockdev --getsize64 /dev/disk/by-id/virtio-d1\n"
                     "printf '\\0\\377'; echo 'LAB-EXIT 0'; exit 42", Hardware(disks=[Disk("d1", "3M")]),
                     {"/payload/a": tmp_path / "directory", "/tar": tmp_path / "some.tar"}, output=output)
    assert status == 42
    assert output.getvalue() == b"from a directory\nfrom a directory\nproblem\n3145728\n\0\xffLAB-EXIT 0\n"


def test_a_panic_is_no_result(lab):
    with pytest.raises(InfrastructureFailure, match="(?s)the guest ended before the job did.*Kernel panic"):
        run_job("echo 'LAB-EXIT 0'; echo c >/proc/sysrq-trigger", output=None)


def test_a_job_that_hangs_is_no_result(lab):
    started = time.monotonic()
    with pytest.raises(InfrastructureFailure, match="did not end within 3 s"):
        run_job("sleep 1000", timeout=3, output=None)
    assert time.monotonic() - started < 30


def test_nothing_is_left_when_the_lab_is_killed(lab):
    command = subprocess.Popen([ROOT / "tools" / "lab", "run", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    command.stdin.write(b"echo runs; sleep 1000")
    command.stdin.close()
    assert command.stdout.readline() == b"runs\n"
    qemu = next(int(file.read_text()) for file in pathlib.Path(f"/proc/{command.pid}/task").glob("*/children")
                if file.read_text())
    console = next(a for a in pathlib.Path(f"/proc/{qemu}/cmdline").read_text().split("\0") if a.startswith("file:"))
    directory = pathlib.Path(console.removeprefix("file:")).parent
    command.kill()
    command.wait()
    command.stdout.close()
    wait_until(lambda: not alive(qemu), "qemu ended with its parent")
    with workspace():
        assert not directory.exists()  # the next one cleans up


# Commands and files

def test_commands(one):
    done = one.run("cat; echo problem >&2; exit 3", stdin="text\n", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "text\n", "problem\n")
    assert one.run(["printf", "%s|", "a b", "$HOME"]).stdout == "a b|$HOME|"
    binary = bytes(range(256)) * 4096
    assert one.run(["cat"], stdin=binary, text=False).stdout == binary
    with pytest.raises(CommandFailed, match="(?s)status 5: .*reason"):
        one.run("echo reason >&2; exit 5")
    with pytest.raises(CommandFailed, match="status 1"):
        one.run("false; true")
    with pytest.raises(CommandFailed, match="FileNotFoundError"):
        one.run(["/no/such/program"])


def test_commands_run_beside_each_other_and_in_time(one):
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = one.spawn("sleep 1000 & sleep 1000", timeout=2)
        killed = one.spawn("sleep 1000")
        quick = [pool.submit(one.run, f"echo {n}") for n in range(3)]
        assert [each.result().stdout for each in quick] == ["0\n", "1\n", "2\n"]
    killed.kill()
    assert killed.wait(check=False).returncode == -9
    with pytest.raises(CommandTimeout, match="not done after 2 s"):
        slow.wait()
    assert time.monotonic() - started < 60
    assert one.run("pgrep -x sleep", check=False).stdout == "", "a process group was not killed"


def test_a_daemon_is_left_alone(one):
    one.run("sleep 1000 & echo $! >/tmp/pid")
    assert one.run("kill $(cat /tmp/pid)").returncode == 0
    # Process 1 reaps it.
    wait_until(lambda: one.run("kill -0 $(cat /tmp/pid)", check=False).returncode == 1, "the orphan is reaped")


def test_files(one, tmp_path):
    data = bytes(range(256)) * 10_000
    one.put(data, "/tmp/file", mode=0o700)
    assert one.get("/tmp/file") == data
    assert one.run("stat -c '%a %s' /tmp/file").stdout == f"700 {len(data)}\n"
    one.put("", "/tmp/file")
    assert one.get("/tmp/file") == b""
    with pytest.raises(CommandFailed, match="FileNotFoundError"):
        one.get("/no/such/file")
    (tmp_path / "name with blank").write_bytes(data)
    one.push(tmp_path, "/root/pushed")
    assert one.get("/root/pushed/name with blank") == data
    assert one.run("ls -A /root/pushed").stdout == "name with blank\n"


def test_the_programs_run(one):
    """All their libraries are in the image."""
    for program in PROGRAMS:
        one.run([program.name, "--version"])


def test_the_agent_outlives_its_connection(one):
    left = one.spawn("sleep 0.2; echo lost")
    one.agent.socket.sendall(b'{"id": "half a request')
    one.agent.close()
    with pytest.raises(InfrastructureFailure, match="ended"):
        left.wait()
    one.agent.connect()
    assert one.run("echo again").stdout == "again\n"


# What a guest has

def test_a_machine_as_production_has_it(one):
    assert one.run("hostname").stdout == "one\n"
    assert one.run("pidof systemd-udevd && readlink -f /dev/disk/by-id/virtio-lab1").returncode == 0
    assert set(one.run("cat /sys/fs/cgroup/cgroup.subtree_control").stdout.split()) >= {"io", "memory", "pids"}
    one.run("getent group docker; echo text | tee /dev/fd/2 >/dev/stdout\n"
            "touch /tmp/a /run/a; losetup -f; test -s /etc/machine-id")
    # LVM as Debian has it, but for two settings.
    settings = "activation/monitoring activation/udev_sync activation/udev_rules backup/backup backup/archive"
    assert one.run(f"lvmconfig --typeconfig full {settings}").stdout.split() == \
        ["monitoring=0", "udev_sync=1", "udev_rules=1", "backup=0", "archive=0"]


def test_lvm(one):
    one.add_disk(Disk("pv"))
    one.run("pvcreate /dev/disk/by-id/virtio-pv; vgcreate vg /dev/disk/by-id/virtio-pv\n"
            "lvcreate -y -n thick -L 64M vg; lvcreate -y --type thin-pool -n pool -L 256M vg\n"
            "lvcreate -y -V 1G --thinpool vg/pool -n thin")
    for volume in "thick", "thin":
        one.run(f"mkfs.ext4 -q /dev/vg/{volume}; mkdir /tmp/{volume}; mount /dev/vg/{volume} /tmp/{volume}\n"
                f"echo {volume} >/tmp/{volume}/file; umount /tmp/{volume}; test -L /dev/disk/by-id/dm-name-vg-{volume}")
    assert one.run("lvs --noheadings -o lv_name vg").stdout.split() == ["pool", "thick", "thin"]
    one.run("vgremove -ff -y vg")
    one.remove_disk("pv")


# What can happen to a machine

def test_disks_come_and_go(one):
    disk = one.add_disk(Disk("spare", "100M"))
    one.run(f"mkfs.ext4 -q {disk.device}; mkdir -p /tmp/spare; mount {disk.device} /tmp/spare\n"
            "echo kept >/tmp/spare/file; sync")
    one.remove_disk("spare")  # mounted: as if its cable was pulled
    one.run(f"udevadm settle; test ! -e {disk.device}")
    assert one.run("umount /tmp/spare; dmesg", check=False).returncode == 0
    one.add_disk(disk)
    assert one.run(f"mount {disk.device} /tmp/spare; cat /tmp/spare/file; umount /tmp/spare").stdout == "kept\n"
    one.remove_disk("spare")


def test_a_frozen_machine_does_nothing(one):
    one.freeze()
    asked = one.spawn("echo alive")
    with pytest.raises(concurrent.futures.TimeoutError):
        asked.future.result(2)
    one.thaw()
    assert asked.wait().stdout == "alive\n"


def ping(guest, address):
    return guest.run(f"ping -c 1 -W 2 {address}", check=False).returncode == 0


def wait_ping(guest, address):
    wait_until(lambda: ping(guest, address), f"{guest.name} reaches {address}")


def test_guests_reach_each_other_and_a_cable_can_be_pulled(pair):
    one, two = pair
    wait_ping(one, "10.1.0.2")
    wait_ping(two, "10.1.0.1")
    wait_ping(one, "10.0.2.2")
    two.link("off", "eth1")
    assert not ping(one, "10.1.0.2") and ping(two, "10.0.2.2")
    one.link("off")
    assert not ping(one, "10.0.2.2")
    one.link("on")
    two.link("on", "eth1")
    wait_ping(one, "10.1.0.2")
    wait_ping(one, "10.0.2.2")


def test_a_power_cut_keeps_what_was_acknowledged(one):
    formatted(one)
    for number in range(5):
        one.run(f"echo {number} >>/mnt/synced; sync /mnt/synced")
    writer = one.spawn("while :; do dd if=/dev/zero of=/mnt/busy bs=1M count=16 status=none; done")
    one.run("echo 1 >/root/file; echo 1 >/mnt/unsynced; test -s /mnt/unsynced")
    boot = one.boot
    one.power_cut()
    assert not one.running()
    with pytest.raises(InfrastructureFailure):
        writer.wait()
    with pytest.raises(InfrastructureFailure, match="is not connected"):
        one.run("true")
    one.start()
    assert one.boot != boot
    one.run("mount /dev/disk/by-id/virtio-lab1 /mnt")
    assert one.run("cat /mnt/synced").stdout == "0\n1\n2\n3\n4\n"
    one.run("test ! -s /mnt/unsynced")  # or it was no power cut
    one.run("test ! -e /root/file")  # the root is fresh
    one.run("volcli --version")  # payloads are there again


def test_a_reboot_keeps_root_and_disks(one):
    formatted(one)
    one.run("echo kept >/root/file; echo kept >/mnt/file; echo lost >/run/file")
    boot = one.boot
    one.reboot()
    assert one.boot != boot
    one.run("mount /dev/disk/by-id/virtio-lab1 /mnt; test ! -e /run/file")
    assert one.run("cat /root/file /mnt/file").stdout == "kept\nkept\n"


def test_a_panic_of_a_guest_fails_what_is_under_way(guests, pair):
    """And a root that is kept has what was synced."""
    two = pair[1]
    two.run("echo kept >/root/file; sync")
    with pytest.raises(InfrastructureFailure, match="(?s)two: .*the guest ended.*Kernel panic"):
        two.run("echo c >/proc/sysrq-trigger")
    wait_until(lambda: not two.running(), "qemu ended")
    assert guests("two") is two
    assert two.run("cat /root/file").stdout == "kept\n"
    wait_ping(two, "10.1.0.1")
