# SPDX-License-Identifier: Apache-2.0
"""Volumes in a real Ceph cluster: volmaster alone, with an agent, and standalone."""
import json
import os
import pathlib
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.ceph import Ceph
from support.ceph_site import IMAGE, IN_THE_WAY, NAME, NO_ANSWER, NOT_FOUND, new_pool, sites_of, write
from support.daemons import Volmaster, wait_until
from support.etcd import Etcd


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    with Ceph(tmp_path_factory.mktemp("c") / "c", mgr=True) as made:
        yield made


@pytest.fixture
def sites(directory, ceph):
    """A function: sites(kind, *flags) -> a started CephSite, "master", "split" or "standalone"."""
    with sites_of(directory, ceph) as make:
        yield make


def phase(site):
    return json.loads(site.volcli("volume", "get", NAME))["phase"]


KINDS = pytest.mark.parametrize("kind", ["split", "standalone"])


# Making and removing.

def connections(daemon):
    """To Ceph clusters: librados has a thread of that name for each."""
    tasks = pathlib.Path(f"/proc/{daemon.daemon.process.pid}/task").iterdir()
    return [(task / "comm").read_text() for task in tasks].count("ms_dispatch\n")


def test_whole_life_with_volmaster_alone(sites):
    site = sites("master")
    site.create(NAME, "--opt", "size=20MB")
    site.create(NAME, "--opt", "size=20MB")  # finds it there
    volume = json.loads(site.volcli("volume", "get", NAME))
    assert (volume["phase"], volume["size-bytes"], volume["options"]["backend"]) == ("ready", 20 << 20, "ceph"), volume
    assert "node" not in volume
    assert site.volcli("volume", "list", "tenant1", "-o", "name") == "v\n"
    image = json.loads(site.rbd("info", IMAGE, "--format", "json"))
    assert image["size"] == 20 << 20
    assert image["features"] == ["layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten"]
    assert site.storage.notes() == [f"{IMAGE}/owner"]
    assert site.storage.servers() == [] and site.storage.devices() == {}
    assert "ext4" in subprocess.run(["blkid", site.storage.path(IMAGE)], capture_output=True, text=True).stdout
    site.remove()
    assert site.is_clean()
    assert connections(site.api) == 1, "one for the process and the cluster"


@KINDS
def test_whole_life_with_an_agent(sites, kind):
    site = sites(kind)
    site.create()
    write(site.mount() / "file", "kept")
    assert "container mount a" in site.remove(code=IN_THE_WAY)
    site.plugin.settle()
    site.unmount()
    site.plugin.settle()
    assert (site.mount(use="b") / "file").read_text() == "kept"
    site.unmount(use="b")
    site.plugin.settle()
    assert site.storage.notes() == [f"{IMAGE}/owner"]
    site.remove()
    assert site.is_clean()


def test_unknown_pool(sites):
    site = sites("master")
    assert "pool 'nowhere' does not exist" in site.create(NAME, "--opt", "pool=nowhere", code=NOT_FOUND)
    assert site.is_clean()


def test_image_of_somebody_else_is_refused_and_stays_as_it_is(sites, directory):
    site = sites("master")
    theirs = os.urandom(4 << 20)
    (directory / "theirs").write_bytes(theirs)
    site.rbd("import", "--no-progress", directory / "theirs", f"{site.pool}/{IMAGE}")
    before = site.rbd("info", IMAGE)
    refused = site.create(NAME, "--opt", "size=4MB", code=IN_THE_WAY)
    assert f"image '{site.pool}/{IMAGE}' was not made by volplugin" in refused
    assert site.content() == theirs and site.rbd("info", IMAGE) == before
    assert site.storage.notes() == [] and site.records() == []


@KINDS
def test_failed_mkfs_leaves_nothing(sites, kind):
    site = sites(kind)
    site.upload("sh -c 'echo no luck >&2; exit 1' %")
    assert "no luck" in site.create(code=2)
    assert site.is_clean()
    site.upload()
    site.create()


def test_three_volmasters_make_one_image(sites, directory):
    etcd = Etcd(directory / "etcd").start()
    site = sites("master", *etcd.flags())
    masters = [site.master, *(Volmaster(directory / f"more{n}", *site.master.flags) for n in range(2))]
    try:
        for master in masters[1:]:
            master.start()
        with ThreadPoolExecutor(9) as pool:
            done = list(pool.map(lambda n: masters[n % 3].volcli("volume", "create", NAME, check=False), range(9)))
        assert [one.returncode for one in done] == [0] * 9, [one.stderr for one in done]
        assert site.storage.images() == [IMAGE] and site.storage.notes() == [f"{IMAGE}/owner"]
        site.remove()
        assert site.is_clean()
    finally:
        for master in masters[1:]:
            master.stop(9)
        site.master.stop(9)
        etcd.kill()


# Removing what is in the way.

def test_snapshots_go_with_the_volume(sites):
    site = sites("master")
    site.create()
    for snapshot in ("first", "second"):
        site.rbd("snap", "create", f"{IMAGE}@{snapshot}", "--no-progress")
    site.remove()
    assert site.is_clean()


def test_protected_snapshot_keeps_the_volume_and_its_other_snapshots(sites):
    site = sites("master")
    site.create()
    for snapshot in ("first", "second"):
        site.rbd("snap", "create", f"{IMAGE}@{snapshot}", "--no-progress")
    site.rbd("snap", "protect", f"{IMAGE}@second")
    refused = site.remove(code=IN_THE_WAY)
    assert "snapshot 'second'" in refused and "protected" in refused
    assert phase(site) == "ready"
    assert [one["name"] for one in json.loads(site.rbd("snap", "ls", IMAGE, "--format", "json"))] == ["first", "second"]
    site.rbd("snap", "unprotect", f"{IMAGE}@second")
    site.remove()
    assert site.is_clean()


@pytest.mark.parametrize("clone_format", ["1", "2"])
def test_clone_keeps_the_volume(sites, clone_format):
    site = sites("master")
    site.create()
    site.rbd("snap", "create", f"{IMAGE}@base", "--no-progress")
    if clone_format == "1":
        site.rbd("snap", "protect", f"{IMAGE}@base")
    site.rbd("clone", "--rbd-default-clone-format", clone_format, f"{IMAGE}@base", f"{site.pool}/clone")
    refused = site.remove(code=IN_THE_WAY)
    assert "snapshot 'base'" in refused and "clone" in refused
    assert phase(site) == "ready"
    assert [one["name"] for one in json.loads(site.rbd("snap", "ls", IMAGE, "--format", "json"))] == ["base"]
    site.rbd("rm", "clone", "--no-progress")
    if clone_format == "1":
        site.rbd("snap", "unprotect", f"{IMAGE}@base")
    site.remove()
    assert site.is_clean()


def test_client_that_has_it_open_keeps_the_volume(sites):
    site = sites("master")
    site.create()
    watcher = subprocess.Popen(["rbd", "-c", site.ceph.conf, "watch", f"{site.pool}/{IMAGE}"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def watchers():
            return json.loads(site.rbd("status", IMAGE, "--format", "json")).get("watchers")
        [client] = wait_until(watchers, "it has the image open")
        assert f"client {client['address']}" in site.remove(code=IN_THE_WAY)
        assert phase(site) == "ready"
    finally:
        watcher.communicate(b"\n", timeout=30)
    site.remove()
    assert site.is_clean()


# Users of the cluster.

@KINDS
def test_user_with_the_right_to_one_pool(sites, ceph, directory, kind):
    """Its keyring is where only the option says."""
    pool, name = new_pool(ceph), f"tenant-{kind}"
    keyring = ceph.add_user(name, pool).rename(directory / "the.keyring")
    site = sites(kind, "--ceph-id", name, "--backend-option", f"ceph.keyring.{pool}={keyring}", pool=pool)
    site.create()
    write(site.mount() / "file", "kept")
    site.unmount()
    site.plugin.settle()
    site.remove()
    assert site.is_clean()
    # It has no key but for its pool.
    assert name in site.create(NAME, "--opt", f"pool={new_pool(ceph)}", code=NO_ANSWER)
    assert site.is_clean()


@KINDS
def test_wrong_key_is_told_and_hurts_no_other_backend(sites, directory, kind):
    wrong = directory / "wrong.keyring"
    wrong.write_text("[client.admin]\nkey = AQAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
    for keyring in (wrong, directory / "none"):
        site = sites(kind, "--backend-option", f"ceph.keyring={keyring}")
        assert f"is there a keyring for client.admin in {keyring}" in site.create(code=NO_ANSWER)
        assert site.records() == []
        site.create("tenant1/other", "--opt", "backend=loop")
        write(site.mount("tenant1/other") / "file", "works")
        site.unmount("tenant1/other")
