# SPDX-License-Identifier: Apache-2.0
"""Every step boundary of taking and of removing a snapshot, crashed and failed, while a container uses the volume.
Whatever happens, records and storage agree in the end, and an acknowledged snapshot is there with what it held."""
import http.client
import os

import pytest
from setups import ABORTED, fault_points
from support.daemons import wait_until

POINTS = [point for point in fault_points() if point.startswith("snapshot_")]
TAKING = ["snapshot_recorded", "snapshot_taken", "snapshot_acknowledged"]
VOLUME, IMAGE = {"tenant": "tenant1", "volume": "v"}, "tenant1.v"
THERE = {"snapshot_acknowledged"}  # from these on the snapshot that was asked for exists


@pytest.fixture
def volume(system):
    """In use, with a snapshot "kept" of its first content."""
    assert system.plugin.api("POST", "/v1/volumes", {"tenant": "tenant1", "name": "v"})[0] == 201
    mounted = system.plugin.docker("VolumeDriver.Mount", {"Name": "tenant1/v", "ID": "m"})
    assert mounted["Err"] == "", mounted
    with open(f"{mounted['Mountpoint']}/data", "w") as container:
        write(container, "first")
        assert take(system, "kept") == 201
        write(container, "second")
        yield container


def write(container, text):
    container.truncate(0)
    container.seek(0)
    container.write(text)
    container.flush()
    os.fsync(container.fileno())


def answer(system, *request):
    """The status; None without an answer."""
    try:
        return system.plugin.api(*request)[0]
    except (OSError, http.client.HTTPException):
        return None


def take(system, name):
    return answer(system, "POST", "/v1/snapshots", {**VOLUME, "name": name})


def remove(system, name):
    return answer(system, "DELETE", f"/v1/snapshots/tenant1/v/{name}")


def prepare(system, point):
    """What a call is that comes to the point."""
    if point in TAKING:
        return take
    assert take(system, "s") == 201
    return remove


def recorded(system):
    items = system.plugin.api("GET", "/v1/snapshots?volume=tenant1%2Fv")[2]["items"]
    return {item["name"]: item["uid"] for item in items if item["phase"] == "ready"}, len(items)


def stored(system):
    storage = system.plugin.storage
    return set(storage.snapshots(IMAGE))


def check_at_rest(system, names):
    def at_rest():
        snapshots, records = recorded(system)
        return (set(snapshots) == names and records == len(names)
                and stored(system) == {f"{name}.{uid}" for name, uid in snapshots.items()})

    wait_until(at_rest, f"there are {sorted(names)}, in the records and in the pool")


def check_whole_life(system, volume):
    """The volume is in use as before, and snapshots can be taken and removed, up to no volume at all."""
    write(volume, "third")
    kept = recorded(system)[0]["kept"]
    content = system.plugin.storage.path(f"{IMAGE}@kept.{kept}").read_bytes()
    assert b"first" in content and b"second" not in content
    if "s" not in recorded(system)[0]:
        assert take(system, "s") == 201
    assert remove(system, "s") == 204
    volume.close()
    assert system.plugin.docker("VolumeDriver.Unmount", {"Name": "tenant1/v", "ID": "m"}) == {"Err": ""}
    system.plugin.settle()
    assert system.plugin.api("DELETE", "/v1/volumes/tenant1/v")[0] == 204
    assert system.plugin.api("GET", "/v1/snapshots")[2]["items"] == []
    system.plugin.settle()
    assert system.plugin.images() == [] and system.plugin.storage.notes() == []


def names_after(point, repeated=False):
    if point in TAKING:
        return {"kept", "s"} if repeated or point in THERE else {"kept"}
    return {"kept"}


def crash(system, point):
    """The process dies at the point and is started again; the call that it died of."""
    call = prepare(system, point)
    system.arm(point, "abort")
    assert call(system, "s") is None
    assert system.wait_for_death(point) == ABORTED
    system.disarm(point)
    return call


@pytest.mark.parametrize("point", POINTS)
def test_crash_then_recovery(system, volume, point):
    crash(system, point)
    check_at_rest(system, names_after(point))
    check_whole_life(system, volume)


@pytest.mark.parametrize("point", POINTS)
def test_crash_then_the_same_call_again(system, volume, point):
    """The call meets recovery: it does what was asked for, or finds it done."""
    call = crash(system, point)
    assert call(system, "s") in ([409 if point in THERE else 201] if point in TAKING else [204, 404])
    check_at_rest(system, names_after(point, repeated=True))
    check_whole_life(system, volume)


@pytest.mark.parametrize("point", POINTS)
def test_failing_step(system, volume, point):
    """The caller learns of the failure, and nothing is left half done; a removal stays visible until it can end."""
    call = prepare(system, point)
    system.arm(point, "fail")
    assert call(system, "s") == 500
    if point == "snapshot_removed":
        assert [(o["kind"], o["volume"]) for o in system.plugin.operations()] == [("remove-snapshot", "tenant1/v/s")]
    else:
        check_at_rest(system, names_after(point))
    system.disarm(point)
    check_at_rest(system, names_after(point))
    check_whole_life(system, volume)
