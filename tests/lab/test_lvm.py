# SPDX-License-Identifier: Apache-2.0
"""The suites of storage drivers, on LVM in guests: the contract, what is LVM's alone, and the crash ring.

Each suite runs as it does elsewhere, from the same files, in a guest of its own, two guests at a time. With
VOLPLUGIN_TEST_REPORTS their reports are left in that folder, where tools/test counts every case.
"""
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.daemons import BIN, ROOT

from lab.disk import Disk
from lab.guest import Guest
from lab.reports import IN_GUEST, keep
from lab.workspace import workspace

AT_ONCE = 2
PROGRAMS = "/opt/volplugin/bin"
TESTS = "/opt/volplugin/tests"
DISKS = ("first", "second")


def contract(gtest_filter):
    devices = ",".join(Disk(name).device for name in DISKS)
    return (f"VOLPLUGIN_TEST_DISKS={devices} {PROGRAMS}/contract_tests --gtest_brief=1 "
            f"--gtest_filter='{gtest_filter}' --gtest_output=json:{IN_GUEST}.json", "json")


def crash(storage, scenario):
    """Every fault point in standalone volplugin."""
    return (f"cd {TESTS}/..; VOLPLUGIN_BIN={PROGRAMS} VOLPLUGIN_TEST_STORAGE={storage} PYTHONDONTWRITEBYTECODE=1 "
            f"python3 -m pytest -q -p no:cacheprovider --junitxml={IN_GUEST}.xml tests/crash/test_crash_points.py "
            f"-k {scenario}", "xml")


# What takes longest comes first. The two storages take turns with the scenarios: each point is crashed on both.
SUITES = {
    "crash-lvm-thick": crash("lvm-thick", "crash_then_recovery"),
    "crash-lvm-thin": crash("lvm-thin", "crash_then_the_same_call_again"),
    "contract-lvm-thick": contract("*/lvm_thick:Lab/Lvm.*"),
    "contract-lvm-thin": contract("*/lvm_thin"),
}


def play(name):
    """Runs a suite: (exit status, output)."""
    command, kind = SUITES[name]
    programs = [BIN / program for program in ("volplugin", "volcli", "contract_tests")]
    with workspace() as directory:
        guest = Guest(directory, name, memory=1536, cpus=1, disks=[Disk(disk) for disk in DISKS] + [Disk("scratch", "8G")],
                      payloads={PROGRAMS: programs, TESTS: ROOT / "tests"})
        with guest:
            scratch = Disk("scratch").device
            guest.run(f"mkfs.ext4 -q {scratch}; mount {scratch} /tmp")
            done = guest.run(f"{command} 2>&1", timeout=900, check=False)
            keep(guest, name, kind)
            return done.returncode, done.stdout


@pytest.fixture(scope="module")
def outcomes(lab, request):
    """All selected suites, under way."""
    selected = [item.callspec.params["suite"] for item in request.session.items if "suite" in getattr(item, "fixturenames", ())]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(play, name) for name in selected}


@pytest.mark.parametrize("suite", SUITES)
def test_suite(outcomes, suite):
    status, output = outcomes[suite].result()
    assert status == 0, output[-8000:]
    assert " passed" in output or "PASSED" in output, output[-8000:]
