# SPDX-License-Identifier: Apache-2.0
"""Hosts that are not heard of for longer than their session lasts, and volmasters that are not heard of at all."""
import json
import time

import pytest
from support.daemons import wait_until

TTL = 2  # seconds; the least


@pytest.fixture(scope="module")
def cluster(clusters):
    return clusters(hosts=3, masters=(0, 1, 2), engines=False, failover=True,
                    agent_flags=["--session-ttl", f"{TTL}s"])


def node(cluster, host):
    return json.loads(cluster.hosts[0].volcli("node", "get", host.name))


def mount_of(cluster, volume):
    return json.loads(cluster.hosts[0].volcli("mount", "get", volume))


def status(host, volume):
    call = host.plugin("Get", volume)
    assert call.ok, call
    return call.detail["Volume"]["Status"]


def is_lost(cluster, host):
    return lambda: node(cluster, host)["state"] == "lost"


def test_what_a_lost_host_had_is_given_on_only_by_hand_and_fenced_when_it_is_back(cluster):
    first, second, third = cluster.hosts
    first.volcli("volume", "create", "tenant1/x")
    assert third.plugin("Mount", "tenant1/x", ID="a").ok
    third.cut()
    try:
        wait_until(is_lost(cluster, third), "host3 is lost")
        assert mount_of(cluster, "tenant1/x")["stale"]
        refused = second.plugin("Mount", "tenant1/x", ID="b")
        assert not refused.ok and "host3" in refused.error and "force-remove" in refused.error, refused
        assert third.plugin("Mount", "tenant1/x", ID="c").error, "it cannot know whether the volume is still its own"
        first.volcli("mount", "force-remove", "tenant1/x", "--yes")
        assert second.plugin("Mount", "tenant1/x", ID="b").ok
    finally:
        third.mend()
    wait_until(lambda: node(cluster, third)["state"] == "ready", "host3 is back")
    wait_until(lambda: node(cluster, third)["fenced"] == ["tenant1/x"], "it finds out that the volume is not its own")
    assert status(third, "tenant1/x")["fenced"] == "true"
    refused = third.plugin("Mount", "tenant1/x", ID="d")
    assert not refused.ok and "fenced" in refused.error, refused
    assert third.plugin("Unmount", "tenant1/x", ID="a").ok
    assert mount_of(cluster, "tenant1/x")["node"] == "host2"
    # One kernel: the device is host2's, too, and is let go of only now.
    assert second.plugin("Unmount", "tenant1/x", ID="b").ok
    wait_until(lambda: node(cluster, third)["fenced"] == [], "it has let go of the volume")
    assert third.plugin("Mount", "tenant1/x", ID="e").ok
    assert third.plugin("Unmount", "tenant1/x", ID="e").ok


@pytest.mark.parametrize("how", ["frozen", "cut off"])
def test_a_host_that_comes_back_goes_on_with_what_is_still_its_own(cluster, how):
    first, _, third = cluster.hosts
    volume = f"tenant1/{how.split()[0]}"
    first.volcli("volume", "create", volume)
    assert third.plugin("Mount", volume, ID="a").ok
    fencing = mount_of(cluster, volume)["fencing"]
    third.pause("volplugin") if how == "frozen" else third.cut()
    wait_until(is_lost(cluster, third), "host3 is lost")
    third.resume("volplugin") if how == "frozen" else third.mend()
    wait_until(lambda: not mount_of(cluster, volume)["stale"], "the mount is vouched for again")
    assert mount_of(cluster, volume)["fencing"] == fencing
    assert third.plugin("Mount", volume, ID="b").ok
    for use in ("a", "b"):
        assert third.plugin("Unmount", volume, ID=use).ok
    wait_until(lambda: volume not in third.mounted(), "it is unmounted")


def test_a_name_belongs_to_one_host_while_that_is_alive(cluster):
    first, second, _ = cluster.hosts
    log = second.log("volplugin")
    second.kill("volplugin")
    name, second.name = second.name, "host1"
    try:
        second.start("volplugin")
        wait_until(lambda: "--host-label" in second.log("volplugin")[len(log):], "it is told so")
        assert node(cluster, first)["state"] == "ready"
    finally:
        second.kill("volplugin")
        second.name = name
        second.start("volplugin")
    wait_until(lambda: node(cluster, second)["state"] == "ready", "host2 is itself again")


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_hosts_go_on_with_another_volmaster(cluster, fault):
    first, second, third = cluster.hosts
    volume = f"tenant2/{fault}"
    second.volcli("volume", "create", volume)
    first.kill("volmaster") if fault == "kill" else first.pause("volmaster")
    try:
        assert first.plugin("Mount", volume, ID="a").ok, "before the engine gives up"
        assert json.loads(first.volcli("mount", "get", volume))["node"] == "host1"
        time.sleep(2 * TTL)
        assert json.loads(second.volcli("node", "get", "host1"))["state"] == "ready", "its session goes on elsewhere"
        assert not third.plugin("Mount", volume, ID="b").ok
        assert first.plugin("Unmount", volume, ID="a").ok
        assert third.plugin("Mount", volume, ID="b").ok
        assert third.plugin("Unmount", volume, ID="b").ok
    finally:
        first.start("volmaster") if fault == "kill" else first.resume("volmaster")
