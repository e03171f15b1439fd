# SPDX-License-Identifier: Apache-2.0
"""Requests that arrive long after their sender gave them up, as a network that was away delivers them."""
import time

import pytest
from support.daemons import wait_until


@pytest.fixture(scope="module")
def cluster(clusters):
    return clusters(hosts=3, engines=False)


def test_late_release_does_not_end_the_next_mount(cluster):
    """The release of the first mount is on its way while the network is away, and is delivered when the host has
    mounted the volume again. The kernel repeats what was not acknowledged after 0.2, 0.6, 1.4, 3, 6.2 s ..."""
    first, second, third = cluster.hosts
    first.volcli("volume", "create", "tenant1/x")
    assert second.plugin("Mount", "tenant1/x", ID="a").ok
    second.cut()
    assert second.plugin("Unmount", "tenant1/x", ID="a").ok  # gives its release up after 5 s
    second.mend()
    assert second.plugin("Mount", "tenant1/x", ID="b").ok
    until = time.monotonic() + 6
    other = []

    def over():
        call = third.plugin("Mount", "tenant1/x", ID="c")
        if call.ok:
            other.append((call, cluster.mounted()))
        return other or time.monotonic() > until

    try:
        wait_until(over, "what was under way has arrived")
        assert not other, other
    finally:
        for host, use in ((second, "b"), (third, "c")):
            host.plugin("Unmount", "tenant1/x", ID=use)
