# SPDX-License-Identifier: Apache-2.0
"""What happens before a guest boots: choosing an image and an acceleration. No guest is started here."""
import pytest

from lab import accel, command, image, kernel
from lab.disk import Disk, parse_size
from lab.errors import InfrastructureFailure


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, in which building an image takes no time."""
    def build(candidate):
        directory = tmp_path / image._key(candidate)[0]
        directory.mkdir()
        (directory / "lock").touch()
        return directory
    monkeypatch.setattr(image, "CACHE", tmp_path)
    monkeypatch.setattr(image, "_build", build)
    monkeypatch.setattr(image.subprocess, "run", lambda *_, **__: None)  # apt-get update
    monkeypatch.delenv("VOLPLUGIN_LAB_ACCEL", raising=False)
    return tmp_path


def offer(monkeypatch, *candidate):
    """What apt knows from now on; returns the image that is taken then."""
    monkeypatch.setattr(kernel, "candidate", lambda: candidate or None)
    return image.ensure.__wrapped__().dir


def test_an_image_is_of_one_kernel_package_list_and_recipe(cache, monkeypatch):
    first = offer(monkeypatch, "linux-image-6.1.0-1-cloud-amd64", "6.1.1")
    assert first.name.startswith("6.1.0-1-cloud-amd64_6.1.1_")
    assert offer(monkeypatch, "linux-image-6.1.0-1-cloud-amd64", "6.1.1") == first
    second = offer(monkeypatch, "linux-image-6.1.0-2-cloud-amd64", "6.1.2")
    assert second != first
    assert offer(monkeypatch) == second  # no package lists: the last one of this recipe
    monkeypatch.setattr(image, "packages", lambda: ["other"])
    assert offer(monkeypatch, "linux-image-6.1.0-2-cloud-amd64", "6.1.2") != second
    monkeypatch.setattr(image, "packages", lambda: ["another"])
    with pytest.raises(InfrastructureFailure, match="apt knows no package linux-image-cloud-amd64"):
        offer(monkeypatch)


def test_old_images_go_unless_they_are_in_use(cache, monkeypatch):
    used = offer(monkeypatch, "linux-image-6.1.0-1-cloud-amd64", "1")
    with image.Image(used).hold():
        others = [offer(monkeypatch, "linux-image-6.1.0-1-cloud-amd64", str(n)) for n in range(2, 6)]
        assert {d.name for d in cache.iterdir() if d.is_dir()} == {d.name for d in [used, *others[-image.KEPT:]]}
    last = offer(monkeypatch, "linux-image-6.1.0-1-cloud-amd64", "6")
    assert {d.name for d in cache.iterdir() if d.is_dir()} == {last.name, others[-1].name}


def test_kvm_is_used_only_where_a_guest_boots_with_it(cache, monkeypatch):
    tried = []

    def boots(acceleration):
        tried.append(acceleration)
        return False

    monkeypatch.setattr(accel, "_promising", lambda: False)
    assert accel.choose(boots) == "tcg" and tried == []
    monkeypatch.setattr(accel, "_promising", lambda: True)
    assert accel.choose(boots) == "tcg" and accel.choose(boots) == "tcg"
    assert tried == ["kvm"]  # once
    monkeypatch.setenv("VOLPLUGIN_LAB_ACCEL", "kvm")
    assert accel.choose(boots) == "kvm"
    monkeypatch.setenv("VOLPLUGIN_LAB_ACCEL", "yes")
    with pytest.raises(InfrastructureFailure, match="'yes', not auto, kvm or tcg"):
        accel.choose(boots)


def test_disks():
    assert parse_size("3M") == 3 << 20 and parse_size("10G") == 10 << 30 and parse_size("512") == 512
    for size in "1g", "G", "-1", "1.5G", "":
        with pytest.raises(ValueError, match="not like 512M"):
            parse_size(size)
    for serial in "", "a/b", "a,b", "x" * 21:
        with pytest.raises(ValueError, match="disk serial"):
            Disk(serial)


def test_a_failure_of_the_lab_is_status_125(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert command.main(["run", "/dev/null"]) == 125
    assert "qemu cannot run here: qemu-system-x86_64 is not installed" in capsys.readouterr().err
