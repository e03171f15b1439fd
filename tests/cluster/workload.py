# SPDX-License-Identifier: Apache-2.0
"""Workload: threads that create, mount, write, read, unmount and remove volumes on all hosts, as engines and people do.

The Book says what the cluster acknowledged; the checker compares it with what is there afterwards."""
import collections
import os
import random
import secrets
import threading
import time

from cluster.cluster import TENANTS

ALIVE = "alive"      # its creation was acknowledged, and no removal was asked for that may have happened
MAYBE = "maybe"      # a creation or removal ended without a clear answer: there or not, but never in between
GONE = "gone"        # its removal was acknowledged
ENOUGH = 10          # volumes that are alive: above that they are made more slowly,
MOST = 30            # and above that not at all
RETRIES = (1, 2, 4, 8)  # seconds after which the engine tries again when it cannot reach volplugin


class Volume:
    def __init__(self, name, state):
        self.name = name
        self.state = state
        self.was_alive = state == ALIVE
        self.written = []  # acknowledged: written and flushed


class Book:
    """Thread safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._volumes = {}
        self.wrong = []

    def add(self, name, state):
        with self._lock:
            self._volumes[name] = Volume(name, state)

    def set(self, volume, state):
        with self._lock:
            volume.state = state

    def take(self, rng, state, then=None):
        """A random volume in `state`, moved to `then`; None if there is none."""
        with self._lock:
            found = [v for v in self._volumes.values() if v.state == state]
            if not found:
                return None
            volume = rng.choice(found)
            volume.state = then or state
            return volume

    def acknowledge(self, volume, token):
        with self._lock:
            volume.written.append(token)

    def written(self, volume):
        with self._lock:
            return list(volume.written)

    def names(self, state):
        with self._lock:
            return sorted(v.name for v in self._volumes.values() if v.state == state)

    def volumes(self, state):
        with self._lock:
            return [v for v in self._volumes.values() if v.state == state]

    def complain(self, what):
        with self._lock:
            self.wrong.append(what)


class Workload:
    """`start()`, some faults, `stop()`; then checker.check(). Runs at least until each kind of call was made."""

    def __init__(self, cluster, prefix, users_per_host=2):
        self.cluster = cluster
        self.history = cluster.history
        self.book = Book()
        self.prefix = prefix
        self.made = 0
        self.began = time.monotonic()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), name=f"workload-{n}")
                         for n in range(2 + users_per_host * len(cluster.hosts))]
        self._watch = threading.Thread(target=self._watch_mounts, name="watch-mounts")

    def start(self):
        for thread in [*self._threads, self._watch]:
            thread.start()
        return self

    def stop(self):
        """Ends when every call has ended."""
        self._stop.set()
        for thread in [*self._threads, self._watch]:
            thread.join()

    def _run(self, number):
        rng = random.Random(f"{self.prefix}{number}")
        # Each kind of work, and using volumes on each host, has threads of its own: every fault meets all of it,
        # and a host that hangs stops its own users only.
        def use_one(rng):
            return self._use_one(rng, self.cluster.hosts[number % len(self.cluster.hosts)])

        work = {0: self._create_one, 1: self._remove_one}.get(number, use_one)
        try:
            while not self._stop.is_set():
                self._stop.wait(work(rng))
        except BaseException as error:
            self.book.complain(f"the workload itself failed: {error!r}")
            raise

    def _create_one(self, rng):
        alive = len(self.book.names(ALIVE))
        if alive < MOST:
            self.made += 1
            self.create(rng, f"{rng.choice(TENANTS)}/{self.prefix}-{self.made}")
        return 0.05 if alive < ENOUGH else 0.5

    def _remove_one(self, rng):
        if len(self.book.names(ALIVE)) > 2:
            self.remove(rng)
        return 0.3

    def _use_one(self, rng, host):
        volume = self.book.take(rng, ALIVE)
        granted = volume and self.use(host, volume, rng.random() * 0.2)
        return 0 if granted else 0.02

    # One of each.

    def create(self, rng, name):
        host = rng.choice(self.cluster.hosts)
        if rng.random() < 0.5:
            created = host.plugin("Create", name, Opts={}).ok
        else:
            created = host.volcli("volume", "create", name, check=False, volume=name).returncode == 0
        self.book.add(name, ALIVE if created else MAYBE)

    def remove(self, rng):
        volume = self.book.take(rng, ALIVE, MAYBE)
        if volume is None:
            return
        done = rng.choice(self.cluster.hosts).volcli("volume", "remove", volume.name, check=False, volume=volume.name)
        if done.returncode == 0:
            self.book.set(volume, GONE)
        elif "is mounted on node" in done.stderr:  # refused before anything was done
            self.book.set(volume, ALIVE)

    def use(self, host, volume, seconds=0.0):
        """Mount, check and write as a container does, unmount. Whether the mount was granted."""
        use_id = secrets.token_hex(32)
        mounted = host.plugin("Mount", volume.name, ID=use_id)
        if not mounted.ok:
            return False
        hold = self.history.hold(host.name, volume.name)
        try:
            # The open file keeps the file system in use, as a container would.
            with open(host.path(mounted.detail["Mountpoint"]) / "log", "a+") as log:
                self._check_and_write(host, volume, log)
                self._stop.wait(seconds)
                hold.end = time.monotonic()
        except OSError as error:
            hold.end = time.monotonic()
            self.book.complain(f"{volume.name} on {host.name} cannot be used: {error}")
        self._unmount(host, volume, use_id)
        return True

    def _check_and_write(self, host, volume, log):
        if os.fstat(log.fileno()).st_dev == os.stat(self.cluster.dir).st_dev:
            self.book.complain(f"{volume.name} on {host.name} is a directory of the host's own disk")
            return
        expected = self.book.written(volume)
        log.seek(0)
        lost = collections.Counter(expected) - collections.Counter(log.read().split())
        if lost:
            self.book.complain(f"{volume.name} on {host.name} lost what was written: {sorted(lost)}")
        token = secrets.token_hex(4)
        log.write(token + "\n")
        log.flush()
        os.fsync(log.fileno())
        self.book.acknowledge(volume, token)

    @staticmethod
    def _unmount(host, volume, use_id):
        for pause in (*RETRIES, None):
            if host.plugin("Unmount", volume.name, ID=use_id).outcome != "unreachable" or pause is None:
                return
            time.sleep(pause)

    def _watch_mounts(self):
        """What the kernel says, whatever the records do."""
        while not self._stop.is_set():
            for volume, hosts in self.cluster.mounted().items():
                if len(hosts) > 1:
                    self.book.complain(f"{volume} is mounted on {hosts} at once")
            time.sleep(0.05)
