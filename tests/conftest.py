# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support.daemons import Volplugin, scratch  # noqa: E402


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root: makes loop devices and mounts"))


@pytest.fixture
def directory():
    with scratch() as path:
        yield path


@pytest.fixture
def volplugin(directory):
    """A running `volplugin --standalone` with tenant1 uploaded; gone without a trace afterwards."""
    plugin = Volplugin(directory / "vp")
    plugin.start()
    plugin.upload()
    yield plugin
    plugin.clean()
