# SPDX-License-Identifier: Apache-2.0
"""What a container sees of its volume: the device, the file system, the data, and what the image brought."""
import shutil
import tarfile

import pytest

from support.engine import Engine

MOUNTS = "mount | grep ' /mnt '"


def mount_flag(volume, *more):
    return ["--mount", ",".join([f"type=volume,src={volume},dst=/mnt", *more])]


def run_mounted(lab, volume, script, *more, image=Engine.IMAGE):
    """`docker run --mount`: what the script prints."""
    return lab.engine.docker("run", "--rm", "--network", "none", *mount_flag(volume, *more), image, "sh", "-c", script)


def create(lab, name, *flags):
    lab.engine.docker("volume", "create", "-d", "volplugin", *flags, name)


def test_one_container_writes_and_another_reads(lab):
    """The data is on the volume, which is detached in between."""
    create(lab, "tenant1/x")
    lab.engine.sh("tenant1/x", "echo hello > /mnt/file")
    lab.wait_released("tenant1/x")
    assert lab.engine.sh("tenant1/x", "cat /mnt/file") == "hello"
    lab.wait_released("tenant1/x")


def test_run_creates_the_volume_of_the_named_driver(lab):
    assert lab.engine.sh("tenant1/new", "echo hello > /mnt/f; cat /mnt/f", "--volume-driver", "volplugin") == "hello"
    assert [volume["name"] for volume in lab.plugin.volumes()] == ["new"]


def test_the_container_sees_a_block_device_of_the_policys_size(lab):
    """/mnt is a loop device with ext4, of the size of the policy, the same that sysfs shows on the host."""
    create(lab, "tenant1/x")
    lab.engine.background("c1", "tenant1/x", "")
    device = lab.device("tenant1/x")
    assert lab.engine.exec("c1", MOUNTS).startswith(f"{device} on /mnt type ext4 (rw")
    assert lab.mounted("tenant1/x") == [("ext4", device)]
    assert int(lab.host.run("blockdev", "--getsize64", device)) == 16 << 20
    kibibytes = int(lab.engine.exec("c1", "df -k /mnt | tail -n 1").split()[1])
    assert 8 << 10 < kibibytes <= 16 << 10


def test_the_volume_is_empty_at_first(lab):
    """mke2fs's lost+found is not the container's business."""
    create(lab, "tenant1/x")
    assert lab.engine.sh("tenant1/x", "ls -a /mnt").split() == [".", ".."]


@pytest.mark.parametrize("filesystem, size", [("btrfs", "128MB"), ("xfs", "320MB")])
def test_other_file_systems(lab, filesystem, size):
    """A policy may name any file system it has a command for."""
    if not shutil.which(f"mkfs.{filesystem}"):
        pytest.skip(f"mkfs.{filesystem} is not installed")
    create(lab, "tenant1/x", "--opt", f"filesystem={filesystem}", "--opt", f"size={size}")
    lab.engine.background("c1", "tenant1/x", "echo hello > /mnt/file; sync")
    assert f"/mnt type {filesystem} (rw" in lab.engine.exec("c1", MOUNTS)
    assert lab.mounted("tenant1/x") == [(filesystem, lab.device("tenant1/x"))]
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")
    assert lab.engine.sh("tenant1/x", "cat /mnt/file") == "hello"


def test_the_mount_flag_names_driver_and_options(lab):
    """--mount with volume-driver and volume-opt makes the volume as asked and mounts it."""
    said = run_mounted(lab, "tenant1/new", MOUNTS, "volume-driver=volplugin", "volume-opt=size=24MB",
                       "volume-opt=ephemeral=true")
    assert said.startswith("/dev/loop") and " type ext4 (rw" in said
    [volume] = lab.plugin.volumes()
    assert volume["size-bytes"] == 24 << 20 and volume["options"]["ephemeral"] is True


def test_a_bad_option_of_the_mount_flag_stops_the_run(lab):
    error = lab.engine.fails("run", "--rm", "--network", "none", *mount_flag(
        "tenant1/new", "volume-driver=volplugin", "volume-opt=colour=blue"), Engine.IMAGE, "true")
    assert "unknown option 'colour'" in error
    assert lab.engine.containers() == [] and lab.plugin.volumes() == []


@pytest.mark.parametrize("how", ["-v", "--mount"])
def test_a_read_only_mount_cannot_be_written(lab, how):
    create(lab, "tenant1/x")
    lab.engine.sh("tenant1/x", "echo before > /mnt/file")
    flags = ["-v", "tenant1/x:/mnt:ro"] if how == "-v" else mount_flag("tenant1/x", "readonly")
    script = "touch /mnt/new 2>&1; echo after 2>&1 > /mnt/file; cat /mnt/file; mount | grep ' /mnt '"
    said = lab.engine.docker("run", "--rm", "--network", "none", *flags, Engine.IMAGE, "sh", "-c", script)
    assert "Read-only file system" in said and "before" in said and "(ro" in said
    assert lab.engine.sh("tenant1/x", "ls /mnt; cat /mnt/file").split() == ["file", "before"]


def add_content(add):
    """An image with files of several owners and modes where the volume will be."""
    add("mnt/hello", data=b"from the image\n", mode=0o640, owner=1000)
    add("mnt/sub", kind=tarfile.DIRTYPE, mode=0o711, owner=1001)
    add("mnt/sub/run", data=b"#!/bin/sh\n", mode=0o4755, owner=1001)
    add("mnt/link", kind=tarfile.SYMTYPE, link="hello")


@pytest.fixture
def filled(lab):
    """Name of an image with files in /mnt."""
    if not lab.engine.docker("images", "-q", "filled"):
        lab.engine.import_image("filled", add_content)
    return "filled"


LOOK = "cd /mnt; cat hello; stat -c '%n %u:%g %a' hello sub sub/run; ls -l link"


def test_image_content_is_copied_into_a_fresh_volume(lab, filled):
    """Docker copies it only into an empty directory; owners, modes and links survive."""
    create(lab, "tenant1/x")
    said = lab.engine.sh("tenant1/x", LOOK, image=filled).splitlines()
    assert said[:4] == ["from the image", "hello 1000:1000 640", "sub 1001:1001 711", "sub/run 1001:1001 4755"]
    assert said[4].endswith("link -> hello")
    assert lab.engine.sh("tenant1/x", LOOK).splitlines()[:4] == said[:4]  # it is on the volume, not in the image


def test_image_content_does_not_replace_data(lab, filled):
    create(lab, "tenant1/x")
    lab.engine.sh("tenant1/x", "echo mine > /mnt/hello")
    assert lab.engine.sh("tenant1/x", "cat /mnt/hello; ls /mnt", image=filled).split() == ["mine", "hello"]


def test_nocopy_leaves_the_volume_empty(lab, filled):
    create(lab, "tenant1/x")
    assert run_mounted(lab, "tenant1/x", "ls -a /mnt", "volume-nocopy", image=filled).split() == [".", ".."]


def test_ownership_of_the_root_of_the_volume_is_kept(lab):
    """A container may give the volume to a user of its own, who finds it again next time. (Into an empty
    volume Docker copies the image's directory each time, with its owner: so there has to be a file.)"""
    create(lab, "tenant1/x")
    lab.engine.sh("tenant1/x", "touch /mnt/file; chown 1234:1234 /mnt && chmod 700 /mnt")
    lab.wait_released("tenant1/x")
    assert lab.engine.sh("tenant1/x", "stat -c '%u %a' /mnt; touch /mnt/mine", "--user", "1234") == "1234 700"


def test_a_full_volume_is_full_for_its_container_only(lab):
    """ENOSPC comes from the volume, at the size of the policy, and the volume can be emptied again."""
    create(lab, "tenant1/x")
    script = "dd if=/dev/zero of=/mnt/big bs=1024k count=64 2>&1; rm /mnt/big; echo room > /mnt/f; cat /mnt/f"
    said = lab.engine.sh("tenant1/x", script)
    assert "No space left on device" in said and said.endswith("room")


def test_one_volume_twice_in_one_container(lab):
    """Two mount points, two IDs, one device."""
    create(lab, "tenant1/x")
    lab.engine.background("c1", "tenant1/x", "echo hello > /mnt/file", "-v", "tenant1/x:/data")
    lab.assert_in_use("tenant1/x", 2)
    assert lab.engine.exec("c1", "cat /data/file") == "hello"
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")


def test_volumes_do_not_mix(lab):
    """Containers with different volumes, at the same time, each on its own device."""
    names = [f"tenant1/v{i}" for i in range(3)]
    for name in names:
        create(lab, name)
        lab.engine.background(name[-2:], name, f"echo {name} > /mnt/file")
    assert len({lab.device(name) for name in names} - {None}) == 3
    for name in names:
        assert lab.engine.exec(name[-2:], "cat /mnt/file") == name


def test_data_with_checksum_survives_many_remounts(lab):
    create(lab, "tenant1/x")
    lab.engine.sh("tenant1/x", "dd if=/dev/urandom of=/mnt/blob bs=1024k count=4 2>&1; md5sum /mnt/blob > /mnt/sum")
    for _ in range(3):
        assert lab.engine.sh("tenant1/x", "md5sum -c /mnt/sum") == "/mnt/blob: OK"
        lab.wait_released("tenant1/x")
