# SPDX-License-Identifier: Apache-2.0
"""What people and programs get wrong: refused with a message that says what and why, and nothing happens."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest
from support.daemons import ROOT, Volplugin, wait_until

LONG_TENANT, LONG_VOLUME = "t" * 63, "v" * 127

BAD_NAMES = {
    "": "not of the form tenant/volume",
    "plain": "not of the form tenant/volume",
    "a/b/c": "exactly one slash",
    "/abs": "tenant name '' is empty",
    "tenant1/": "volume name '' is empty",
    "../x": "starts with '.'",
    "tenant1/..": "starts with '.'",
    "tenant1/-v": "starts with '-'",
    "tenant.1/v": "contains '.'",
    "tenant1/sp ace": "contains ' '",
    "tenant1/a\u00fc": r"contains '\xc3'",
    "tenant1/x%2Fy": "contains '%'",
    "tenant1/a\nb": r"contains '\x0a'",
    "tenant1/a\0b": r"contains '\x00'",
    "tenant1/$(reboot)": "starts with '$'",
    LONG_TENANT + "t/v": "has 64 characters",
    "tenant1/" + LONG_VOLUME + "v": "has 128 characters",
}

BAD_SIZES = {
    "0": "is zero",
    "0GB": "is zero",
    "-1": "has a sign",
    "-5GB": "has a sign",
    "": "is empty",
    "GB": "does not start with a number",
    "1.5GB": "is not a whole number",
    "10 parsecs": "has the unknown unit 'parsecs'",
    "16EB": "has the unknown unit 'EB'",
    "99999999999999999999": "is too large",
    "18446744073709551616B": "is too large",
    "8388608TB": "is too large",
}


def docker(plugin, method, **body):
    return plugin.docker(f"VolumeDriver.{method}", body)


def create(plugin, name="tenant1/v", **options):
    return docker(plugin, "Create", Name=name, Opts=options)["Err"]


def assert_nothing(plugin):
    """No record, image, device or mount is there."""
    plugin.settle()
    assert plugin.volumes() == [] and plugin.images() == [] and plugin.mount_records() == []


def problem(answer, status):
    """The detail of a refusal with that status."""
    assert answer[0] == status, answer
    assert answer[1]["Content-Type"] == "application/problem+json"
    return answer[2]["detail"]


def exchange(path, *parts, half_close=False):
    """Sends raw bytes; what came back until the server closed the connection, or answered fully."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(30)
        raw.connect(str(path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                raw.sendall(part)
            if half_close:
                raw.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := raw.recv(65536):
                received += chunk
        return received


def post(target, body, *headers, length=None):
    lines = [f"POST {target} HTTP/1.1", "Host: x", "Connection: close",
             f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


# Names

@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:20])
def test_bad_names_are_refused_by_every_call(volplugin, name):
    """With the rule in the message; and no call ever makes or touches a file of that name."""
    for method, body in {"Create": {"Opts": {}}, "Mount": {"ID": "a"}, "Unmount": {"ID": "a"}, "Remove": {},
                         "Get": {}, "Path": {}}.items():
        assert BAD_NAMES[name] in docker(volplugin, method, Name=name, **body)["Err"], method
    tenant, _, volume = name.partition("/")
    problem(volplugin.api("POST", "/v1/volumes", {"tenant": tenant, "name": volume}), 400)
    assert_nothing(volplugin)


@pytest.mark.parametrize("target", ["/v1/volumes/tenant1/..%2F..%2Fx", "/v1/volumes/tenant1/%2e%2e",
                                    "/v1/volumes/tenant1/a%00b", "/v1/volumes/..%2Ftenant1/a"])
def test_bad_names_in_a_path(volplugin, target):
    for method in "GET", "DELETE":
        assert volplugin.api(method, target)[0] == 400


def test_the_longest_names_live_a_whole_life(volplugin):
    """Nothing behind the names (files, journal, mount points) has a shorter limit."""
    volplugin.upload(LONG_TENANT)
    name = f"{LONG_TENANT}/{LONG_VOLUME}"
    assert create(volplugin, name, ephemeral="true") == ""
    assert docker(volplugin, "Mount", Name=name, ID="i" * 128)["Err"] == ""
    assert docker(volplugin, "Unmount", Name=name, ID="i" * 128)["Err"] == ""
    volplugin.settle()
    assert docker(volplugin, "Remove", Name=name)["Err"] == ""
    assert_nothing(volplugin)


@pytest.mark.parametrize("use", ["", "../x", "a b", "i" * 129])
def test_bad_mount_ids(volplugin, use):
    assert create(volplugin) == ""
    for method in "Mount", "Unmount":
        assert "mount ID" in docker(volplugin, method, Name="tenant1/v", ID=use)["Err"]
    volplugin.settle()
    assert volplugin.mount_records() == []


# Sizes and options

@pytest.mark.parametrize("size", BAD_SIZES)
def test_bad_sizes(volplugin, size):
    err = create(volplugin, size=size)
    assert err.startswith("option size: ") and BAD_SIZES[size] in err and "for example 10GB" in err
    policy = {"default-options": {"size": size}}
    assert "default-options.size: " in problem(volplugin.api("PUT", "/v1/tenants/t", policy), 400)
    assert_nothing(volplugin)


def test_a_bare_number_is_mebibytes_in_options_and_refused_in_policies(volplugin):
    assert create(volplugin, size="8") == ""
    assert volplugin.volumes()[0]["size-bytes"] == 8 << 20
    detail = problem(volplugin.api("PUT", "/v1/tenants/t", {"default-options": {"size": "8"}}), 400)
    assert "has no unit" in detail


def test_more_than_the_pool_has(volplugin):
    """Says how much is free, over both protocols; an image of what is said to be free can be made."""
    err = create(volplugin, size="100TB")
    assert re.search(r"pool 'default' has \d+ bytes free for new images, 109951162777600 are needed", err), err
    body = {"tenant": "tenant1", "name": "v", "options": {"size": "100TB"}}
    detail = problem(volplugin.api("POST", "/v1/volumes", body), 507)
    free = int(re.search(r"has (\d+) bytes free", detail)[1])
    space = os.statvfs(volplugin.data)
    assert 0 < free <= space.f_blocks * space.f_frsize
    assert_nothing(volplugin)
    assert create(volplugin, size=f"{free // 4 >> 10}KB") == ""


def test_unknown_options_name_the_known_ones(volplugin):
    err = create(volplugin, siez="1GB")
    assert err.startswith("unknown option 'siez'; the options are ")
    for known in "backend", "ephemeral", "filesystem", "pool", "size", "snapshots.keep", "rate-limit.read.bps":
        assert known in err
    assert "'maybe' is not true or false" in create(volplugin, ephemeral="maybe")
    assert "'floppy' is not a backend of this server (loop)" in create(volplugin, backend="floppy")
    assert "option pool" in create(volplugin, pool="../../etc")
    assert "'zfs' is not one of tenant 'tenant1' (ext4)" in create(volplugin, filesystem="zfs")
    assert_nothing(volplugin)


# JSON

@pytest.mark.parametrize("body, says", [
    ({"tenant": "tenant1", "name": "v", "sise": 1},
     'unknown key "sise"; the keys here are tenant, name, options, node'),
    ({"tenant": "tenant1"}, 'the key "name" is missing'),
    ({"tenant": "tenant1", "name": 5}, "name: must be a string, not number"),
    ({"tenant": "tenant1", "name": "v", "options": []}, "options: must be an object, not array"),
    ({"tenant": "tenant1", "name": "v", "options": {"size": 5}}, "options.size: must be a string, not number"),
    ("[]", "must be an object, not array"),
    ("", "the body is empty"),
    ("{", "not valid JSON"),
    ('{"tenant":"tenant1","name":"v"} x', "not valid JSON"),
    ('{"tenant":"tenant1","name":"v","name":"w"}', 'the key "name" is given twice'),
    (b'{"tenant":"tenant1","name":"\xff\xfe"}', "not valid JSON"),
    ("[" * 100_000, "nested deeper than"),
    ('{"tenant":' * 50_000, "nested deeper than"),
], ids=lambda value: str(value)[:24] if not isinstance(value, str) or value[:1] in "[{" else "says")
def test_bad_json_for_rest(volplugin, body, says):
    assert says in problem(volplugin.api("POST", "/v1/volumes", body), 400)
    assert_nothing(volplugin)


@pytest.mark.parametrize("policy, says", [
    ({"default-options": {"size": "16MB", "sixe": 1}}, 'default-options: unknown key "sixe"'),
    ({"default-options": {"size": 16}}, "default-options.size: must be a string"),
    ({"default-options": {"size": "16MB", "snapshots": "yes"}}, "default-options.snapshots: must be true or false"),
    ({"default-options": {"size": "16MB", "snapshots": True}}, "frequency (at least 1s) and keep"),
    ({"default-options": {"size": "16MB", "rate-limit": {"read-bps": -1}}},
     "rate-limit.read-bps: must be a whole number"),
    ({"default-options": {}}, "default-options.size: is missing"),
    ({"default-options": {"size": "16MB", "filesystem": "zfs"}}, "'zfs' is not one of its filesystems"),
    ({"default-options": {"size": "16MB"}, "filesystems": {"a b": "mkfs %"}}, "filesystem name 'a b'"),
    ({"default-options": {"size": "16MB"}, "filesystems": {"ext4": "mkfs.ext4 /dev/sda"}}, "has no % for the device"),
    ({"default-options": {"size": "16MB"}, "filesystems": {"ext4": "echo 100%%"}}, "has no % for the device"),
    ({"default-options": {"size": "16MB"}, "filesystems": {"ext4": ""}}, "is empty"),
    ({"default-options": {"size": "16MB"}, "filesystems": {"ext4": "% " + "x" * 100_000}}, "is longer than"),
], ids=lambda value: str(value)[-24:] if isinstance(value, dict) else "says")
def test_bad_policies(volplugin, policy, says):
    assert says in problem(volplugin.api("PUT", "/v1/tenants/other", policy), 400)
    assert volplugin.api("GET", "/v1/tenants/other")[0] == 404


@pytest.mark.parametrize("body, says", [
    ('{"Name":5}', "Name: must be a string, not number"),
    ('{"Name":"tenant1/v","Opts":[]}', "Opts: must be an object, not array"),
    ('{"Name":"tenant1/v","Opts":{"size":5}}', "Opts.size: must be a string, not number"),
    ('{"Opts":{}}', 'the key "Name" is missing'),
    ("null", "must be an object, not null"),
    ('{"Name":"tenant1/v"', "not valid JSON"),
    ('{"Name":"tenant1/v","Name":"tenant1/w"}', 'the key "Name" is given twice'),
    ("[" * 100_000, "nested deeper than"),
], ids=lambda value: value[:24])
def test_bad_json_for_docker(volplugin, body, says):
    for method in "Create", "Mount", "Unmount", "Remove", "Get", "Path":
        answer = exchange(volplugin.plugin, post(f"/VolumeDriver.{method}", body.encode()))
        assert says in json.loads(answer.partition(b"\r\n\r\n")[2])["Err"], method
    assert_nothing(volplugin)


def test_docker_may_send_more_than_we_know(volplugin):
    """A newer engine's fields are ignored, as the protocol wants."""
    assert docker(volplugin, "Create", Name="tenant1/v", Opts=None, Future={"a": [1]}) == {"Err": ""}


def test_empty_bodies_do_nothing(volplugin):
    """The engine repeats a call whose connection broke with an empty body."""
    assert create(volplugin) == ""
    assert docker(volplugin, "Mount", Name="tenant1/v", ID="a")["Err"] == ""
    before = volplugin.volumes(), volplugin.mount_records(), volplugin.images(), volplugin.mounted()
    for method in "Create", "Mount", "Unmount", "Remove", "Path":
        assert "has no body" in volplugin.docker(f"VolumeDriver.{method}", None)["Err"], method
    with pytest.raises(http.client.RemoteDisconnected):  # an error would make a starting engine forget the volume
        volplugin.docker("VolumeDriver.Get", None)
    assert volplugin.docker("VolumeDriver.List", None)["Err"] == ""
    assert before == (volplugin.volumes(), volplugin.mount_records(), volplugin.images(), volplugin.mounted())


# HTTP

@pytest.mark.parametrize("way", ["rest", "docker"])
def test_truncated_body(volplugin, way):
    """A caller that dies in the middle of its request has asked for nothing."""
    if way == "rest":
        path, body, target = volplugin.api_socket, {"tenant": "tenant1", "name": "v"}, "/v1/volumes"
    else:
        path, body, target = volplugin.plugin, {"Name": "tenant1/v", "Opts": {}}, "/VolumeDriver.Create"
    text = json.dumps(body).encode()
    answer = exchange(path, post(target, text, length=len(text) + 1), half_close=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert_nothing(volplugin)


@pytest.mark.parametrize("way", ["rest", "docker"])
def test_huge_body_is_refused_without_taking_it_in(volplugin, way):
    path, target = {"rest": (volplugin.api_socket, "/v1/volumes"),
                    "docker": (volplugin.plugin, "/VolumeDriver.Create")}[way]
    size = 100 << 20
    before = peak_memory(volplugin)
    chunk = b"x" * (1 << 20)
    answer = exchange(path, post(target, b"", length=size), *[chunk] * 100)
    assert answer.startswith(b"HTTP/1.1 413 ") or answer == b""
    # The answer may be lost when the connection is closed under the sender: ask without sending the body.
    assert exchange(path, post(target, b"", length=size)).startswith(b"HTTP/1.1 413 ")
    assert peak_memory(volplugin) - before < 8 << 20
    assert_nothing(volplugin)


def peak_memory(plugin):
    status = pathlib.Path(f"/proc/{plugin.daemon.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10


# File system commands

def with_command(plugin, command):
    plugin.upload(filesystems={"ext4": command})


def test_failing_command(volplugin):
    """Its own words are in the error; the next attempt with a better command works."""
    with_command(volplugin, "echo to-stdout; echo 'the disk is made of cheese' >&2; exit 3 # %")
    err = create(volplugin)
    assert "exit code 3" in err and "the disk is made of cheese" in err
    assert_nothing(volplugin)
    volplugin.upload()
    assert create(volplugin) == ""


def test_killed_command(volplugin):
    with_command(volplugin, "kill -9 $$ # %")
    assert "ended by signal 9" in create(volplugin)
    assert_nothing(volplugin)


def test_hanging_command_ends_with_its_deadline(volplugin):
    """The caller hears of it in time, and neither the program nor an image is left."""
    marker = f"1000.{os.getpid()}"
    with_command(volplugin, f"sleep {marker} #%")
    started = time.monotonic()
    answer = volplugin.api("POST", "/v1/volumes", {"tenant": "tenant1", "name": "v"}, {"Request-Timeout-Ms": "1500"})
    assert "deadline exceeded" in problem(answer, 504)
    assert time.monotonic() - started < 15
    assert not processes_with(marker)
    assert_nothing(volplugin)


def test_hanging_command_that_ignores_its_end(volplugin):
    """A command that does not end when asked is made to, with its children."""
    marker = f"1000.{os.getpid()}1"
    with_command(volplugin, f"trap '' TERM; (trap '' TERM; sleep {marker}); sleep {marker} #%")
    answer = volplugin.api("POST", "/v1/volumes", {"tenant": "tenant1", "name": "v"}, {"Request-Timeout-Ms": "500"})
    assert "deadline exceeded" in problem(answer, 504)
    wait_until(lambda: not processes_with(marker), "the command is gone")
    assert_nothing(volplugin)


def test_caller_that_leaves_ends_its_command(volplugin):
    """Nobody would hear of the volume: the create is undone."""
    marker = f"1000.{os.getpid()}2"
    with_command(volplugin, f"sleep {marker} #%")
    body = json.dumps({"tenant": "tenant1", "name": "v"}).encode()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(volplugin.api_socket))
        raw.sendall(post("/v1/volumes", body))
        wait_until(lambda: processes_with(marker), "the command runs")
    wait_until(lambda: not processes_with(marker), "the command is gone")
    assert_nothing(volplugin)


def processes_with(marker):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"sleep\0{marker}" in path.read_text(errors="replace"):
                found.append(path.parent.name)
    return found


def test_command_that_makes_nothing(volplugin):
    with_command(volplugin, "true %")
    assert "'true /dev/loop" in (err := create(volplugin)) and "made no file system" in err
    assert_nothing(volplugin)


def test_command_of_a_program_that_is_not_there(volplugin):
    with_command(volplugin, "mkfs.unheard-of %")
    assert "is not installed" in (err := create(volplugin)) and "mkfs.unheard-of" in err
    assert_nothing(volplugin)


def test_literal_percent_and_shell_syntax(volplugin):
    """%% is a percent sign; everything else is for the shell, as the requirements define it."""
    out = volplugin.dir / "out"
    with_command(volplugin, f'echo 100%% of % > {out} && mkfs.ext4 -q -L "$(echo a-%%b)" %')
    assert create(volplugin) == ""
    assert re.fullmatch(r"100% of /dev/loop\d+\n", out.read_text())
    image = volplugin.data / "pools" / "default" / "tenant1.v"
    label = subprocess.run(["e2label", image], capture_output=True, text=True, check=True).stdout
    assert label == "a-%b\n"


# The requirements' own policy

REQUIRED = {
    "default-options": {"size": "10MB", "snapshots": True, "snapshot": {"frequency": "30m", "keep": 20},
                        "filesystem": "btrfs", "ephemeral": False,
                        "rate-limit": {"write-iops": 1000, "read-iops": 1000, "write-bps": 100000000,
                                       "read-bps": 100000000}},
    "filesystems": {"btrfs": "mkfs.btrfs %", "ext4": "mkfs.ext4 -m0 %"},
}


def test_the_policy_of_the_requirements_uploads(volplugin):
    """It names no pool and no backend: the server's defaults are taken."""
    assert volplugin.api("PUT", "/v1/tenants/tenant1", REQUIRED)[0] == 200
    assert create(volplugin, filesystem="ext4") == ""
    assert volplugin.volumes()[0]["options"]["pool"] == "default"


def test_the_policy_of_the_requirements_with_btrfs(volplugin):
    """10 MB is too little for btrfs, and its mkfs says so; 200 MB work."""
    if not shutil.which("mkfs.btrfs"):
        pytest.skip("mkfs.btrfs is not installed: the requirements' policy is not proven with btrfs")
    assert volplugin.api("PUT", "/v1/tenants/tenant1", REQUIRED)[0] == 200
    err = create(volplugin)
    assert "'mkfs.btrfs /dev/loop" in err and "too small" in err
    assert_nothing(volplugin)
    assert create(volplugin, size="200") == ""
    assert volplugin.volumes()[0]["filesystem-type"] == "btrfs"
    assert volplugin.volumes()[0]["size-bytes"] == 200 << 20


def test_the_example_in_the_documentation_is_valid(volplugin):
    for example in (ROOT / "docs" / "examples").glob("*.json"):
        status, _, answer = volplugin.api("PUT", "/v1/tenants/tenant1", example.read_text())
        assert status == 200, (example, answer)


# Tenants

def test_deleting_a_tenant_that_does_not_exist(volplugin):
    detail = problem(volplugin.api("DELETE", "/v1/tenants/nobody"), 404)
    assert detail.startswith("tenant 'nobody' does not exist")


def test_create_without_a_tenant_says_how_to_make_one(volplugin):
    err = create(volplugin, "nobody/v")
    assert "tenant 'nobody' does not exist" in err and "volcli tenant upload nobody < policy.json" in err
    assert_nothing(volplugin)


def test_a_deleted_tenant_leaves_its_volumes(volplugin):
    """They stay mountable with their data, and removable; only new ones cannot be made."""
    assert create(volplugin, ephemeral="true") == ""
    path = docker(volplugin, "Mount", Name="tenant1/v", ID="a")["Mountpoint"]
    pathlib.Path(path, "file").write_text("kept")
    assert volplugin.api("DELETE", "/v1/tenants/tenant1")[0] == 204
    assert docker(volplugin, "Unmount", Name="tenant1/v", ID="a") == {"Err": ""}
    volplugin.settle()
    assert "tenant 'tenant1' does not exist" in create(volplugin, "tenant1/w")
    assert docker(volplugin, "Get", Name="tenant1/v")["Err"] == ""
    path = docker(volplugin, "Mount", Name="tenant1/v", ID="b")["Mountpoint"]
    assert pathlib.Path(path, "file").read_text() == "kept"
    assert docker(volplugin, "Unmount", Name="tenant1/v", ID="b") == {"Err": ""}
    volplugin.settle()
    assert docker(volplugin, "Remove", Name="tenant1/v") == {"Err": ""}
    assert_nothing(volplugin)


# Removing what is in use, and what is not ours

@pytest.mark.parametrize("way", ["docker", "rest"])
def test_removing_a_mounted_volume_names_who_uses_it(volplugin, way):
    assert create(volplugin, ephemeral="true") == ""
    for use in "container-a", "container-b":
        assert docker(volplugin, "Mount", Name="tenant1/v", ID=use)["Err"] == ""
    if way == "docker":
        message = docker(volplugin, "Remove", Name="tenant1/v")["Err"]
    else:
        message = problem(volplugin.api("DELETE", "/v1/volumes/tenant1/v"), 409)
    record = volplugin.mount_records()[0]
    assert f"node '{record['node']}'" in message
    for use in record["uses"]:
        assert f"container mount {use['id']} since {use['since']}" in message
    assert volplugin.volumes()[0]["phase"] == "ready" and len(volplugin.mounted()) == 1


def test_docker_remove_keeps_a_volume_that_is_not_ephemeral(volplugin):
    assert create(volplugin) == ""
    assert docker(volplugin, "Remove", Name="tenant1/v") == {"Err": ""}
    assert volplugin.images() == ["tenant1.v"] and volplugin.volumes()[0]["phase"] == "ready"


def test_foreign_file_in_the_pool_is_never_touched(volplugin):
    """Neither Create, nor a failed create's undoing, nor Remove takes somebody else's file for an image."""
    pool = volplugin.data / "pools" / "default"
    pool.mkdir(parents=True)
    foreign = pool / "tenant1.x"
    subprocess.run(["mkfs.ext4", "-q", foreign, "16M"], check=True)
    content, inode = foreign.read_bytes(), foreign.stat().st_ino
    marker = volplugin.dir / "formatted"
    with_command(volplugin, f"touch {marker}; mkfs.ext4 -q %")
    err = create(volplugin, "tenant1/x", ephemeral="true")
    assert "the name is taken" in err and "was not made by volplugin" in err
    assert docker(volplugin, "Remove", Name="tenant1/x")["Err"] == ""
    assert volplugin.api("DELETE", "/v1/volumes/tenant1/x")[0] == 404
    assert volplugin.volumes() == [] and not marker.exists() and volplugin.devices() == []
    assert foreign.read_bytes() == content and foreign.stat().st_ino == inode


def test_image_that_was_replaced_is_never_touched(volplugin):
    """A file put in the place of a volume's image is neither mounted nor deleted; putting the image back
    repairs it, and the removal asked for meanwhile goes on."""
    assert create(volplugin, ephemeral="true") == ""
    image = volplugin.data / "pools" / "default" / "tenant1.v"
    image.rename(volplugin.dir / "aside")
    image.write_bytes(b"precious" * 4096)
    assert "was not made by volplugin" in docker(volplugin, "Mount", Name="tenant1/v", ID="a")["Err"]
    assert "was not made by volplugin" in docker(volplugin, "Remove", Name="tenant1/v")["Err"]
    assert image.read_bytes() == b"precious" * 4096
    assert volplugin.operations()[0]["kind"] == "remove"
    (volplugin.dir / "aside").rename(image)
    assert docker(volplugin, "Remove", Name="tenant1/v") == {"Err": ""}
    assert_nothing(volplugin)


@pytest.mark.parametrize("when", ["recovery first", "create first"])
def test_the_image_of_an_interrupted_create_is_replaced(directory, when):
    """It has content already: the next create begins with a fresh one, which the command finds blank."""
    plugin = Volplugin(directory / "vp")
    check_blank = "cmp -n 65536 % /dev/zero && mkfs.ext4 -q %"
    try:
        plugin.start("--fault", "create_formatted=abort").upload(filesystems={"ext4": check_blank})
        with contextlib.suppress(OSError):
            create(plugin)
        assert plugin.daemon.wait() == 134
        image = plugin.data / "pools" / "default" / "tenant1.v"
        with image.open("rb") as left:  # as long as it is open, no other file gets its number
            plugin.start()
            if when == "recovery first":
                assert_nothing(plugin)
            assert create(plugin) == ""
            assert not os.path.samestat(image.stat(), os.fstat(left.fileno()))
        assert docker(plugin, "Mount", Name="tenant1/v", ID="a")["Err"] == ""
    finally:
        plugin.clean()
