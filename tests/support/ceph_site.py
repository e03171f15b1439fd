# SPDX-License-Identifier: Apache-2.0
"""The product on a pool of a Ceph cluster."""
import contextlib
import itertools
import os
import pathlib

from support.ceph_storage import CephImages
from support.daemons import Agent, Volmaster, Volplugin, wait_until

NAME, IMAGE = "tenant1/v", "tenant1.v"
DONE, FAILED, USAGE, NOT_FOUND, IN_THE_WAY, NO_ANSWER = range(6)  # exit codes of volcli
# An OSD alone that was stopped for longer than it may be read from without asking others (0.8 of this) does not always
# find out that there is nobody to ask, and some placement group then stays "laggy" for good.
MAY_HANG = "osd heartbeat grace = 3600"
_numbers = itertools.count()


def new_pool(ceph):
    return ceph.make_pool(f"p{next(_numbers)}")


def write(path, text):
    """So that it is in the cluster."""
    with open(path, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


class CephSite:
    """`kind`: "standalone", "split" (volmaster and an agent) or "master" (volmaster alone). `api`: the volmaster;
    `plugin`: the agent, if there is one; with "standalone" they are the same. Left out, the pool is a new one."""

    def __init__(self, directory, ceph, kind, flags=(), pool=None):
        self.dir = directory
        self.ceph = ceph
        self.pool = pool or new_pool(ceph)
        self.storage = CephImages(ceph, self.pool, directory)
        flags = [*flags, "--default-pool", "loop=default"]
        self.master = self.plugin = None
        if kind == "standalone":
            self.api = self.plugin = Volplugin(directory / "vp", *flags, storage=self.storage)
        else:
            self.api = self.master = Volmaster(directory / "vm", *self.storage.flags, *flags)
        if kind == "split":
            self.plugin = Agent(directory / "vp", self.master, "n1", *flags, storage=self.storage)

    def start(self, *flags):
        self.api.start(*flags)
        if self.plugin not in (None, self.api):
            self.plugin.start()
            wait_until(self.plugin.registered, "the agent is connected")
        self.upload()
        return self

    def upload(self, command="mkfs.ext4 -q -m0 %"):
        policy = {"default-options": {"size": "16MB"}, "filesystems": {"ext4": command}}
        assert self.api.api("PUT", "/v1/tenants/tenant1", policy)[0] in (200, 201)

    def volcli(self, *args, code=DONE):
        """What it prints, or its error."""
        done = self.api.volcli(*args, check=False)
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout if code == DONE else done.stderr

    def create(self, name=NAME, *more, code=DONE):
        return self.volcli("volume", "create", name, *more, code=code)

    def remove(self, name=NAME, code=DONE):
        return self.volcli("volume", "remove", name, code=code)

    def records(self):
        return self.api.api("GET", "/v1/volumes")[2]["items"]

    def rbd(self, *args, **more):
        return self.ceph.rbd("-p", self.pool, *args, **more).stdout

    def content(self, image=IMAGE):
        return self.storage.path(image).read_bytes()

    def mount(self, name=NAME, use="a"):
        answer = self.plugin.docker("VolumeDriver.Mount", {"Name": name, "ID": use})
        assert answer["Err"] == "", answer
        return pathlib.Path(answer["Mountpoint"])

    def unmount(self, name=NAME, use="a"):
        assert self.plugin.docker("VolumeDriver.Unmount", {"Name": name, "ID": use}) == {"Err": ""}

    def is_clean(self):
        """No volume, and nothing of one."""
        return (self.storage.images(), self.storage.notes(), self.storage.servers(), self.storage.devices(),
                self.records()) == ([], [], [], {}, [])

    def clean(self):
        self.ceph.osd.resume()
        if self.plugin:
            self.plugin.clean()
        if self.master:
            self.master.stop(9)
        self.storage.clean()


@contextlib.contextmanager
def sites_of(directory, ceph, site=CephSite):
    """A function: make(kind, *flags) -> a started site; all are gone at the end."""
    made = []

    def make(kind="split", *flags, on=ceph, pool=None):
        made.append(site(directory / f"s{len(made)}", on, kind, flags, pool))
        return made[-1].start()

    try:
        yield make
    finally:
        for one in made:
            one.clean()
