# SPDX-License-Identifier: Apache-2.0
"""Three hosts with engines over one etcd and one shared pool: one writer each, data follows, names and labels."""
import concurrent.futures
import threading

import pytest
from cluster.checker import check, wait_settled
from cluster.workload import Workload
from support.daemons import wait_until
from support.writer import SCRIPT as WRITER

VOLUMES = 6


@pytest.fixture(scope="module")
def cluster(clusters):
    return clusters(hosts=3)


@pytest.fixture
def hosts(cluster):
    """When the test ends, nothing of it may stay."""
    yield cluster.hosts
    for host in cluster.hosts:
        if containers := host.engine.containers():
            host.engine.cli("rm", "-f", *containers)
    wait_settled(cluster)
    for volume in cluster.records("volumes"):
        cluster.hosts[0].volcli("volume", "remove", f"{volume['tenant']}/{volume['name']}")
    assert cluster.images() == []


def at_once(work, *args_of_each):
    """Runs work(*args) for all of them at the same moment: what each returned."""
    ready = threading.Barrier(len(args_of_each))

    def run(args):
        ready.wait()
        return work(*args)

    with concurrent.futures.ThreadPoolExecutor(len(args_of_each)) as pool:
        return list(pool.map(run, args_of_each))


def run(host, volume, script):
    return host.docker("run", "--rm", "--network", "none", "-v", f"{volume}:/mnt", "busybox", "sh", "-c", script,
                       check=False)


def test_hosts_are_known_by_their_labels(cluster, hosts):
    """By label and not by address; the uname of a host plays no part in it."""
    wait_until(lambda: {n["name"] for n in cluster.records("nodes")} == {"host1", "host2", "host3"}, "all registered")
    assert hosts[2].volcli("node", "list").split() == ["host1", "host2", "host3"]


def test_each_volume_has_one_winner(cluster, hosts):
    """All hosts mount all volumes at once. Losers are told who has it, and what one wrote the next one reads."""
    names = [f"tenant1/v{n}" for n in range(VOLUMES)]
    for name in names:
        hosts[0].volcli("volume", "create", name)
    jobs = [(host, name) for name in names for host in hosts]
    calls = at_once(lambda host, name: host.plugin("Mount", name, ID=f"first-{host.name}"), *jobs)
    holders = {}
    for name in names:
        of_this = [call for call in calls if call.volume == name]
        [winner] = [call for call in of_this if call.ok]
        losers = [call for call in of_this if not call.ok]
        assert all(f"'{winner.host}'" in call.error and name in call.error for call in losers), losers
        holders[name] = winner
    assert cluster.mounted() == {name: [winner.host] for name, winner in holders.items()}
    assert {(f"{m['tenant']}/{m['name']}", m["node"]) for m in cluster.records("mounts")} == \
        {(name, winner.host) for name, winner in holders.items()}
    for name, winner in holders.items():
        host = next(host for host in hosts if host.name == winner.host)
        path = host.path(winner.detail["Mountpoint"])
        (path / "file").write_text(f"{name} by {host.name}")
        assert host.plugin("Unmount", name, ID=f"first-{host.name}").ok
    for name, winner in holders.items():
        other = next(host for host in hosts if host.name != winner.host)
        mounted = other.plugin("Mount", name, ID="second")
        assert mounted.ok, mounted
        assert (other.path(mounted.detail["Mountpoint"]) / "file").read_text() == f"{name} by {winner.host}"
        assert other.plugin("Unmount", name, ID="second").ok


def test_containers_compete_for_a_volume(cluster, hosts):
    """The same with engines. The holder goes on writing while the others are refused."""
    hosts[1].docker("volume", "create", "-d", "volplugin", "tenant1/x")
    hosts[1].engine.background("writer", "tenant1/x", WRITER)
    for done in at_once(lambda host: run(host, "tenant1/x", "true"), [hosts[0]], [hosts[2]]):
        assert done.returncode == 125 and "is mounted on node 'host2'" in done.stderr, done
    refused = hosts[2].volcli("volume", "remove", "tenant1/x", check=False)
    assert refused.returncode == 4 and "is mounted on node 'host2'" in refused.stderr
    assert run(hosts[1], "tenant1/x", "cat /mnt/log").returncode == 0  # the same host may share it
    hosts[1].docker("stop", "writer")
    written = hosts[1].engine.sh("tenant1/x", "cat /mnt/log").split()
    assert written == [str(n + 1) for n in range(len(written))]
    winners = at_once(lambda host: run(host, "tenant1/x", "cat /mnt/log; sleep 3"), [hosts[0]], [hosts[2]])
    assert sorted(done.returncode for done in winners) == [0, 125]
    assert [done.stdout.split() for done in winners if done.returncode == 0] == [written]


def test_one_name_in_two_tenants(hosts):
    """Two volumes: on two hosts at once, with data of their own."""
    for host, name in ((hosts[0], "tenant1/data"), (hosts[2], "tenant2/data")):
        host.docker("volume", "create", "-d", "volplugin", name)
        host.engine.background("box", name, f"echo {name} > /mnt/who")
        wait_until(lambda: host.engine.exec("box", "cat /mnt/who || true") == name, "it is written")
    hosts[0].docker("rm", "-f", "box"), hosts[2].docker("rm", "-f", "box")
    assert run(hosts[1], "tenant1/data", "cat /mnt/who").stdout.strip() == "tenant1/data"
    assert run(hosts[1], "tenant2/data", "cat /mnt/who").stdout.strip() == "tenant2/data"


def test_every_engine_sees_every_volume(cluster, hosts):
    hosts[0].docker("volume", "create", "-d", "volplugin", "--opt", "ephemeral=true", "tenant1/x")
    for host in hosts:
        assert host.engine.volumes() == ["tenant1/x"]
        assert "node" not in host.engine.inspect("volume", "inspect", "tenant1/x")["Status"]
    hosts[2].docker("volume", "rm", "tenant1/x")
    assert cluster.images() == [] and hosts[0].engine.volumes() == []


def test_volumes_are_made_and_removed_without_any_agent(cluster, hosts):
    """The images are volmaster's work."""
    for host in hosts:
        host.kill("volplugin")
    try:
        hosts[1].volcli("volume", "create", "tenant1/x", "--opt", "size=20MB")
        assert cluster.images() == ["tenant1/x"]
        hosts[2].volcli("volume", "create", "tenant1/gone")
        hosts[2].volcli("volume", "remove", "tenant1/gone")
        assert cluster.images() == ["tenant1/x"] and cluster.devices() == {}
    finally:
        for host in hosts:
            host.start("volplugin")
    assert run(hosts[2], "tenant1/x", "echo works").stdout == "works\n"


def test_host_without_the_shared_directory(cluster, hosts):
    """It says so, and makes no volume of its own in its place."""
    hosts[0].volcli("volume", "create", "tenant1/x")
    hosts[1].host.run("mount", "-t", "tmpfs", "none", cluster.pools)
    try:
        done = run(hosts[1], "tenant1/x", "true")
        assert done.returncode != 0 and f"'{cluster.pools}/default' does not exist on this host" in done.stderr, done
        assert hosts[1].host.run("ls", cluster.pools) == ""
    finally:
        hosts[1].host.run("umount", cluster.pools)
    assert run(hosts[1], "tenant1/x", "echo works").stdout == "works\n"


def test_lost_host(cluster, hosts):
    """Its volume stays its own until somebody who knows releases it; then it is whole on the next host. The lost
    one comes back with nothing mounted."""
    hosts[0].volcli("volume", "create", "tenant1/x")
    hosts[2].docker("run", "-d", "--name", "box", "--network", "none", "-v", "tenant1/x:/mnt", "busybox", "sh", "-c",
                    "echo kept > /mnt/file; sync; sleep 1000")
    wait_until(lambda: hosts[2].engine.exec("box", "cat /mnt/file || true") == "kept", "it is written")
    hosts[2].power_off()
    done = run(hosts[0], "tenant1/x", "true")
    assert done.returncode == 125 and "is mounted on node 'host3'" in done.stderr
    assert hosts[1].volcli("volume", "remove", "tenant1/x", check=False).returncode == 4
    hosts[1].volcli("mount", "force-remove", "tenant1/x", "--yes")
    assert run(hosts[0], "tenant1/x", "cat /mnt/file").stdout == "kept\n"
    hosts[0].engine.background("box", "tenant1/x", "")
    hosts[2].power_on()
    done = run(hosts[2], "tenant1/x", "true")
    assert done.returncode == 125 and "is mounted on node 'host1'" in done.stderr
    hosts[0].docker("rm", "-f", "box")
    assert run(hosts[2], "tenant1/x", "cat /mnt/file").stdout == "kept\n"


def test_everybody_uses_everything(cluster, hosts):
    """The workload of the fault tests without a fault."""
    workload = Workload(cluster, "calm").start()
    try:
        wait_until(lambda: len(cluster.history.holds()) >= 60, "volumes are used", 60)
    finally:
        workload.stop()
    broken = [str(call) for call in cluster.history.calls() if call.outcome in ("hung", "unreachable")]
    assert not broken, broken
    check(cluster, workload)
