# SPDX-License-Identifier: Apache-2.0
"""One fake host with volplugin and a Docker engine, and the facts the kernel and the API tell about it."""
import json
import pathlib
import re

from support.daemons import Volmaster, Volplugin, wait_until
from support.engine import Engine
from support.host import Host

MKFS = {"ext4": "mkfs.ext4 -q -m0 %", "btrfs": "mkfs.btrfs -q %", "xfs": "mkfs.xfs -q %"}


class Lab:
    def __init__(self, directory, name="host1"):
        self.dir = pathlib.Path(directory)
        self.host = Host(self.dir / "host", name).start()
        self.plugin = self._make_plugin()
        self.engine = Engine(self.dir / "docker", self.host)

    def _make_plugin(self):
        return Volplugin(self.dir / "vp", namespace_pid=self.host.pid, plugin_dir=self.host.plugin_dir)

    def start(self):
        self.start_plugin()
        self.plugin.upload(filesystems=MKFS)
        self.engine.start()
        self.engine.import_image()
        return self

    def start_plugin(self):
        self.plugin.start()

    # Facts about one volume.

    def device(self, volume):
        """The device that shows the volume's image, as the kernel says, or None."""
        return self.plugin.storage.devices().get(volume.replace("/", "."))

    def mounted(self, volume):
        """What is mounted for the volume on the host: [(type, source)]."""
        where = str(self.plugin.mounts / volume.replace("/", "."))
        return [(kind, source) for at, kind, source in self.host.mounts() if at == where]

    def record(self, volume):
        """The volume's mount record, or None."""
        status, _, body = self.plugin.api("GET", f"/v1/mounts/{volume}")
        assert status in (200, 404), body
        return body if status == 200 else None

    def uses(self, volume):
        """Mount IDs that the mount record names, sorted."""
        record = self.record(volume)
        return sorted(use["id"] for use in record["uses"]) if record else []

    def counts(self, volume):
        """Mount ID -> count, as the agent's journal has it."""
        file = self.plugin.data / "agent" / f"{volume.replace('/', '.')}.json"
        return {use["id"]: use["count"] for use in json.loads(file.read_text())["uses"]} if file.exists() else {}

    def data(self, volume):
        """The directory that containers get, as seen from here."""
        return self.host.path(self.plugin.mounts / volume.replace("/", ".") / "data")

    def released(self, volume):
        return not self.record(volume) and not self.mounted(volume) and not self.device(volume)

    def wait_released(self, volume, patience=30):
        """No mount record, nothing mounted, no device."""
        wait_until(lambda: self.released(volume), f"{volume} is released", patience)

    def assert_in_use(self, volume, count):
        """`count` mount IDs hold the volume: record, mount table and device agree."""
        wait_until(lambda: len(self.uses(volume)) == count, f"{volume} has {count} uses")
        record = self.record(volume)
        assert record["phase"] == "mounted" and record["node"] == self.host.name
        assert [source for _, source in self.mounted(volume)] == [self.device(volume)]

    # Between and after tests.

    def healthy(self):
        plugin = self.plugin.daemon
        return plugin and plugin.running() and self.engine.running() and not self.engine.live_restore

    def sweep(self):
        """Removes all containers and volumes and asserts that nothing stays behind."""
        containers = self.engine.containers()
        if containers:
            self.engine.cli("rm", "-f", *containers)
        wait_until(lambda: not self.plugin.mount_records(), "every mount record is released")
        self.plugin.settle()
        assert self.plugin.mounted() == []
        assert self.plugin.devices() == []
        if self.engine.volumes():  # so that the engine forgets them, too
            self.engine.cli("volume", "rm", *self.engine.volumes())
        for volume in self.plugin.volumes():
            status, _, body = self.plugin.api("DELETE", f"/v1/volumes/{volume['tenant']}/{volume['name']}")
            assert status == 204, body
        assert self.plugin.images() == []

    def clean(self):
        self.engine.clean()
        self.plugin.clean()
        self.host.unmount_below(self.plugin.mounts)
        self.host.clean()
        wait_until(lambda: not self.plugin.devices(), "the loop devices are gone with the host")


class SplitLab(Lab):
    """The host's volplugin is the agent of a volmaster process, to which it speaks TCP."""

    def __init__(self, directory, name="host1", master=None):
        self.owns_master = master is None
        self.master = master or make_master(pathlib.Path(directory) / "vm")
        super().__init__(directory, name)

    def _make_plugin(self):
        plugin = Volplugin(self.dir / "vp", "--master", self.master.tcp, standalone=False, namespace_pid=self.host.pid,
                           plugin_dir=self.host.plugin_dir)
        plugin.api_socket = self.master.socket
        plugin.node = self.host.name
        return plugin

    def start_plugin(self):
        self.plugin.start()
        self.wait_connected()

    def start_master(self):
        self.master.start()
        self.wait_connected()

    def wait_connected(self):
        """volmaster can give work to the agent, which has registered itself."""
        def node():
            status, _, body = self.plugin.api("GET", f"/v1/nodes/{self.host.name}")
            return status == 200 and body["connected"]
        wait_until(node, f"{self.host.name} is connected to volmaster")

    def healthy(self):
        return super().healthy() and self.master.daemon and self.master.daemon.running()

    def clean(self):
        super().clean()
        if self.owns_master:
            self.master.stop()


def make_master(directory):
    """A running volmaster. Its TCP port is given by the kernel and stays the same when it is restarted."""
    master = Volmaster(directory)
    master.start("--listen", "127.0.0.1:0")
    master.tcp = re.search(r"serving the API on (127\.0\.0\.1:\d+)", master.log()).group(1)
    master.flags += ["--listen", master.tcp]
    return master


class Labs:
    """Hands out one lab to many tests and replaces it when a test left it in another state."""

    def __init__(self, directory, make=Lab):
        self.dir = pathlib.Path(directory)
        self.make = make
        self.made = 0
        self.current = None

    def get(self):
        if self.current and not self.current.healthy():
            self.discard()
        if self.current is None:
            self.made += 1
            self.current = self.make(self.dir / str(self.made))
            self.current.start()
        return self.current

    def discard(self):
        if self.current:
            self.current.clean()
        self.current = None
