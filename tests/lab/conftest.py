# SPDX-License-Identifier: Apache-2.0
"""Guests for tests. A boot takes seconds: share one with `guests` where a test leaves it as it was."""
import pytest

from lab import image, qemu
from lab.guest import Guest
from lab.workspace import workspace


class Guests:
    """The guests of one test file, by name: made at the first call, started again if a test ended them."""

    def __init__(self, directory):
        self.dir = directory
        self.made = {}

    def make(self, name, **options):
        """A guest that was not started yet; it is stopped when the tests of the file are done."""
        self.made[name] = Guest(self.dir / name, name, **options)
        return self.made[name]

    def __call__(self, name="guest1", **options):
        guest = self.made.get(name) or self.make(name, **options)
        return guest if guest.running() else guest.start()

    def stop(self):
        for guest in self.made.values():
            guest.stop()


@pytest.fixture(scope="session")
def lab():
    """The lab works here, and its image is built. That qemu is missing is the one reason to skip."""
    why_not = qemu.why_not()
    if why_not:
        pytest.skip(f"qemu cannot run here: {why_not}")
    return image.ensure()


@pytest.fixture(scope="module")
def guests(lab):
    """A function: guests(name, **options of Guest) -> a running guest, the same one for all tests of the file."""
    with workspace() as directory:
        keeper = Guests(directory)
        yield keeper
        keeper.stop()


@pytest.fixture
def guest(lab):
    """A fresh running guest without disks; add_disk() plugs one in."""
    with workspace() as directory, Guest(directory) as fresh:
        yield fresh
