# SPDX-License-Identifier: Apache-2.0
"""volmaster on a real etcd: one member and three, crashes on both sides, users, certificates."""
import pathlib
import signal
import time

import pytest
from support.daemons import BIN, Agent, Daemon, Volmaster, wait_until
from support.etcd import Etcd, make_certificates, user_flags

POLICY = {"default-options": {"size": "16MB"}, "filesystems": {"ext4": "mkfs.ext4 -q %"}}

FRESH = 1.1  # seconds after which volmaster asks a member first whether it answers


class World:
    """An etcd, any number of volmasters on it, and agents."""

    def __init__(self, directory, size=1, tls=None):
        self.dir = directory
        self.etcd = Etcd(directory / "etcd", size, tls)
        self.masters = []
        self.agents = []

    def master(self, *flags, start=True):
        made = Volmaster(self.dir / f"vm{len(self.masters)}", *self.etcd.flags(), *flags)
        self.masters.append(made)
        return made.start() if start else made

    def agent(self, master, node="n1"):
        agent = Agent(self.dir / node, master, node)
        self.agents.append(agent)
        agent.start()
        wait_until(agent.registered, f"{node} is connected")
        return agent

    def clean(self):
        for agent in self.agents:
            agent.clean()
        for master in self.masters:
            master.stop(signal.SIGKILL)
        self.etcd.kill()


@pytest.fixture
def world(directory):
    made = World(directory)
    made.etcd.start()
    yield made
    made.clean()


@pytest.fixture
def big_world(directory):
    made = World(directory, size=3)
    made.etcd.start()
    yield made
    made.clean()


def upload(master, tenant="tenant1"):
    return master.api("PUT", f"/v1/tenants/{tenant}", POLICY)[0]


def tenants(master):
    status, _, answer = master.api("GET", "/v1/tenants")
    return [item["name"] for item in answer["items"]] if status == 200 else status


def docker(agent, method, **body):
    return agent.docker(f"VolumeDriver.{method}", body)


def test_whole_life_of_a_volume(world):
    master = world.master()
    health = master.api("GET", "/v1/health")
    assert health[0] == 200 and health[2]["store"] == "ok (etcd)"
    assert not (master.dir / "data" / "volplugin.db").exists()
    agent = world.agent(master)
    assert upload(master) == 201
    assert docker(agent, "Create", Name="tenant1/v", Opts={}) == {"Err": ""}
    path = docker(agent, "Mount", Name="tenant1/v", ID="a")["Mountpoint"]
    pathlib.Path(path, "file").write_text("kept")
    assert docker(agent, "Unmount", Name="tenant1/v", ID="a") == {"Err": ""}
    agent.settle()
    keys = world.etcd.ctl("get", "", "--prefix", "--keys-only").stdout.split()
    assert keys and all(key.startswith("/volplugin/") for key in keys)
    assert master.api("DELETE", "/v1/volumes/tenant1/v")[0] == 204
    assert agent.images() == []


def test_two_volmasters_on_one_etcd(world):
    """Both see each other's changes; neither overwrites the other's; one carries on when the other dies."""
    first, second = world.master(), world.master()
    assert upload(first) == 201
    wait_until(lambda: tenants(second) == ["tenant1"], "the second volmaster sees the tenant")
    revision = first.api("GET", "/v1/tenants/tenant1")[1]["ETag"]
    assert second.api("PUT", "/v1/tenants/tenant1", POLICY, {"If-Match": revision})[0] == 200
    wait_until(lambda: first.api("GET", "/v1/tenants/tenant1")[1]["ETag"] != revision, "the first one sees it")
    assert first.api("PUT", "/v1/tenants/tenant1", POLICY, {"If-Match": revision})[0] == 412
    agent = world.agent(first)
    assert docker(agent, "Create", Name="tenant1/v", Opts={}) == {"Err": ""}
    assert docker(agent, "Mount", Name="tenant1/v", ID="a")["Err"] == ""
    wait_until(lambda: len(second.api("GET", "/v1/mounts")[2]["items"]) == 1, "the second one sees the mount")
    assert second.api("DELETE", "/v1/volumes/tenant1/v")[0] == 409
    first.stop(signal.SIGKILL)
    assert upload(second, "tenant2") == 201
    assert [v["name"] for v in second.api("GET", "/v1/volumes")[2]["items"]] == ["v"]
    first.start()
    assert tenants(first) == ["tenant1", "tenant2"]
    assert docker(agent, "Unmount", Name="tenant1/v", ID="a") == {"Err": ""}
    agent.settle()
    wait_until(lambda: second.api("GET", "/v1/mounts")[2]["items"] == [], "the second one sees the release")


def test_prefixes_are_worlds_of_their_own(world):
    one, two = world.master("--prefix", "/one"), world.master("--prefix", "/two")
    assert upload(one) == 201
    assert tenants(two) == [] and upload(two, "other") == 201
    assert tenants(one) == ["tenant1"]


def test_etcd_goes_and_comes_back(world):
    """Reads go on from the cache, changes are refused with 503, and nobody has to help afterwards."""
    master, watcher = world.master(), world.master()
    assert upload(master) == 201
    wait_until(lambda: tenants(watcher) == ["tenant1"], "the watcher sees it")
    world.etcd.kill()
    assert tenants(master) == ["tenant1"]
    status, _, problem = master.api("PUT", "/v1/tenants/tenant2", POLICY)
    assert status in (503, 504) and "etcd" in problem["detail"], problem
    status, _, problem = master.api("PUT", "/v1/tenants/tenant2", POLICY)
    assert (status, problem["code"], problem["effect-unknown"]) == (503, "unavailable", False), problem
    status, _, health = master.api("GET", "/v1/health")
    assert status == 503 and not health["ok"] and "etcd" in health["store"]
    world.etcd.start()
    wait_until(lambda: upload(master, "tenant3") in (200, 201), "changes are taken again")
    wait_until(lambda: "tenant3" in tenants(watcher), "watches go on")
    assert "tenant1" in tenants(watcher)
    assert master.api("GET", "/v1/health")[0] == 200


def test_volmaster_starts_before_etcd(world):
    world.etcd.kill()
    master = world.master(start=False)
    master.daemon = Daemon([BIN / "volmaster", "--data-dir", master.dir / "data", "--listen", master.address,
                            *master.flags], master.dir / "log").start()
    wait_until(master.socket.exists, "volmaster listens")
    status, _, problem = master.api("GET", "/v1/volumes")
    assert (status, problem["code"]) == (503, "unavailable") and "waits for its store" in problem["detail"]
    status, _, health = master.api("GET", "/v1/health")
    assert status == 503 and not health["ok"] and "waits for its store" in health["store"]
    world.etcd.start()
    wait_until(master.serving, "volmaster serves")
    assert upload(master) == 201
    assert "waiting for the store" in master.log() and "the store answers" in master.log()
    assert master.stop() == 0


def test_leader_of_three_dies(big_world):
    """Not everything in flight succeeds, but nothing that was acknowledged is lost, and it goes on."""
    etcd = big_world.etcd
    master, watcher = big_world.master(), big_world.master()
    assert upload(master, "before") == 201
    leader = etcd.leader()
    etcd.kill(leader)
    started = time.monotonic()
    acknowledged = {"before"}
    for i in range(20):
        if upload(master, f"t{i}") in (200, 201):
            acknowledged.add(f"t{i}")
            if i > 5:
                break
    print(f"{len(acknowledged)} acknowledged, {time.monotonic() - started:.2f} s after the leader died")
    assert len(acknowledged) > 3
    wait_until(lambda: acknowledged <= set(tenants(watcher)), "the other volmaster sees them")
    etcd.start(leader)
    assert upload(master, "after") == 201
    wait_until(lambda: "after" in tenants(watcher), "the other volmaster sees it")


def test_member_that_hangs(big_world):
    """It keeps its connections and answers nothing: reads and changes go to the others, while it hangs."""
    etcd = big_world.etcd
    master, watcher = big_world.master(), big_world.master()
    assert upload(master) == 201
    for number in range(3):
        idle_since = time.monotonic()
        wait_until(lambda: time.monotonic() > idle_since + FRESH, "a member has to prove itself before a change")
        etcd.signal(number, signal.SIGSTOP)
        try:
            assert upload(master, f"hung{number}") == 201
            wait_until(lambda: f"hung{number}" in tenants(watcher), "the other volmaster sees it")
        finally:
            etcd.signal(number, signal.SIGCONT)


def test_user_and_certificates(directory):
    world = World(directory, tls=make_certificates(directory))
    etcd = world.etcd.start()
    try:
        etcd.demand_a_user()
        password = directory / "password"
        tls, user = etcd.tls_flags(), user_flags(password)
        master = world.master(*tls, *user)
        watcher = world.master(*tls, *user)
        assert upload(master) == 201
        wait_until(lambda: tenants(watcher) == ["tenant1"], "watches are allowed, too")
        # Tokens are forgotten by a restart of etcd: a new one is fetched without anybody noticing.
        etcd.kill()
        etcd.members[0] = Daemon(etcd.argv(0), etcd.dir / "log0").start()
        wait_until(lambda: upload(master, "tenant2") in (200, 201), "changes are taken again")
        wait_until(lambda: "tenant2" in tenants(watcher), "watches go on")

        def refused(*flags):
            """What the log of a volmaster says that cannot start."""
            bad = Volmaster(directory / "bad", *etcd.flags(), *flags)
            bad.daemon = Daemon([BIN / "volmaster", "--data-dir", bad.dir / "data", "--listen", bad.address,
                                 *bad.flags], bad.dir / "log").start()
            assert bad.daemon.wait() == 1
            return bad.log()

        password.write_text("wrong\n")
        assert "--etcd-password-file" in refused(*tls, *user)
        assert "--etcd-user" in refused(*tls)
    finally:
        world.clean()


def test_wrong_flags(directory):
    def run(*flags):
        daemon = Daemon([BIN / "volmaster", "--data-dir", directory / "data", "--listen",
                         f"unix://{directory}/s", *flags], directory / "log").start()
        return daemon.wait()

    def log():
        text = (directory / "log").read_text()
        (directory / "log").unlink()
        return text

    assert run("--etcd", "http://127.0.0.1:1", "--store", "sqlite:/x") == 2
    assert "--store excludes --etcd" in log()
    assert run("--prefix", "/x") == 2
    assert "--etcd" in log()
    assert run("--etcd", "http://127.0.0.1:1", "--etcd-cacert", "/x") == 1
    assert "certificates are given, but no endpoint is https" in log()
    assert run("--etcd", "nonsense") == 1
    assert "'nonsense' is not of the form http://HOST:PORT" in log()
    assert run("--etcd", "http://127.0.0.1:1", "--prefix", "x") == 1
    assert "prefix 'x'" in log()
    assert run("--etcd", "http://127.0.0.1:1", "--etcd-user", "a", "--etcd-password-file", "/nowhere") == 1
    assert "--etcd-password-file: opening '/nowhere'" in log()
