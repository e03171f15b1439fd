# SPDX-License-Identifier: Apache-2.0
"""What has to be true after a workload, whatever went wrong meanwhile."""
import concurrent.futures
import itertools

from cluster.history import HUNG
from cluster.workload import ALIVE, GONE
from support.daemons import wait_until

REST = 60  # seconds until everything is at rest by itself: several rounds of recovery


def overlaps(holds):
    """Pairs of uses of one volume on two hosts that were granted at the same time."""
    by_volume = {}
    for hold in holds:
        by_volume.setdefault(hold.volume, []).append(hold)
    return [(one, other) for of_one in by_volume.values() for one, other in itertools.combinations(of_one, 2)
            if one.host != other.host and one.start < (other.end or float("inf"))
            and other.start < (one.end or float("inf"))]


def check_history(history, since=0.0):
    """No call hung, and no volume was given to two hosts at once."""
    endless = [str(call) for call in history.calls() if call.start >= since
               and (call.end is None or call.outcome == HUNG)]
    assert not endless, endless
    shared = overlaps([hold for hold in history.holds() if hold.start >= since])
    if shared:
        one, other = shared[0]
        story = "\n".join(str(call) for call in history.calls() if call.volume == one.volume
                          and call.overlaps(one.start - 15, one.end or one.start) and call.outcome != "failed")
        raise AssertionError(f"{len(shared)} times two hosts at once: {one}, {other}; what led to it:\n{story}")


def unsettled(cluster):
    """What is not at rest, one line each: records, images, devices and mounts that have no counterpart, or are there
    without being in use."""
    in_use = {(volume, host) for volume, host in cluster.in_use.items()}
    volumes = {f"{v['tenant']}/{v['name']}": v for v in cluster.records("volumes")}
    images = set(cluster.images())
    wrong = [f"{name} is {v['phase']}: {v.get('message')}" for name, v in volumes.items() if v["phase"] != "ready"]
    wrong += [f"image of {name} without a record" for name in images - set(volumes)]
    wrong += [f"record of {name} without an image" for name in set(volumes) - images]
    records = {(f"{m['tenant']}/{m['name']}", m["node"]) for m in cluster.records("mounts") if m["phase"] == "mounted"}
    wrong += [f"mount record of {m['tenant']}/{m['name']} on {m['node']} is {m['phase']}: {m.get('message')}"
              for m in cluster.records("mounts") if m["phase"] != "mounted"]
    mounted = {(volume, host) for volume, hosts in cluster.mounted().items() for host in hosts}
    wrong += [f"mount record of {volume} on {host}" for volume, host in records - in_use]
    wrong += [f"no mount record of {volume} on {host}" for volume, host in in_use - records]
    wrong += [f"{volume} is mounted on {host}" for volume, host in mounted - in_use]
    wrong += [f"{volume} is not mounted on {host}" for volume, host in in_use - mounted]
    wrong += [f"{device} shows {image}" for image, device in cluster.devices().items()
              if image.replace(".", "/", 1) not in cluster.in_use]
    wrong += [f"operation {o['kind']} of {o['volume']}: {o.get('message')}" for o in cluster.records("operations")]
    return wrong


def wait_settled(cluster):
    wrong = ["nothing was asked yet"]

    def settled():
        try:
            wrong[:] = unsettled(cluster)
        except OSError as error:
            wrong[:] = [f"volmaster: {error}"]
        return not wrong

    try:
        wait_until(settled, "everything is at rest", REST)
    except AssertionError as error:
        raise AssertionError(f"{error}; left: {wrong}") from None


def check(cluster, workload):
    """After workload.stop(), with every fault mended: comes to rest by itself, lost nothing, works everywhere."""
    book = workload.book
    wait_settled(cluster)
    check_history(cluster.history, workload.began)
    there = {f"{v['tenant']}/{v['name']}" for v in cluster.records("volumes")}
    assert set(book.names(ALIVE)) <= there, f"lost: {set(book.names(ALIVE)) - there}"
    assert not set(book.names(GONE)) & there, f"came back: {set(book.names(GONE)) & there}"
    use_each_once(cluster, workload)
    assert not book.wrong, book.wrong
    wait_settled(cluster)
    remove_all(cluster)


def use_each_once(cluster, workload):
    """Every volume can be mounted, in turn on this host and that, with everything that was written."""
    jobs = list(zip(workload.book.volumes(ALIVE), itertools.cycle(cluster.hosts)))
    with concurrent.futures.ThreadPoolExecutor(len(cluster.hosts)) as pool:
        used = list(pool.map(lambda job: workload.use(job[1], job[0]), jobs))
    refused = [f"{volume.name} on {host.name}" for (volume, host), granted in zip(jobs, used) if not granted]
    assert not refused, (refused, [str(call) for call in cluster.history.calls("Mount")[-len(jobs):] if not call.ok])


def remove_all(cluster):
    """Every volume that is not in use can be removed, those with an unclear past too, and nothing of them stays."""
    for volume in cluster.records("volumes"):
        name = f"{volume['tenant']}/{volume['name']}"
        if name not in cluster.in_use:
            cluster.hosts[0].volcli("volume", "remove", name)
    assert cluster.images() == sorted(cluster.in_use)
