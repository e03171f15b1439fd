# SPDX-License-Identifier: Apache-2.0
"""Who still uses a volume: Docker repeats mount IDs, and loses Unmounts. A volume must never go away under a
container, and must always go away after the last one."""
import concurrent.futures
import threading

import pytest

from support.daemons import wait_until
from support.writer import SCRIPT as WRITER, assert_log_is_whole, wait_for_progress


def create(lab, name="tenant1/x", *flags):
    lab.engine.docker("volume", "create", "-d", "volplugin", *flags, name)
    return name


def test_two_containers_share_a_volume_until_the_second_one_stops(lab):
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    lab.engine.background("c2", "tenant1/x", "")
    lab.assert_in_use("tenant1/x", 2)
    device = lab.device("tenant1/x")
    lab.engine.docker("stop", "c2")
    lab.assert_in_use("tenant1/x", 1)
    wait_for_progress(lab, "c1")
    assert lab.device("tenant1/x") == device
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")
    assert_log_is_whole(lab)


@pytest.mark.parametrize("end", [["stop"], ["kill"], ["rm", "-f"], ["restart"]])
def test_every_way_to_end_a_container_gives_the_volume_back(lab, end):
    create(lab)
    lab.engine.background("c1", "tenant1/x", "")
    [first] = lab.uses("tenant1/x")
    lab.engine.docker(*end, "c1")
    if end == ["restart"]:
        wait_until(lambda: lab.uses("tenant1/x") not in ([], [first]), "the container has a new mount ID")
        lab.assert_in_use("tenant1/x", 1)
        lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")


def test_a_container_that_never_ran_holds_nothing(lab):
    """`docker create` mounts for a moment; a container that cannot start gives the volume back."""
    create(lab)
    lab.engine.docker("create", "--name", "c1", "-v", "tenant1/x:/mnt", lab.engine.IMAGE, "true")
    lab.wait_released("tenant1/x")
    lab.engine.fails("run", "--network", "none", "-v", "tenant1/x:/mnt", lab.engine.IMAGE, "/no/such/program")
    lab.wait_released("tenant1/x")


def test_docker_cp_does_not_unmount_under_a_running_container(lab):
    """cp mounts and unmounts with the very ID of the running container: IDs have to be counted."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    use = lab.uses("tenant1/x")
    file = lab.dir / "cp-in"
    file.write_text("copied in")
    lab.engine.docker("cp", file, "c1:/mnt/in")
    lab.engine.docker("cp", "c1:/mnt/in", lab.dir / "cp-out")
    assert (lab.dir / "cp-out").read_text() == "copied in"
    assert lab.uses("tenant1/x") == use and lab.counts("tenant1/x") == {use[0]: 1}
    lab.assert_in_use("tenant1/x", 1)
    assert lab.data("tenant1/x").joinpath("in").read_text() == "copied in"  # on the volume, not beside it
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")
    assert_log_is_whole(lab)


def test_docker_cp_with_a_stopped_container(lab):
    create(lab)
    lab.engine.docker("create", "--name", "c1", "-v", "tenant1/x:/mnt", lab.engine.IMAGE, "true")
    file = lab.dir / "cp-stopped"
    file.write_text("copied in")
    lab.engine.docker("cp", file, "c1:/mnt/in")
    lab.wait_released("tenant1/x")
    assert lab.engine.sh("tenant1/x", "cat /mnt/in") == "copied in"


def test_a_volume_in_use_is_not_removed(lab):
    """The API says which container mount holds it; once that is gone, it removes the volume."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    [use] = lab.uses("tenant1/x")
    status, _, problem = lab.plugin.api("DELETE", "/v1/volumes/tenant1/x")
    assert status == 409 and use in problem["detail"] and "stop its containers first" in problem["detail"]
    wait_for_progress(lab, "c1")
    lab.engine.docker("rm", "-f", "c1")
    lab.wait_released("tenant1/x")
    assert lab.plugin.api("DELETE", "/v1/volumes/tenant1/x")[0] == 204
    assert lab.plugin.images() == [] and lab.engine.volumes() == []


def test_many_containers_come_and_go_at_once(lab):
    """Starts and ends of eight containers on two volumes, all at the same time, count right."""
    create(lab, "tenant1/x"), create(lab, "tenant1/y")

    def one(number):
        volume = ("tenant1/x", "tenant1/y")[number % 2]
        lab.engine.background(f"c{number}", volume, f"echo {number} > /mnt/f{number}")
        wait_until(lambda: lab.engine.exec(f"c{number}", f"cat /mnt/f{number}") == str(number), "it wrote")
        if number >= 2:
            lab.engine.docker("rm", "-f", f"c{number}")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    lab.assert_in_use("tenant1/x", 1)
    lab.assert_in_use("tenant1/y", 1)
    assert sorted(lab.engine.exec("c0", "ls /mnt").split()) == ["f0", "f2", "f4", "f6"]
    lab.engine.docker("rm", "-f", "c0", "c1")
    lab.wait_released("tenant1/x")
    lab.wait_released("tenant1/y")


def test_a_killed_engine_mounts_again_with_the_same_id(lab):
    """Without Unmount in between. A plain counter would keep the device for ever."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER, "--restart", "always")
    use = lab.uses("tenant1/x")
    lab.engine.kill()
    lab.engine.start()
    wait_until(lambda: lab.engine.state("c1") == "running", "the container runs again")
    lab.assert_in_use("tenant1/x", 1)
    assert lab.uses("tenant1/x") == use  # it is the case this test is about
    assert lab.counts("tenant1/x") == {use[0]: 1}  # else the kernel would be asked in the end, but much later
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")


def test_cp_after_a_killed_engine_counts_right(lab):
    """The repeated ID counts once after the restart, and docker cp counts on top of that."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", "", "--restart", "always")
    lab.engine.kill()
    lab.engine.start()
    wait_until(lambda: lab.engine.state("c1") == "running", "the container runs again")
    lab.engine.docker("cp", "/etc/hostname", "c1:/mnt/in")
    lab.assert_in_use("tenant1/x", 1)
    assert list(lab.counts("tenant1/x").values()) == [1]
    lab.engine.exec("c1", "cat /mnt/in")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")


@pytest.fixture
def live(lab):
    """A lab whose engine leaves containers running when it restarts."""
    lab.engine.restart(live_restore=True)
    yield lab
    containers = lab.engine.containers()
    if containers:
        lab.engine.cli("rm", "-f", *containers)
    lab.engine.restart(live_restore=False)


def test_live_restore_loses_unmounts_but_not_the_volume(live):
    """The engine restarts under a running container, counts anew and (before Docker 25) never sends Unmount.
    The volume stays while the container runs, and is released after it."""
    lab = live
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    lab.engine.restart()
    # Longer than two looks of the agent, which come every 5 s: it must not take the volume for unused.
    wait_for_progress(lab, "c1", steps=100, patience=90)
    assert lab.device("tenant1/x") and lab.record("tenant1/x")
    file = lab.dir / "live-in"
    file.write_text("copied in")
    lab.engine.docker("cp", file, "c1:/mnt/in")
    assert lab.engine.exec("c1", "cat /mnt/in") == "copied in"
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x", patience=60)
    assert_log_is_whole(lab, at_least=100)
    assert lab.engine.sh("tenant1/x", "cat /mnt/in") == "copied in"


def test_live_restore_without_cp(live):
    """Whether or not this engine tells of the container's stop (20.10 does, later ones count), it is released."""
    lab = live
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    lab.engine.restart()
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x", patience=60)
    assert_log_is_whole(lab)


def test_an_unmount_that_volplugin_missed(lab):
    """Two containers stop while volplugin is dead: Docker tries for 15 s and gives up. One volume is used
    again at once, with its old ID; the other is released though nobody ever asks for it."""
    for name in ("used", "idle"):
        create(lab, f"tenant1/{name}")
        lab.engine.background(name, f"tenant1/{name}", WRITER)
    [use] = lab.uses("tenant1/used")
    lab.plugin.kill()
    stops = [threading.Thread(target=lab.engine.cli, args=("stop", name)) for name in ("used", "idle")]
    for stop in stops:
        stop.start()
    for stop in stops:
        stop.join()
    lab.plugin.start()
    assert lab.uses("tenant1/used") == [use]
    lab.engine.docker("start", "used")
    lab.assert_in_use("tenant1/used", 1)
    assert lab.uses("tenant1/used") == [use]  # Docker repeats it
    assert lab.counts("tenant1/used") == {use: 1}
    wait_for_progress(lab, "used")
    lab.engine.docker("stop", "used")
    lab.wait_released("tenant1/used")
    lab.wait_released("tenant1/idle", patience=60)
    for name in ("used", "idle"):
        numbers = lab.engine.sh(f"tenant1/{name}", "cat /mnt/log").split()
        assert numbers and numbers[0] == "1"


def test_live_restore_while_volplugin_is_away(live):
    """An engine that starts without volplugin never tells it of the end of the containers it found running."""
    lab = live
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    lab.plugin.kill()
    lab.engine.restart()
    wait_for_progress(lab, "c1")
    lab.plugin.start()
    lab.assert_in_use("tenant1/x", 1)
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x", patience=60)
    assert_log_is_whole(lab)
