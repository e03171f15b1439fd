# SPDX-License-Identifier: Apache-2.0
"""Several volmasters on one etcd and one shared pool, each with an agent that knows it alone."""
import json
import time

import pytest
from cluster.checker import check, unsettled
from cluster.workload import Workload
from support.daemons import wait_until

RECOVERY = 5  # seconds between two rounds of a volmaster's recovery


@pytest.fixture(scope="module")
def cluster(clusters):
    return clusters(hosts=3, masters=(0, 1, 2), engines=False)


def test_everybody_asks_another_volmaster(cluster):
    """Quick creates: what one acknowledged, all the others know."""
    workload = Workload(cluster, "masters").start()
    try:
        wait_until(lambda: len(cluster.history.holds()) >= 60, "volumes are used", 60)
    finally:
        workload.stop()
    check(cluster, workload)


def test_create_that_lasts_longer_than_a_round_of_recovery(cluster):
    """What is acknowledged has its image."""
    policy = {"default-options": {"size": "16MB"},
              "filesystems": {"ext4": f"sleep {RECOVERY + 2}; mkfs.ext4 -q %"}}
    cluster.hosts[0].volcli("tenant", "upload", "slow", stdin=json.dumps(policy))
    cluster.hosts[0].volcli("volume", "create", "slow/x")
    until = time.monotonic() + RECOVERY  # the other's attempt to undo it waits for the image that long
    wait_until(lambda: unsettled(cluster) or time.monotonic() > until, "recovery has passed", 2 * RECOVERY)
    assert unsettled(cluster) == []
