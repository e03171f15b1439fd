# SPDX-License-Identifier: Apache-2.0
"""A guest with one of our programs and Docker, and containers that write to volumes there."""
from lab.products import GuestDocker, print_logs
from support.daemons import wait_until


class DockerSite:
    def __init__(self, plugin, driver, lvm=None):
        self.guest, self.plugin, self.driver, self.lvm = plugin.guest, plugin, driver, lvm
        self.docker = GuestDocker(self.guest)

    def start(self):
        """Both programs, side by side, and an image."""
        self.docker.launch()
        self.plugin.start()
        self.docker.wait_ready()
        self.docker.import_image()
        return self

    def create(self, name, *flags):
        self.docker.docker("volume", "create", "-d", self.driver, *flags, name)

    def file(self, volume, name):
        """A file of a mounted volume."""
        return self.guest.get(f"{self.plugin.directory(volume)}/{name}").decode()

    # For containers that run support.writer.SCRIPT.

    def lines(self, volume):
        """What is written so far; nothing when the container has just been started."""
        return self.guest.run(["cat", f"{self.plugin.directory(volume)}/log"], check=False).stdout.split()

    def wait_for_progress(self, volume):
        before = len(self.lines(volume))
        with self.docker.explained(), self.plugin.explained():
            wait_until(lambda: len(self.lines(volume)) > before + 2, "the container goes on writing")

    def read(self, volume, name):
        """A file of a volume that no container uses."""
        self.plugin.must("Mount", {"Name": volume, "ID": "test"})
        try:
            return self.file(volume, name)
        finally:
            self.plugin.must("Unmount", {"Name": volume, "ID": "test"})

    def assert_log_is_whole(self, volume):
        numbers = [int(line) for line in self.read(volume, "log").split()]
        assert len(numbers) > 5 and numbers == list(range(1, len(numbers) + 1))

    def wait_running(self, container):
        with self.docker.explained(), self.plugin.explained():
            wait_until(lambda: self.docker.state(container) == "running", f"{container} runs", 60)

    def print_logs(self):
        print_logs(self.plugin, self.docker)
