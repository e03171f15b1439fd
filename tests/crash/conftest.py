# SPDX-License-Identifier: Apache-2.0
import pytest
from setups import CephSplit, CephStandalone, OnCeph
from support.ceph import Ceph
from support.daemons import scratch


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    with Ceph(tmp_path_factory.mktemp("c") / "c", extra=["osd client watch timeout = 3"]) as OnCeph.cluster:
        yield OnCeph.cluster


@pytest.fixture(params=[CephStandalone, CephSplit])
def system(request, ceph):
    """Volplugin on a pool of its own, with a tenant."""
    with scratch() as directory:
        made = request.param(directory)
        try:
            made.start()
            made.plugin.upload()
            yield made
        finally:
            made.clean()
