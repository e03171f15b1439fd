# SPDX-License-Identifier: Apache-2.0
"""Tests with a real Docker engine, each on a fake host of its own."""
import os
import shutil

import pytest

from support.daemons import scratch
from support.lab import Lab, Labs


def pytest_collection_modifyitems(items):
    needed = ["dockerd", "nsenter", "unshare", "losetup"]
    missing = [name for name in needed if not shutil.which(name)]
    if not os.path.exists("/bin/busybox"):
        missing.append("busybox-static")
    for item in items:
        if missing and "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))


@pytest.fixture(scope="module")
def labs(request):
    """One lab for all tests of a file, of the kind that the file names as LAB."""
    with scratch("vpe-") as directory:
        keeper = Labs(directory, getattr(request.module, "LAB", Lab))
        yield keeper
        keeper.discard()


@pytest.fixture
def lab(labs):
    """volplugin and dockerd on a fake host. When the test ends, nothing of it may stay mounted or attached."""
    lab = labs.get()
    yield lab
    if not lab.healthy():
        return  # the test took it apart; the next one gets another
    try:
        lab.sweep()
    except BaseException:
        labs.discard()
        raise
