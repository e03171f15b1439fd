# SPDX-License-Identifier: Apache-2.0
"""A Ceph cluster that hangs, is full, or loses a part: what can goes on, and afterwards all is well without hands."""
import contextlib
import os
import signal
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest
from support.ceph import Ceph
from support.ceph_site import FAILED, IMAGE, MAY_HANG, NAME, NO_ANSWER, sites_of, write
from support.daemons import wait_until

KINDS = pytest.mark.parametrize("kind", ["split", "standalone"])


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    with Ceph(tmp_path_factory.mktemp("c") / "c", mgr=True, extra=[MAY_HANG]) as made:
        yield made


@pytest.fixture
def sites(directory, ceph):
    """A function: sites(kind, *flags) -> a started CephSite, "split" or "standalone"."""
    with sites_of(directory, ceph) as make:
        yield make


@KINDS
def test_server_that_dies_under_a_mount(sites, ceph, kind):
    """Nobody waits until the cluster notices."""
    site = sites(kind)
    site.create()
    path = site.mount()
    write(path / "file", "kept")
    [server] = site.storage.servers()
    os.kill(server, signal.SIGKILL)
    with pytest.raises(OSError):
        write(path / "late", "lost")
    site.unmount()
    site.plugin.settle()
    assert ceph.blocklist()
    path = site.mount(use="b")
    assert (path / "file").read_text() == "kept"
    write(path / "late", "not any more")
    site.unmount(use="b")
    site.plugin.settle()
    site.remove()
    assert site.is_clean()

@contextlib.contextmanager
def paused(member):
    member.pause()
    try:
        yield
    finally:
        member.resume()


@contextlib.contextmanager
def full(ceph):
    ceph.fill_up()
    try:
        yield
    finally:
        ceph.make_room()


@KINDS
def test_cluster_that_hangs(sites, ceph, kind):
    """Calls end with an error, other backends are not touched, and afterwards all is well without hands."""
    site = sites(kind)
    names, new = ([f"tenant1/{kind}{n}" for n in range(20)] for kind in ("v", "new"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(site.create, names))
    site.create("tenant1/other", "--opt", "backend=loop")
    site.create("tenant1/busy")
    busy = site.mount("tenant1/busy")
    with ThreadPoolExecutor(64) as pool, paused(ceph.osd):
        # More than may wait for the cluster.
        hung = [pool.submit(site.plugin.docker, f"VolumeDriver.{method}", {"Name": name, "ID": "a"})
                for method, some in (("Mount", names), ("Create", new)) for name in some]
        creates = [pool.submit(site.volcli, "--timeout", "3", "volume", "create", f"tenant1/w{n}", code=NO_ANSWER)
                   for n in range(4)]
        writing = pool.submit(write, busy / "file", "written")
        for one in creates:
            assert one.result(60)
        for use in ("a", "b"):
            path = pool.submit(site.mount, "tenant1/other", use).result(20)
            write(path / use, "works")
            pool.submit(site.unmount, "tenant1/other", use).result(20)
        pool.submit(site.create, "tenant1/more", "--opt", "backend=loop").result(20)
        pool.submit(site.remove, "tenant1/more").result(20)
        assert not writing.done()
        done, _ = wait(hung, 90, FIRST_COMPLETED)
        assert done and all("Ceph cluster does not answer" in one.result()["Err"] for one in done), done
        ceph.osd.resume()
        for one in hung:  # with whatever came of it
            one.result(90)
        writing.result(60)
    assert (busy / "file").read_text() == "written"
    site.remove("tenant1/other")
    for name in names:
        site.unmount(name)  # as the engine does when its Mount failed or came too late
    site.plugin.settle(patience=90)
    for name in (*names, "tenant1/busy"):
        site.mount(name, "later")
        site.unmount(name, "later")
    assert (busy / "file").read_text() == "written"
    site.unmount("tenant1/busy")
    site.plugin.settle()


def test_recovery_of_other_backends_goes_on_when_the_cluster_hangs(sites, ceph):
    site = sites("split")
    site.create("tenant1/z", "--opt", "backend=loop")
    # A removal that the agent cannot end yet.
    site.plugin.restart("--fault", "remove_image_removed=fail")
    wait_until(lambda: "remove_image_removed" in site.api.volcli("volume", "remove", "tenant1/z", check=False).stderr,
               "the agent is asked")
    names = [f"tenant1/a{n}" for n in range(8)]
    with ThreadPoolExecutor(len(names)) as pool, paused(ceph.osd):
        for done in [pool.submit(site.volcli, "--timeout", "2", "volume", "create", name, code=NO_ANSWER)
                     for name in names]:
            done.result()
        site.master.stop(9)
        site.plugin.restart()
        site.master.start()  # begins with the first name
        left = {volume["name"] for volume in site.records()}
        assert "z" in left and len(left) > 6, "those of the cluster are to be recovered, too"
        wait_until(lambda: "z" not in {volume["name"] for volume in site.records()}, "it is removed", 60)
    wait_until(site.is_clean, "all is undone", 120)


@KINDS
def test_unmounting_while_the_cluster_hangs(sites, ceph, kind):
    """It waits for the cluster, and holds up nothing else that is to be unmounted."""
    site = sites(kind)
    names = [f"tenant1/{kind}{n}" for n in range(8)]
    late, other = "tenant1/a", "tenant1/other"
    for name in (*names, late):
        site.create(name)
    site.create(other, "--opt", "backend=loop")
    paths = {name: site.mount(name) for name in (*names, late, other)}
    in_use = [open(paths[name] / "open", "w") for name in (late, other)]
    for name in (late, other):
        site.unmount(name)
    for name in names:
        (paths[name] / "file").write_text(name)
    with ThreadPoolExecutor(16) as pool, paused(ceph.osd):
        hung = [pool.submit(site.plugin.docker, "VolumeDriver.Unmount", {"Name": name, "ID": "a"}) for name in names]
        for file in in_use:  # to be found by who looks from time to time
            file.close()
        wait_until(lambda: not paths[other].exists(), "it is unmounted", 60)
        path = pool.submit(site.mount, other, "b").result(20)
        write(path / "more", "works")
        pool.submit(site.unmount, other, "b").result(20)
        assert not any(one.done() for one in hung)
        ceph.osd.resume()
        assert [one.result(90) for one in hung] == [{"Err": ""}] * len(names)
    site.remove(other)
    site.plugin.settle(patience=90)
    for name in names:
        assert (site.mount(name) / "file").read_text() == name
        site.unmount(name)
    site.plugin.settle()


def test_docker_is_told_though_an_unmount_hangs(sites, ceph):
    """At its deadline; at once when many hang: a part of the calls is kept for other pools."""
    site = sites("standalone")
    names = [f"tenant1/v{n:02}" for n in range(26)]
    other = "tenant1/other"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(site.create, names))
        list(pool.map(site.mount, names))
    site.create(other, "--opt", "backend=loop")
    with ThreadPoolExecutor(len(names)) as pool, paused(ceph.osd):
        hung = [pool.submit(site.plugin.docker, "VolumeDriver.Unmount", {"Name": name, "ID": "a"}) for name in names]
        wait_until(lambda: sum(one.done() for one in hung) == len(names) - 24, "those over the limit are let go", 30)
        refused = site.plugin.docker("VolumeDriver.Mount", {"Name": names[0], "ID": "b"})["Err"]
        assert f"24 calls wait for pool '{site.pool}' of backend 'ceph'" in refused, refused
        write(site.mount(other) / "file", "works")
        site.unmount(other)
        assert [one.result(70) for one in hung] == [{"Err": ""}] * len(names)
        assert site.volcli("mount", "list").split() == names, "nobody else gets what may still be written"
    site.remove(other)
    site.plugin.settle(patience=90)


@KINDS
def test_monitor_that_is_killed_and_started(sites, ceph, kind):
    site = sites(kind)
    site.create()
    path = site.mount()
    ceph.mon.kill()
    try:
        write(path / "file", "without a monitor")
    finally:
        ceph.mon.start()
    site.create("tenant1/next")
    site.unmount()
    site.plugin.settle()
    assert (site.mount() / "file").read_text() == "without a monitor"
    site.unmount()
    site.plugin.settle()


def test_osd_that_is_killed_and_started(sites, directory):
    with Ceph(directory / "ceph", store="bluestore") as ceph:
        site = sites("split", on=ceph)
        site.create()
        path = site.mount()
        write(path / "before", "kept")
        ceph.osd.kill()
        with ThreadPoolExecutor(1) as pool:
            meanwhile = pool.submit(write, path / "meanwhile", "waits")
            site.create("tenant1/w", "--timeout", "3", code=NO_ANSWER)
            assert not meanwhile.done()
            ceph.osd.start()
            meanwhile.result(60)
        site.plugin.settle(patience=90)
        site.create("tenant1/next")
        site.unmount()
        site.plugin.settle()
        path = site.mount()
        assert [(path / name).read_text() for name in ("before", "meanwhile")] == ["kept", "waits"]
        site.clean()


@KINDS
def test_pool_that_is_full(sites, ceph, kind):
    site = sites(kind)
    site.create()
    path = site.mount()
    data = os.urandom(1 << 20).hex()
    with ThreadPoolExecutor(1) as pool, full(ceph):
        waiting = pool.submit(write, path / "file", data)
        # The writer waits, the create does not.
        assert "full" in site.create("tenant1/w", code=FAILED)
        assert [volume["name"] for volume in site.records()] == ["v"] and site.storage.images() == [IMAGE]
        assert not waiting.done()
        ceph.make_room()
        waiting.result(60)
    site.plugin.settle(patience=90)
    site.create("tenant1/w")
    site.unmount()
    site.plugin.settle()
    assert (site.mount() / "file").read_text() == data
    site.unmount()
    site.plugin.settle()


@pytest.fixture(params=["bytes", "objects"])
def quota(request):
    """What the pool has too much of."""
    return f"max_{request.param}"


def test_pool_whose_quota_is_reached(sites, ceph, quota):
    """Creates are refused at once and leave nothing; what is there can be removed, and that makes room."""
    site = sites("master")
    for name in (NAME, "tenant1/old"):
        site.create(name)
    site.remove("tenant1/old")
    before = (site.storage.images(), site.storage.notes(), site.records())
    assert before[0] == [IMAGE]
    for end in ("raised", "volume removed"):
        ceph.set_quota(site.pool, 1, quota)
        wait_until(lambda: site.pool in ceph.full_pools(), "the quota is reached")
        for name in ("tenant1/w", "tenant1/w", "tenant1/old"):
            refused = site.create(name, code=FAILED)
            assert f"pool '{site.pool}' is full" in refused and "quota" in refused, refused
        assert site.volcli("operation", "list", "-o", "name") == ""
        assert (site.storage.images(), site.storage.notes(), site.records()) == before
        if end == "volume removed":
            site.remove()
            assert site.is_clean()
        ceph.set_quota(site.pool, 0, quota)
        wait_until(lambda: site.pool not in ceph.full_pools(), "the quota is gone")
        site.create("tenant1/w")
        site.remove("tenant1/w")
