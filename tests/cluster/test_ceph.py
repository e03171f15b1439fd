# SPDX-License-Identifier: Apache-2.0
"""Three hosts with volumes in a Ceph cluster: data follows, one writer each, and a lost host is cut off by itself.

Hosts share the kernel's loop devices, but each has one of its own for an image, behind a process of its own that talks
to the cluster over the host's network: what another host may still write is up to the cluster alone."""
import json
import time

import pytest
from support.daemons import wait_until
from support.writer import SCRIPT as WRITER

TTL = 8  # seconds
X = "tenant1/x"
IMAGE = "tenant1.x"
NEW_DATA = "dd if=/dev/urandom of=/mnt/new bs=64k count=64 conv=fsync 2>/dev/null; md5sum < /mnt/new"


@pytest.fixture(scope="module")
def cluster(clusters):
    # A dead client's hold on an image would go after 30 s by itself: nothing here may wait for that.
    return clusters(hosts=3, masters=(2,), agent_flags=["--session-ttl", f"{TTL}s"],
                    ceph=["osd client watch timeout = 600"])


@pytest.fixture
def hosts(cluster):
    """The volume tenant1/x is there; nothing of it may stay."""
    cluster.hosts[2].volcli("volume", "create", X)
    yield cluster.hosts
    for host in cluster.hosts:
        if containers := host.engine.containers():
            host.engine.cli("rm", "-f", *containers)
    wait_until(lambda: at_rest(cluster), "nothing of the volume is left on a host", 90)
    cluster.hosts[2].volcli("volume", "remove", X)
    assert cluster.images() == [] and cluster.ceph.note_names() == []


def at_rest(cluster):
    """Nobody has the volume, and nothing keeps anybody from it."""
    return (cluster.ceph.note_names(), cluster.mounted(), cluster.devices(), cluster.records("mounts"),
            [host.servers() for host in cluster.hosts]) == ([f"{IMAGE}/owner"], {}, {}, [], [[], [], []])


def node(cluster, host):
    return json.loads(cluster.hosts[2].volcli("node", "get", host.name))


def run(host, script):
    """In a container with the volume: the ended docker command."""
    return host.docker("run", "--rm", "--network", "none", "-v", f"{X}:/mnt", "busybox", "sh", "-c", script,
                       check=False)


def refused(host, holder):
    done = run(host, "true")
    return done.returncode == 125 and f"is mounted on node '{holder.name}'" in done.stderr


def start_writer(host):
    host.engine.background("writer", X, WRITER)
    written = wait_until(lambda: lines(host) if lines(host) >= 3 else 0, "the container writes")
    # Not `sync`: that waits for all that this kernel has mounted, also for a host that another test froze.
    host.engine.exec("writer", "dd if=/dev/null of=/mnt/log conv=notrunc,fsync 2>/dev/null")
    return written


def lines(host):
    return len(host.engine.exec("writer", "cat /mnt/log 2>/dev/null || true").split())


def is_whole(text, at_least):
    # Of a line that was not flushed ext4 may know the length and not the content: zeros.
    numbers = [int(line) for line in text.rstrip("\0").split()]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= at_least, text


def fsck(cluster, directory):
    """Of an image that nobody has."""
    file = directory / "copy"
    file.unlink(missing_ok=True)
    cluster.ceph.rbd("export", "--no-progress", IMAGE, file)
    cluster.hosts[2].host.run("e2fsck", "-fn", file)


def take_over(cluster, host, lost_at):
    """The host gets the volume by itself, and soon; what was there, and the checksum of what it wrote."""
    taken = wait_until(lambda: [done for done in [run(host, f"cat /mnt/log; echo; {NEW_DATA}")] if done.returncode == 0],
                       f"{host.name} takes the volume over", 2 * TTL)[0]
    took = time.monotonic() - lost_at
    assert took <= 2 * TTL, f"{host.name} has the volume only after {took:.1f} s"
    log, _, checksum = taken.stdout.strip().rpartition("\n")
    return log, checksum


def test_data_follows_and_one_host_writes(cluster, hosts):
    first, second, _ = hosts
    written = start_writer(first)
    assert refused(second, first)
    first.docker("stop", "writer")
    done = run(second, "cat /mnt/log")
    assert done.returncode == 0, done
    is_whole(done.stdout, written)


@pytest.mark.parametrize("how", ["frozen", "cut off"])
def test_lost_host_is_cut_off_and_comes_back(cluster, hosts, how, tmp_path):
    first, second, _ = hosts
    written = start_writer(first)
    assert refused(second, first)
    lost_at = time.monotonic()
    first.freeze() if how == "frozen" else first.cut()
    try:
        log, checksum = take_over(cluster, second, lost_at)
        is_whole(log, written)
        assert f"{IMAGE}/fenced/host1" in cluster.ceph.note_names()
        cut_off = cluster.ceph.blocklist()
        assert cut_off and all(client.startswith(f"{first.address}:") for client in cut_off), cut_off
        # Also while somebody uses it. (Without an end of its own, so that nobody unmounts it meanwhile.)
        second.engine.background("user", X, "")
    finally:
        first.thaw() if how == "frozen" else first.mend()
    late = first.engine.cli("exec", "writer", "dd", "if=/dev/zero", "of=/mnt/new", "bs=4k", "count=64", "conv=fsync",
                            check=False)
    assert late.returncode != 0, "a host that was cut off writes"
    wait_until(lambda: node(cluster, first)["fenced"] == [X], "host1 finds out", 60)
    assert "fenced" in run(first, "true").stderr
    assert second.engine.exec("user", "md5sum < /mnt/new").strip() == checksum
    first.docker("rm", "-f", "writer")
    wait_until(lambda: node(cluster, first)["fenced"] == [], "host1 has let go", 60)
    assert first.servers() == [] and X not in first.mounted()
    assert cluster.ceph.blocklist() == []
    assert cluster.ceph.note_names() == [f"{IMAGE}/holder/host2", f"{IMAGE}/owner"]
    assert refused(first, second)
    second.docker("rm", "-f", "user")
    wait_until(lambda: at_rest(cluster), "nobody has it")
    fsck(cluster, tmp_path)
    done = run(first, "md5sum < /mnt/new; cat /mnt/log")  # from the cluster: nothing of it is in a cache
    assert done.returncode == 0, done
    found, _, log = done.stdout.partition("\n")
    assert found == checksum
    is_whole(log, written)
    start = run(first, "echo again > /mnt/again")
    assert start.returncode == 0 and run(second, "cat /mnt/again").stdout == "again\n"


def test_agent_that_is_killed_and_started_under_a_container(cluster, hosts):
    first, second, _ = hosts
    written = start_writer(first)
    servers = first.servers()
    first.kill("volplugin")
    wait_until(lambda: lines(first) > written, "the container goes on writing")
    assert refused(second, first)
    first.start("volplugin")
    written = lines(first)
    wait_until(lambda: lines(first) > written, "the container goes on writing")
    wait_until(lambda: node(cluster, first)["state"] == "ready", "host1 is back")
    assert refused(second, first)
    assert first.servers() == servers and cluster.ceph.blocklist() == []
    assert run(first, "true").returncode == 0, "one more container there"
    first.docker("stop", "writer")
    is_whole(run(second, "cat /mnt/log").stdout, written)


def test_rebooted_host_uses_its_own_volume_at_once(cluster, hosts):
    first, second, _ = hosts
    written = start_writer(first)
    first.power_off()
    first.power_on()
    done = run(first, "cat /mnt/log; echo again > /mnt/again")
    assert done.returncode == 0, done
    is_whole(done.stdout, written)
    assert cluster.ceph.blocklist(), "its earlier self is cut off"
    first.engine.cli("rm", "-f", "writer")
    done = run(second, "cat /mnt/again")
    assert done.stdout == "again\n", done


def test_takeover_by_hand_leaves_a_lost_host_alone(cluster, hosts):
    """takeover=manual: nobody is cut off, and a host that comes back goes on."""
    first, second, third = hosts
    third.volcli("volume", "remove", X)
    third.volcli("volume", "create", X, "--opt", "takeover=manual")
    start_writer(first)
    before = set(cluster.ceph.blocklist())  # of an earlier test: who died stays cut off until the entry ends
    first.freeze()
    try:
        wait_until(lambda: "takeover is manual" in run(second, "true").stderr, "host2 is told what to do", 4 * TTL)
        assert set(cluster.ceph.blocklist()) <= before
        assert f"{IMAGE}/fenced/host1" not in cluster.ceph.note_names()
    finally:
        first.thaw()
    written = lines(first)
    wait_until(lambda: lines(first) > written, "the container goes on writing", 60)
    wait_until(lambda: refused(second, first), "host1 holds it as before", 60)
    written = lines(first)
    first.docker("stop", "writer")
    is_whole(run(second, "cat /mnt/log").stdout, written)
