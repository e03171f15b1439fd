# SPDX-License-Identifier: Apache-2.0
"""Every step boundary of an adoption, crashed and failed. Whatever happens, the image is either the volume's or
exactly what it was before, and never is a byte of it touched."""
import http.client
import subprocess

import pytest
from setups import ABORTED, fault_points
from support.daemons import wait_until

POINTS = [point for point in fault_points() if point.startswith("adopt_")]
NAME, IMAGE = "tenant1/v", "tenant1.v"
TAKEN = "adopt_acknowledged"  # from here on it is a volume


@pytest.fixture(params=["forgotten", "found"])
def image(request, system):
    """An image without a record, that volplugin made, or somebody else; what it is before."""
    if request.param == "forgotten":
        assert system.plugin.api("POST", "/v1/volumes", {"tenant": "tenant1", "name": "v"})[0] == 201
        assert system.plugin.api("DELETE", f"/v1/volumes/{NAME}?mode=forget-record")[0] == 204
    else:
        made = system.plugin.storage.root / "image"
        with open(made, "wb") as out:
            out.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", made], check=True, timeout=60)
        system.plugin.storage.ceph.rbd("import", "--no-progress", "--image-feature", "layering", made,
                                       f"{system.plugin.storage.pool}/{IMAGE}")
    return state(system)


def state(system):
    """All that there is of the image, but the feature that adopting adds."""
    storage = system.plugin.storage
    notes = storage.ceph.notes(storage.pool)
    return storage.path(IMAGE).read_bytes(), notes


def adopt(system):
    """The status of the answer; None without one."""
    try:
        return system.plugin.api("POST", f"/v1/volumes/{NAME}/adoption", {"confirmed": True})[0]
    except (OSError, http.client.HTTPException):
        return None


def phases(system):
    return [volume["phase"] for volume in system.plugin.volumes()]


def check_at_rest(system, before, adopted):
    wait_until(lambda: phases(system) == (["ready"] if adopted else []), "all is at rest")
    content, notes = state(system)
    assert content == before[0], "the image was touched"
    assert adopted or notes == before[1], "it was not given back as it was"


def check_whole_life(system, before):
    """From wherever it is now it can be adopted, used and removed."""
    if not phases(system):
        assert adopt(system) == 201
    assert state(system)[0] == before[0]
    mounted = system.plugin.docker("VolumeDriver.Mount", {"Name": NAME, "ID": "m"})
    assert mounted["Err"] == "", mounted
    assert system.plugin.docker("VolumeDriver.Unmount", {"Name": NAME, "ID": "m"}) == {"Err": ""}
    system.plugin.settle()
    assert system.plugin.api("DELETE", f"/v1/volumes/{NAME}")[0] == 204
    system.plugin.settle()
    assert system.plugin.images() == [] and system.plugin.storage.notes() == []


@pytest.mark.parametrize("point", POINTS)
def test_crash_then_recovery(system, image, point):
    system.arm(point, "abort")
    assert adopt(system) is None
    assert system.wait_for_death(point) == ABORTED
    system.disarm(point)
    check_at_rest(system, image, adopted=point == TAKEN)
    check_whole_life(system, image)


@pytest.mark.parametrize("point", POINTS)
def test_crash_then_the_same_call_again(system, image, point):
    """The call meets recovery: it adopts, or finds the volume there."""
    system.arm(point, "abort")
    assert adopt(system) is None
    assert system.wait_for_death(point) == ABORTED
    system.disarm(point)
    assert adopt(system) == (409 if point == TAKEN else 201)
    check_at_rest(system, image, adopted=True)
    check_whole_life(system, image)


@pytest.mark.parametrize("point", POINTS)
def test_failing_step(system, image, point):
    system.arm(point, "fail")
    assert adopt(system) == 500
    check_at_rest(system, image, adopted=point == TAKEN)
    system.disarm(point)
    check_whole_life(system, image)
