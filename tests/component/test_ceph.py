# SPDX-License-Identifier: Apache-2.0
"""Volumes in a real Ceph cluster: volmaster alone, with an agent, and standalone; and the cluster's own troubles."""
import contextlib
import json
import os
import signal
import subprocess
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest
from support.ceph import Ceph
from support.ceph_site import FAILED, IMAGE, IN_THE_WAY, NAME, NO_ANSWER, NOT_FOUND, CephSite, new_pool
from support.daemons import Volmaster, wait_until
from support.etcd import Etcd


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    # An OSD alone that was stopped for longer than it may be read from without asking others (0.8 of this) does not
    # always find out that there is nobody to ask, and some placement group then stays "laggy" for good.
    with Ceph(tmp_path_factory.mktemp("c") / "c", mgr=True, extra=["osd heartbeat grace = 3600"]) as made:
        yield made


class Site(CephSite):
    def phase(self, name=NAME):
        return json.loads(self.volcli("volume", "get", name))["phase"]

    def is_clean(self):
        """No volume, and nothing of one."""
        return (self.storage.images(), self.storage.notes(), self.storage.servers(), self.storage.devices(),
                self.records()) == ([], [], [], {}, [])

    def clean(self):
        self.ceph.osd.resume()
        super().clean()


@pytest.fixture
def sites(directory, ceph):
    """A function: sites(kind, *flags) -> a started Site, "master", "split" or "standalone"."""
    made = []

    def make(kind, *flags, on=ceph, pool=None):
        made.append(Site(directory / f"s{len(made)}", on, kind, flags, pool))
        return made[-1].start()

    yield make
    for site in made:
        site.clean()


KINDS = pytest.mark.parametrize("kind", ["split", "standalone"])


def write(path, text):
    with open(path, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


# Making and removing.

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
    assert site.phase() == "ready"
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
    assert site.phase() == "ready"
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
        assert site.phase() == "ready"
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


# Troubles.

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
