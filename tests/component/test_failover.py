# SPDX-License-Identifier: Apache-2.0
"""Three volmasters on one etcd; an agent and volcli that know all of them. One is killed, or hangs."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
from support.daemons import BIN, Agent, Daemon, Volmaster, wait_until
from support.etcd import Etcd

ENGINES_PATIENCE = 120  # seconds after which a call counts as hung: as long as an engine waits
WAYS = pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hanging"])


class World:
    """volmasters[0] is the one that everybody prefers."""

    def __init__(self, directory):
        self.dir = directory
        self.etcd = Etcd(directory / "etcd").start()
        self.masters = [Volmaster(directory / f"vm{i}", *self.etcd.flags()).start() for i in range(3)]
        others = [flag for master in self.masters[1:] for flag in ("--master", master.address)]
        self.agent = Agent(directory / "n1", self.masters[0], "n1", *others)
        self.agent.start()
        for master in self.masters:
            wait_until(lambda: self.connected(master), "every volmaster sees the agent")
        self.gate = directory / "gate"
        self.upload("fast", "mkfs.ext4 -q %")
        self.upload("slow", f"touch {directory}/begun; while [ ! -e {self.gate} ]; do sleep 0.1; done; mkfs.ext4 -q %")

    def connected(self, master):
        return master.api("GET", "/v1/nodes/n1")[2].get("connected", False)

    def upload(self, tenant, command):
        policy = {"default-options": {"size": "16MB"}, "filesystems": {"ext4": command}}
        self.volcli("tenant", "upload", tenant, stdin=json.dumps(policy))

    def run(self, *args, stdin=None):
        """volcli with all volmasters, in the order of preference."""
        flags = [flag for master in self.masters for flag in ("--master", master.address)]
        return subprocess.run([BIN / "volcli", *flags, *args], input=stdin, text=True, capture_output=True,
                              timeout=ENGINES_PATIENCE)

    def volcli(self, *args, stdin=None):
        done = self.run(*args, stdin=stdin)
        assert done.returncode == 0, (args, done.stderr)
        return done.stdout

    def docker(self, method, **body):
        answer = self.agent.docker(f"VolumeDriver.{method}", body, timeout=ENGINES_PATIENCE)
        assert answer["Err"] == "", (method, answer)
        return answer

    def lose(self, way, number=0):
        """From now on this volmaster does not answer; what the test itself asks goes to the next one."""
        self.agent.api_socket = self.masters[(number + 1) % 3].socket
        self.masters[number].daemon.process.send_signal(way)

    def bring_back(self, way, number=0):
        master = self.masters[number]
        if way == signal.SIGSTOP:
            master.daemon.process.send_signal(signal.SIGCONT)
        else:
            master.daemon.stop(signal.SIGKILL)
            master.start()
        wait_until(lambda: self.connected(master), "the agent asks it for work again")

    def clean(self):
        for master in self.masters:
            with contextlib.suppress(AttributeError, ProcessLookupError):
                master.daemon.process.send_signal(signal.SIGCONT)
        self.agent.clean()
        for master in self.masters:
            master.stop(signal.SIGKILL)
        self.etcd.kill()


@pytest.fixture
def world(directory):
    made = World(directory)
    yield made
    made.clean()


@WAYS
def test_whole_life_while_the_preferred_one_is_away(world, way):
    world.docker("Create", Name="fast/before")
    world.docker("Mount", Name="fast/before", ID="a")
    world.lose(way)
    assert [v["Name"] for v in world.docker("List")["Volumes"]] == ["fast/before"]
    world.docker("Create", Name="fast/v")
    path = world.docker("Mount", Name="fast/v", ID="b")["Mountpoint"]
    pathlib.Path(path, "file").write_text("kept")
    assert world.volcli("volume", "list-all").split() == ["fast/before", "fast/v"]
    assert world.volcli("volume", "create", "fast/w", "--node", "n1") == "fast/w\n"
    world.volcli("volume", "remove", "fast/w")
    world.bring_back(way)
    # Mounted under one volmaster, unmounted under another.
    world.docker("Unmount", Name="fast/v", ID="b")
    world.docker("Unmount", Name="fast/before", ID="a")
    world.agent.settle()
    assert sorted(world.agent.images()) == ["fast.before", "fast.v"]
    path = world.docker("Mount", Name="fast/v", ID="c")["Mountpoint"]
    assert pathlib.Path(path, "file").read_text() == "kept"


@WAYS
def test_lost_while_it_makes_a_volume(world, way):
    """The call ends well, and there is one volume, which nobody clears away afterwards."""
    answers = []
    caller = threading.Thread(target=lambda: answers.append(world.agent.docker("VolumeDriver.Create",
                                                                              {"Name": "slow/v"})))
    caller.start()
    wait_until((world.dir / "begun").exists, "the file system is being made")
    world.lose(way)
    world.gate.touch()
    caller.join(ENGINES_PATIENCE)
    assert answers == [{"Err": ""}]
    uid = world.agent.volumes()[0]["uid"]
    world.bring_back(way)
    path = pathlib.Path(world.docker("Mount", Name="slow/v", ID="a")["Mountpoint"])
    (path / "file").write_text("kept")
    world.docker("Unmount", Name="slow/v", ID="a")
    world.agent.settle()
    assert world.agent.images() == ["slow.v"] and world.agent.volumes()[0]["uid"] == uid


def test_slow_work_is_left_alone(world):
    """Longer than any volmaster may be silent, and than recovery waits between its passes: neither the client
    gives it up nor another volmaster clears it away."""
    caller = subprocess.Popen([BIN / "volcli", "--master", ",".join(m.address for m in world.masters), "volume",
                               "create", "slow/v", "--node", "n1"], stderr=subprocess.PIPE, text=True)
    wait_until((world.dir / "begun").exists, "the file system is being made")
    recovered = time.monotonic() + 7  # a pass of each volmaster is over
    wait_until(lambda: time.monotonic() > recovered, "recovery had its chance")
    world.gate.touch()
    assert caller.communicate(timeout=60)[1] == "" and caller.returncode == 0
    world.agent.settle()
    assert world.agent.images() == ["slow.v"]


@WAYS
def test_many_calls_while_volmasters_are_lost_in_turn(world, way):
    """Every volume that was made is there once, with its image, and nothing else is."""
    names = [f"fast/v{i}" for i in range(12)]
    for i, name in enumerate(names):
        number = i // 4
        if i % 4 == 0 and i:
            world.bring_back(way, number - 1)
        if i % 4 == 2:
            world.lose(way, number)
        world.docker("Create", Name=name)
        world.docker("Mount", Name=name, ID="a")
        world.docker("Unmount", Name=name, ID="a")
    world.bring_back(way, 2)
    world.agent.settle()
    assert sorted(world.volcli("volume", "list-all").split()) == sorted(names)


def test_addresses(directory):
    """From flags, the environment and the file; a wrong one is named."""
    def log_of(*flags, **environment):
        log = directory / "log"
        argv = [BIN / "volplugin", "--data-dir", directory / "data", "--plugin-socket", directory / "p.sock", *flags]
        daemon = Daemon(argv, log, env={**os.environ, **environment}).start()
        wait_until(lambda: "serving Docker" in daemon.text() or not daemon.running(), "it started or ended")
        code = daemon.stop()
        text = log.read_text()
        log.unlink()
        return code, text

    config = directory / "volplugin.toml"
    config.write_text('master = ["h:1", "h:2"]\n')
    assert "volmaster h:1, h:2\n" in log_of("--config", config)[1]
    assert "volmaster h:3, h:4\n" in log_of(MASTER="h:3,h:4")[1]
    assert "volmaster h:5, h:6\n" in log_of("--config", config, "--master", "h:5", "--master", "h:6")[1]
    code, text = log_of("--master", "h:1", "--master", "nonsense")
    assert code == 1 and "--master: address 'nonsense': has no port" in text


def test_nobody_answers(world):
    for number, way in enumerate([signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL]):
        world.lose(way, number)
    done = world.run("tenant", "delete", "fast")
    assert done.returncode == 5
    for master, text in zip(world.masters, ["Connection refused", "no sign of life", "Connection refused"]):
        assert master.address in done.stderr and text in done.stderr, done.stderr
    assert "may have happened" not in done.stderr
    error = world.agent.docker("VolumeDriver.Create", {"Name": "fast/v"}, timeout=ENGINES_PATIENCE)["Err"]
    assert all(master.address in error for master in world.masters), error


def test_agent_at_rest_sleeps(world):
    """Two volmasters are away, and nobody polls them in a tight loop."""
    world.lose(signal.SIGKILL, 1)
    world.lose(signal.SIGKILL, 2)
    stat = pathlib.Path(f"/proc/{world.agent.daemon.process.pid}/stat")

    def ticks():
        return sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13]))

    before, began = ticks(), time.monotonic()
    wait_until(lambda: time.monotonic() > began + 4, "a while")
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK")
    assert used < 0.4, f"{used} s of processor time in 4 s"
