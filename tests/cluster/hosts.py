# SPDX-License-Identifier: Apache-2.0
"""ClusterHost: a machine of its own as far as mounts, network, name and /run/docker go, with the product on it."""
import contextlib
import http.client
import os
import pathlib
import platform
import signal
import subprocess
import uuid

from cluster import history as outcomes
from cluster.caller import Caller
from support.ceph_storage import servers_below
from support.daemons import BIN, Daemon, request, wait_until
from support.engine import Engine
from support.host import Host

PORT = 9005
FAKETIME = pathlib.Path("/usr/lib") / f"{platform.machine()}-linux-gnu" / "faketime/libfaketimeMT.so.1"
PATIENCE_OF_THE_ENGINE = 120  # for Create and Mount; it waits 60 s for the rest
DRIVER = "volplugin"


class Clock:
    """The wall clock of a program, told through libfaketime: jump() sets it off from the machine's. The monotonic clock
    goes on, as that of a machine does whose time is set. Not for etcd: programs in Go ask the kernel by themselves."""

    def __init__(self, file):
        self.file = file
        self.jump(0)

    def environment(self):
        assert FAKETIME.exists(), "the package libfaketime is missing"
        return ["env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={self.file}", "FAKETIME_CACHE_DURATION=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_RESET=1"]

    def jump(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+}\n")
        new.rename(self.file)


class ClusterHost:
    """Programs on it: "dockerd", "volplugin", and "volmaster" if it has one. kill() and pause() them, start() and
    resume() them; cut(), slow() and mend() the host's network.

    A program dies with the thread that started it: start them in the test's own thread."""

    def __init__(self, cluster, number, with_volmaster):
        self.cluster = cluster
        self.name = f"host{number}"
        self.address = cluster.address(10 + number)
        self.dir = cluster.dir / self.name
        self.dir.mkdir(parents=True)
        self.host = Host(self.dir / "host", self.name, own_network=True).start()
        self.port = cluster.switch.connect(self.host.pid, self.address)
        self.cut, self.slow, self.mend = self.port.cut, self.port.slow, self.port.mend
        self.engine = Engine(self.dir / "docker", self.host)
        self.plugin_socket = self.host.plugin_dir / f"{DRIVER}.sock"
        self.api_socket = self.dir / "api.sock"
        self.mount_root = self.dir / "data" / "mounts"
        self.with_volmaster = with_volmaster
        self.daemons = {}
        self.caller = Caller(self.host)

    # Programs.

    def start(self, program, wait=True, clock=None):
        """The same program again finds what it left. `clock`: a Clock, for volmaster and volplugin."""
        if program == "dockerd":
            self.engine.start(wait)
            self.daemons[program] = self.engine.daemon
            return self
        flags = self._volmaster() if program == "volmaster" else self._volplugin()
        by_clock = clock.environment() if clock else []
        self.daemons[program] = Daemon(self.host.enter([*by_clock, BIN / program, *flags, *self.cluster.backend_flags]),
                                       self.dir / f"{program}.log").start()
        if wait:
            self.wait_for(program)
        return self

    def wait_for(self, program):
        serves = self._volmaster_serves if program == "volmaster" else self._volplugin_serves
        wait_until(lambda: serves() or not self.running(program), f"{program} on {self.name} serves")
        assert self.running(program), self.log(program)[-3000:]

    def _volmaster(self):
        etcd = [word for member in self.cluster.etcd for word in ("--etcd", member.url)]
        return ["--debug", "--data-dir", self.dir / "volmaster", "--listen", f"{self.address}:{PORT}", "--listen",
                f"unix://{self.api_socket}", *etcd]

    def _volplugin(self):
        return ["--debug", "--data-dir", self.dir / "data", "--plugin-socket", self.plugin_socket,
                "--host-label", self.name, "--master", self.master, *self.cluster.agent_flags]

    def finish_engine(self):
        """Waits for dockerd and gives it the image for containers."""
        self.engine.wait_ready()
        self.engine.import_image()

    @property
    def master(self):
        """The volmasters this host's agent and volcli talk to: its own, else the first one; with failover all."""
        first = self if self.with_volmaster else self.cluster.masters[0]
        others = [host for host in self.cluster.masters if host is not first] if self.cluster.failover else []
        return ",".join(f"{host.address}:{PORT}" for host in [first, *others])

    def _volmaster_serves(self):
        try:
            return self.api("GET", "/v1/health", timeout=5)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _volplugin_serves(self):
        try:
            return request(self.plugin_socket, "POST", "/VolumeDriver.Capabilities", "{}\n", timeout=5)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def running(self, program):
        daemon = self.daemons.get(program)
        return daemon is not None and daemon.running()

    def kill(self, program, number=signal.SIGKILL):
        if program == "dockerd":
            return self.engine.kill()
        return self.daemons[program].stop(number)

    def pause(self, program):
        self.daemons[program].process.send_signal(signal.SIGSTOP)

    def resume(self, program):
        self.daemons[program].process.send_signal(signal.SIGCONT)

    # The whole machine, with what has its volumes: containers, and the servers of a Ceph cluster's images.

    def freeze(self):
        """Nothing on it runs on, until thaw()."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self):
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        pids = {daemon.process.pid for daemon in self.daemons.values() if daemon.running()}
        pids |= self.engine.shims() | self.engine.container_processes() | set(self.servers())
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def servers(self):
        """Processes that serve images of a Ceph cluster to this host."""
        return servers_below(self.dir)

    def _kill_servers(self):
        for pid in self.servers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _end_servers(self):
        self._kill_servers()
        for where, _, _ in self.host.mounts():
            if where.startswith(f"{self.dir}/") and where.endswith("/device"):
                self.host.run("umount", "-l", where, check=False)

    def log(self, program):
        return self.engine.log() if program == "dockerd" else self.daemons[program].text()

    # What is asked of it. Everything goes into the cluster's history.

    def docker(self, *args, check=True, volume=""):
        """The docker command: what it prints."""
        call = self.cluster.history.begin(f"docker {args[0]}", self.name, volume)
        done = self.engine.cli(*args, check=False)
        call.finish(outcomes.OK if done.returncode == 0 else outcomes.FAILED, done.stderr.strip())
        assert not check or done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout.strip() if check else done

    def volcli(self, *args, check=True, volume="", stdin=None):
        """volcli on this host, by TCP: what it prints, or without `check` the ended process."""
        argv = self.host.enter([BIN / "volcli", "--master", self.master, *args])
        call = self.cluster.history.begin(f"volcli {args[0]} {args[1]}", self.name, volume)
        try:
            done = subprocess.run(argv, input=stdin, text=True, capture_output=True, timeout=PATIENCE_OF_THE_ENGINE)
        except subprocess.TimeoutExpired as late:
            call.finish(outcomes.HUNG, str(late))
            raise
        call.finish({0: outcomes.OK}.get(done.returncode, outcomes.FAILED), done.stderr.strip())
        assert not check or done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout.strip() if check else done

    def plugin(self, method, volume, **body):
        """One call of the volume plugin protocol, as this host's engine makes it: the Call, with the answer in
        `detail`."""
        call = self.cluster.history.begin(method, self.name, volume)
        patience = PATIENCE_OF_THE_ENGINE if method in ("Create", "Mount") else PATIENCE_OF_THE_ENGINE / 2
        try:
            status, answer = self.caller.call(self.plugin_socket, method, {"Name": volume, **body}, patience)
        except TimeoutError as late:
            return call.finish(outcomes.HUNG, str(late))
        except OSError as gone:
            return call.finish(outcomes.UNREACHABLE, str(gone))
        call.detail = answer
        error = answer.get("Err") if status == 200 else str(answer)
        return call.finish(outcomes.FAILED if error else outcomes.OK, error)

    def api(self, method, target, body=None, timeout=130):
        """REST of the volmaster on this host, through its unix socket: no fault of the network is in the way."""
        return request(self.api_socket, method, target, body, timeout=timeout)

    # Facts.

    def mounted(self):
        """Volumes whose file system this host has mounted, as its kernel says."""
        prefix = f"{self.mount_root}/"
        return {where.removeprefix(prefix).replace(".", "/", 1) for where, _, _ in self.host.mounts()
                if where.startswith(prefix)}

    def path(self, mount_point):
        """A directory of this host, as seen from here."""
        return self.host.path(mount_point)

    # The end.

    def stop(self):
        """Ends every program, in the order a machine that goes down does."""
        if self.daemons.pop("dockerd", None):
            self.engine.kill()
            self.engine.kill_containers()
            self.host.unmount_below(self.engine.dir)
        for daemon in self.daemons.values():
            if daemon.running():
                daemon.process.send_signal(signal.SIGCONT)
            daemon.stop(signal.SIGKILL)
        self.daemons.clear()

    def power_off(self):
        """Every program ends at once, and what was mounted is not mounted any more."""
        # Without them file systems cannot be unmounted cleanly, as when the power goes.
        self._kill_servers()
        self.stop()
        self.host.unmount_below(self.mount_root)
        self._end_servers()

    def power_on(self):
        """A new boot: the disk is as it was."""
        boot = self.dir / "boot_id"
        boot.write_text(f"{uuid.uuid4()}\n")
        self.host.run("mount", "--bind", boot, "/proc/sys/kernel/random/boot_id")
        (self.plugin_socket).unlink(missing_ok=True)
        self.start("volplugin").start("dockerd").finish_engine()

    def close(self):
        self._kill_servers()  # else what waits for a cluster that hangs could not end
        self.stop()
        self.engine.clean()
        self.caller.close()
        self.host.unmount_below(self.mount_root)
        self._end_servers()
        self.host.clean()
