# SPDX-License-Identifier: Apache-2.0
"""Clusters for the tests of one file. A cluster takes seconds to start: share it where tests leave it whole."""
import os
import shutil
import signal

import pytest
from cluster.cluster import Cluster
from support.daemons import scratch

_NEEDED = ("dockerd", "etcd", "etcdctl", "nsenter", "unshare", "ip", "tc")


def pytest_collection_modifyitems(items):
    missing = [name for name in _NEEDED if not shutil.which(name)]
    if not os.path.exists("/bin/busybox"):
        missing.append("busybox-static")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that clusters are removed then, too
    for item in items:
        if missing and "/tests/cluster/" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))


@pytest.fixture(scope="module")
def clusters():
    """A function: clusters(**options of Cluster) -> a started cluster, removed after the last test of the file."""
    with scratch("vpc-") as directory:
        made = []

        def make(**options):
            made.append(Cluster(directory / str(len(made)), **options))
            return made[-1].start()

        yield make
        for cluster in made:
            cluster.close()
