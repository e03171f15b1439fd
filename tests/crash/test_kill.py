# SPDX-License-Identifier: Apache-2.0
"""kill -9 at arbitrary moments under load: what was acknowledged is there, what was not leaves nothing."""
import contextlib
import http.client
import itertools
import os
import random
import subprocess
import threading

import pytest
from setups import CephSplit, CephStandalone, OnCeph
from support.ceph import Ceph
from support.daemons import wait_until

ROUNDS = 30
THREADS = 8
SEED = int(os.environ.get("VOLPLUGIN_SEED", "20240611"))
SHARED = "tenant1/shared"


class Killed(Exception):
    """The daemon went away under a call: whether it happened is not known."""


class Volume:
    """What a client knows of its volume. `exists` and `use` are None while a call is unanswered."""

    def __init__(self, name, exists=False):
        self.name = name
        self.exists = exists
        self.data = None  # synced into the volume
        self.use = False  # whether the client's mount ID is in use


class Client(threading.Thread):
    """Creates, mounts, writes, unmounts and removes volumes of its own, and uses the shared one, until the
    daemon is killed. Asserts that what it is told is true."""

    def __init__(self, plugin, number, volumes, budget):
        super().__init__(name=f"client-{number}", daemon=True)
        self.plugin = plugin
        self.id = f"client{number}"
        self.volumes = volumes
        self.budget = budget
        self.random = random.Random(f"{SEED}-{number}-{budget.left}")
        self.failure = None

    def run(self):
        try:
            while True:
                self.step(self.random.choice(self.volumes))
        except Killed:
            pass
        except Exception as error:  # reported by the test
            self.failure = error
            self.budget.spend_all()

    def step(self, volume):
        if not volume.exists:
            self.told(volume, "exists", True, "Create", Opts={"ephemeral": "true"})
        elif not volume.use:
            if volume.name != SHARED and self.random.random() < 0.3:
                self.remove(volume)
            else:
                self.use(volume)
        else:
            self.told(volume, "use", False, "Unmount", ID=self.id)

    def remove(self, volume):
        volume.exists = None
        answer = call(self.plugin, "Remove", Name=volume.name)
        self.budget.spend()
        # A program that copies the machine's mounts, another test for one, may hold the device a little longer.
        volume.exists = "being unmounted" in answer["Err"]
        assert volume.exists or answer["Err"] == "", answer
        if not volume.exists:
            volume.data = None

    def use(self, volume):
        path = self.told(volume, "use", True, "Mount", ID=self.id)["Mountpoint"]
        assert os.path.ismount(os.path.dirname(path)), f"{path} is not on the volume"
        check_data(path, self.id, volume)
        text = f"{volume.name} {self.random.random()}"
        with open(f"{path}/{self.id}.new", "w") as out:
            out.write(text)
            os.fsync(out.fileno())
        os.rename(f"{path}/{self.id}.new", f"{path}/{self.id}")
        directory = os.open(path, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        volume.data = text

    def told(self, volume, field, value, method, **body):
        """One call that makes the field true to the value, once it is answered."""
        setattr(volume, field, None)
        answer = call(self.plugin, method, Name=volume.name, **body)
        self.budget.spend()
        assert answer["Err"] == "", f"{method} {volume.name}: {answer['Err']}"
        setattr(volume, field, value)
        return answer


class Budget:
    """Counts answered calls; the killer strikes when so many are spent, in the middle of the others."""

    def __init__(self, calls):
        self.left = calls
        self.changed = threading.Condition()

    def spend(self):
        with self.changed:
            self.left -= 1
            self.changed.notify()

    def spend_all(self):
        with self.changed:
            self.left = 0
            self.changed.notify()

    def wait(self):
        with self.changed:
            assert self.changed.wait_for(lambda: self.left <= 0, 60), "the clients are stuck"


def call(plugin, method, **body):
    try:
        return plugin.docker(f"VolumeDriver.{method}", body)
    except (OSError, http.client.HTTPException) as error:
        raise Killed from error


def check_data(path, client, volume):
    text = None
    with contextlib.suppress(FileNotFoundError):
        with open(f"{path}/{client}") as file:
            text = file.read()
    # Without an acknowledged write there may still be one that was on its way.
    assert text == volume.data or volume.data is None, f"{volume.name}: {text!r} instead of {volume.data!r}"


def load_until_killed(system, plugin, clients_volumes, calls):
    """Runs all clients, and kills the programs after so many answered calls."""
    budget = Budget(calls)
    clients = [Client(plugin, number, volumes, budget) for number, volumes in enumerate(clients_volumes)]
    for client in clients:
        client.start()
    budget.wait()
    system.kill()
    for client in clients:
        client.join(60)
        assert not client.is_alive()
    for client in clients:
        if client.failure:
            raise AssertionError(f"{client.name}: {client.failure!r}\n{plugin.log()[-3000:]}") from client.failure


def recover(system, plugin, clients_volumes):
    """After a restart: the engine ends what it had running, all records come to rest, and for every volume
    it shows whether it exists, which must be what was acknowledged."""
    system.start()
    for number, volumes in enumerate(clients_volumes):
        for volume in volumes:
            if volume.use is not False:
                assert call(plugin, "Unmount", Name=volume.name, ID=f"client{number}") == {"Err": ""}
                volume.use = False
    wait_until(lambda: plugin.mounted() == plugin.mount_records() == [], "nothing is mounted for nobody")
    plugin.settle()
    names = {f"{v['tenant']}/{v['name']}" for v in plugin.volumes()}
    for volume in itertools.chain(*clients_volumes):
        assert volume.exists in (None, volume.name in names), f"{volume.name} was acknowledged otherwise"
        if volume.name not in names:
            volume.data = None
        volume.exists = volume.name in names


def check_all_data(plugin, clients_volumes):
    for number, volumes in enumerate(clients_volumes):
        for volume in volumes:
            if not volume.exists:
                continue
            path = call(plugin, "Mount", Name=volume.name, ID="check")["Mountpoint"]
            check_data(path, f"client{number}", volume)
            assert call(plugin, "Unmount", Name=volume.name, ID="check") == {"Err": ""}


def fsck(image):
    checked = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("seed", [SEED])
def test_kill_at_random_moments(volplugin, seed):
    kill_at_random_moments(volplugin, volplugin, seed, THREADS, ROUNDS)


@pytest.mark.parametrize("kind", [CephStandalone, CephSplit])
def test_kill_at_random_moments_on_ceph(directory, kind):
    """With volmaster, if there is one, at the same moment. What it had open in the cluster counts as in use for a
    while: 30 s, if nobody says otherwise."""
    with Ceph(directory / "c", extra=["osd client watch timeout = 3"]) as OnCeph.cluster:
        system = kind(directory)
        try:
            system.start()
            system.plugin.upload()
            kill_at_random_moments(system, system.plugin, SEED, THREADS // 2, ROUNDS // 5)
        finally:
            system.clean()


def kill_at_random_moments(system, plugin, seed, threads, rounds):
    moments = random.Random(seed)
    assert call(plugin, "Create", Name=SHARED, Opts={"ephemeral": "true"}) == {"Err": ""}
    clients_volumes = [[Volume(f"tenant1/c{number}-{n}") for n in range(3)] + [Volume(SHARED, exists=True)]
                       for number in range(threads)]
    for round_number in range(rounds):
        load_until_killed(system, plugin, clients_volumes, moments.randrange(1, 15 * threads))
        recover(system, plugin, clients_volumes)
        if round_number % 5 == 4:
            check_all_data(plugin, clients_volumes)
    wait_until(lambda: not plugin.devices(), "all devices are gone")
    plugin.settle()
    images = plugin.images()
    assert images == sorted(f"{v['tenant']}.{v['name']}" for v in plugin.volumes())
    assert len(images) > 1, "the load left nothing to check"
    for image in images:
        fsck(plugin.storage.path(image))
