# SPDX-License-Identifier: Apache-2.0
"""volcli --etcd: the records without a volmaster, on a real etcd, and a volmaster that comes later."""
import json
import signal
import subprocess

import pytest
from support.daemons import BIN, Agent, Volmaster, wait_until
from support.etcd import Etcd, make_certificates, user_flags

POLICY = json.dumps({"default-options": {"size": "16MB"}, "filesystems": {"ext4": "mkfs.ext4 -q %"}})
DONE, USAGE, NOT_FOUND, IN_THE_WAY, NO_ANSWER = 0, 2, 3, 4, 5


@pytest.fixture
def etcd(directory):
    made = Etcd(directory / "etcd").start()
    yield made
    made.kill()


def volcli(etcd, *args, code=DONE, stdin=None):
    """Standard output of a success, the message of a failure."""
    done = subprocess.run([BIN / "volcli", *etcd.flags(), *map(str, args)], input=stdin or "", text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == code, (args, done.stdout, done.stderr)
    return done.stdout if code == DONE else done.stderr


def keys(etcd):
    return etcd.ctl("get", "", "--prefix").stdout


def test_records_without_a_volmaster(etcd, directory):
    """A volmaster and an agent make a volume, hold it and die; what is left is cleared away by hand."""
    volcli(etcd, "tenant", "upload", "tenant1", stdin=POLICY)
    assert volcli(etcd, "tenant", "list", "-o", "name") == "tenant1\n"
    master = Volmaster(directory / "vm", *etcd.flags()).start()
    agent = Agent(directory / "n1", master, "n1")
    try:
        assert master.api("GET", "/v1/tenants/tenant1")[0] == 200, "volmaster sees what volcli stored"
        agent.start()
        wait_until(agent.registered, "n1 is connected")
        for name in ("a", "b"):
            assert agent.docker("VolumeDriver.Create", {"Name": f"tenant1/{name}"}) == {"Err": ""}
        assert agent.docker("VolumeDriver.Mount", {"Name": "tenant1/a", "ID": "x"})["Err"] == ""
        # Beside a volmaster that runs: it sees the change.
        volcli(etcd, "tenant", "upload", "tenant2", stdin=POLICY)
        wait_until(lambda: master.api("GET", "/v1/tenants/tenant2")[0] == 200, "volmaster sees the tenant")
        agent.kill()
        master.stop(signal.SIGKILL)

        assert volcli(etcd, "volume", "list", "tenant1", "-o", "name") == "a\nb\n"
        assert volcli(etcd, "volume", "list-all", "-o", "name") == "tenant1/a\ntenant1/b\n"
        assert json.loads(volcli(etcd, "volume", "get", "tenant1/a"))["phase"] == "ready"
        assert volcli(etcd, "mount", "list", "-o", "name") == "tenant1/a\n"
        assert json.loads(volcli(etcd, "mount", "get", "tenant1/a"))["node"] == "n1"
        assert json.loads(volcli(etcd, "node", "get", "n1"))["connected"] is False
        assert volcli(etcd, "node", "list", "-o", "name") == "n1\n"
        assert volcli(etcd, "operation", "list", "-o", "json") == "[]\n"
        message = volcli(etcd, "mount", "force-remove", "tenant1/a", code=IN_THE_WAY)
        assert "node 'n1'" in message and "is alive" in message and "--yes" in message, message
        volcli(etcd, "mount", "force-remove", "tenant1/a", "--yes")
        volcli(etcd, "mount", "get", "tenant1/a", code=NOT_FOUND)
        volcli(etcd, "volume", "force-remove", "tenant1/b")
        volcli(etcd, "tenant", "delete", "tenant2")

        master.start()
        assert master.api("GET", "/v1/mounts")[2]["items"] == []
        assert [v["name"] for v in master.api("GET", "/v1/volumes")[2]["items"]] == ["a"]
        assert [t["name"] for t in master.api("GET", "/v1/tenants")[2]["items"]] == ["tenant1"]
    finally:
        agent.clean()
        master.stop(signal.SIGKILL)


def test_what_needs_a_volmaster_is_refused_and_leaves_nothing(etcd):
    volcli(etcd, "tenant", "upload", "tenant1", stdin=POLICY)
    before = keys(etcd)
    for args in (["volume", "create", "tenant1/a"], ["volume", "remove", "tenant1/a"], ["health"], ["version"]):
        message = volcli(etcd, *args, code=USAGE)
        assert "needs a volmaster" in message and "nothing was done" in message, message
    assert keys(etcd) == before


def test_rules_are_those_of_volmaster(etcd):
    assert "default-options.size" in volcli(
        etcd, "tenant", "upload", "t", stdin='{"default-options": {"size": "0MB"}}', code=USAGE)
    volcli(etcd, "tenant", "get", "t", code=NOT_FOUND)
    volcli(etcd, "volume", "list", "t", code=NOT_FOUND)
    volcli(etcd, "volume", "force-remove", "t/v", code=NOT_FOUND)
    volcli(etcd, "mount", "force-remove", "t/v", "--yes", code=NOT_FOUND)
    assert keys(etcd) == ""


def test_prefix(etcd):
    volcli(etcd, "tenant", "upload", "t", "--prefix", "/other", stdin=POLICY)
    assert volcli(etcd, "tenant", "list", "-o", "name") == ""
    assert volcli(etcd, "tenant", "list", "-o", "name", "--prefix", "/other") == "t\n"
    assert "prefix 'x'" in volcli(etcd, "tenant", "list", "--prefix", "x", code=USAGE)


def test_certificates_and_password(directory):
    etcd = Etcd(directory / "etcd", tls=make_certificates(directory)).start()
    try:
        etcd.demand_a_user()
        password = directory / "password"
        flags = [*etcd.tls_flags(), *user_flags(password)]
        volcli(etcd, "tenant", "upload", "t", *flags, stdin=POLICY)
        assert volcli(etcd, "tenant", "list", "-o", "name", *flags) == "t\n"
        password.write_text("wrong\n")
        volcli(etcd, "tenant", "list", *flags, code=1)
    finally:
        etcd.kill()


def test_etcd_that_is_away(etcd):
    etcd.kill()
    message = volcli(etcd, "tenant", "list", code=NO_ANSWER)
    assert "etcdctl" in message
    assert "is not of the form" in volcli(etcd, "tenant", "list", "--etcd", "nonsense", code=USAGE)
