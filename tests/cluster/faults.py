# SPDX-License-Identifier: Apache-2.0
"""FAULTS: what breaks while volumes are created, mounted, unmounted and removed. See test_faults.py.

A new fault is one function with a row in front: it breaks something, yields for as long as it lasts, and ends it.
It is called in the test's own thread. Not there yet:
- a host that is lost for good whose mounts end with its session;
- the volmaster an agent talks to is lost, and the agent goes to another one: Cluster(masters=(0, 1, 2))."""
import contextlib
import dataclasses
import datetime
import re
import time
import typing

from cluster.hosts import Clock
from support.daemons import wait_until

ETCD_OUTAGE = 10  # seconds
DAY = 24 * 60 * 60


@dataclasses.dataclass
class Fault:
    name: str
    steps: typing.Callable
    seconds: float
    goes_on: tuple  # numbers of hosts on which mounts are granted meanwhile

    @contextlib.contextmanager
    def inject(self, cluster):
        """Ends with the block, also when that fails: the next test gets a whole cluster."""
        steps = self.steps(cluster)
        next(steps)
        try:
            yield
        finally:
            next(steps, None)


FAULTS = []


def fault(seconds, goes_on=()):
    def enter(inject):
        FAULTS.append(Fault(inject.__name__, inject, seconds, goes_on))
        return inject
    return enter


# Programs of the product. A service manager starts them again.

@fault(1)
def volmaster_killed(cluster):
    cluster.hosts[0].kill("volmaster")
    yield
    cluster.hosts[0].start("volmaster")


@fault(4)
def volmaster_paused(cluster):
    cluster.hosts[0].pause("volmaster")
    yield
    cluster.hosts[0].resume("volmaster")


@fault(1, goes_on=(0, 2))
def volplugin_killed(cluster):
    cluster.hosts[1].kill("volplugin")
    yield
    cluster.hosts[1].start("volplugin")


@fault(4, goes_on=(0, 2))
def volplugin_paused(cluster):
    cluster.hosts[1].pause("volplugin")
    yield
    cluster.hosts[1].resume("volplugin")


# The wall clock of a program: a day on, then two days back.

def _clock(name, number, program, goes_on):
    def inject(cluster):
        host = cluster.hosts[number]
        clock = Clock(host.dir / f"{program}.clock")
        host.kill(program)
        host.start(program, clock=clock)
        clock.jump(+DAY)
        wait_until(lambda: day_of_log(host, program) > 0, f"the clock of {program} is a day ahead")
        clock.jump(-DAY)
        wait_until(lambda: day_of_log(host, program) < 0, f"the clock of {program} is a day late")
        yield
        host.kill(program)
        host.start(program)
    inject.__name__ = name
    fault(4, goes_on)(inject)


def day_of_log(host, program):
    """How many days the program's last line is ahead of us."""
    lines = [line for line in host.log(program).splitlines() if re.match(r"\d{4}-\d\d-\d\dT", line)]
    ahead = datetime.datetime.fromisoformat(lines[-1][:23]) - datetime.datetime.utcnow()
    return round(ahead / datetime.timedelta(days=1))


_clock("volmaster_clock_jumps", 0, "volmaster", (0, 1, 2))
_clock("volplugin_clock_jumps", 1, "volplugin", (0, 1, 2))


# The network of a host with an agent, and of the host with volmaster.

def _network(name, host, seconds, goes_on, break_it):
    def inject(cluster):
        break_it(cluster.hosts[host])
        yield
        cluster.hosts[host].mend()
    inject.__name__ = name
    fault(seconds, goes_on)(inject)


_network("agent_cut_off", 1, 6, (0, 2), lambda host: host.cut())
_network("agent_hears_nothing", 1, 6, (0, 2), lambda host: host.cut("in"))
_network("agent_is_not_heard", 1, 6, (0, 2), lambda host: host.cut("out"))
_network("agent_slow", 1, 6, (0, 1, 2), lambda host: host.slow(100))
_network("volmaster_cut_off", 0, 6, (), lambda host: host.cut())
_network("volmaster_hears_nothing", 0, 6, (), lambda host: host.cut("in"))
_network("volmaster_slow", 0, 6, (0, 1, 2), lambda host: host.slow(50))


# etcd.

@fault(4, goes_on=(0, 1, 2))
def etcd_leader_killed(cluster):
    leader = cluster.leader()
    leader.kill()
    yield
    leader.start(cluster.etcd)


@fault(6, goes_on=(0, 1, 2))
def etcd_leader_paused(cluster):
    leader = cluster.leader()
    leader.pause()
    yield
    leader.resume()


@fault(6, goes_on=(0, 1, 2))
def etcd_member_paused(cluster):
    leader = cluster.leader()
    follower = next(member for member in cluster.etcd if member is not leader)
    follower.pause()
    yield
    follower.resume()


@fault(6, goes_on=(0, 1, 2))
def etcd_leader_cut_off(cluster):
    leader = cluster.leader()
    leader.cut()
    yield
    leader.mend()


@fault(ETCD_OUTAGE)
def etcd_down(cluster):
    for member in cluster.etcd:
        member.kill()
    yield
    cluster.start_etcd()


@fault(4, goes_on=(0, 1, 2))
def etcd_compacted(cluster):
    """To the present revision, again and again: every watch and every old revision is affected."""
    until = time.monotonic() + 4
    while time.monotonic() < until:
        status = cluster.etcd[0].ctl("endpoint", "status", "-w", "json").stdout
        revision = status.split('"revision":')[1].split(",")[0].rstrip("}")
        cluster.etcd[0].ctl("compact", revision, check=False)
        time.sleep(0.1)
    yield


@fault(4)
def etcd_full(cluster):
    """At its quota: it takes no more records. The runbook of docs/operations/etcd.md ends it."""
    megabyte = "x" * (1 << 20)
    for number in range(100):
        if cluster.etcd[0].ctl("put", f"junk{number}", stdin=megabyte, check=False).returncode != 0:
            break
    assert "NOSPACE" in cluster.etcd[0].ctl("alarm", "list").stdout
    yield
    cluster.etcd[0].ctl("del", "junk", "--prefix")
    status = cluster.etcd[0].ctl("endpoint", "status", "-w", "json").stdout
    cluster.etcd[0].ctl("compact", status.split('"revision":')[1].split(",")[0].rstrip("}"), check=False)
    for member in cluster.etcd:
        member.ctl("defrag")
    cluster.etcd[0].ctl("alarm", "disarm")
