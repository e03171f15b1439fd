# SPDX-License-Identifier: Apache-2.0
"""volmaster and volplugin as processes of their own, over TCP: one host and two, with and without volmaster."""
import signal

import pytest

from support.daemons import wait_until
from support.engine import seconds
from support.lab import SplitLab
from support.writer import SCRIPT as WRITER, assert_log_is_whole, wait_for_progress

LAB = SplitLab


def create(lab, name="tenant1/x", *flags):
    lab.engine.docker("volume", "create", "-d", "volplugin", *flags, name)
    return name


def test_create_run_remove(lab):
    """The image is made on the agent's host by a task of volmaster, and removed by another."""
    create(lab, "tenant1/x", "--opt", "ephemeral=true")
    assert lab.plugin.images() == ["tenant1.x"] and lab.plugin.devices() == []
    volume = lab.engine.inspect("volume", "inspect", "tenant1/x")
    assert volume["Scope"] == "global" and volume["Status"]["node"] == "host1"
    lab.engine.background("c1", "tenant1/x", WRITER)
    lab.assert_in_use("tenant1/x", 1)
    [node] = lab.plugin.api("GET", "/v1/nodes")[2]["items"]
    assert node["name"] == "host1" and node["connected"] is True
    wait_for_progress(lab, "c1")
    lab.engine.docker("rm", "-f", "c1")
    lab.wait_released("tenant1/x")
    lab.engine.docker("volume", "rm", "tenant1/x")
    assert lab.plugin.images() == [] and lab.plugin.volumes() == [] and lab.engine.volumes() == []


def test_errors_of_volmaster_reach_the_command_line(lab):
    assert "unknown option 'colour'" in lab.engine.fails("volume", "create", "-d", "volplugin", "--opt", "colour=blue",
                                                         "tenant1/x")
    assert "nobody" in lab.engine.fails("volume", "create", "-d", "volplugin", "nobody/x")
    lab.plugin.upload("broken", filesystems={"ext4": "echo no disk today for % >&2; exit 3"})
    assert "no disk today" in lab.engine.fails("volume", "create", "-d", "volplugin", "broken/x")
    assert lab.plugin.images() == [] and lab.plugin.devices() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_containers_do_not_need_volmaster(lab, number):
    """While volmaster is away, Docker sees its volumes, containers go on, share and end; new mounts are refused
    with the reason. What it missed is told when it is back."""
    create(lab), create(lab, "tenant1/other")
    lab.engine.background("c1", "tenant1/x", WRITER)
    lab.engine.background("c2", "tenant1/x", "")
    lab.master.stop(number)

    volumes, took = seconds(lab.engine.volumes)
    assert volumes == ["tenant1/other", "tenant1/x"] and took < 5
    for name in volumes:
        status, took = seconds(lambda: lab.engine.inspect("volume", "inspect", name)["Status"])
        assert status["size"] == "16MB" and took < 5
    assert "volmaster" in lab.engine.fails("run", "--rm", "--network", "none", "-v", "tenant1/other:/mnt",
                                           lab.engine.IMAGE, "true")
    assert lab.mounted("tenant1/other") == [] and lab.device("tenant1/other") is None

    assert lab.engine.sh("tenant1/x", "echo shared > /mnt/file; cat /mnt/file") == "shared"
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1", "c2")
    wait_until(lambda: not lab.mounted("tenant1/x") and not lab.device("tenant1/x"), "it is unmounted all the same")

    lab.start_master()
    lab.wait_released("tenant1/x")
    assert_log_is_whole(lab)
    assert lab.engine.sh("tenant1/other", "echo works") == "works"


def test_volmaster_restarts_under_running_containers(lab):
    """Records are as before; the agent takes up work again by itself."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    record = lab.record("tenant1/x")
    lab.master.stop(signal.SIGKILL)
    lab.start_master()
    assert lab.record("tenant1/x") == record
    create(lab, "tenant1/new")
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    lab.wait_released("tenant1/x")
    assert_log_is_whole(lab)


def test_nothing_is_forgotten_when_everything_starts_without_volmaster(lab):
    """volplugin knows nothing yet and volmaster is away: an answer "does not exist" would make the engine drop
    the volume and its labels. So it is kept waiting, longer than it retries, and drops nothing."""
    create(lab, "tenant1/x", "--label", "colour=blue")
    lab.engine.stop()
    lab.master.stop()
    lab.plugin.restart()
    _, took = seconds(lab.engine.start)
    assert took > 29  # held
    lab.start_master()
    volume = lab.engine.inspect("volume", "inspect", "tenant1/x")
    assert volume["Labels"] == {"colour": "blue"} and volume["Status"]["size"] == "16MB"
    assert lab.engine.sh("tenant1/x", "echo works") == "works"


def test_volplugin_knows_all_volumes_from_its_start_on(lab):
    """It asks volmaster for them once, so that an engine which first asks when volmaster is away is ready at once."""
    create(lab), create(lab, "tenant1/unused")
    lab.plugin.restart()
    lab.wait_connected()
    lab.master.stop()
    _, took = seconds(lab.engine.restart)
    assert took < 15
    volumes, took = seconds(lab.engine.volumes)
    assert volumes == ["tenant1/unused", "tenant1/x"] and took < 5
    lab.start_master()
    assert lab.engine.sh("tenant1/x", "echo works") == "works"


def test_volplugin_restarts_while_volmaster_is_away(lab):
    """What is mounted is answered for from the journal, counted on, and given back when volmaster returns."""
    create(lab)
    lab.engine.background("c1", "tenant1/x", WRITER)
    lab.master.stop()
    lab.plugin.kill()
    lab.plugin.start()
    status, took = seconds(lambda: lab.engine.inspect("volume", "inspect", "tenant1/x")["Status"])
    assert status["uses"] == "1" and took < 5
    wait_for_progress(lab, "c1")
    lab.engine.docker("stop", "c1")
    wait_until(lambda: not lab.mounted("tenant1/x") and not lab.device("tenant1/x"), "it is unmounted all the same")
    lab.start_master()
    lab.wait_released("tenant1/x")
    assert_log_is_whole(lab)


@pytest.fixture
def second(lab):
    """A second host with an engine and a volplugin, under the same volmaster."""
    other = SplitLab(lab.dir / "2", "host2", lab.master)
    try:
        yield other.start()
    finally:
        other.clean()


def test_two_hosts_see_each_others_volumes(lab, second):
    """The second host lists and inspects the first one's volume, may not use it, and cannot take it away
    from a running container; removing it is done on the host that has the image."""
    create(lab, "tenant1/x", "--opt", "ephemeral=true")
    lab.engine.background("c1", "tenant1/x", WRITER)
    assert second.engine.volumes() == ["tenant1/x"]
    assert second.engine.inspect("volume", "inspect", "tenant1/x")["Status"]["node"] == "host1"
    error = second.engine.fails("run", "--rm", "--network", "none", "-v", "tenant1/x:/mnt", second.engine.IMAGE, "true")
    assert "host1" in error
    assert "host1" in second.engine.fails("volume", "rm", "tenant1/x")
    lab.assert_in_use("tenant1/x", 1)
    wait_for_progress(lab, "c1")
    lab.engine.docker("rm", "-f", "c1")
    lab.wait_released("tenant1/x")
    second.engine.docker("volume", "rm", "tenant1/x")
    assert lab.plugin.images() == [] and lab.engine.volumes() == [] and second.engine.volumes() == []


def test_each_host_makes_its_own_volumes(lab, second):
    """A volume of the loop backend is made where it was asked for, and used there."""
    for here, name in ((lab, "tenant1/one"), (second, "tenant1/two")):
        create(here, name)
        assert here.plugin.images() == [name.replace("/", ".")]
        assert here.engine.sh(name, "echo hello > /mnt/f; cat /mnt/f") == "hello"
        here.wait_released(name)
    second.engine.docker("volume", "rm", "tenant1/one")  # keeps the data: not ephemeral
    assert lab.engine.sh("tenant1/one", "cat /mnt/f") == "hello"
    assert lab.plugin.api("DELETE", "/v1/volumes/tenant1/two")[0] == 204
    assert second.plugin.images() == []
