# SPDX-License-Identifier: Apache-2.0
"""Every step boundary of every operation but those that only Ceph can, crashed and failed.

What is proven for each named fault point, in both ways to run the product: a caller is never told that an
operation succeeded which did not; what was acknowledged before is still there; recovery leaves nothing half
made; and the operation works afterwards.
"""
import contextlib
import http.client
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from setups import ABORTED, CephSplit, CephStandalone, OnCeph, Split, Standalone, fault_points
from support import storage
from support.ceph import Ceph
from support.daemons import scratch, wait_until

# The others are in test_adopt_points.py and test_snapshot_points.py.
POINTS = [point for point in fault_points() if not point.startswith(("adopt_", "snapshot_"))]
PARALLEL = 8
NAME = "tenant1/v"
KEPT = "tenant1/kept"
# What the two kinds differ in has nothing to do with where images lie.
KINDS = [Standalone, Split, CephStandalone, CephSplit] if storage.KIND == "loop" else [Standalone]
# While armed to fail, the background goes through these points again and again, and so cannot finish.
STAYS = {"unmount_unmounted": "unmount", "remove_image_removed": "remove"}


def swept(scenario):
    """Makes a scenario one test for each way to run the product and each fault point."""
    @pytest.mark.parametrize("point", POINTS)
    @pytest.mark.parametrize("kind", KINDS)
    def test(outcomes, kind, point):
        outcomes[scenario, kind, point].result()

    test.scenario = scenario
    test.__doc__ = scenario.__doc__
    return test


@pytest.fixture(scope="module")
def outcomes(request):
    """All selected scenarios, played several at a time: most of them wait for a periodic recovery."""
    selected = [item for item in request.session.items if hasattr(item.function, "scenario")]
    with contextlib.ExitStack() as stack:
        if any(issubclass(item.callspec.params["kind"], OnCeph) for item in selected):
            directory = stack.enter_context(scratch("vpc-"))
            OnCeph.cluster = stack.enter_context(Ceph(directory / "c"))
        pool = stack.enter_context(ThreadPoolExecutor(PARALLEL))
        yield {(item.function.scenario, *item.callspec.params.values()):
               pool.submit(play, item.function.scenario, **item.callspec.params) for item in selected}


def play(scenario, kind, point):
    """Runs a scenario in a system with one volume in use that has nothing to do with the fault."""
    with scratch() as directory:
        system = kind(directory)
        try:
            system.start()
            system.plugin.upload()
            assert create(system.plugin, KEPT) == ""
            with open(mount(system.plugin, KEPT, "kept") + "/data", "w") as container:
                write(container, "acknowledged")  # and kept open, as by a container: nobody may unmount it
                scenario(system, point)
        finally:
            system.clean()


def docker(plugin, method, **body):
    """The answer's Err, or None when the connection ended without an answer. An agent that was restarted is
    reached by volmaster when it has asked for work again; a call before that fails with effect none."""
    def answer():
        with contextlib.suppress(OSError, http.client.HTTPException):
            return [plugin.docker(f"VolumeDriver.{method}", body)["Err"]]
        return [None]

    return wait_until(lambda: [err for err in answer() if "before it got the work" not in (err or "")],
                      f"volmaster reaches the node for {method}")[0]


def create(plugin, name):
    return docker(plugin, "Create", Name=name, Opts={"ephemeral": "true"})


def mount(plugin, name, use):
    answer = plugin.docker("VolumeDriver.Mount", {"Name": name, "ID": use})
    assert answer["Err"] == "", answer
    return answer["Mountpoint"]


def unmount(plugin, name, use):
    assert docker(plugin, "Unmount", Name=name, ID=use) == ""


def write(file, text):
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


def operation_of(point):
    return point.partition("_")[0]


def prepare(plugin, operation):
    """Everything that goes before the operation; from mount on the volume has data."""
    if operation == "create":
        return
    assert create(plugin, NAME) == ""
    if operation == "remove":
        return
    with open(mount(plugin, NAME, "m") + "/data", "w") as out:
        write(out, "acknowledged")
    if operation == "mount":
        unmount(plugin, NAME, "m")
        plugin.settle()


def call(plugin, operation):
    if operation == "create":
        return create(plugin, NAME)
    if operation == "remove":
        return docker(plugin, "Remove", Name=NAME)
    return docker(plugin, operation.capitalize(), Name=NAME, ID="m")


def exists(plugin):
    return plugin.api("GET", f"/v1/volumes/{NAME}")[0] == 200


def check_kept(plugin):
    """The volume that was in use all along is there, mounted, with its data."""
    path = plugin.docker("VolumeDriver.Path", {"Name": KEPT})["Mountpoint"]
    assert os.path.ismount(os.path.dirname(path))
    with open(f"{path}/data") as file:
        assert file.read() == "acknowledged"


def check_data(plugin, operation):
    """Mounting works, and what was written before the fault is there."""
    path = mount(plugin, NAME, "m")
    if operation in ("mount", "unmount"):
        with open(f"{path}/data") as file:
            assert file.read() == "acknowledged"


def check_whole_life(plugin, operation):
    """From wherever the volume is now, every operation works, up to no volume at all."""
    if operation in ("mount", "unmount"):
        assert exists(plugin), "a volume with data is lost"
    assert create(plugin, NAME) == ""
    check_data(plugin, operation)
    unmount(plugin, NAME, "m")
    plugin.settle()
    fsck(plugin, "tenant1.v")
    assert docker(plugin, "Remove", Name=NAME) == ""
    plugin.settle()
    assert not exists(plugin)


def fsck(plugin, image):
    checked = subprocess.run(["e2fsck", "-fn", plugin.storage.path(image)], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def crash(system, point):
    """Drives the operation into the point; the process dies and nobody is told of success."""
    prepare(system.plugin, operation_of(point))
    system.arm(point, "abort")
    answer = call(system.plugin, operation_of(point))
    assert system.wait_for_death(point) == ABORTED, answer
    assert answer != "", "a crashed operation was acknowledged"


def test_the_table_of_fault_points_covers_all_operations():
    assert {operation_of(point) for point in fault_points()} == {"create", "adopt", "mount", "unmount", "remove",
                                                                  "snapshot"}


@swept
def test_crash_then_recovery(system, point):
    """Nobody repeats the call: recovery alone has to bring everything to rest."""
    crash(system, point)
    system.disarm(point)
    # Also a mount of which nobody was told: it goes when no container turns up that uses it.
    wait_until(lambda: [os.path.basename(path) for path in system.plugin.mounted()] == ["tenant1.kept"],
               "nothing is mounted for nobody")
    system.plugin.settle()
    assert system.plugin.images() == (["tenant1.kept", "tenant1.v"] if exists(system.plugin) else ["tenant1.kept"])
    check_kept(system.plugin)
    check_whole_life(system.plugin, operation_of(point))


@swept
def test_crash_then_the_same_call_again(system, point):
    """The caller repeats at once, so that its call meets recovery."""
    operation = operation_of(point)
    crash(system, point)
    system.disarm(point)
    assert call(system.plugin, operation) == ""
    if operation == "mount":
        check_data(system.plugin, operation)
        unmount(system.plugin, NAME, "m")  # counted twice, as by docker cp
        unmount(system.plugin, NAME, "m")
    system.plugin.settle()
    assert exists(system.plugin) == (operation != "remove")
    check_kept(system.plugin)
    check_whole_life(system.plugin, operation)


@swept
def test_failing_step(system, point):
    """The process lives on: the caller learns of the failure, except for Unmount, which always drops the
    reference. Then everything comes to rest without a restart, or stays visible as pending."""
    operation = operation_of(point)
    prepare(system.plugin, operation)
    system.arm(point, "fail")
    answer = call(system.plugin, operation)
    assert point in answer if operation != "unmount" else answer == ""
    if point in STAYS:
        pending = wait_until(system.plugin.operations, "the unfinished operation is visible")
        assert [(p["kind"], p["volume"]) for p in pending] == [(STAYS[point], NAME)]
    else:
        system.plugin.settle()
    check_kept(system.plugin)
    system.disarm(point)
    system.plugin.settle()
    if operation in ("unmount", "remove"):
        assert call(system.plugin, operation) == ""
    check_kept(system.plugin)
    check_whole_life(system.plugin, operation)
