# SPDX-License-Identifier: Apache-2.0
"""Images that exist already become volumes: those of the Go system, and those whose record is lost."""
import contextlib
import json
import os
import signal
import subprocess

import pytest
from support.ceph import Ceph
from support.ceph_site import (DONE, FAILED, IMAGE, IN_THE_WAY, NAME, NOT_FOUND, USAGE, CephSite, new_pool, sites_of,
                               write)
from support.daemons import BIN, wait_until

KINDS = pytest.mark.parametrize("kind", ["split", "standalone"])


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    with Ceph(tmp_path_factory.mktemp("c") / "c", extra=["osd client watch timeout = 3"]) as made:
        yield made


class Site(CephSite):
    def adopt(self, *more, name=NAME, code=DONE):
        return self.volcli("volume", "adopt", name, *more, code=code)

    def volume(self, name=NAME):
        return json.loads(self.volcli("volume", "get", name))

    def put(self, content, *flags, image=IMAGE):
        """An image with this content, as the Go system's clusters made them."""
        file = self.dir / "image"
        file.write_bytes(content)
        self.rbd("import", "--no-progress", "--image-feature", "layering", *flags, file, f"{self.pool}/{image}")

    def features(self):
        return json.loads(self.rbd("info", IMAGE, "--format", "json"))["features"]

    def unmount(self, name=NAME, use="a"):
        super().unmount(name, use)
        self.plugin.settle()

    def expect_refused(self, why, *more, code, name=NAME):
        """And nothing has changed: neither records, nor the image, nor what is noted of it."""
        def state():
            info = self.ceph.rbd("-p", self.pool, "info", IMAGE, check=False).stdout
            return self.records(), self.storage.images(), self.storage.notes(), info
        before = state()
        error = self.adopt(*more, name=name, code=code)
        assert why in error, error
        assert state() == before


@pytest.fixture
def sites(directory, ceph):
    """A function: sites(kind) -> a started Site, "split" or "standalone"."""
    with sites_of(directory, ceph, Site) as make:
        yield make


@pytest.fixture(scope="module")
def ext4(tmp_path_factory):
    """An ext4 with a file at its root, as a container of the Go system left it."""
    where = tmp_path_factory.mktemp("ext4")
    (where / "root").mkdir()
    (where / "root" / "file").write_text("of before")
    with open(where / "image", "wb") as out:
        out.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m0", "-d", where / "root", where / "image"], check=True, timeout=60)
    return (where / "image").read_bytes()


@contextlib.contextmanager
def opened(site, image=IMAGE):
    """Somebody has the image open; the address of that client."""
    watcher = subprocess.Popen(["rbd", "-c", site.ceph.conf, "watch", f"{site.pool}/{image}"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def watchers():
            return json.loads(site.rbd("status", image, "--format", "json")).get("watchers")
        yield wait_until(watchers, "it has the image open")[0]["address"]
    finally:
        watcher.communicate(b"\n", timeout=30)


# Of the Go system.

@KINDS
def test_image_of_the_go_system_becomes_a_volume(sites, ext4, kind):
    site = sites(kind)
    site.put(ext4)
    assert site.adopt() == f"{NAME}\n"
    assert site.content() == ext4, "its data was touched"
    volume = site.volume()
    assert (volume["phase"], volume["size-bytes"], volume["filesystem-type"], volume["layout"]) == \
        ("ready", 16 << 20, "ext4", "root"), volume
    assert (volume["options"]["size"], volume["options"]["filesystem"]) == ("16MB", "ext4")
    assert "exclusive-lock" in site.features(), "a lost host could not be kept out"
    assert site.storage.notes() == [f"{IMAGE}/owner"] and site.storage.servers() == []
    path = site.mount()
    assert (path / "file").read_text() == "of before"
    assert sorted(entry.name for entry in path.iterdir()) == ["file", "lost+found"]
    write(path / "new", "kept")
    site.unmount()
    path = site.mount()
    assert (path / "new").read_text() == "kept"
    assert "container mount a" in site.volcli("volume", "remove", NAME, code=IN_THE_WAY)
    site.unmount()
    site.volcli("volume", "create", NAME)  # what Docker sends first: it is there
    site.volcli("volume", "remove", NAME)
    assert (site.storage.images(), site.storage.notes(), site.records()) == ([], [], [])


def test_options_are_those_of_the_policy_and_of_opt(sites, ext4):
    site, other = sites(), sites()
    other.put(ext4)
    site.adopt("--opt", f"pool={other.pool}", "--opt", "ephemeral=true", "--opt", "rate-limit.read.bps=1000000",
               "--layout", "data")
    volume = site.volume()
    assert volume["options"]["pool"] == other.pool and volume["options"]["ephemeral"] is True
    assert volume["options"]["rate-limit"]["read-bps"] == 1000000
    assert "layout" not in volume  # data, as of every volume
    path = site.mount()
    assert list(path.iterdir()) == [] and (path.parent / "file").read_text() == "of before"
    for method in "Unmount", "Remove":
        assert site.plugin.docker(f"VolumeDriver.{method}", {"Name": NAME, "ID": "a"}) == {"Err": ""}
    assert other.storage.images() == [], "it was ephemeral"


def test_all_images_of_a_pool_at_once(sites, ext4):
    """As docs/backends/ceph.md says it."""
    site = sites()
    for image in (IMAGE, "tenant1.with.dots"):
        site.put(ext4, image=image)
    script = f"""rbd -c {site.ceph.conf} ls {site.pool} | while IFS=. read -r tenant volume
                 do {BIN}/volcli volume adopt "$tenant/$volume"; done"""
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "VOLPLUGIN_MASTER": site.master.address})
    assert sorted(done.stdout.split()) == [NAME, "tenant1/with.dots"], done


def test_it_is_told_as_json(sites, ext4):
    site = sites()
    site.put(ext4)
    told = json.loads(site.adopt("-o", "json"))
    assert told == site.volume()


# Of volplugin, without a record.

@KINDS
def test_forgotten_volume_comes_back(sites, kind):
    site = sites(kind)
    site.volcli("volume", "create", NAME)
    write(site.mount() / "file", "kept")
    site.unmount()
    before, uid = site.content(), site.volume()["uid"]
    site.volcli("volume", "force-remove", NAME)
    site.expect_refused(f"belongs to volume {uid}", code=FAILED)
    site.adopt("--yes")
    assert site.content() == before
    assert "layout" not in site.volume() and site.volume()["uid"] != uid
    assert (site.mount() / "file").read_text() == "kept"
    site.unmount()
    # Once more: also an adopted one can be forgotten.
    site.volcli("volume", "force-remove", NAME)
    site.adopt("--yes")
    assert (site.mount() / "file").read_text() == "kept"
    site.unmount()
    site.volcli("volume", "remove", NAME)
    assert (site.storage.images(), site.storage.notes()) == ([], [])


def test_it_is_known_for_good_that_somebody_else_made_it(sites, ext4):
    site = sites()
    site.put(ext4)
    for flags in ([], ["--yes"], ["--yes"]):
        site.adopt(*flags)
        assert site.volume()["layout"] == "root"
        site.volcli("volume", "force-remove", NAME)


def test_renamed_image_is_known_and_is_nobody_elses(sites):
    site = sites()
    site.volcli("volume", "create", "tenant1/old")
    write(site.mount("tenant1/old") / "file", "kept")
    site.unmount("tenant1/old")
    site.expect_refused("rbd rename", code=NOT_FOUND)
    site.rbd("rename", "tenant1.old", IMAGE)
    site.expect_refused("belongs to volume 'tenant1/old'", "--yes", code=FAILED)
    site.volcli("volume", "force-remove", "tenant1/old")
    site.adopt("--yes")
    assert site.storage.notes() == [f"{IMAGE}/owner"]
    assert (site.mount() / "file").read_text() == "kept"
    site.unmount()


def test_store_that_is_lost(sites, ceph):
    """Another volplugin, which knows nothing, on the same pool; the old host was switched off while it wrote."""
    lost = sites("standalone")
    lost.volcli("volume", "create", NAME)
    write(lost.mount() / "file", "kept")
    site = sites(pool=lost.pool)
    refused = site.adopt("--yes", code=IN_THE_WAY)
    assert f"image '{site.pool}/{IMAGE}' is in use by host" in refused, refused
    lost.plugin.stop(signal.SIGKILL)
    for server in lost.storage.servers():
        os.kill(server, signal.SIGSTOP)  # the host hangs; the cluster takes it for dead
    wait_until(lambda: not json.loads(site.rbd("status", IMAGE, "--format", "json")).get("watchers"), "it is silent")
    site.adopt("--yes")
    assert ceph.blocklist(), "it could come back and write"
    for server in lost.storage.servers():
        os.kill(server, signal.SIGCONT)
    assert site.storage.notes() == [f"{IMAGE}/owner"]
    assert (site.mount() / "file").read_text() == "kept"
    site.unmount()
    ceph.ceph("osd", "blocklist", "clear")


# Refusals, none of which changes anything.

def test_refuses_what_is_not_there(sites, ext4):
    site = sites()
    site.expect_refused(f"image '{site.pool}/{IMAGE}' does not exist", code=NOT_FOUND)
    site.expect_refused("pool 'nowhere' does not exist", "--opt", "pool=nowhere", code=NOT_FOUND)
    site.put(ext4)
    site.expect_refused("tenant 'tenant2'", name="tenant2/v", code=NOT_FOUND)


def test_refuses_options_that_the_image_decides(sites, ext4):
    site = sites()
    site.put(ext4)
    for option, word in ("size=1GB", "size"), ("filesystem=xfs", "filesystem"), ("node=n1", "node"):
        site.expect_refused(f"option {word}: not of a volume that is adopted", "--opt", option, code=USAGE)


def test_refuses_a_name_that_is_taken(sites):
    site = sites()
    site.volcli("volume", "create", NAME)
    site.expect_refused(f"volume '{NAME}' exists already", "--yes", code=IN_THE_WAY)


def test_refuses_an_image_that_somebody_has_open(sites, ext4):
    site = sites()
    site.put(ext4)
    with opened(site) as client:
        site.expect_refused(f"in use by client {client}", code=IN_THE_WAY)
    site.adopt()


def test_refuses_an_image_that_is_locked_by_hand(sites, ext4):
    site = sites()
    site.put(ext4)
    site.rbd("lock", "add", IMAGE, IMAGE)  # as the Go system did at a time
    site.expect_refused("is locked by hand", code=IN_THE_WAY)
    site.rbd("lock", "rm", IMAGE, IMAGE, json.loads(site.rbd("lock", "ls", IMAGE, "--format", "json"))[0]["locker"])
    site.adopt()


def test_refuses_an_image_without_a_file_system(sites, ext4):
    site = sites()
    table = bytearray(1 << 20)
    table[446:462] = bytes([0, 0, 2, 0, 0x83, 0, 3, 0, 1, 0, 0, 0, 0xFF, 7, 0, 0])  # one partition
    table[510:512] = b"\x55\xaa"
    luks = b"LUKS\xba\xbe\x00\x01" + bytes((1 << 20) - 8)
    for content, what in ((bytes(1 << 20), "but nothing:"), (os.urandom(1 << 20), "nothing that is known"),
                          (bytes(table), "a partition table (dos)"), (luks, "'crypto_LUKS'")):
        site.put(content)
        site.expect_refused(f"holds no file system, but {what.removeprefix('but ')}", code=USAGE)
        assert site.content() == content
        site.rbd("rm", "--no-progress", IMAGE)
    site.put(ext4)
    site.adopt()


def test_image_of_the_old_format_is_refused_and_stays(sites, monkeypatch):
    monkeypatch.setenv("RBD_FORCE_ALLOW_V1", "1")  # else rbd makes none any more
    site = sites()
    site.rbd("create", "--size", "16", "--image-format", "1", IMAGE)
    site.expect_refused("has the old format 1: copy it", code=FAILED)
    assert "has the old format 1" in site.create(code=FAILED)
    assert site.records() == [] and site.storage.images() == [IMAGE] and site.storage.notes() == []


def test_refuses_features_that_hosts_cannot_map(sites, ext4):
    site = sites()
    site.put(ext4, "--image-feature", "exclusive-lock", "--image-feature", "journaling")
    site.expect_refused("cannot map: journaling", code=FAILED)
    site.rbd("feature", "disable", IMAGE, "journaling")
    site.adopt()


def test_data_in_another_pool_is_none_of_our_business(sites, ceph, ext4):
    """An image with a data pool: Linux maps it."""
    site = sites()
    site.put(ext4, "--data-pool", new_pool(ceph))
    site.adopt()
    assert (site.mount() / "file").read_text() == "of before"
    site.unmount()


def test_refuses_a_backend_that_cannot(sites):
    site = sites()
    site.expect_refused("backend 'loop' cannot adopt images; of the backends of this server can: ceph", "--opt",
                        "backend=loop", code=FAILED)


# Interrupted; tests/crash does it at every step.

def test_cluster_that_hangs_in_between(sites, ceph, ext4):
    """The adoption is visible until the image can be given back."""
    site = sites()
    site.put(ext4)
    site.api.stop()
    site.api.start("--fault", "adopt_recorded=abort")
    site.api.volcli("volume", "adopt", NAME, check=False)
    assert site.api.daemon.wait() == 134
    ceph.osd.pause()
    try:
        site.api.start()
        assert [(one["kind"], one["volume"]) for one in site.plugin.operations()] == [("adopt", NAME)]
        assert site.volume()["phase"] == "adopting"
        assert "is adopting" in site.plugin.docker("VolumeDriver.Mount", {"Name": NAME, "ID": "a"})["Err"]
    finally:
        ceph.osd.resume()
    wait_until(lambda: site.records() == [], "it is undone", 120)
    assert site.content() == ext4
