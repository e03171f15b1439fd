# SPDX-License-Identifier: Apache-2.0
"""The two ways to run the product, for tests that make a fault point of one process go off; and with volumes in
a Ceph cluster, where most steps are another process's than with those of one host."""
import itertools
import subprocess

from support.ceph_storage import CephImages
from support.daemons import BIN, Agent, Volmaster, Volplugin, wait_until

ABORTED = 134  # the exit code of a process that a fault point ended
# The steps that volmaster does; all others are the agent's.
VOLMASTER_POINTS = {"create_recorded", "create_acknowledged", "remove_recorded", "remove_acknowledged"}


def fault_points():
    """The points in the program's own table; none when it cannot be asked, which a test of its own notices."""
    try:
        answer = subprocess.run([BIN / "volplugin", "--list-faults"], capture_output=True, text=True, timeout=30)
    except OSError:
        return []
    return answer.stdout.split()


class Standalone:
    """Everything in one process."""

    def __init__(self, directory, storage=None):
        self.plugin = Volplugin(directory / "vp", storage=storage)

    def start(self):
        self.plugin.start()

    def kill(self):
        self.plugin.kill()

    def arm(self, point, action):
        self.plugin.restart("--fault", f"{point}={action}")

    def wait_for_death(self, _point):
        return self.plugin.daemon.wait()

    def disarm(self, _point):
        self.plugin.restart()

    def clean(self):
        self.plugin.clean()


class Split:
    """volmaster and one agent; the process that the point belongs to has the fault."""

    volmaster_points = VOLMASTER_POINTS

    def __init__(self, directory, storage=None):
        self.master = Volmaster(directory / "vm", *(storage.flags if storage else ()))
        self.plugin = Agent(directory / "vp", self.master, "n1", storage=storage)

    def start(self):
        self.master.start()
        self.plugin.start()
        wait_until(self.plugin.registered, "the agent is connected")

    def kill(self):
        """Everything; the agent first, so that it answers nothing about volmaster's end."""
        self.plugin.kill()
        self.master.stop(9)

    def arm(self, point, action):
        self._restart(point, "--fault", f"{point}={action}")

    def wait_for_death(self, point):
        return self._process(point).daemon.wait()

    def disarm(self, point):
        self._restart(point)

    def clean(self):
        self.plugin.clean()
        self.master.stop(9)

    def _process(self, point):
        return self.master if point in self.volmaster_points else self.plugin

    def _restart(self, point, *flags):
        process = self._process(point)
        process.stop()
        process.start(*flags)
        wait_until(self.plugin.registered, "the agent is connected")


class OnCeph:
    """Which cluster, is set before the first is made; each system has a pool of its own."""

    cluster = None
    _numbers = itertools.count()

    @classmethod
    def storage(cls, directory):
        return CephImages(OnCeph.cluster, OnCeph.cluster.make_pool(f"p{next(OnCeph._numbers)}"), directory)


class CephStandalone(OnCeph, Standalone):
    def __init__(self, directory):
        super().__init__(directory, self.storage(directory))


class CephSplit(OnCeph, Split):
    """volmaster makes and removes images itself."""

    volmaster_points = {point for point in fault_points() if point.startswith(("create_", "adopt_", "remove_",
                                                                              "snapshot_"))}

    def __init__(self, directory):
        super().__init__(directory, self.storage(directory))

    def clean(self):
        super().clean()
        self.plugin.storage.clean()  # what volmaster left
