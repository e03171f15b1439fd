#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The take-over part of tools/bench: how long a host waits for a volume of another one that froze, and for what.

ceph_takeover.py ROUNDS TTL: `TTL`, in seconds, is that of the hosts' sessions. Three hosts in network namespaces, a
volmaster on an etcd of one member, and a Ceph of its own, as in tests/cluster. A container on the first host writes
when all of that host freezes; that moment is 0. The second host's Mount is asked for right then."""
import json
import os
import pathlib
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from cluster.cluster import Cluster  # noqa: E402
from support.daemons import UnixConnection, scratch, wait_until  # noqa: E402
from support.writer import SCRIPT as WRITER  # noqa: E402

VOLUME = "tenant1/x"
PATIENCE = 90
# What ends each part.
PARTS = {"ended": "the session of the lost host ends", "fencing": "the next look of the waiting host finds that",
         "handed": "it is cut off, and the record changes hands", "device": "attach: there is a loop device",
         "mounted": "hold noted, journal replayed, mounted, answered"}


class Watch:
    """When things happened: records, as volmaster tells their changes, and the device, as the kernel shows it."""

    def __init__(self, volmaster, lost, taker):
        self._lost, self._taker = lost, taker
        self._over = threading.Event()
        self.at = {}
        connection = UnixConnection(volmaster.api_socket)
        connection.request("GET", "/v1/events")
        self._events = connection.getresponse()
        for job in (self._follow, self._look_for_device):
            threading.Thread(target=job, daemon=True).start()

    def _note(self, what):
        self.at.setdefault(what, time.monotonic())

    def _follow(self):
        for line in self._events:
            if self._over.is_set():
                return
            if line.startswith(b"data: "):
                self._take(json.loads(line.removeprefix(b"data: ")))

    def _take(self, event):
        record = event.get("record", {})
        if (event.get("kind"), event.get("name"), event.get("change")) == ("session", self._lost.name, "erase"):
            self._note("ended")
        elif event.get("kind") == "mount" and record.get("phase") == "fencing":
            self._note("fencing")
        elif event.get("kind") == "mount" and record.get("node") == self._taker.name:
            self._note("handed")

    def _look_for_device(self):
        while "device" not in self.at and not self._over.wait(0.005):
            for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
                try:
                    if backing.read_text().startswith(f"{self._taker.dir}/"):
                        self._note("device")
                except OSError:
                    pass  # it has just gone

    def stop(self):
        self._over.set()
        missing = [what for what in PARTS if what not in self.at]
        assert not missing, f"nobody saw: {missing}"


def take_over(cluster):
    """Part -> seconds."""
    first, second, third = cluster.hosts
    third.volcli("volume", "create", VOLUME)
    first.engine.background("writer", VOLUME, WRITER)
    wait_until(lambda: len(first.engine.exec("writer", "cat /mnt/log 2>/dev/null || true").split()) > 3, "it writes")
    watch = Watch(third, first, second)
    before = time.monotonic()
    first.freeze()
    try:
        call = second.plugin("Mount", VOLUME, ID="next")
        assert call.ok, call
    finally:
        first.thaw()
    watch.at["mounted"] = call.end
    watch.stop()
    clear(cluster)
    parts = {}
    for what in PARTS:
        parts[what], before = watch.at[what] - before, watch.at[what]
    return parts


def clear(cluster):
    first, second, third = cluster.hosts
    second.plugin("Unmount", VOLUME, ID="next")
    first.engine.cli("rm", "-f", "writer")
    wait_until(lambda: not (cluster.mounted() or cluster.devices() or cluster.records("mounts")), "nobody has it",
               PATIENCE)
    wait_until(lambda: cluster.ceph.note_names() == ["tenant1.x/owner"], "nobody is kept from it", PATIENCE)
    third.volcli("volume", "remove", VOLUME)


def show(rounds, ttl):
    whole = [sum(parts.values()) for parts in rounds]
    print(f"{len(rounds)} rounds, sessions of {ttl} s, seconds; load {' '.join(f'{n:.2f}' for n in os.getloadavg())}\n")
    print("| until                                            | median |   least |    most |")
    print("|--------------------------------------------------|-------:|--------:|--------:|")
    lines = [(PARTS[what], [parts[what] for parts in rounds]) for what in PARTS]
    for name, values in [*lines, ("whole", whole), ("whole, in times to live", [value / ttl for value in whole])]:
        print(f"| {name:<48} | {statistics.median(values):>6.2f} | {min(values):>7.2f} | {max(values):>7.2f} |")
    print(flush=True)


def main(rounds, ttl):
    # A dead client's hold on an image would go after 30 s by itself: nothing here is to wait for that.
    with scratch("vpc-") as directory, \
            Cluster(directory / "c", hosts=3, masters=(2,), ceph=["osd client watch timeout = 600"],
                    agent_flags=["--session-ttl", f"{ttl}s", "--mount-wait", f"{4 * ttl}s"]) as cluster:
        show([take_over(cluster) for _ in range(rounds)], ttl)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
