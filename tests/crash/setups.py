# SPDX-License-Identifier: Apache-2.0
"""The two ways to run the product, for tests that make a fault point of one process go off."""
import subprocess

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

    def __init__(self, directory):
        self.plugin = Volplugin(directory / "vp")

    def start(self):
        self.plugin.start()

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

    def __init__(self, directory):
        self.master = Volmaster(directory / "vm")
        self.plugin = Agent(directory / "vp", self.master, "n1")

    def start(self):
        self.master.start()
        self.plugin.start()
        wait_until(self.plugin.registered, "the agent is connected")

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
        return self.master if point in VOLMASTER_POINTS else self.plugin

    def _restart(self, point, *flags):
        process = self._process(point)
        process.stop()
        process.start(*flags)
        wait_until(self.plugin.registered, "the agent is connected")
