# SPDX-License-Identifier: Apache-2.0
"""Many callers at once: the same volume, different volumes, and calls that contradict each other."""
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.daemons import wait_until

RACES = 100


def docker(plugin, method, **body):
    return plugin.docker(f"VolumeDriver.{method}", body)


def all_at_once(count, call):
    """The results of call(0) to call(count - 1), all begun at the same moment."""
    gate = threading.Barrier(count)

    def begin(number):
        gate.wait(60)
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def remove(plugin, name):
    """Removes the volume's data; waits while something on the machine still holds its device."""
    return wait_until(lambda: [status for status in [plugin.api("DELETE", f"/v1/volumes/{name}")[0]]
                               if status != 409], f"{name} can be removed")[0]


def test_fifty_creates_of_one_name_make_one_image(volplugin):
    """All succeed, and exactly one of them made it."""
    def create(number):
        if number % 2:
            return docker(volplugin, "Create", Name="tenant1/one", Opts={})["Err"]
        return volplugin.api("POST", "/v1/volumes", {"tenant": "tenant1", "name": "one"})

    answers = all_at_once(50, create)
    assert set(answers[1::2]) == {""}
    statuses = Counter(status for status, _, _ in answers[::2])
    assert statuses[201] <= 1 and statuses[200] + statuses[201] == 25
    assert len({record["uid"] for _, _, record in answers[::2]}) == 1
    assert volplugin.images() == ["tenant1.one"]
    volplugin.settle()


def test_creates_of_one_name_with_different_sizes(volplugin):
    """One size wins; everybody who asked for it succeeds, the others are told of the difference."""
    sizes = ["8MB", "12MB"]
    answers = all_at_once(20, lambda n: docker(volplugin, "Create", Name="tenant1/one", Opts={"size": sizes[n % 2]}))
    made = volplugin.volumes()[0]["options"]["size"]
    for number, answer in enumerate(answers):
        if sizes[number % 2] == made:
            assert answer == {"Err": ""}
        else:
            assert f"size is {made}, not {sizes[number % 2]}" in answer["Err"]
    volplugin.settle()


def test_two_hundred_whole_lives_at_once(volplugin):
    """Different volumes do not get in each other's way, and nothing is left of them."""
    def live(number):
        name = f"tenant1/v{number}"
        assert docker(volplugin, "Create", Name=name, Opts={"size": "16MB"}) == {"Err": ""}
        path = docker(volplugin, "Mount", Name=name, ID="a")["Mountpoint"]
        with open(f"{path}/name", "w") as out:
            out.write(name)
        with open(f"{path}/name") as file:
            assert file.read() == name
        assert docker(volplugin, "Unmount", Name=name, ID="a") == {"Err": ""}
        return remove(volplugin, name)

    assert set(all_at_once(200, live)) == {204}
    volplugin.settle()
    assert volplugin.volumes() == [] and volplugin.images() == []


@pytest.mark.parametrize("way", ["docker", "rest"])
def test_create_racing_remove(volplugin, way):
    """Whoever is last, record and image agree, and the volume is usable or can be made."""
    def create_or_remove(number):
        if way == "docker":
            if number == 0:
                return docker(volplugin, "Create", Name="tenant1/r", Opts={"ephemeral": "true"})["Err"]
            return docker(volplugin, "Remove", Name="tenant1/r")["Err"]
        if number == 0:
            body = {"tenant": "tenant1", "name": "r", "options": {"ephemeral": "true"}}
            return volplugin.api("POST", "/v1/volumes", body)[0]
        return volplugin.api("DELETE", "/v1/volumes/tenant1/r")[0]

    seen = Counter()
    for _ in range(RACES):
        created, removed = all_at_once(2, create_or_remove)
        assert created in ("", 200, 201) and removed in ("", 204, 404)
        exists = bool(volplugin.volumes())
        assert volplugin.images() == (["tenant1.r"] if exists else [])
        assert volplugin.operations() == []
        seen[exists] += 1
        if removed == 404:
            assert exists, "neither did Remove find the volume nor is it there"
    assert sum(seen.values()) == RACES
    volplugin.settle()
    assert docker(volplugin, "Create", Name="tenant1/r", Opts={"ephemeral": "true"}) == {"Err": ""}
    assert docker(volplugin, "Mount", Name="tenant1/r", ID="a")["Err"] == ""


def test_mounts_by_different_ids_share_one_device(volplugin):
    """One file system for all; it goes with the last of them."""
    assert docker(volplugin, "Create", Name="tenant1/m", Opts={}) == {"Err": ""}
    answers = all_at_once(20, lambda n: docker(volplugin, "Mount", Name="tenant1/m", ID=f"id{n}"))
    assert {answer["Err"] for answer in answers} == {""}
    assert len({answer["Mountpoint"] for answer in answers}) == 1
    assert len(volplugin.devices()) == len(volplugin.mounted()) == 1
    assert {use["id"] for use in volplugin.mount_records()[0]["uses"]} == {f"id{n}" for n in range(20)}
    all_at_once(19, lambda n: docker(volplugin, "Unmount", Name="tenant1/m", ID=f"id{n}"))
    assert os.path.ismount(volplugin.mounted()[0])
    assert [use["id"] for use in volplugin.mount_records()[0]["uses"]] == ["id19"]
    assert docker(volplugin, "Unmount", Name="tenant1/m", ID="id19") == {"Err": ""}
    volplugin.settle()
    assert volplugin.mount_records() == [] and volplugin.devices() == []


def test_mounts_by_the_same_id_are_counted(volplugin):
    """As docker cp does into a running container: as many Unmounts as Mounts."""
    assert docker(volplugin, "Create", Name="tenant1/m", Opts={}) == {"Err": ""}
    answers = all_at_once(20, lambda _: docker(volplugin, "Mount", Name="tenant1/m", ID="same"))
    assert {answer["Err"] for answer in answers} == {""} and len(volplugin.devices()) == 1
    all_at_once(19, lambda _: docker(volplugin, "Unmount", Name="tenant1/m", ID="same"))
    assert len(volplugin.mounted()) == 1 and len(volplugin.mount_records()) == 1
    assert docker(volplugin, "Unmount", Name="tenant1/m", ID="same") == {"Err": ""}
    volplugin.settle()
    assert volplugin.mounted() == []


def test_mounts_racing_unmounts(volplugin):
    """Pairs of many containers that come and go: whoever has mounted sees the volume, and none is left."""
    assert docker(volplugin, "Create", Name="tenant1/m", Opts={}) == {"Err": ""}

    def come_and_go(number):
        for _ in range(10):
            path = docker(volplugin, "Mount", Name="tenant1/m", ID=f"id{number}")["Mountpoint"]
            assert os.path.ismount(os.path.dirname(path))
            with open(f"{path}/{number}", "w") as out:
                out.write("x")
            assert docker(volplugin, "Unmount", Name="tenant1/m", ID=f"id{number}") == {"Err": ""}

    all_at_once(8, come_and_go)
    volplugin.settle()
    assert volplugin.mounted() == []
    path = docker(volplugin, "Mount", Name="tenant1/m", ID="last")["Mountpoint"]
    assert sorted(os.listdir(path)) == [str(n) for n in range(8)]
