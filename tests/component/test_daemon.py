# SPDX-License-Identifier: Apache-2.0
"""The programs as an operator sees them: flags, configuration, log, sockets, signals, and a store that
cannot be used."""
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest
from support.daemons import BIN, Daemon, Volmaster, Volplugin, request, wait_until

PROGRAMS = ["volplugin", "volmaster"]
# What systemd does for socket activation: descriptors from 3 on, their names, and the pid they are for.
ACTIVATE = """
import os, sys
names, fds, argv = sys.argv[1], [int(n) for n in sys.argv[2].split(",")], sys.argv[3:]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
    os.close(fd)
os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=names)
os.execv(argv[0], argv)
"""


def run(*argv, code, timeout=30):
    """What a program that ends by itself says."""
    result = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout,
                            stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    assert result.returncode == code, (argv, result.returncode, result.stdout, result.stderr)
    return result.stdout + result.stderr


def volplugin_argv(directory, name="other", *flags):
    return [BIN / "volplugin", "--standalone", "--data-dir", directory / f"{name}-data", "--plugin-socket",
            directory / f"{name}.sock", "--api-socket", directory / f"{name}-api.sock", *flags]


@pytest.fixture
def idle(directory):
    """A volplugin that a test starts itself."""
    plugin = Volplugin(directory / "vp")
    yield plugin
    plugin.clean()


# Flags and configuration

@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version(program):
    """Help names every flag but the ones for tests, and says how to begin."""
    text = run(BIN / program, "--help", code=0)
    for word in "Usage:", "Example:", "--data-dir", "--log-format", "--config", "Exit codes:":
        assert word in text
    assert "--fault" not in text and "--list-faults" not in text
    assert re.fullmatch(r"volplugin \d+\.\d+\.\d+\S*\n", run(BIN / program, "--version", code=0))


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("wrong", [["--nonsense"], ["surplus"], ["--log-format", "xml"], ["--default-pool", "loop"],
                                   ["--backend-option", "loop=x"], ["--data-dir"], ["--fault", "nowhere=abort"],
                                   ["--config", "/nowhere.toml"]], ids=" ".join)
def test_wrong_flags_end_with_2_and_name_what_is_wrong(program, wrong):
    text = run(BIN / program, *wrong, code=2)
    assert wrong[-1].split("=")[0] in text and "--help" in text


@pytest.mark.parametrize("flags, says", [
    (["--backend", "floppy"], "floppy"),
    (["--default-pool", "loop=../x"], "--default-pool loop"),
    (["--backend-option", "loop.nonsense=1"], "nonsense"),
    (["--host-label", "no spaces"], "--host-label"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_settings_that_cannot_work_end_with_1_and_leave_no_socket(directory, flags, says):
    text = run(*volplugin_argv(directory, "other", *flags), code=1)
    assert "cannot start: " in text and says in text
    assert not list(directory.glob("*.sock"))


def test_configuration_file_has_the_keys_of_the_flags(directory):
    """All settings from a file; a flag given besides wins."""
    plugin = Volplugin(directory / "vp")
    config = directory / "volplugin.toml"
    config.write_text(f'standalone = true\ndata-dir = "{plugin.data}"\nplugin-socket = "{plugin.plugin}"\n'
                      f'api-socket = "{plugin.api_socket}"\nmount-root = "{directory}/elsewhere"\n'
                      'host-label = "from-file"\nlog-format = "json"\ndefault-pool = ["loop=other"]\n')
    plugin.daemon = Daemon([BIN / "volplugin", "--config", config, "--host-label", "from-flag"], plugin.dir / "log")
    plugin.mounts = directory / "elsewhere"
    try:
        plugin.daemon.start()
        wait_until(plugin.serving, "volplugin serves")
        plugin.upload()
        assert plugin.docker("VolumeDriver.Create", {"Name": "tenant1/v", "Opts": {}}) == {"Err": ""}
        answer = plugin.docker("VolumeDriver.Mount", {"Name": "tenant1/v", "ID": "a"})
        assert answer["Mountpoint"] == f"{directory}/elsewhere/tenant1.v/data"
        assert (plugin.data / "pools" / "other" / "tenant1.v").exists()
        assert plugin.volumes()[0]["node"] == "from-flag"
        assert json.loads(plugin.log().splitlines()[0])["level"] == "info"
        plugin.docker("VolumeDriver.Unmount", {"Name": "tenant1/v", "ID": "a"})
        plugin.settle()
    finally:
        plugin.clean()


@pytest.mark.parametrize("program", PROGRAMS)
def test_unknown_key_in_the_configuration_is_refused(program, directory):
    config = directory / "x.toml"
    config.write_text('data-dir = "/nowhere"\nplugin-sokcet = "/x"\n')
    assert "plugin-sokcet" in run(BIN / program, "--config", config, code=2)


# Log

def test_json_log_is_one_object_per_line(idle):
    """Whatever callers send, also line breaks and bytes that are no text."""
    idle.start("--log-format", "json", "--debug").upload()
    for name in "tenant1/a\nb", 'tenant1/"', "tenant1/\u00fc", "tenant1/\x1b[31m":
        assert idle.docker("VolumeDriver.Create", {"Name": name, "Opts": {}})["Err"] != ""
    request(idle.plugin, "POST", "/VolumeDriver.Create", b'{"Name":"\xff\xfe\n"}')
    idle.stop()
    lines = [json.loads(line) for line in idle.log().splitlines()]
    assert len(lines) > 5
    for line in lines:
        assert set(line) == {"time", "level", "message"} and line["level"] in ("debug", "info", "warning", "error")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def test_text_log_has_one_line_per_event(idle):
    """A caller cannot make up log lines."""
    idle.start()
    body = b'{"Name":"x","Opts":{}}\n2026-01-01T00:00:00.000 error: made up\n'
    request(idle.plugin, "POST", "/VolumeDriver.Create", body)
    idle.stop()
    assert "made up" in idle.log()
    for line in idle.log().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\S+ \w+: (?!made up)", line), line


# Starting

def test_serving_starts_quickly(idle):
    """Printed, not asserted: the machine may be busy."""
    started = time.monotonic()
    idle.start()
    print(f"serving after {1000 * (time.monotonic() - started):.0f} ms (goal: 300)")


def test_second_instance_on_the_same_data_is_refused(volplugin):
    """It says who has the data, takes nothing over, and the first one goes on."""
    directory = volplugin.dir
    argv = [BIN / "volplugin", "--standalone", "--data-dir", volplugin.data, "--plugin-socket",
            directory / "second.sock", "--api-socket", directory / "second-api.sock"]
    text = run(*argv, code=1)
    assert "cannot start: " in text and f"in use by process {volplugin.daemon.process.pid} since" in text
    assert not (directory / "second.sock").exists() and not (directory / "second-api.sock").exists()
    assert volplugin.serving() and volplugin.api("GET", "/v1/health")[0] == 200


@pytest.mark.parametrize("taken", ["plugin", "api"])
def test_second_instance_on_the_same_socket_is_refused(volplugin, taken):
    """It does not steal the socket, also not on its way out."""
    directory = volplugin.dir
    sockets = {"plugin": directory / "second.sock", "api": directory / "second-api.sock",
               taken: {"plugin": volplugin.plugin, "api": volplugin.api_socket}[taken]}
    before = sockets[taken].stat().st_ino
    text = run(BIN / "volplugin", "--standalone", "--data-dir", directory / "second", "--plugin-socket",
               sockets["plugin"], "--api-socket", sockets["api"], code=1)
    assert f"somebody listens at {sockets[taken]} already; is another instance running?" in text
    assert sockets[taken].stat().st_ino == before
    assert volplugin.serving() and volplugin.api("GET", "/v1/health")[0] == 200


def test_stale_sockets_are_replaced(volplugin):
    volplugin.kill()
    assert volplugin.plugin.is_socket() and volplugin.api_socket.is_socket()
    volplugin.start()
    assert volplugin.serving() and volplugin.api("GET", "/v1/health")[0] == 200


def test_file_in_the_place_of_the_socket_is_not_deleted(directory):
    (directory / "other.sock").write_text("mine")
    text = run(*volplugin_argv(directory), code=1)
    assert "exists and is no socket; remove it" in text
    assert (directory / "other.sock").read_text() == "mine"


def test_only_root_may_connect(volplugin):
    """Both sockets give root's power to whoever can open them."""
    for path in volplugin.plugin, volplugin.api_socket:
        assert path.stat().st_mode & 0o777 == 0o600


# Signals

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ending_removes_sockets_and_keeps_mounts(volplugin, number):
    """Containers go on over an upgrade; the next run counts their uses as before."""
    assert volplugin.docker("VolumeDriver.Create", {"Name": "tenant1/v", "Opts": {}}) == {"Err": ""}
    path = volplugin.docker("VolumeDriver.Mount", {"Name": "tenant1/v", "ID": "a"})["Mountpoint"]
    with open(f"{path}/file", "w") as container:
        assert volplugin.stop(number) == 0
        assert not volplugin.plugin.exists() and not volplugin.api_socket.exists()
        assert len(volplugin.mounted()) == 1
        container.write("written without us")
        container.flush()
        volplugin.start()
        assert [use["id"] for use in volplugin.mount_records()[0]["uses"]] == ["a"]
    assert open(f"{path}/file").read() == "written without us"
    assert volplugin.docker("VolumeDriver.Unmount", {"Name": "tenant1/v", "ID": "a"}) == {"Err": ""}
    volplugin.settle()
    assert volplugin.mounted() == []


def test_ending_waits_for_no_long_poll_and_no_hung_command(volplugin):
    """SIGTERM ends the daemon soon even while a create hangs; what it left is cleaned up by the next run."""
    marker = f"1000.{os.getpid()}3"
    volplugin.upload(filesystems={"ext4": f"sleep {marker} #%"})
    body = json.dumps({"tenant": "tenant1", "name": "v"}).encode()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(volplugin.api_socket))
        raw.sendall(b"POST /v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: volplugin.devices(), "the command runs")
        assert volplugin.daemon.stop(signal.SIGTERM, patience=20) == 0
    volplugin.start()
    volplugin.settle()
    assert volplugin.images() == [] and volplugin.volumes() == []


def test_usr1_tells_the_state_and_hup_does_nothing(volplugin):
    volplugin.daemon.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: re.search(r"info: volplugin \S+: \d+ open files, \d+ threads", volplugin.log()), "a line")
    volplugin.daemon.process.send_signal(signal.SIGHUP)
    volplugin.daemon.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: volplugin.log().count(" open files, ") == 2, "still there after SIGHUP")
    assert volplugin.serving()


# Socket activation

@contextlib.contextmanager
def listening(*paths):
    """Sockets as systemd makes them, with nobody behind them yet."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in paths]
        for one, path in zip(sockets, paths):
            one.bind(str(path))
            one.listen(16)
            one.set_inheritable(True)
        yield sockets


def start_activated(plugin, names, sockets, argv):
    fds = ",".join(str(one.fileno()) for one in sockets)
    plugin.daemon = Daemon([], plugin.dir / "log")
    with open(plugin.dir / "log", "ab") as out:
        plugin.daemon.process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, names, fds, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=out,
            stderr=out, pass_fds=[one.fileno() for one in sockets])


@pytest.mark.parametrize("names", ["plugin:api", "api:plugin"])
def test_socket_activation(idle, names):
    """A call that came before the daemon is answered, and the sockets, which are not ours, stay at its end."""
    paths = {"plugin": idle.plugin, "api": idle.api_socket}
    with listening(*[paths[name] for name in names.split(":")]) as sockets, socket.socket(socket.AF_UNIX) as early:
        early.connect(str(idle.plugin))
        early.sendall(b"POST /Plugin.Activate HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n")
        start_activated(idle, names, sockets, [BIN / "volplugin", "--standalone", "--data-dir", idle.data,
                                               "--plugin-socket", idle.dir / "unused.sock", "--api-socket",
                                               idle.dir / "unused-api.sock"])
        early.settimeout(30)
        assert b'{"Implements":["VolumeDriver"]}' in early.recv(65536)
        assert idle.serving() and idle.api("GET", "/v1/health")[0] == 200
        assert not list(idle.dir.glob("unused*"))
        assert idle.stop() == 0
        assert idle.plugin.is_socket() and idle.api_socket.is_socket()


def test_socket_activation_of_the_plugin_socket_alone(idle):
    """The API is then served on a socket of our own."""
    with listening(idle.plugin) as sockets:
        start_activated(idle, "plugin", sockets, [BIN / "volplugin", "--standalone", "--data-dir", idle.data,
                                                  "--api-socket", idle.api_socket])
        wait_until(idle.serving, "volplugin serves")
        assert idle.api("GET", "/v1/health")[0] == 200
        assert idle.stop() == 0
        assert idle.plugin.is_socket() and not idle.api_socket.exists()


# volmaster

@pytest.mark.parametrize("address, warned", [("127.0.0.1:0", False), ("localhost:0", False), ("[::1]:0", False),
                                             ("0.0.0.0:0", True)])
def test_volmaster_warns_when_strangers_may_reach_it(directory, address, warned):
    master = Volmaster(directory / "vm", "--listen", address)
    try:
        if address.startswith("[") and not os.path.exists("/proc/net/if_inet6"):
            pytest.skip("no IPv6 here: listening on it is not proven")
        master.start()
        assert "serving the API on " in master.log()
        assert ("is not authenticated" in master.log()) == warned
    finally:
        master.stop(signal.SIGKILL)


# A store that cannot be used

def damaged(plugin, damage):
    """Starts once, damages the closed store, and returns what the next start says."""
    plugin.start().upload()
    assert plugin.docker("VolumeDriver.Create", {"Name": "tenant1/v", "Opts": {}}) == {"Err": ""}
    plugin.stop()
    damage(plugin.data / "volplugin.db")
    plugin.start(wait=False)
    assert plugin.daemon.wait() == 1
    assert not plugin.plugin.exists(), "Docker must not be served without records"
    assert plugin.images() == ["tenant1.v"]
    return plugin.log().splitlines()[-1]


def change(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_store_of_a_newer_version(idle):
    line = damaged(idle, lambda path: change(path, "UPDATE meta SET schema_version = 99"))
    assert f"cannot start: opening the store: opening store '{idle.data}/volplugin.db': written by a newer version " \
           "(schema 99" in line and "docs/operations/backup.md" in line


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(b"this was a database once\n" * 4000),
    lambda path: path.write_bytes(path.read_bytes()[:1000]),
    lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * (path.stat().st_size - 4096)),
], ids=["not a database", "cut short", "overwritten"])
def test_corrupt_store(idle, damage):
    line = damaged(idle, damage)
    assert "cannot start: " in line and "volplugin.db" in line and "docs/operations/backup.md" in line


def test_database_of_another_program(idle):
    line = damaged(idle, lambda path: change(path, "PRAGMA application_id = 42"))
    assert "not a volplugin store" in line


def test_record_that_cannot_be_read(idle):
    """One bad record does not stop the others; it is in the log and in the health, and its image is kept."""
    idle.start().upload()
    for name in "tenant1/bad", "tenant1/good":
        assert idle.docker("VolumeDriver.Create", {"Name": name, "Opts": {}}) == {"Err": ""}
    idle.stop()
    change(idle.data / "volplugin.db", "UPDATE kv SET value = '{' WHERE CAST(key AS TEXT) LIKE '%tenant1/bad'")
    idle.start()
    assert "tenant1/bad" in idle.log()
    assert "1 records cannot be read" in idle.api("GET", "/v1/health")[2]["store"]
    assert [volume["name"] for volume in idle.volumes()] == ["good"]
    err = idle.docker("VolumeDriver.Create", {"Name": "tenant1/bad", "Opts": {}})["Err"]
    assert err != "", "a create took the place of a record that cannot be read"
    assert idle.images() == ["tenant1.bad", "tenant1.good"]


def test_full_store_directory(directory):
    """Changes are refused with the reason; nothing stored is lost, and with space again all goes on."""
    store = directory / "store"
    store.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"none", str(store).encode(), b"tmpfs", 0, b"size=1m") == 0
    master = Volmaster(directory / "vm", "--store", f"sqlite:{store}/s.db")
    policy = {"default-options": {"size": "16MB"}}
    try:
        master.start()
        assert master.api("PUT", "/v1/tenants/before", policy)[0] == 201
        with open(store / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(b"x" * 4096)
        refused = wait_until(lambda: [answer for answer in [master.api("PUT", "/v1/tenants/more", policy)]
                                      if answer[0] not in (200, 201)], "the store is full")[0]
        assert refused[0] == 507 and "space" in refused[2]["detail"], refused
        assert master.api("GET", "/v1/tenants/before")[0] == 200
        (store / "ballast").unlink()
        assert master.api("PUT", "/v1/tenants/after", policy)[0] == 201
        master.stop()
        master.start()
        names = [tenant["name"] for tenant in master.api("GET", "/v1/tenants")[2]["items"]]
        assert {"before", "after"} <= set(names)
    finally:
        master.stop(signal.SIGKILL)
        libc.umount2(str(store).encode(), 2)
