# SPDX-License-Identifier: Apache-2.0
"""volplugin, the engine and the whole machine end and come back, in every order, while containers run."""
import json
import signal
import threading

from support.daemons import Volplugin, wait_until
from support.engine import Engine, seconds
from support.writer import SCRIPT as WRITER, assert_log_is_whole, wait_for_progress


def create(lab, name="tenant1/x", *flags):
    lab.engine.docker("volume", "create", "-d", "volplugin", *flags, name)
    return name


def wait_running(lab, container):
    wait_until(lambda: lab.engine.state(container) == "running", f"{container} runs", patience=60)


def test_containers_go_on_without_volplugin(lab):
    """kill -9 of volplugin takes nothing from a running container. The next volplugin shares the mount with a
    second container and counts both."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    device = lab.device("tenant1/x")
    lab.plugin.kill()
    wait_for_progress(lab, "c1")
    lab.plugin.start()
    assert lab.device("tenant1/x") == device
    lab.engine.background("c2", "tenant1/x", "")
    lab.assert_in_use("tenant1/x", 2)
    lab.engine.docker("stop", "c1")
    lab.assert_in_use("tenant1/x", 1)
    lab.engine.exec("c2", "touch /mnt/from-c2")
    lab.engine.docker("stop", "c2")
    lab.wait_released("tenant1/x")
    assert_log_is_whole(lab)


def test_containers_stay_when_volplugin_restarts(lab):
    """Longer than the agent takes to look twice at a volume whose uses are from before its start."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    assert lab.plugin.stop() == 0
    lab.plugin.start()
    wait_for_progress(lab, "c1", steps=100, patience=90)
    lab.assert_in_use("tenant1/x", 1)
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")
    assert_log_is_whole(lab, at_least=100)


def test_volplugin_is_back_before_docker_gives_up(lab):
    """A command that found volplugin dead is tried again by the engine and then simply works."""
    create(lab)
    lab.plugin.kill()
    answers = []
    run = threading.Thread(target=lambda: answers.append(lab.engine.sh("tenant1/x", "echo hello > /mnt/f; cat /mnt/f")))
    run.start()
    wait_until(lambda: "retrying in" in lab.engine.log(), "the engine found nobody")
    lab.plugin.start()
    run.join()
    assert answers == ["hello"]
    lab.wait_released("tenant1/x")


def test_ended_by_a_signal_it_takes_its_socket_along(lab):
    """An engine that scans for drivers would wait 15 s for a socket nobody listens on."""
    create(lab)
    assert lab.plugin.plugin.is_socket()
    for number in (signal.SIGTERM, signal.SIGINT):
        assert lab.plugin.stop(number) == 0
        assert not lab.plugin.plugin.exists() and not lab.plugin.api_socket.exists()
        other = Engine(lab.dir / "other", lab.host).start()
        try:
            volumes, took = seconds(other.volumes)
            assert volumes == [] and took < 10
        finally:
            other.clean()
        lab.plugin.start()
    assert lab.engine.volumes() == ["tenant1/x"]


def test_a_stale_socket_is_taken_over(lab):
    """After kill -9 the socket file is still there; the next volplugin starts all the same."""
    lab.plugin.kill()
    assert lab.plugin.plugin.is_socket()
    lab.plugin.start()
    create(lab)
    assert lab.engine.sh("tenant1/x", "echo hello") == "hello"


def test_a_second_volplugin_does_not_take_the_socket(lab):
    """It says why it cannot start, and the first one goes on."""
    create(lab)
    second = Volplugin(lab.dir / "second", namespace_pid=lab.host.pid, plugin_dir=lab.host.plugin_dir)
    second.start(wait=False)
    wait_until(lambda: not second.daemon.running(), "the second one ends")
    assert "another instance" in second.log()
    assert lab.engine.sh("tenant1/x", "echo hello") == "hello"


def test_restart_always_comes_back_with_the_engine(lab):
    """An engine that is stopped and started in good order."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER, "--restart", "always")
    lab.engine.stop()
    lab.wait_released("tenant1/x")  # a stopping engine stops its containers
    lab.engine.start()
    wait_running(lab, "c1")
    lab.assert_in_use("tenant1/x", 1)
    wait_for_progress(lab, "c1")
    lab.engine.docker("rm", "-f", "c1")
    lab.wait_released("tenant1/x")


def test_a_crashing_container_is_restarted_with_its_volume(lab):
    """restart=always and a program that ends at once: many quick Mounts and Unmounts."""
    create(lab)
    lab.engine.docker("run", "-d", "--name", "c1", "--network", "none", "--restart", "always", "-v", "tenant1/x:/mnt",
                      lab.engine.IMAGE, "sh", "-c", "echo again >> /mnt/log")
    wait_until(lambda: int(lab.engine.docker("inspect", "-f", "{{.RestartCount}}", "c1")) >= 4, "it crashed often")
    lab.engine.docker("rm", "-f", "c1")
    lab.wait_released("tenant1/x")
    assert len(lab.engine.sh("tenant1/x", "cat /mnt/log").split()) >= 4


def take_down(lab):
    """kill -9 of engine and volplugin; what the engine started runs on."""
    lab.engine.kill()
    lab.plugin.kill()


def test_both_killed_and_volplugin_first(lab):
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER, "--restart", "always")
    take_down(lab)
    lab.plugin.start()
    lab.engine.start()
    wait_running(lab, "c1")
    lab.assert_in_use("tenant1/x", 1)
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")


def test_both_killed_and_the_engine_first(lab):
    """The engine asks for its volumes before volplugin is there, and finds it in time."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER, "--restart", "always")
    take_down(lab)
    seen = lab.engine.log().count("retrying in")
    lab.engine.start(wait=False)
    wait_until(lambda: lab.engine.log().count("retrying in") > seen, "the engine looks for volplugin")
    lab.plugin.start()
    lab.engine.wait_ready()
    wait_running(lab, "c1")
    lab.assert_in_use("tenant1/x", 1)
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")


def test_both_killed_and_nothing_started_again(lab):
    """A container without restart policy ends with its engine, and no Unmount ever comes."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    wait_for_progress(lab, "c1")
    take_down(lab)
    lab.plugin.start()
    lab.engine.start()
    wait_until(lambda: lab.engine.state("c1") == "exited", "the container ended")
    lab.wait_released("tenant1/x", patience=60)
    assert_log_is_whole(lab)


def reboot(lab):
    """What is left after a power cut: files, but no process, mount or device, and another boot id."""
    lab.engine.kill()
    lab.plugin.kill()
    lab.engine.kill_containers()
    lab.host.unmount_below(lab.plugin.mounts)
    lab.host.unmount_below(lab.engine.dir)
    wait_until(lambda: not lab.plugin.devices(), "the devices are gone")
    for journal in (lab.plugin.data / "agent").glob("*.json"):
        entry = json.loads(journal.read_text())
        if "boot-id" in entry:
            entry["boot-id"] = "11111111-2222-3333-4444-555555555555"
            journal.write_text(json.dumps(entry))


def test_after_a_reboot_nothing_is_held(lab):
    """The mount record of the earlier boot is released, and a container that starts again finds its data."""
    create(lab), create(lab, "tenant1/idle")
    lab.engine.background("c1", "tenant1/x", WRITER)
    lab.engine.background("c2", "tenant1/idle", "echo kept > /mnt/file; sync")
    wait_for_progress(lab, "c1")
    lab.engine.exec("c1", "sync")
    reboot(lab)
    lab.plugin.start()
    lab.wait_released("tenant1/idle")
    lab.wait_released("tenant1/x")
    lab.engine.start()
    lab.engine.docker("start", "c1")
    lab.assert_in_use("tenant1/x", 1)
    assert lab.engine.exec("c1", "cat /mnt/log").split()[:3] == ["1", "2", "3"]
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")
    assert lab.engine.sh("tenant1/idle", "cat /mnt/file") == "kept"


def test_after_a_reboot_restart_always_wins_the_race_with_recovery(lab):
    """The engine mounts again while volplugin may still be releasing records of the earlier boot."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER, "--restart", "always")
    reboot(lab)
    lab.plugin.start(wait=False)
    lab.engine.start()
    wait_running(lab, "c1")
    lab.assert_in_use("tenant1/x", 1)
    wait_for_progress(lab, "c1", steps=60, patience=60)  # beyond the agent's next look
    lab.assert_in_use("tenant1/x", 1)
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")


def test_mounts_by_hand_are_put_right(lab):
    """Somebody unmounts a volume that no container uses any more behind volplugin's back."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    wait_for_progress(lab, "c1")
    lab.engine.kill()
    lab.engine.kill_containers()
    lab.host.run("umount", lab.plugin.mounts / "tenant1.x")
    lab.wait_released("tenant1/x")
    lab.engine.start()
    assert_log_is_whole(lab)
