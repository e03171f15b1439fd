# SPDX-License-Identifier: Apache-2.0
"""lvmvd as a plugin, without Docker: its files, listeners and exact answers, what it never touches, and what a call
that fails leaves behind. On a volume group of a guest."""
import json
import signal

import pytest

from lab.disk import Disk
from lab.products import PAYLOADS, GuestLvm, GuestLvmvd, print_logs
from support.daemons import wait_until

GROUP = "services-vg"
SPEC = "/etc/docker/plugins/lvm-volume-driver.json"
SPEC_TEXT = b"""
{
     "Name": "lvm-volume-driver",
     "Addr": "http://localhost:8080"
}"""
TYPE = "application/vnd.docker.plugins.v1.1+json"


@pytest.fixture(scope="module")
def guest(guests):
    guest = guests("lvmvd", disks=[Disk("disk1", "8G")], payloads=PAYLOADS)
    guest.run(f"vgcreate {GROUP} {guest.hardware.disks[0].device}")
    return guest


@pytest.fixture(scope="module")
def lvm(guest):
    return GuestLvm(guest, GROUP)


@pytest.fixture(scope="module")
def first(guest):
    return GuestLvmvd(guest, GROUP, "--default-size=8")


@pytest.fixture
def lvmvd(first):
    """lvmvd on its default socket, with volumes of 8 MiB. A test may end it."""
    if not first.running():
        first.start()
    yield first
    print_logs(first)


@pytest.fixture
def web(guest):
    """lvmvd as in the last line of the requirements: on TCP, with volumes of 1 GiB."""
    web = GuestLvmvd(guest, GROUP, "--listener=http", "--default-size=1G", "--state-dir=/var/lib/lvmvd-web",
                     name="web")
    web.launch()
    web.wait_until("curl -s -d '{}' http://localhost:8080/VolumeDriver.Capabilities >/dev/null")
    yield web
    if web.running():
        web.stop()
    print_logs(web)


def access(guest, *paths):
    return guest.run(["stat", "-c", "%A %U %G", *paths]).stdout.splitlines()


def test_the_socket_its_directory_and_the_mount_root(guest, lvmvd):
    assert access(guest, lvmvd.socket, "/run/docker/plugins", "/run/docker", lvmvd.root) == [
        "srw-rw---- root docker", "drwxr-x--- root docker", "drwxr-x--- root root", "drwxr-x--- root docker"]
    guest.run(f"[ ! -e {SPEC} ]")
    assert lvmvd.stop() == 0
    guest.run(f"[ ! -e {lvmvd.socket} ]")


def test_exact_answers(guest, lvmvd, lvm):
    root = lvmvd.root
    body = '{"Name": "exact"}'
    for method, request, answer in [
            ("Plugin.Activate", "", '{"Implements":["VolumeDriver"]}'),
            ("VolumeDriver.Capabilities", "", '{"Capabilities":{"Scope":"local"}}'),
            ("VolumeDriver.List", "{}", '{"Err":"","Volumes":[]}'),
            ("VolumeDriver.Get", body, '{"Err":"Volume exact does not exist"}'),
            ("VolumeDriver.Remove", body, '{"Err":"Cannot delete volume exact: it does not exist"}'),
            ("VolumeDriver.Create", body, '{"Err":""}'),
            ("VolumeDriver.Create", body, '{"Err":"Volume exact already exists"}'),
            ("VolumeDriver.Get", body, '{"Err":"","Volume":{"Name":"exact","Mountpoint":""}}'),
            ("VolumeDriver.Path", body, '{"Err":"Volume exact not mounted"}'),
            ("VolumeDriver.Mount", body, f'{{"Err":"","Mountpoint":"{root}/exact"}}'),
            ("VolumeDriver.Path", body, f'{{"Err":"","Mountpoint":"{root}/exact"}}'),
            ("VolumeDriver.Get", body, f'{{"Err":"","Volume":{{"Name":"exact","Mountpoint":"{root}/exact"}}}}'),
            ("VolumeDriver.List", "", f'{{"Err":"","Volumes":[{{"Name":"exact","Mountpoint":"{root}/exact"}}]}}'),
            ("VolumeDriver.Remove", body, '{"Err":"Volume exact is still mounted"}'),
            ("VolumeDriver.Unmount", body, '{"Err":""}'),
            ("VolumeDriver.Remove", body, '{"Err":""}'),
            ("VolumeDriver.Create", "", '{"Err":"EOF"}'),
            ("VolumeDriver.Create", "{", '{"Err":"unexpected EOF"}'),
            ("VolumeDriver.Create", "[]", '{"Err":"json: cannot unmarshal array into Go value of type '
                                          'map[string]interface {}"}'),
            ("VolumeDriver.Mount", '{"name": "exact"}', '{"Err":"Illegal request"}')]:
        assert lvmvd.text(method, request) == answer, method
    assert lvm.volumes() == {}
    meta = lvmvd.text("VolumeDriver.List", "{}", "-o", "/dev/null", "-w", "%{http_code} %{content_type}")
    assert meta == f"200 {TYPE}"


def test_what_is_not_part_of_the_protocol_is_404(lvmvd):
    for target in "VolumeDriver.Nothing", "", "volumedriver.list":
        said = lvmvd.text(target, "{}", "-w", "|%{http_code} %{content_type}")
        assert said == "404 page not found\n|404 text/plain; charset=utf-8"


def test_the_curl_commands_of_the_requirements(guest, web, lvm):
    """Each as it stands there."""
    def curl(method, body):
        return guest.run(f"""curl -v --header "Content-Type: application/json" -d '{body}' """
                         f"http://localhost:8080/VolumeDriver.{method}").stdout
    point = f"/var/volume/mnt-{GROUP}/test3"
    assert guest.get(SPEC) == SPEC_TEXT
    assert access(guest, SPEC, "/etc/docker/plugins") == ["-rw-r----- root docker", "drwxr-x--- root docker"]
    assert curl("Create", '{"Name": "myvolume"}') == '{"Err":""}'
    assert json.loads(curl("List", "{}")) == {"Err": "", "Volumes": [{"Name": "myvolume", "Mountpoint": ""}]}
    assert curl("Create", '{"Name": "test3"}') == '{"Err":""}'
    assert json.loads(curl("Mount", '{"Name": "test3"}')) == {"Err": "", "Mountpoint": point}
    assert lvm.mounts("test3") == [(point, "ext4")] and lvm.volumes() == {"myvolume": 1024, "test3": 1024}
    assert curl("Unmount", '{"Name": "test3"}') == '{"Err":""}'
    lvm.wait_unused("test3")
    for name in "myvolume", "test3":
        assert curl("Remove", f'{{"Name": "{name}"}}') == '{"Err":""}'
    assert web.stop() == 0
    guest.run(f"[ ! -e {SPEC} ]")


def test_one_of_two_listeners_ends_and_the_others_file_stays(guest, lvmvd, web):
    assert web.stop() == 0
    lvmvd.must("List", {})
    guest.put("mine", SPEC)
    assert lvmvd.stop() == 0
    assert guest.get(SPEC) == b"mine"
    guest.run(["rm", SPEC])


def test_a_live_socket_is_not_stolen_and_a_stale_one_is_replaced(guest, lvmvd):
    second = GuestLvmvd(guest, GROUP)
    second.name, second.files = "second", "/run/products/second"
    second.launch()
    assert second.wait() == 1
    assert "Cannot create socket file" in second.log() and lvmvd.socket in second.log()
    assert lvmvd.names() == []
    assert lvmvd.kill() == 128 + signal.SIGKILL
    guest.run(f"[ -S {lvmvd.socket} ]")
    lvmvd.start()
    assert lvmvd.names() == []


def test_a_volume_held_by_another_mount_namespace_is_let_go_in_the_background(guest, lvmvd, lvm):
    """Unmount answers at once; the volume is removable when the copy of the mount is gone."""
    lvmvd.must("Create", {"Name": "busy"})
    point = lvmvd.must("Mount", {"Name": "busy", "ID": "1"})["Mountpoint"]
    holder = guest.spawn(f"cd {point}; exec unshare --mount --propagation private sleep 1000")
    wait_until(lambda: guest.run("pidof sleep", check=False).stdout, "the holder runs")
    wait_until(lambda: "sleep" in guest.run("cat /proc/$(pidof sleep)/comm", check=False).stdout, "it is a sleep")
    lvmvd.must("Unmount", {"Name": "busy", "ID": "1"})
    assert lvm.is_open("busy")
    assert "busy" in lvmvd.names()
    lvmvd.refused("Remove", {"Name": "busy"})
    holder.kill()
    lvm.wait_unused("busy")
    wait_until(lambda: lvmvd.call("Remove", {"Name": "busy"})["Err"] == "", "it can be removed")
    assert lvm.volumes() == {}


def test_foreign_volumes_are_left_alone_until_they_are_given_to_it(guest, lvmvd, lvm):
    guest.run(f"lvcreate -y -L 16M -n plain {GROUP}; mkfs.ext4 -q /dev/{GROUP}/plain\n"
              f"lvcreate -y -L 16M --type thin-pool -n pool {GROUP}\n"
              f"lvcreate -y -V 16M --thinpool pool -n thin {GROUP}\n"
              f"lvcreate -y -L 8M -n theirs --addtag volplugin.uid=1 {GROUP}\n"
              f"mount /dev/{GROUP}/plain /mnt; echo data >/mnt/file; umount /mnt")
    before = lvm.volumes()
    assert lvmvd.names() == []
    mounts = guest.get("/proc/mounts")
    for method in "Get", "Mount", "Unmount", "Remove", "Create":
        answers, _ = lvmvd.call_all(method, [{"Name": name} for name in before])
        if method != "Unmount":
            assert all(answer["Err"] for answer in answers), (method, answers)
    assert lvm.volumes() == before and lvmvd.names() == [] and guest.get("/proc/mounts") == mounts
    guest.run(f"lvchange --addtag lvmvd {GROUP}/plain")
    assert lvmvd.names() == ["plain"]
    point = lvmvd.must("Mount", {"Name": "plain"})["Mountpoint"]
    assert guest.get(f"{point}/file") == b"data\n"
    lvmvd.must("Unmount", {"Name": "plain"})
    lvmvd.must("Remove", {"Name": "plain"})
    assert lvm.volumes() == {name: size for name, size in before.items() if name != "plain"}
    guest.run(f"lvremove -y {GROUP}/thin {GROUP}/pool {GROUP}/theirs")


@pytest.fixture
def untouched(guest, lvmvd, lvm):
    """After the test all is as it was: logical volumes, mounts, and the directories around the mount root."""
    def state():
        return lvm.volumes(), guest.get("/proc/mounts"), guest.run("find /var/volume /dev/mapper | sort").stdout
    before = state()
    yield
    assert state() == before


@pytest.mark.parametrize("method", ["Create", "Mount", "Unmount", "Remove", "Get", "Path"])
def test_names_that_lead_elsewhere_are_refused(guest, lvmvd, untouched, method):
    names = ["../x", "../vda", "../mapper/x", "..", ".", "/dev/vda", "a/b", "a/../../x", "", "-x", "a b", "x\n",
             "\u00fc"]
    answers, _ = lvmvd.call_all(method, [{"Name": name, "ID": "1"} for name in names])
    if method != "Unmount":
        assert all(answer["Err"] for answer in answers), list(zip(names, answers))


def test_a_file_system_that_does_not_fit_leaves_no_volume(lvmvd, lvm):
    """8 MiB are too small for XFS."""
    error = lvmvd.refused("Create", {"Name": "small", "Opts": {"size": "8M", "filesystem": "xfs"}})
    assert "mkfs.xfs" in error
    assert lvm.volumes() == {} and lvmvd.names() == []
    lvmvd.must("Create", {"Name": "small", "Opts": {"size": "8M"}})
    assert lvm.filesystem("small") == "ext4"
    lvmvd.must("Remove", {"Name": "small"})
