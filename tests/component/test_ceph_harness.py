# SPDX-License-Identifier: Apache-2.0
"""The Ceph that other tests stand on (support/ceph.py): its faults are faults, and nothing of it is left."""
import os
import pathlib
import subprocess

import pytest
from cluster.network import NET, Switch
from support.ceph import Ceph
from support.daemons import wait_until


def programs_of(directory):
    """Ids of processes that were started with a path in there."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # has just ended
        if any(word.startswith(os.fsencode(directory)) for word in words):
            found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    with Ceph(tmp_path_factory.mktemp("c") / "c", mgr=True, extra=["osd client watch timeout = 3"]) as made:
        made.make_pool("rbd")
        yield made


def names(ceph, pool="rbd"):
    return ceph.rbd("ls", pool).stdout.split()


def make(ceph, image, **options):
    return ceph.rbd("create", "--size", "1G", image, **options)


def hangs(ceph, image):
    with pytest.raises(subprocess.TimeoutExpired):
        make(ceph, image, timeout=1)
    return True


def test_images_of_an_own_pool(ceph):
    make(ceph, "one")
    pool = ceph.make_pool("another")
    assert "one" in names(ceph)
    assert names(ceph, pool) == []
    assert {"rbd", pool} <= set(ceph.pools())


def test_a_paused_osd_hangs_its_clients_until_it_is_resumed(ceph):
    ceph.osd.pause()
    assert hangs(ceph, "during")
    ceph.osd.resume()
    make(ceph, "after")
    assert "after" in names(ceph)


def test_a_killed_monitor_comes_back_with_what_it_knew(ceph):
    make(ceph, "before-mon")
    ceph.mon.kill()
    assert not ceph.mon.running()
    with pytest.raises(subprocess.TimeoutExpired):
        make(ceph, "meanwhile", timeout=1)
    ceph.mon.start()
    assert "before-mon" in names(ceph)


def test_the_manager_tells_the_space(ceph):
    space = ceph.space()
    assert space["total_bytes"] == 8 << 30
    assert 0 < space["total_avail_bytes"] <= 8 << 30


def test_a_full_cluster_hangs_its_clients_until_there_is_room(ceph):
    make(ceph, "content")
    ceph.fill_up()
    assert hangs(ceph, "too-much")
    ceph.make_room()
    make(ceph, "fits")
    assert "fits" in names(ceph)


def test_a_quota_makes_its_own_pool_full(ceph):
    pool = ceph.make_pool("small")
    make(ceph, f"{pool}/image")
    ceph.set_quota(pool, 1)
    wait_until(lambda: ceph.full_pools() == [pool], "the quota is seen to be used up")
    assert hangs(ceph, f"{pool}/more")
    make(ceph, "elsewhere")
    ceph.set_quota(pool, 0)
    wait_until(lambda: not ceph.full_pools(), "the quota is seen to be gone")


def test_a_user_has_the_pools_that_were_given_to_it(ceph):
    pool = ceph.make_pool("given")
    keyring = ceph.add_user("tenant", pool)
    assert "client.tenant" in keyring.read_text() and keyring.stat().st_mode & 0o077 == 0
    make(ceph, f"{pool}/mine", user="client.tenant")
    refused = make(ceph, "rbd/mine", user="client.tenant", check=False)
    assert refused.returncode == 1 and "Operation not permitted" in refused.stderr


def test_the_blocklist(ceph):
    assert ceph.blocklist() == []
    ceph.ceph("osd", "blocklist", "add", "127.0.0.1:0/12345")
    assert ceph.blocklist() == ["127.0.0.1:0/12345"]
    ceph.ceph("osd", "blocklist", "rm", "127.0.0.1:0/12345")
    assert ceph.blocklist() == []


def test_bluestore_survives_a_killed_osd(directory):
    with Ceph(directory / "c", store="bluestore") as ceph:
        ceph.make_pool("rbd")
        make(ceph, "kept")
        ceph.osd.kill()
        assert hangs(ceph, "meanwhile")
        ceph.osd.start()
        assert "kept" in names(ceph)


def test_stopped_it_leaves_no_process_and_no_directory(directory):
    ceph = Ceph(directory / "c").start()
    ceph.osd.pause()
    assert len(programs_of(ceph.dir)) == 2
    ceph.stop()
    assert programs_of(ceph.dir) == []
    assert not ceph.dir.exists()


def test_a_start_that_fails_leaves_nothing_either(directory):
    class NeverUp(Ceph):
        def _await_osd(self):
            assert len(programs_of(self.dir)) == 2
            raise RuntimeError("not up")

    ceph = NeverUp(directory / "c")
    with pytest.raises(RuntimeError, match="not up"):
        with ceph:
            pass
    assert programs_of(ceph.dir) == []
    assert not ceph.dir.exists()


def test_in_a_network_of_its_own(directory):
    switch = Switch()
    try:
        with Ceph(directory / "c", address=f"{NET}.254", enter=switch.enter()) as ceph:
            pool = ceph.make_pool()
            make(ceph, "image")
            assert names(ceph, pool) == ["image"]
            assert [mon["addr"].split(":")[0] for mon in ceph.ceph_json("mon", "dump")["mons"]] == [f"{NET}.254"]
    finally:
        switch.close()
