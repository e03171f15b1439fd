# SPDX-License-Identifier: Apache-2.0
"""lvmvd as an operator starts it, as far as that needs no volume group: flags, messages, exit codes, the order of
the checks, and that a start which is refused leaves nothing behind. The listeners and files are tested in
src/lvmvd/endpoint_test.cc."""
import os
import shutil
import subprocess

import pytest
from support.daemons import BIN

LVMVD = BIN / "lvmvd"
NO_GROUP = "vp-test-no-such-group"


def run(*args, program=LVMVD, **how):
    """(exit code, stdout, stderr) of a start that ends by itself."""
    result = subprocess.run([str(program), *map(str, args)], capture_output=True, text=True, timeout=90,
                            stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}, **how)
    return result.returncode, result.stdout, result.stderr


@pytest.fixture
def paths(directory):
    """Flags that keep everything a start might make in the test's directory."""
    return [f"--mount-root={directory}/mounts", f"--sock-file={directory}/plugins/x.sock",
            f"--json-file={directory}/specs/x.json", f"--state-dir={directory}/state"]


@pytest.fixture
def refused(directory, paths):
    """Starts lvmvd, expects it to end with code 1 and no trace, and returns what it said."""
    def start(*flags, **how):
        code, out, err = run(*paths, *flags, **how)
        assert (code, out) == (1, ""), err
        assert list(directory.iterdir()) == []
        return err
    return start


def usage():
    return run("--help")[2]


@pytest.mark.parametrize("flag", ["-h", "-help", "--help", "--h"])
def test_help(flag):
    code, out, err = run(flag)
    assert (code, out) == (0, "")
    assert err.startswith("Usage: lvmvd ") and "Example: lvmvd " in err
    for name in ("listener", "host", "port", "default-size", "mount-root", "volume-group-name", "sock-file",
                 "json-file", "state-dir", "debug", "version"):
        assert f"--{name}" in err


def test_version():
    code, out, err = run("--version")
    assert (code, err) == (0, "")
    assert out.startswith("lvmvd ") and out.endswith("\n")


@pytest.mark.parametrize("args, message", [
    (["--no-such-flag"], "flag provided but not defined: -no-such-flag"),
    (["-x=1"], "flag provided but not defined: -x"),
    (["--port"], "flag needs an argument: -port"),
    (["---port=1"], "bad flag syntax: ---port=1"),
    (["--debug=maybe"], 'invalid boolean value "maybe" for -debug: parse error'),
    (["--default-size=0"], 'invalid value "0" for flag -default-size: size \'0\' is zero'),
    (["--default-size", "-1"], 'invalid value "-1" for flag -default-size: size \'-1\' has a sign'),
    (["--default-size=1Q"], 'invalid value "1Q" for flag -default-size: '),
])
def test_wrong_flags_end_with_2(args, message):
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert err.startswith(message) and err.endswith("\n" + usage())


def test_listener_and_port_are_looked_at_first(refused):
    assert refused("--listener=tcp", "--port=0") == "unrecognized listener tcp\n"
    assert refused("--listener", "%s%d", "--mount-root=") == "unrecognized listener %s%d\n"
    assert refused("--listener=") == "unrecognized listener \n"
    for port in "0", "65536", "-1", "http", "":
        message = f"--port '{port}' is not a number from 1 to 65535\n"
        assert refused("--listener=http", f"--port={port}", "--mount-root=") == message


def test_a_mount_root_is_required(refused):
    text = "must specify a root directory for mounted filesystems\n" + usage()
    assert refused("--mount-root=") == text
    assert run()[0::2] == (1, text)


def test_the_root_directory_is_no_mount_root(refused):
    assert refused("--mount-root=//").startswith("--mount-root must not be the root directory")


def test_needs_root(directory, paths):
    program = directory / "lvmvd"
    shutil.copy(LVMVD, program)
    directory.chmod(0o755)
    code, out, err = run(*paths, f"--volume-group-name={NO_GROUP}", program=program, user=65534, group=65534)
    assert (code, out, err) == (1, "", f"{program} must be run as root.\n")
    assert list(directory.iterdir()) == [program]


def test_the_volume_group_must_exist(refused):
    assert refused() == "No such volume group: \n"
    assert refused("--volume-group-name=") == "No such volume group: \n"
    # No pattern, no argument, no path.
    for name in NO_GROUP, ".*", "-a", "../x", "a b", "100%s":
        said = refused(f"--volume-group-name={name}")
        assert said == f"No such volume group: {name}\n" or "lvm" in said, said


def test_words_behind_the_flags_are_ignored(refused):
    assert refused("--", "--no-such-flag") == "No such volume group: \n"
    assert refused("word", "--no-such-flag") == "No such volume group: \n"


def test_default_size_takes_units(refused):
    for size in "512", "512M", "1G", "1g", "2GB":
        assert refused(f"--default-size={size}") == "No such volume group: \n"
