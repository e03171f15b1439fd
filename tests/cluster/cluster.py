# SPDX-License-Identifier: Apache-2.0
"""Cluster: etcd, hosts, the network between them and a shared pool; made in seconds, removed without a trace.

    with Cluster(directory, hosts=3, etcd_members=3) as cluster:
        cluster.hosts[1].docker("run", "--rm", "--network", "none", "-v", "tenant1/x:/mnt", "busybox", "true")
        cluster.hosts[0].kill("volmaster")
"""
import concurrent.futures
import contextlib
import json
import pathlib

from cluster.etcd import EtcdMember
from cluster.history import History
from cluster.hosts import ClusterHost
from cluster.network import NET, Switch
from support.ceph import Ceph
from support.daemons import wait_until

TENANTS = ("tenant1", "tenant2")
POLICY = {"default-options": {"size": "16MB"}, "filesystems": {"ext4": "mkfs.ext4 -q -m0 %"}}


class Cluster:
    """`masters`: numbers of the hosts that run a volmaster. `engines`: hosts run dockerd, too. `agent_flags`: further
    ones of volplugin. `failover`: every agent and volcli is given all volmasters, its own first. `ceph`: lines of
    configuration of a Ceph cluster, in whose pool "rbd" volumes are then, instead of the shared directory."""

    def __init__(self, directory, hosts=3, etcd_members=1, masters=(0,), engines=True, agent_flags=(),
                 failover=False, ceph=None):
        self.dir = pathlib.Path(directory)
        self.history = History()
        self.with_engines = engines
        self.agent_flags = list(agent_flags)
        self.failover = failover
        self.in_use = {}  # volume -> name of the host whose container has it all the time
        self.pools = self.dir / "shared"
        (self.pools / "default").mkdir(parents=True)
        self.backend_flags = ["--backend-option", "loop.shared=true", "--backend-option",
                              f"loop.pools_dir={self.pools}"]
        self.etcd, self.hosts, self.ceph = [], [], None
        self.switch = Switch()
        try:
            if ceph is not None:
                self._start_ceph(ceph)
            for number in range(etcd_members):
                self.etcd.append(EtcdMember(self.dir, number, self.address(1 + number), self.switch))
            for number in range(hosts):
                self.hosts.append(ClusterHost(self, number + 1, number in masters))
        except BaseException:
            self.close()
            raise

    def _start_ceph(self, lines):
        self.ceph = Ceph(self.dir / "ceph", address=f"{NET}.254", enter=self.switch.enter(), extra=lines)
        self.ceph.start().make_pool("rbd")
        self.backend_flags = ["--backend", "ceph", "--default-pool", "ceph=rbd", "--ceph-conf", self.ceph.conf]

    @staticmethod
    def address(number):
        return f"{NET}.{number}"

    @property
    def masters(self):
        return [host for host in self.hosts if host.with_volmaster]

    def start(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            engines = [pool.submit(host.start("dockerd", wait=False).finish_engine)
                       for host in self.hosts if self.with_engines]
            self.start_etcd()
            for program, hosts in (("volmaster", self.masters), ("volplugin", self.hosts)):
                for host in hosts:
                    host.start(program, wait=False)
                for host in hosts:
                    host.wait_for(program)
            for tenant in TENANTS:
                self.hosts[0].volcli("tenant", "upload", tenant, stdin=json.dumps(POLICY))
            for engine in engines:
                engine.result()
        return self

    __enter__ = start

    def __exit__(self, *_):
        self.close()

    # The whole of it.

    def start_etcd(self):
        """Those members that do not run. One alone of three would answer nothing."""
        dead = [member for member in self.etcd if not member.running()]
        for member in dead:
            member.start(self.etcd, wait=False)
        for member in dead:
            wait_until(member.answers, f"{member.name} answers")

    def records(self, what):
        """What volmaster has: "volumes", "mounts", "operations", "nodes". OSError: it does not answer now."""
        items, after = [], ""
        while True:
            status, _, page = self.masters[0].api("GET", f"/v1/{what}{after}")
            if status == 503:
                raise ConnectionError(page)
            assert status == 200, page
            items += page["items"]
            if not page.get("next"):
                return items
            after = f"?after={page['next']}"

    def images(self):
        """Names of volumes that have an image in the shared pool, with or without a record."""
        if self.ceph:
            return sorted(name.replace(".", "/", 1) for name in self.ceph.rbd("ls").stdout.split())
        return sorted(path.name.replace(".", "/", 1) for path in (self.pools / "default").iterdir())

    def devices(self):
        """Loop devices that show an image of the shared pool, as the kernel says: {image: device}."""
        found = {}
        for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
            with contextlib.suppress(OSError):
                file = backing.read_text().strip()
                if file.startswith(f"{self.pools}/"):
                    found[file.split("/")[-1]] = f"/dev/{backing.parts[3]}"
                elif self.ceph and file.startswith(f"{self.dir}/") and file.endswith("/device"):
                    found[file.split("/")[-2]] = f"/dev/{backing.parts[3]}"
        return found

    def mounted(self):
        """Volume -> names of the hosts that have it mounted, at one moment."""
        before = [host.mounted() for host in self.hosts]
        after = [host.mounted() for host in self.hosts]
        held = {}
        # Two looks: what moved from one host to another between them was on neither in both.
        for host, volumes in zip(self.hosts, [one & two for one, two in zip(before, after)]):
            for volume in volumes:
                held.setdefault(volume, []).append(host.name)
        return held

    def leader(self):
        return wait_until(lambda: next((m for m in self.etcd if m.running() and m.leads()), None), "etcd has a leader")

    def close(self):
        """Removes everything, whatever state it is in. The first error is told after all was tried."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._wait_for_devices)
            stack.callback(self.switch.close)
            if self.ceph:
                self.ceph.osd.resume()  # else nobody could let go of its devices
                stack.callback(self.ceph.stop)
            for member in self.etcd:
                stack.callback(member.close)
            for host in self.hosts:
                stack.callback(host.close)

    def _wait_for_devices(self):
        wait_until(lambda: not self.devices(), "the loop devices are gone with the hosts")
