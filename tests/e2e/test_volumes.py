# SPDX-License-Identifier: Apache-2.0
"""`docker volume create`, `inspect`, `ls` and `rm`, with options and with names that must be refused."""
import datetime

import pytest

from support.engine import docker_clis


def create(lab, name, *flags):
    return lab.engine.docker("volume", "create", "-d", "volplugin", *flags, name)


@pytest.mark.parametrize("program", docker_clis())
def test_a_created_volume_is_listed_inspected_and_removed(lab, program):
    """Every docker command on this machine handles names with a slash, and shows what volplugin says."""
    def docker(*args):
        return lab.engine.docker(*args, program=program)
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    assert docker("volume", "create", "-d", "volplugin", "--opt", "ephemeral=true", "tenant1/test") == "tenant1/test"
    assert "tenant1/test" in docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}").replace("volplugin ", "")
    volume = lab.engine.inspect("volume", "inspect", "tenant1/test", program=program)
    assert volume["Driver"] == "volplugin" and volume["Scope"] == "local"
    assert volume["Mountpoint"] == ""
    assert datetime.datetime.fromisoformat(volume["CreatedAt"].replace("Z", "+00:00")[:19] + "+00:00") >= before
    assert volume["Status"] == {"phase": "ready", "size": "16MB", "filesystem": "ext4", "backend": "loop",
                                "pool": "default", "ephemeral": "true", "node": lab.host.name}
    docker("volume", "rm", "tenant1/test")
    assert lab.engine.volumes() == [] and lab.plugin.images() == []


def test_creating_does_not_leave_a_device(lab):
    """The device that mkfs ran on is detached before create answers."""
    create(lab, "tenant1/test")
    assert lab.device("tenant1/test") is None
    assert lab.plugin.images() == ["tenant1.test"]


def test_mountpoint_shows_while_a_container_runs(lab):
    create(lab, "tenant1/test")
    lab.engine.background("c1", "tenant1/test", "")
    volume = lab.engine.inspect("volume", "inspect", "tenant1/test")
    assert volume["Mountpoint"] == str(lab.plugin.mounts / "tenant1.test" / "data")
    assert volume["Status"]["uses"] == "1"
    lab.engine.docker("rm", "-f", "c1")
    lab.wait_released("tenant1/test")
    assert lab.engine.inspect("volume", "inspect", "tenant1/test")["Mountpoint"] == ""


def test_creating_twice_keeps_the_data(lab):
    create(lab, "tenant1/test")
    lab.engine.sh("tenant1/test", "echo precious > /mnt/file")
    assert create(lab, "tenant1/test") == "tenant1/test"
    assert lab.engine.sh("tenant1/test", "cat /mnt/file") == "precious"
    assert len(lab.plugin.volumes()) == 1


def test_driver_options_win_over_the_policy(lab):
    """The image has the size that was asked for, and the API shows both options."""
    create(lab, "tenant1/test", "--opt", "size=24MB", "--opt", "ephemeral=true", "--opt", "filesystem=ext4")
    [volume] = lab.plugin.volumes()
    assert volume["options"]["ephemeral"] is True
    assert volume["size-bytes"] == (lab.plugin.data / "pools/default/tenant1.test").stat().st_size == 24 << 20
    status = lab.engine.inspect("volume", "inspect", "tenant1/test")["Status"]
    assert (status["size"], status["ephemeral"]) == ("24MB", "true")


@pytest.mark.parametrize("option, said", [
    ("colour=blue", "unknown option 'colour'; the options are backend, ephemeral, filesystem, mount-wait, node, pool,"),
    ("size=plenty", "option size: "),
    ("ephemeral=perhaps", "option ephemeral: 'perhaps' is not true or false"),
    ("filesystem=ntfs", "ntfs"),
    ("backend=tape", "tape"),
])
def test_a_bad_option_is_explained_at_the_command_line(lab, option, said):
    """The whole explanation reaches the person who typed the command, and nothing is made."""
    error = lab.engine.fails("volume", "create", "-d", "volplugin", "--opt", option, "tenant1/test")
    assert said in error
    assert lab.plugin.volumes() == [] and lab.plugin.images() == [] and lab.engine.volumes() == []


ONE_SLASH = "is not of the form tenant/volume with exactly one slash"


@pytest.mark.parametrize("name, said", [
    ("../x", "tenant name '..' starts with '.'"),
    ("tenant1/..", "volume name '..' starts with '.'"),
    ("a/b/c", ONE_SLASH),
    ("/abs", "tenant name '' is empty"),
    ("t//u", ONE_SLASH),
    ("tenant1/", "volume name '' is empty"),
    ("plain", ONE_SLASH),
    ("tenant1/sp ace", "contains ' '"),
    ("tenant1/\u00fc", r"starts with '\xc3'"),
    ("tenant1/a\u00fc", r"contains '\xc3'"),
    ("tenant1/a:b", "contains ':'"),
    ("tenant1/a%2Fb", "contains '%'"),
    ("tenant1/a\nb", r"contains '\x0a'"),
    ("ten.ant/x", "tenant name 'ten.ant' contains '.'"),
    ("tenant1/" + "x" * 200, "has 200 characters"),
])
def test_a_name_that_breaks_the_rule_is_refused_at_create(lab, name, said):
    """Such a name would reach paths, or could never be removed again; Docker itself lets it through."""
    error = lab.engine.fails("volume", "create", "-d", "volplugin", name)
    assert said in error
    assert lab.engine.volumes() == [] and lab.plugin.volumes() == [] and lab.plugin.images() == []


def test_the_longest_name_works(lab):
    name = "tenant1/" + "x" * 127
    create(lab, name)
    assert lab.engine.sh(name, "echo fits > /mnt/file; cat /mnt/file") == "fits"
    assert lab.engine.volumes() == [name]


def test_an_unknown_tenant_is_named(lab):
    assert "nobody" in lab.engine.fails("volume", "create", "-d", "volplugin", "nobody/x")
    assert lab.engine.volumes() == []


def test_rm_of_an_ephemeral_volume_deletes_its_image(lab):
    create(lab, "tenant1/test", "--opt", "ephemeral=true")
    assert lab.plugin.images() == ["tenant1.test"]
    lab.engine.docker("volume", "rm", "tenant1/test")
    assert lab.plugin.images() == [] and lab.plugin.volumes() == [] and lab.engine.volumes() == []


def test_rm_of_another_volume_keeps_the_data(lab):
    """Docker believes that it is gone, yet the volume is still listed and still has its data."""
    create(lab, "tenant1/test")
    lab.engine.sh("tenant1/test", "echo precious > /mnt/file")
    lab.engine.docker("volume", "rm", "tenant1/test")
    assert lab.plugin.images() == ["tenant1.test"]
    assert lab.engine.volumes() == ["tenant1/test"]
    assert lab.engine.sh("tenant1/test", "cat /mnt/file") == "precious"


def test_rm_of_a_missing_volume_fails(lab):
    assert "no such volume" in lab.engine.fails("volume", "rm", "tenant1/missing").lower()


def test_a_failing_mkfs_is_explained_and_leaves_nothing(lab):
    """What mkfs printed reaches the command line; image and record are gone."""
    lab.plugin.upload("broken", filesystems={"ext4": "echo no disk today for % >&2; exit 3"})
    assert "no disk today for /dev/loop" in lab.engine.fails("volume", "create", "-d", "volplugin", "broken/test")
    assert lab.plugin.images() == [] and lab.plugin.devices() == [] and lab.engine.volumes() == []


def test_a_hanging_mkfs_is_given_up_before_docker_gives_up(lab):
    """Docker waits 120 s; our answer, with everything undone, comes before that. Takes its 110 s."""
    lab.plugin.upload("slow", filesystems={"ext4": "sleep 1000 # %"})
    error = lab.engine.fails("volume", "create", "-d", "volplugin", "slow/test")
    assert "deadline exceeded" in error and "context" not in error, "the engine's own end: " + error
    assert lab.plugin.images() == [] and lab.plugin.devices() == [] and lab.plugin.volumes() == []
    lab.plugin.upload("slow")
    create(lab, "slow/test")
