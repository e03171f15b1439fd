# SPDX-License-Identifier: Apache-2.0
"""A real Ceph of one machine for a test: a monitor, an OSD, a manager if asked for, in a directory of its own.

Ready in 1 to 2 s with memstore, in 5 to 8 s with bluestore. Nothing of it is in /etc/ceph or /var/lib/ceph, and a
test may have several at once."""
import contextlib
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import uuid

from support.daemons import PATIENCE, Daemon, wait_until

_CONF = """\
[global]
fsid = {fsid}
mon host = {mon_host}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon max pg per osd = 100000
auth allow insecure global id reclaim = false
# Every change of a snapshot waits for these: by default a second.
paxos propose interval = 0.01
paxos min wait = 0.01
{extra}
[client]
keyring = {dir}/keyrings/$name.keyring
[mon]
mon data = {dir}/mon
mon cluster log to file = false
mon data avail crit = 1
mon tick interval = 1
{daemons}
[mgr]
mgr data = {dir}/mgr
# Its modules are not needed to know the space: without them it takes 36 MB instead of 300, and 0.2 s.
mgr module path = {dir}/mgr
mgr tick period = 1
mgr stats period = 1
{daemons}
[osd]
osd data = {dir}/osd
osd objectstore = {store}
public addr = {address}
cluster addr = {address}
# How soon it sees that it is full.
osd heartbeat interval = 1
memstore device bytes = {size}
bluestore block size = {size}
{daemons}
"""
_DAEMONS = """\
keyring = {dir}/keyrings/$name.keyring
run dir = {dir}/run
admin socket = {dir}/run/$name.asok
crash dir = {dir}/crash
log file =
log to stderr = true"""

_CAPS = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *", "mgr": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *", "mgr": "allow profile osd"},
    "mgr.x": {"mon": "allow profile mgr", "osd": "allow *"},
}


def _free_ports(address, count):
    """A monitor cannot bind to port 0. The kernel gives out ports in turn, so these stay free long enough."""
    with contextlib.ExitStack() as open_ones:
        sockets = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((address, 0))
        return [one.getsockname()[1] for one in sockets]


class Member:
    """One daemon of the cluster. kill() is a power cut, pause() keeps its connections and answers nothing; after
    either, start() or resume() brings it back with what it has stored (an OSD in memory has then lost all)."""

    def __init__(self, argv, log, before, wait_ready):
        self._daemon = Daemon(argv, log)
        self._before = before
        self._wait_ready = wait_ready

    def start(self):
        """Returns when it serves. The monitor goes first."""
        assert not self.running()
        self._before()
        self._daemon.start()
        self._wait_ready()

    def running(self):
        return self._daemon.running()

    def stop(self, number=signal.SIGTERM):
        self.resume()
        self._daemon.stop(number)

    def kill(self):
        self._daemon.stop(signal.SIGKILL)

    def pause(self):
        self._daemon.process.send_signal(signal.SIGSTOP)

    def resume(self):
        if self.running():
            self._daemon.process.send_signal(signal.SIGCONT)

    def log(self):
        return self._daemon.text()


class Ceph:
    """The cluster; `directory` is its own and goes with it. Members: mon, osd, and mgr if asked for.

    store    "memstore", or "bluestore", which survives the end of the OSD
    mgr      only a manager knows how much space there is and enforces quotas of pools
    address  of this machine; where guests and network namespaces are to reach it, not that of the loopback
    extra    lines for every program, as "osd client watch timeout = 3"
    size     bytes of the OSD; sparse
    enter    words before those of every program, as cluster.network.Switch.enter() gives them

    Its daemons die with the thread that started them."""

    def __init__(self, directory, store="memstore", mgr=False, address="127.0.0.1", extra=(), size=8 << 30, enter=()):
        assert store in ("memstore", "bluestore")  # Ceph would take a default for anything else
        self.dir = pathlib.Path(directory)
        self.conf = self.dir / "ceph.conf"
        self.keyring = self.keyring_of("client.admin")
        self.fsid = str(uuid.uuid4())
        self._enter = [*map(str, enter)]
        self._osd_uuid = str(uuid.uuid4())
        v2, v1 = _free_ports("127.0.0.1" if enter else address, 2)
        self.mon_host = f"[v2:{address}:{v2},v1:{address}:{v1}]"
        self._text = _CONF.format(
            fsid=self.fsid, mon_host=self.mon_host, dir=self.dir, store=store, address=address, size=size,
            extra="\n".join(extra), daemons=_DAEMONS.format(dir=self.dir))
        self.mon = self._member("ceph-mon", "a", lambda: self.ceph("mon", "stat"))
        self.osd = self._member("ceph-osd", "0", self._await_osd, self._forget_osd)
        self.mgr = self._member("ceph-mgr", "x", self._await_space) if mgr else None

    def _member(self, program, name, wait_ready, before=lambda: None):
        argv = [*self._enter, program, "-i", name, "-c", self.conf, "-f"]
        return Member(argv, self.dir / f"{program}.log", before, wait_ready)

    def keyring_of(self, user):
        """The file with the key of a user ("client.x") or daemon. Clients that are given the conf find theirs."""
        return self.dir / "keyrings" / f"{user}.keyring"

    # Life.

    def start(self):
        for part in ("keyrings", "mon", "osd", "mgr", "run", "crash"):
            (self.dir / part).mkdir(parents=True)
        self.conf.write_text(self._text)
        for name, caps in _CAPS.items():
            words = [word for cap in caps.items() for word in ("--cap", *cap)]
            self._run("ceph-authtool", "-C", self.keyring_of(name), "-g", "-n", name, *words)
        # Not where the monitor stores: it would take that for its own, and not begin.
        keys = self.dir / "keys"
        keys.write_text("".join(self.keyring_of(name).read_text() for name in _CAPS))
        monmap = self.dir / "monmap"
        self._run("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a", self.mon_host, monmap)
        self._run("ceph-mon", "-i", "a", "-c", self.conf, "--mkfs", "--monmap", monmap, "--keyring", keys)
        self._run("ceph-osd", "-i", "0", "-c", self.conf, "--mkfs", "--osd-uuid", self._osd_uuid, "--no-mon-config")
        self.mon.start()
        self.ceph("osd", "new", self._osd_uuid, "0")
        self.osd.start()
        if self.mgr:
            self.mgr.start()
        return self

    def stop(self):
        """Everything ends at once, and the directory goes. Also after half a start()."""
        for member in (self.mgr, self.osd, self.mon):
            if member:
                member.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def _forget_osd(self):
        """Nobody tells the monitor of a killed OSD, and until it knows it would keep a new one waiting."""
        self.ceph("osd", "down", "0")

    def _await_osd(self):
        wait_until(lambda: "1 up" in self.ceph("osd", "stat") or not self.osd.running(), "the OSD is up")
        assert self.osd.running(), self.osd.log()[-3000:]

    def _await_space(self):
        wait_until(lambda: self.space()["total_bytes"] or not self.mgr.running(), "the manager knows the space")
        assert self.mgr.running(), self.mgr.log()[-3000:]

    # Programs.

    def _run(self, *argv, check=True, user=None, timeout=PATIENCE, stdin=None):
        done = subprocess.run([*self._enter, *map(str, argv)], text=True, capture_output=True, timeout=timeout,
                              input=stdin or "")
        if check:
            assert done.returncode == 0, (argv, done.stdout, done.stderr)
        return done

    def rbd(self, *args, user="client.admin", check=True, timeout=PATIENCE):
        """The finished process. Raises subprocess.TimeoutExpired, and kills it, when it hangs."""
        return self._run("rbd", "-c", self.conf, "-n", user, *args, check=check, timeout=timeout)

    def ceph(self, *args, user="client.admin", timeout=PATIENCE):
        """What the command prints."""
        return self._run("ceph", "-c", self.conf, "-n", user, *args, timeout=timeout).stdout

    def note_names(self, pool="rbd"):
        """What the driver has noted in the pool: names only, as "tenant1.x/owner"."""
        listed = self._run("rados", "-c", self.conf, "-p", pool, "listomapkeys", "volplugin_notes", check=False)
        assert listed.returncode == 0 or "No such file" in listed.stderr, listed.stderr
        return sorted(listed.stdout.split())

    def notes(self, pool="rbd"):
        """The same with what is noted, as `rados` prints it."""
        return self._run("rados", "-c", self.conf, "-p", pool, "listomapvals", "volplugin_notes", check=False).stdout

    def ceph_json(self, *args):
        return json.loads(self.ceph(*args, "--format", "json"))

    # What tests need of a cluster.

    def make_pool(self, name="rbd"):
        """For images at once. Some 0.3 s."""
        self.ceph("osd", "pool", "create", name, "4", "4")
        self.rbd("pool", "init", name)
        return name

    def add_user(self, name, *pools):
        """A user "client.<name>" who may use images of these pools; returns its keyring file."""
        osd = ", ".join(f"profile rbd pool={pool}" for pool in pools) or "profile rbd"
        key = self.ceph("auth", "get-or-create", f"client.{name}", "mon", "profile rbd", "osd", osd)
        keyring = self.keyring_of(f"client.{name}")
        keyring.touch(0o600)
        keyring.write_text(key)
        return keyring

    def blocklist(self):
        """Addresses of clients that are cut off: "127.0.0.1:0/123"."""
        return sorted(self.ceph_json("osd", "dump")["blocklist"])

    # Clients that write to a full pool do not get an error: they wait until it is not full any more.

    def set_quota(self, pool, most, of="max_bytes"):
        """How much the pool may hold, 0: any; the manager sees some seconds late that it is too much."""
        assert self.mgr, "nobody else looks after quotas"
        self.ceph("osd", "pool", "set-quota", pool, of, str(most))

    def fill_up(self):
        """The OSD takes itself for full, whatever it holds. Returns when all pools are."""
        self._set_ratios(("nearfull", 1e-9), ("backfillfull", 1e-9), ("full", 1e-9))
        wait_until(lambda: self.pools() == self.full_pools(), "pools are full")

    def make_room(self):
        """Ends fill_up()."""
        self._set_ratios(("full", 0.95), ("backfillfull", 0.9), ("nearfull", 0.85))
        wait_until(lambda: not self.full_pools(), "pools are not full any more")

    def pools(self):
        return [pool["pool_name"] for pool in self.ceph_json("osd", "pool", "ls", "detail")]

    def full_pools(self):
        return [pool["pool_name"] for pool in self.ceph_json("osd", "pool", "ls", "detail")
                if "full" in pool["flags_names"].split(",")]

    def _set_ratios(self, *ratios):
        for name, ratio in ratios:
            self.ceph("osd", f"set-{name}-ratio", f"{ratio:.9f}")

    def space(self):
        """{"total_bytes", "total_avail_bytes", ...} of all; zeros without a manager."""
        return self.ceph_json("df")["stats"]
