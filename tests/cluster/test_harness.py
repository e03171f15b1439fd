# SPDX-License-Identifier: Apache-2.0
"""That the cluster's own tools do what the fault tests rely on: faults break, and the checker sees what is wrong."""
import subprocess
import time

import pytest
from cluster.checker import check_history, overlaps, unsettled
from cluster.history import HUNG, OK, History, Hold
from cluster.workload import ALIVE, Workload
from support.daemons import wait_until


@pytest.fixture(scope="module")
def cluster(clusters):
    return clusters(hosts=2, engines=False)


@pytest.fixture
def volume(cluster):
    """The one volume of a workload that does nothing by itself."""
    cluster.hosts[0].volcli("volume", "create", "tenant1/x")
    workload = Workload(cluster, "by-hand")
    workload.book.add("tenant1/x", ALIVE)
    [volume] = workload.book.volumes(ALIVE)
    volume.workload = workload
    yield volume
    cluster.hosts[0].volcli("volume", "remove", "tenant1/x")
    assert unsettled(cluster) == []


def ping(host, other):
    """Whether an answer came back."""
    return subprocess.run(host.host.enter(["/bin/busybox", "ping", "-c", "1", "-W", "1", other.address]),
                          capture_output=True).returncode == 0


@pytest.mark.parametrize("direction", ["in", "out", "both"])
def test_cut_and_mended(cluster, direction):
    one, other = cluster.hosts
    other.cut(direction)
    assert not ping(one, other) and not ping(other, one)
    other.mend()
    wait_until(lambda: ping(one, other) and ping(other, one), "the network is whole")


def test_one_direction_is_cut_only(cluster):
    """What the host says still arrives: it is counted at the far end."""
    one, other = cluster.hosts
    def frames(host):
        table = host.host.run("cat", "/proc/net/dev")
        return int(next(line.split()[2] for line in table.splitlines() if line.strip().startswith("eth0")))

    other.cut("in")
    before = frames(one)
    ping(other, one)
    assert frames(one) > before
    other.mend()
    other.cut("out")
    before = frames(one)
    ping(other, one)
    assert frames(one) == before
    other.mend()


def test_slow(cluster):
    one, other = cluster.hosts
    other.slow(100)
    wait_until(lambda: ping(one, other), "frames arrive")
    start = time.monotonic()
    assert ping(one, other) and time.monotonic() - start >= 0.2
    other.mend()
    assert ping(one, other)


def test_overlapping_uses_are_seen():
    first, second = Hold("a", "v", 1.0, 3.0), Hold("b", "v", 2.0, 4.0)
    assert overlaps([first, second]) == [(first, second)]
    assert overlaps([first, Hold("b", "v", 2.0)]) != []  # has not ended
    assert overlaps([first, Hold("b", "v", 3.0, 4.0)]) == []
    assert overlaps([first, Hold("a", "v", 2.0, 4.0), Hold("b", "other", 2.0, 4.0)]) == []


def test_calls_without_an_end_are_seen():
    history = History()
    history.begin("Mount", "a").finish(OK)
    check_history(history)
    call = history.begin("Mount", "a")
    with pytest.raises(AssertionError):
        check_history(history)
    call.finish(HUNG)
    with pytest.raises(AssertionError):
        check_history(history)


def test_lost_data_is_seen(cluster, volume):
    use = volume.workload.use
    assert use(cluster.hosts[0], volume) and use(cluster.hosts[1], volume) and volume.workload.book.wrong == []
    mounted = cluster.hosts[0].plugin("Mount", volume.name, ID="a")
    (cluster.hosts[0].path(mounted.detail["Mountpoint"]) / "log").write_text("")
    assert cluster.hosts[0].plugin("Unmount", volume.name, ID="a").ok
    assert use(cluster.hosts[1], volume)
    assert len(volume.workload.book.wrong) == 1 and "lost what was written" in volume.workload.book.wrong[0]


def test_what_is_not_at_rest_is_seen(cluster, volume):
    assert unsettled(cluster) == []
    foreign = cluster.pools / "default" / "tenant1.nobody"
    foreign.touch()
    assert unsettled(cluster) == ["image of tenant1/nobody without a record"]
    foreign.unlink()
    image = cluster.pools / "default" / "tenant1.x"
    image.rename(cluster.dir / "away")
    assert unsettled(cluster) == ["record of tenant1/x without an image"]
    (cluster.dir / "away").rename(image)
    assert cluster.hosts[1].plugin("Mount", volume.name, ID="a").ok
    left = " ".join(unsettled(cluster))
    assert all(what in left for what in ("mount record of tenant1/x on host2", "tenant1/x is mounted on host2",
                                         "shows tenant1.x")), left
    assert cluster.hosts[1].plugin("Unmount", volume.name, ID="a").ok


def test_mounts_on_two_hosts_are_seen(cluster, volume):
    """As the kernel has them, whatever the records say."""
    one, other = cluster.hosts
    assert one.plugin("Mount", volume.name, ID="a").ok
    where = other.mount_root / "tenant1.x"
    where.mkdir(parents=True, exist_ok=True)
    other.host.run("mount", cluster.devices()["tenant1.x"], where)
    assert cluster.mounted() == {volume.name: ["host1", "host2"]}
    other.host.run("umount", where)
    where.rmdir()
    assert one.plugin("Unmount", volume.name, ID="a").ok
