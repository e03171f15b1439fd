# SPDX-License-Identifier: Apache-2.0
"""Snapshots of volumes in a real Ceph cluster."""
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.ceph import Ceph
from support.ceph_site import (FAILED, IMAGE, IN_THE_WAY, MAY_HANG, NAME, NO_ANSWER, NOT_FOUND, USAGE, CephSite,
                               sites_of, write)
from support.daemons import Volmaster, wait_until
from support.etcd import Etcd


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    with Ceph(tmp_path_factory.mktemp("c") / "c", mgr=True, extra=[MAY_HANG, "osd client watch timeout = 3"]) as made:
        yield made


class Site(CephSite):
    def take(self, name, *more, code=0, volume=NAME):
        return self.volcli("snapshot", "take", volume, "--name", name, *more, code=code).strip()

    def drop(self, name, code=0):
        return self.volcli("snapshot", "remove", f"{NAME}/{name}", code=code)

    def names(self):
        return self.volcli("snapshot", "list", NAME).split()

    def stored(self):
        """As Ceph calls them."""
        return self.storage.snapshots(IMAGE)

    def snapshot(self, name):
        return json.loads(self.volcli("snapshot", "get", f"{NAME}/{name}"))

    def spec(self, name):
        return f"{IMAGE}@{name}.{self.snapshot(name)['uid']}"


@pytest.fixture
def sites(directory, ceph):
    with sites_of(directory, ceph, Site) as make:
        yield make


@pytest.mark.parametrize("kind", ["split", "standalone"])
def test_snapshots_of_a_volume_in_use(sites, kind):
    site = sites(kind)
    site.create()
    path = site.mount()
    for name in ("one", "two"):
        write(path / "file", f"this is {name}")
        assert site.take(name) == f"{NAME}/{name}"
    assert site.names() == [f"{NAME}/one", f"{NAME}/two"]
    assert [stored.partition(".")[0] for stored in site.stored()] == ["one", "two"]
    taken = site.snapshot("one")
    assert taken["phase"] == "ready" and taken["size-bytes"] == 16 << 20
    first = site.content(site.spec("one"))
    assert b"this is one" in first and b"this is two" not in first
    assert b"this is two" in site.content(site.spec("two"))
    site.drop("one")
    write(path / "file", "this is three")
    assert (path / "file").read_text() == "this is three"
    site.unmount()
    site.plugin.settle()
    assert site.names() == [f"{NAME}/two"]
    site.remove()
    assert site.storage.images() == [] and site.storage.notes() == []
    assert site.volcli("snapshot", "list-all") == ""


def test_what_a_snapshot_holds_comes_back_as_the_page_says(sites):
    """docs/backends/ceph.md: rbd snap rollback, with nothing mounted."""
    site = sites("standalone")
    site.create()
    path = site.mount()
    write(path / "file", "before")
    site.take("s")
    write(path / "file", "after!")
    site.unmount()
    site.plugin.settle()
    site.rbd("snap", "rollback", "--no-progress", site.spec("s"))
    assert (site.mount() / "file").read_text() == "before"
    site.unmount()


def test_names(sites):
    site = sites("master")
    site.create()
    assert re.fullmatch(rf"{NAME}/\d{{8}}T\d{{6}}\.\d{{3}}Z", site.volcli("snapshot", "take", NAME).strip())
    site.take("s")
    assert "exists already, taken 20" in site.take("s", code=IN_THE_WAY)
    assert "snapshot name 'a@b'" in site.take("a@b", code=USAGE)
    assert "does not exist" in site.take("s", volume="tenant1/w", code=NOT_FOUND)
    assert "does not exist" in site.drop("other", code=NOT_FOUND)
    assert "volume 'tenant1/w' does not exist" in site.volcli("snapshot", "list", "tenant1/w", code=NOT_FOUND)
    assert len(site.names()) == 2


def test_a_backend_that_takes_none_says_so(sites):
    site = sites("standalone")
    site.volcli("volume", "create", "tenant1/l", "--opt", "backend=loop")
    assert "backend 'loop' takes no snapshots" in site.take("s", volume="tenant1/l", code=FAILED)


def test_one_that_is_needed_keeps_the_volume(sites):
    site = sites("master")
    site.create()
    site.take("s")
    site.take("t")
    site.rbd("snap", "protect", site.spec("s"))
    assert "protected or has clones" in site.drop("s", code=IN_THE_WAY)
    assert "protected or has clones" in site.remove(code=IN_THE_WAY)
    assert site.names() == [f"{NAME}/s", f"{NAME}/t"] and len(site.stored()) == 2
    assert site.snapshot("s")["phase"] == "ready"
    site.rbd("snap", "unprotect", site.spec("s"))
    site.drop("s")
    site.remove()


def test_snapshots_of_others_are_not_ours_but_go_with_the_volume(sites):
    site = sites("master")
    site.create()
    site.rbd("snap", "create", "--no-progress", f"{IMAGE}@s")
    site.take("s")
    assert site.names() == [f"{NAME}/s"] and len(site.stored()) == 2
    site.drop("s")
    assert site.stored() == ["s"]
    site.remove()
    assert site.storage.images() == []


@pytest.mark.parametrize("verb", ["take", "remove"])
def test_a_cluster_that_hangs(sites, ceph, verb):
    site = sites("master")
    site.create()
    site.take("kept")
    site.take("s") if verb == "remove" else None
    ceph.osd.pause()
    try:
        if verb == "take":
            site.take("s", "--timeout", "2", code=NO_ANSWER)
        else:
            site.volcli("snapshot", "remove", f"{NAME}/s", "--timeout", "2", code=NO_ANSWER)
        assert f"{NAME}/kept" in site.names(), "lists do not ask the cluster"
    finally:
        ceph.osd.resume()
    wait_until(lambda: site.names() == [f"{NAME}/kept"] and len(site.stored()) == 1,
               "what was begun is undone, or done", patience=90)
    site.take("s")


def test_three_volmasters_at_once(sites, directory):
    etcd = Etcd(directory / "etcd").start()
    site = sites("master", *etcd.flags())
    site.create()
    masters = [site.master, *(Volmaster(directory / f"more{n}", *site.master.flags) for n in range(2))]
    try:
        for master in masters[1:]:
            master.start()

        def take(number):
            return masters[number % 3].volcli("snapshot", "take", NAME, "--name", f"s{number // 3}",
                                              check=False).returncode

        with ThreadPoolExecutor(6) as pool:
            codes = list(pool.map(take, range(12)))
        for name in range(4):
            assert sorted(codes[name * 3:name * 3 + 3]) == [0, IN_THE_WAY, IN_THE_WAY], codes
        wait_until(lambda: len(site.names()) == 4, "all are told of all")
        assert len(site.stored()) == 4
    finally:
        for master in masters[1:]:
            master.stop(9)
        site.master.stop(9)
        etcd.kill()
