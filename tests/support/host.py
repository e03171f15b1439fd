# SPDX-License-Identifier: Apache-2.0
"""Fake hosts: machines of their own as far as mounts, the host name and /run/docker go.

A holder process keeps a mount and a UTS namespace alive; programs are started inside with nsenter. Several
fake hosts live side by side, each with a driver called `volplugin`, and the engine of the machine they run
on is never touched. Ending the holder and what was started inside ends every mount of the host too.
"""
import os
import pathlib
import subprocess

from support.daemons import die_with_parent, wait_until

# A new mount namespace copies, and so pins, what is mounted at that moment: what other tests mounted has
# to be taken out of it again.
_SETUP = r"""
set -e
hostname "$1"
cut -d' ' -f5 /proc/self/mountinfo | sort -r | while read -r where; do
  case "$where" in /tmp/*) [ "$3" = keep ] || umount -l "$where" 2>/dev/null || true ;; esac
done
mkdir -p /run/docker /etc/docker
mount --bind "$2" /run/docker
mount -t tmpfs -o mode=755 none /etc/docker
[ ! -d /usr/lib/docker/plugins ] || mount -t tmpfs none /usr/lib/docker/plugins
echo ready
exec sleep infinity
"""


def alive(pid):
    """Whether a process still runs. One that only waits to be reaped does not: pid 1 of a container may
    never do it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Host:
    """One fake host; `directory` is on the file system all hosts share. `run_docker` (default: its own)
    is what it sees as /run/docker; `mounts_of`: a host whose mounts it receives; `own_network`: it has a
    network namespace of its own, with nothing in it."""

    def __init__(self, directory, name="host1", run_docker=None, mounts_of=None, own_network=False):
        self.dir = pathlib.Path(directory)
        self.name = name
        self.run_docker = pathlib.Path(run_docker or self.dir / "run-docker")
        self.mounts_of = mounts_of
        self.own_network = own_network
        self.holder = None

    @property
    def plugin_dir(self):
        """Where the engine of this host looks for plugin sockets."""
        return self.run_docker / "plugins"

    @property
    def pid(self):
        return self.holder.pid

    def start(self):
        self.plugin_dir.mkdir(parents=True, exist_ok=True)
        argv = ["unshare", "-m", "-u", "--propagation", "private"]
        if self.mounts_of:
            argv = self.mounts_of.enter(["unshare", "-m", "-u", "--propagation", "slave"])
        if self.own_network:
            argv.append("-n")
        keep = "keep" if self.mounts_of else "own"
        self.holder = subprocess.Popen(argv + ["sh", "-c", _SETUP, "holder", self.name, str(self.run_docker), keep],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                       preexec_fn=die_with_parent)
        assert self.holder.stdout.readline() == "ready\n", "the namespaces of a fake host cannot be made"
        return self

    def enter(self, argv):
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-n", "-r", "--"] + [str(a) for a in argv]

    def run(self, *argv, check=True):
        result = subprocess.run(self.enter(argv), stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=120)
        if check:
            assert result.returncode == 0, (argv, result.stdout, result.stderr)
        return result.stdout

    def spawn(self, *argv):
        """A child of ours inside the host; the caller ends it."""
        return subprocess.Popen(self.enter(argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def path(self, path):
        """The file that `path` names inside the host, as seen from here."""
        return pathlib.Path(f"/proc/{self.pid}/root{path}")

    def mounts(self):
        """(mount point, type, source) of everything mounted on the host."""
        table = []
        for line in pathlib.Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            table.append((left.split()[4], *right.split()[:2]))
        return table

    def unmount_below(self, directory):
        """Takes away every mount below a directory, as a machine that goes down does."""
        for where, _, _ in reversed(self.mounts()):
            if where.startswith(f"{directory}/"):
                self.run("umount", where, check=False)

    def clean(self):
        if self.holder is None:
            return
        pid = self.pid
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder = None
        wait_until(lambda: not alive(pid), "the fake host is gone")


def processes():
    """Numbers of all processes of the machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
