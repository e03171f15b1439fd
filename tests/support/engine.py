# SPDX-License-Identifier: Apache-2.0
"""A private Docker engine: dockerd with all its paths in one directory, and without networking.

It leaves no bridge, firewall rule or cgroup behind, and a kill -9 of it is cleaned up after, too.
"""
import contextlib
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import time

from support.daemons import Daemon, request, wait_until
from support.host import alive, processes

BUSYBOX = "/bin/busybox"
APPLETS = ("sh", "mount", "cat", "sleep", "dd", "ls", "sync", "true", "touch", "df", "stat", "blockdev", "mkdir", "rm",
           "chown", "chmod", "id", "wc", "tail", "grep", "md5sum")
_NO_NETWORK = ("--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false", "--ip-masq=false",
               "--userland-proxy=false")


def docker_clis():
    """The docker commands of this machine; they may be of different versions."""
    return [path for path in ("/usr/bin/docker", "/usr/local/bin/docker") if os.access(path, os.X_OK)]


def _add(tar, name, kind=tarfile.REGTYPE, data=b"", mode=0o755, owner=0, link=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.uid, entry.gid, entry.linkname = kind, mode, owner, owner, link
    entry.size, entry.mtime = len(data), 1_700_000_000
    tar.addfile(entry, io.BytesIO(data))


def image_tar(add_files=None):
    """The file system of a small image: static busybox and a few of its names, /tmp and an empty /mnt.
    `add_files(add)` may put more into it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        def add(*args, **options):
            _add(tar, *args, **options)
        for directory in ("bin", "dev", "proc", "sys", "tmp", "mnt", "data"):
            add(directory, kind=tarfile.DIRTYPE)
        add("bin/busybox", data=pathlib.Path(BUSYBOX).read_bytes())
        for applet in APPLETS:
            add(f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox")
        if add_files:
            add_files(add)
    return out.getvalue()


class Engine:
    """dockerd, either on this machine or on a fake host."""

    IMAGE = "busybox"

    def __init__(self, directory, host=None):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.socket = self.dir / "docker.sock"
        self.exec_root = self.dir / "exec"
        self.data_root = self.dir / "data"
        self.pid_file = self.dir / "dockerd.pid"
        self.cgroup = "vp-" + self.dir.as_posix().strip("/").replace("/", "-")
        self.host = host
        self.live_restore = False
        self.daemon = None

    def _argv(self):
        config = self.dir / "daemon.json"
        config.write_text(json.dumps({"live-restore": self.live_restore}))
        return ["dockerd", "--config-file", config, "--data-root", self.data_root, "--exec-root", self.exec_root,
                "--pidfile", self.pid_file, "--host", f"unix://{self.socket}", "--cgroup-parent", f"/{self.cgroup}",
                "--exec-opt", "native.cgroupdriver=cgroupfs", *_NO_NETWORK]

    def start(self, wait=True):
        namespace = self.host.pid if self.host else None
        self.daemon = Daemon(self._argv(), self.dir / "log", namespace).start()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, patience=150):
        """Ready comes after every known volume was asked for and the containers are started again."""
        wait_until(lambda: self.ready() or not self.daemon.running(), "dockerd answers", patience)
        assert self.daemon.running(), self.log()[-3000:]
        return self

    def ready(self):
        with contextlib.suppress(OSError):
            return request(self.socket, "GET", "/_ping", headers={"Host": "d"}, timeout=5)[0] == 200
        return False

    def running(self):
        return self.daemon is not None and self.daemon.running()

    def stop(self):
        if self.daemon:
            self.daemon.stop(patience=90)
        self.daemon = None

    def kill(self):
        """kill -9: containers and their shims run on."""
        if self.daemon:
            self.daemon.stop(signal.SIGKILL)
        self.daemon = None
        self._wait_for_containerd()
        # Nobody may ever reap the dead containerd, and then the next dockerd would wait for it in vain.
        (self.exec_root / "containerd" / "containerd.pid").unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)

    def _wait_for_containerd(self):
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.exec_root / "containerd" / "containerd.pid").read_text())
            wait_until(lambda: not alive(pid), "containerd ended with dockerd")

    def restart(self, live_restore=None):
        self.stop()
        if live_restore is not None:
            self.live_restore = live_restore
        return self.start()

    def log(self):
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    # The docker command.

    def cli(self, *args, check=True, stdin=None, timeout=240, program=None):
        env = {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.dir / "cli"),
               "PATH": os.environ["PATH"], "HOME": str(self.dir)}
        result = subprocess.run([program or docker_clis()[0], *map(str, args)], input=stdin, capture_output=True,
                                env=env, timeout=timeout)
        result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode()
        if check:
            assert result.returncode == 0, (args, result.stdout, result.stderr)
        return result

    def docker(self, *args, program=None):
        """A docker command that has to succeed: what it prints."""
        return self.cli(*args, program=program).stdout.strip()

    def fails(self, *args):
        """A docker command that has to fail: its error text, on one line."""
        result = self.cli(*args, check=False)
        assert result.returncode != 0, (args, result.stdout)
        return " ".join(result.stderr.split())

    def inspect(self, *args, program=None):
        return json.loads(self.docker(*args, program=program))[0]

    def import_image(self, name=IMAGE, add_files=None):
        self.cli("import", "-", name, stdin=image_tar(add_files))

    def sh(self, volume, script, *flags, image=IMAGE, at="/mnt"):
        """Runs a shell script in a fresh container that has the volume: what it prints."""
        return self.docker("run", "--rm", "--network", "none", *flags, "-v", f"{volume}:{at}", image,
                           "sh", "-c", script)

    def background(self, name, volume, script, *flags, image=IMAGE):
        """Starts a container that runs the script, ends at once when told to, and has the volume on /mnt."""
        whole = f"trap 'exit 0' TERM; {script}\nwhile :; do sleep 1000 & wait $!; done"
        return self.docker("run", "-d", "--name", name, "--network", "none", *flags, "-v", f"{volume}:/mnt", image,
                           "sh", "-c", whole)

    def exec(self, container, script):
        return self.docker("exec", container, "sh", "-c", script)

    def containers(self):
        return self.docker("ps", "-aq", "--no-trunc").split()

    def volumes(self):
        """Names of the volumes that `docker volume ls` shows."""
        return sorted(self.docker("volume", "ls", "--format", "{{.Name}}").split())

    def state(self, container):
        return self.docker("inspect", "--format", "{{.State.Status}}", container)

    # What is left when dockerd is gone.

    def container_processes(self):
        """Processes in the cgroups of our containers."""
        pids = set()
        for place in self._cgroups():
            for file in place.rglob("cgroup.procs"):
                with contextlib.suppress(OSError):
                    pids.update(int(line) for line in file.read_text().split())
        return {pid for pid in pids if alive(pid)}

    def shims(self):
        mark = f"{self.exec_root}/containerd/".encode()
        found = set()
        for pid in processes():
            with contextlib.suppress(OSError):
                if mark in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() and alive(pid):
                    found.add(pid)
        return found

    def kill_containers(self):
        """Ends containers and shims that a killed dockerd left running."""
        def left():
            pids = self.shims() | self.container_processes()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return pids
        wait_until(lambda: not left(), "containers and shims ended")

    def _cgroups(self):
        root = pathlib.Path("/sys/fs/cgroup")
        return [place for place in [root / self.cgroup, *root.glob(f"*/{self.cgroup}")] if place.is_dir()]

    def _remove_cgroups(self):
        def left():
            for place in self._cgroups():
                for directory, _, _ in os.walk(place, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(directory)
            return self._cgroups()
        wait_until(lambda: not left(), "the containers' cgroups are gone")

    def clean(self):
        """Ends everything of this engine, however it was left, and removes its files."""
        self.kill()
        self.kill_containers()
        self._remove_cgroups()
        if self.host:
            self.host.unmount_below(self.dir)
        else:
            self._unmount_here()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _unmount_here(self):
        for _ in range(2):  # what lay below a mount shows only after it is gone
            table = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
            for where in reversed([where for where in table if where.startswith(f"{self.dir}/")]):
                subprocess.run(["umount", "-l", where], stderr=subprocess.DEVNULL)


def seconds(work):
    """(result, how long it took)"""
    start = time.monotonic()
    return work(), time.monotonic() - start
