# SPDX-License-Identifier: Apache-2.0
"""Mount namespaces: an engine that does not see what volplugin mounts, and processes that keep what it unmounts."""
import contextlib
import pathlib

import pytest

from support.daemons import wait_until
from support.engine import Engine
from support.host import Host
from support.writer import SCRIPT as WRITER, assert_log_is_whole, wait_for_progress

STILL_IN_USE = "still in use by another mount namespace"


def create(lab, name="tenant1/x", *flags):
    lab.engine.docker("volume", "create", "-d", "volplugin", *flags, name)
    return name


@contextlib.contextmanager
def engine_elsewhere(lab, **of_host):
    """An engine in another mount namespace than volplugin, which it reaches all the same."""
    host = Host(lab.dir / "host2", "host2", run_docker=lab.host.run_docker, **of_host).start()
    engine = Engine(lab.dir / "docker2", host)
    try:
        engine.start().import_image()
        yield engine
    finally:
        engine.clean()
        host.clean()


def test_an_engine_in_another_namespace_is_refused(lab):
    """The container would write into an empty directory of the root file system: it must not start."""
    create(lab)
    with engine_elsewhere(lab) as engine:
        error = engine.fails("run", "--name", "c1", "--network", "none", "-v", "tenant1/x:/mnt", engine.IMAGE, "touch",
                             "/mnt/lost")
        assert "does not see" in error and "another mount namespace" in error and "rshared" in error
        lab.wait_released("tenant1/x")
        assert list(pathlib.Path(lab.plugin.mounts).glob("tenant1.x/*")) == []  # no directory that could be mistaken
        assert engine.volumes() == ["tenant1/x"]  # everything but mounting works
    assert lab.engine.sh("tenant1/x", "ls /mnt; echo fine") == "fine"


def test_refusing_one_engine_does_not_disturb_another(lab):
    """The volume is mounted for a container of our engine when the other engine asks for it."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    with engine_elsewhere(lab) as engine:
        assert "does not see" in engine.fails("run", "--network", "none", "-v", "tenant1/x:/mnt", engine.IMAGE, "true")
    lab.assert_in_use("tenant1/x", 1)
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")
    assert_log_is_whole(lab)


def test_mount_propagation_makes_another_namespace_work(lab):
    """The way out that the error names: a shared mount root. Mounts and unmounts both arrive."""
    create(lab)
    lab.plugin.mounts.mkdir(exist_ok=True)
    lab.host.run("mount", "--bind", lab.plugin.mounts, lab.plugin.mounts)
    lab.host.run("mount", "--make-rshared", lab.plugin.mounts)
    try:
        with engine_elsewhere(lab, mounts_of=lab.host) as engine:
            assert engine.sh("tenant1/x", "mount | grep ' /mnt '; echo hello > /mnt/f").startswith("/dev/loop")
            lab.wait_released("tenant1/x")
            assert engine.sh("tenant1/x", "cat /mnt/f") == "hello"
            lab.wait_released("tenant1/x")
    finally:
        lab.host.run("umount", lab.plugin.mounts)
    assert lab.engine.sh("tenant1/x", "cat /mnt/f") == "hello"


def shows(pid, device):
    """Whether a process has the device mounted."""
    return f" {device} " in pathlib.Path(f"/proc/{pid}/mountinfo").read_text()


@contextlib.contextmanager
def process_in(lab, *argv):
    """A process on the host, running `sleep` in the end."""
    process = lab.host.spawn(*argv)
    comm = pathlib.Path(f"/proc/{process.pid}/comm")
    try:
        wait_until(lambda: comm.read_text().strip() == "sleep", "the process is set up")
        yield process
    finally:
        process.kill()
        process.wait()


def copied_mounts(lab):
    """Has a copy of the host's mounts, as every new mount namespace does."""
    return process_in(lab, "unshare", "-m", "--propagation", "private", "sleep", "1000")


def shell_in_a_copy(lab):
    """Stands in the volume's directory, in a copy of the host's mounts."""
    where = lab.plugin.mounts / "tenant1.x" / "data"
    return process_in(lab, "unshare", "-m", "--propagation", "private", "sh", "-c", f"cd {where}; exec sleep 1000")


def shell_in_the_volume(lab):
    """Stands in the volume's directory on the host."""
    where = lab.plugin.mounts / "tenant1.x" / "data"
    return process_in(lab, "sh", "-c", f"cd {where}; exec sleep 1000")


def test_copies_of_the_hosts_mounts_keep_nothing(lab):
    """Taking away the mount point takes the mount out of every other namespace that has just a copy of it: a
    process with a namespace of its own, and a container that was given the host's whole tree."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", "echo hello > /mnt/file")
    device = lab.device("tenant1/x")
    lab.engine.docker("run", "-d", "--name", "monitor", "--network", "none", "-v", "/:/host:ro",
                      "--stop-signal", "KILL", lab.engine.IMAGE, "sleep", "1000")
    assert f"{device} on /host/" in lab.engine.exec("monitor", "mount")
    with copied_mounts(lab) as process:
        assert shows(process.pid, device)
        lab.engine.docker("stop", "c1")
        lab.wait_released("tenant1/x")
        assert not shows(process.pid, device)
        assert f"{device} on /host/" not in lab.engine.exec("monitor", "mount")
        assert lab.engine.sh("tenant1/x", "cat /mnt/file") == "hello"


@pytest.mark.parametrize("pin, said", [
    (shell_in_a_copy, STILL_IN_USE),
    (shell_in_the_volume, "is in use and stays mounted"),
])
def test_a_volume_that_something_keeps_is_released_later(lab, pin, said):
    """docker stop succeeds at once; records and API say what is going on; containers may use the volume again
    meanwhile; it cannot be removed; and when the last one lets go, everything is released."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    wait_for_progress(lab, "c1")
    with pin(lab):
        lab.engine.docker("stop", "c1")
        wait_until(lambda: lab.record("tenant1/x")["phase"] == "unmounting", "the record says what goes on")
        record = lab.record("tenant1/x")
        assert record["uses"] == [] and said in record["message"]
        [operation] = lab.plugin.operations()
        assert (operation["kind"], operation["volume"]) == ("unmount", "tenant1/x") and said in operation["message"]
        status, _, problem = lab.plugin.api("DELETE", "/v1/volumes/tenant1/x")
        assert status == 409 and "being unmounted" in problem["detail"]
        assert lab.device("tenant1/x")

        lab.engine.background("c2", "tenant1/x", "echo hello > /mnt/file")
        lab.assert_in_use("tenant1/x", 1)
        assert lab.plugin.operations() == []
        lab.engine.docker("stop", "c2")
        wait_until(lambda: lab.record("tenant1/x")["phase"] == "unmounting", "it is kept once more")
    lab.wait_released("tenant1/x", patience=30)
    assert lab.plugin.operations() == []
    assert_log_is_whole(lab)
    assert lab.engine.sh("tenant1/x", "cat /mnt/file") == "hello"


def test_a_kept_volume_survives_a_restart_of_volplugin(lab):
    """The next volplugin goes on waiting for the process that keeps the volume."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    with shell_in_a_copy(lab):
        lab.engine.docker("stop", "c1")
        lab.plugin.kill()
        lab.plugin.start()
        assert lab.record("tenant1/x")["phase"] == "unmounting" and lab.device("tenant1/x")
    lab.wait_released("tenant1/x", patience=30)
