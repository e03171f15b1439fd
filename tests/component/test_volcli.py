# SPDX-License-Identifier: Apache-2.0
"""volcli against a running volplugin: what scripts rely on, the exit codes and what is printed where."""
import json
import os
import pathlib
import subprocess

import pytest
from support.daemons import BIN, ROOT

POLICY = json.dumps({"default-options": {"size": "16MB"}, "filesystems": {"ext4": "mkfs.ext4 -q %"}})
DONE, USAGE, NOT_FOUND, IN_THE_WAY, NO_ANSWER = 0, 2, 3, 4, 5


def volcli(plugin, *args, code, stdin=None):
    """Standard output of a success, the message of a failure; the other one is empty."""
    result = plugin.volcli(*args, stdin=stdin, check=False)
    assert result.returncode == code, (args, result.stdout, result.stderr)
    if code != DONE:
        assert result.stdout == "", result.stdout
        return result.stderr
    return result.stdout


def docker(plugin, method, **body):
    answer = plugin.docker(f"VolumeDriver.{method}", body)
    assert answer["Err"] == "", answer
    return answer


def test_whole_life(volplugin):
    """The commands of the requirements, from policy to removal."""
    volcli(volplugin, "tenant", "upload", "tenant2", stdin=POLICY, code=DONE)
    assert volcli(volplugin, "tenant", "list", "-o", "name", code=DONE).split() == ["tenant1", "tenant2"]
    uploaded = json.loads(volcli(volplugin, "tenant", "get", "tenant2", code=DONE))
    assert uploaded["default-options"]["size"] == "16MB"
    for _ in range(2):  # the second finds it there
        volcli(volplugin, "volume", "create", "tenant2/v", "--opt", "size=8MB", code=DONE)
    volume = json.loads(volcli(volplugin, "volume", "get", "tenant2/v", code=DONE))
    assert volume["size-bytes"] == 8 << 20 and volume["phase"] == "ready"
    assert volcli(volplugin, "volume", "list", "tenant2", "-o", "name", code=DONE) == "v\n"
    assert volcli(volplugin, "volume", "list-all", "-o", "name", code=DONE) == "tenant2/v\n"
    docker(volplugin, "Mount", Name="tenant2/v", ID="a")
    assert volcli(volplugin, "mount", "list", "-o", "name", code=DONE) == "tenant2/v\n"
    mount = json.loads(volcli(volplugin, "mount", "get", "tenant2/v", code=DONE))
    assert [use["id"] for use in mount["uses"]] == ["a"]
    err = volcli(volplugin, "volume", "remove", "tenant2/v", code=IN_THE_WAY)
    assert "container mount a since" in err
    docker(volplugin, "Unmount", Name="tenant2/v", ID="a")
    volplugin.settle()
    volcli(volplugin, "volume", "remove", "tenant2/v", code=DONE)
    volcli(volplugin, "tenant", "delete", "tenant2", code=DONE)
    assert volplugin.images() == [] and volplugin.volumes() == []


def test_output_of_tenant_get_can_be_uploaded(volplugin):
    policy = volcli(volplugin, "tenant", "get", "tenant1", "-o", "json", code=DONE)
    volcli(volplugin, "tenant", "upload", "tenant1", stdin=policy, code=DONE)


@pytest.mark.parametrize("args, stdin, code, says", [
    (["volume", "create", "nobody/v"], None, NOT_FOUND, "volcli tenant upload nobody"),
    (["volume", "get", "tenant1/none"], None, NOT_FOUND, "does not exist"),
    (["volume", "remove", "tenant1/none"], None, NOT_FOUND, "does not exist"),
    (["tenant", "get", "nobody"], None, NOT_FOUND, "does not exist"),
    (["tenant", "delete", "nobody"], None, NOT_FOUND, "does not exist"),
    (["mount", "get", "tenant1/none"], None, NOT_FOUND, "not mounted"),
    (["volume", "create", "tenant1/../x"], None, USAGE, "exactly one slash"),
    (["volume", "create", "tenant1/v", "--opt", "siez=1"], None, USAGE, "siez"),
    (["volume", "create", "tenant1/v", "--opt", "size=-1"], None, USAGE, "has a sign"),
    (["volume", "create", "tenant1/v", "--opt", "size"], None, USAGE, "size"),
    (["tenant", "upload", "t"], "{", USAGE, "JSON"),
    (["tenant", "upload", "t"], "", USAGE, "empty"),
    (["tenant", "upload", "t"], '{"default-options":{"size":"1MB"},"x":1}', USAGE, 'unknown key "x"'),
    (["volumes"], None, USAGE, "volumes"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_failures(volplugin, args, stdin, code, says):
    assert says in volcli(volplugin, *args, stdin=stdin, code=code)
    volplugin.settle()
    assert volplugin.volumes() == []


def test_existing_volume_with_other_options(volplugin):
    volcli(volplugin, "volume", "create", "tenant1/v", code=DONE)
    err = volcli(volplugin, "volume", "create", "tenant1/v", "--opt", "size=8MB", code=IN_THE_WAY)
    assert "its size is 16MB, not 8MB" in err


def test_full_pool(volplugin):
    assert "bytes free" in volcli(volplugin, "volume", "create", "tenant1/v", "--opt", "size=100TB", code=1)


def test_timeout_ends_a_create_that_hangs(volplugin):
    """Nothing is left of it, and the exit code says that there was no answer in time."""
    volplugin.upload(filesystems={"ext4": f"sleep 1000.{os.getpid()}4 #%"})
    volcli(volplugin, "volume", "create", "tenant1/v", "--timeout", "2", code=NO_ANSWER)
    volplugin.settle()
    assert volplugin.volumes() == [] and volplugin.images() == []


def test_forgotten_mount_does_not_let_data_be_deleted(volplugin):
    """The record is gone, but the volume is still mounted here: removal sees the device in use and changes
    nothing."""
    volcli(volplugin, "volume", "create", "tenant1/v", code=DONE)
    path = docker(volplugin, "Mount", Name="tenant1/v", ID="a")["Mountpoint"]
    pathlib.Path(path, "file").write_text("kept")
    message = volcli(volplugin, "mount", "force-remove", "tenant1/v", code=IN_THE_WAY)
    assert "is alive" in message and "--yes" in message, message
    assert len(volplugin.mount_records()) == 1
    volcli(volplugin, "mount", "force-remove", "tenant1/v", "--yes", code=DONE)
    assert volplugin.mount_records() == []
    assert "in use" in volcli(volplugin, "volume", "remove", "tenant1/v", code=IN_THE_WAY)
    assert volplugin.volumes()[0]["phase"] == "ready" and pathlib.Path(path, "file").read_text() == "kept"
    docker(volplugin, "Unmount", Name="tenant1/v", ID="a")
    volplugin.settle()
    volcli(volplugin, "volume", "remove", "tenant1/v", code=DONE)


def test_forgotten_volume_keeps_its_data(volplugin):
    """Only the record goes; a new volume of that name does not take the old one's image."""
    volcli(volplugin, "volume", "create", "tenant1/v", code=DONE)
    volcli(volplugin, "volume", "force-remove", "tenant1/v", code=DONE)
    assert volplugin.volumes() == [] and volplugin.images() == ["tenant1.v"]
    assert "name is taken" in volcli(volplugin, "volume", "create", "tenant1/v", code=IN_THE_WAY)
    assert volplugin.images() == ["tenant1.v"]


def test_no_volmaster(directory):
    """The message says which address was tried and what to look at."""
    result = subprocess.run([BIN / "volcli", "--master", f"unix://{directory}/none.sock", "volume", "list-all"],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == NO_ANSWER
    assert f"{directory}/none.sock" in result.stderr and "running?" in result.stderr


def test_documented_policies_upload(volplugin):
    """What the documentation shows is accepted word for word."""
    examples = sorted((ROOT / "docs" / "examples").glob("*.json"))
    assert examples
    for example in examples:
        volcli(volplugin, "tenant", "upload", "tenant3", "--file", example, code=DONE)
