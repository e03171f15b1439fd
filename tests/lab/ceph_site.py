# SPDX-License-Identifier: Apache-2.0
"""Guests with volplugin as agents of a volmaster on this machine, and volumes in a Ceph cluster on it, too, which they
map with their kernels (krbd)."""
import json
import pathlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from lab.docker_site import DockerSite
from lab.errors import InfrastructureFailure
from lab.products import PROGRAMS, PluginProgram
from support.ceph import Ceph
from support.daemons import BIN, Volmaster

# Beside each other in the guest, as here: volplugin looks for the module where it is itself.
PAYLOADS = {PROGRAMS: [BIN / name for name in ("volplugin", "volcli", "volplugin-rbd.so")]}
POOL = "rbd"


def reachable_address():
    """One of this machine's that guests reach under the same name. 127.0.0.1 they know as 10.0.2.2, and a Ceph cluster
    tells its clients where its parts are."""
    listed = subprocess.run(["ip", "-json", "-4", "address", "show", "up", "scope", "global"], capture_output=True,
                            text=True, check=True).stdout
    found = [address["local"] for card in json.loads(listed) for address in card.get("addr_info", [])]
    if not found:
        raise InfrastructureFailure("this machine has no address but that of the loopback, under which guests could "
                                    "reach a Ceph cluster on it; 'ip address add 10.98.0.1/32 dev lo' gives it one")
    return found[0]


def cluster_for_guests(directory, *lines, **options):
    """A Ceph cluster, not started yet, with further lines of configuration and options of Ceph."""
    return Ceph(pathlib.Path(directory) / "ceph", address=reachable_address(), extra=lines, **options)


CONF = "/etc/ceph/ceph.conf"


def configure(guest, ceph):
    """What an administrator copies to a client of a cluster."""
    guest.run(["mkdir", "-p", "/etc/ceph"])
    guest.put(f"[global]\nfsid = {ceph.fsid}\nmon host = {ceph.mon_host}\n[client]\nkeyring = /etc/ceph/keyring\n",
              CONF)
    guest.put(ceph.keyring.read_text(), "/etc/ceph/keyring", mode=0o600)


def mappings(guest):
    """Image -> (device, client of the cluster), as the guest's kernel says."""
    said = guest.run("cd /sys/bus/rbd/devices; for n in *; do [ ! -e $n/name ] || "
                     "echo $(cat $n/name) /dev/rbd$n $(cat $n/client_addr); done").stdout
    return {name: (device, client) for name, device, client in map(str.split, said.splitlines())}


class CephMaster(Volmaster):
    """On this machine, whose kernel need not have krbd. `port` is the guests' way to it."""

    def __init__(self, directory, ceph):
        super().__init__(directory, "--backend", "ceph", "--default-pool", f"ceph={POOL}", "--ceph-conf", ceph.conf,
                         "--backend-option", "ceph.attach=userspace", "--listen", "127.0.0.1:0")
        self.port = None

    def start(self):
        super().start()
        self.port = int(re.search(r"serving the API on 127\.0\.0\.1:(\d+)", self.log()).group(1))
        return self

    def volcli(self, *args, stdin=None):
        done = self._run(*args, stdin=stdin)
        assert done.returncode == 0, (args, done.stderr, self.log()[-4000:])
        return done.stdout

    def refused(self, *args):
        """What volcli says to that."""
        done = self._run(*args)
        assert done.returncode != 0, (args, done.stdout)
        return done.stderr

    def _run(self, *args, stdin=None):
        return subprocess.run([BIN / "volcli", "--master", self.address, *args], input=stdin or "", text=True,
                              capture_output=True, timeout=150)

    def node(self, name):
        return json.loads(self.volcli("node", "get", name))


class GuestAgent(PluginProgram):
    """`volplugin --master` under the guest's name."""

    def __init__(self, guest, port, *flags):
        self.master, self.data = f"10.0.2.2:{port}", "/var/lib/volplugin"
        socket_path = "/run/docker/plugins/volplugin.sock"
        super().__init__(guest, "volplugin", [
            f"{PROGRAMS}/volplugin", "--master", self.master, "--host-label", guest.name, "--backend", "ceph",
            "--default-pool", f"ceph={POOL}", "--data-dir", self.data, "--plugin-socket", socket_path, *flags],
            socket_path)

    def volcli(self, *args):
        with self.explained():
            return self.guest.run([f"{PROGRAMS}/volcli", "--master", self.master, *args], 150).stdout

    def directory(self, volume):
        """Of TENANT/VOLUME: what containers get while it is mounted."""
        return f"{self.data}/mounts/{volume.replace('/', '.')}/data"


class CephHost(DockerSite):
    """A guest with the agent and Docker."""

    def __init__(self, guest, ceph, master, *flags):
        super().__init__(GuestAgent(guest, master.port, *flags), "volplugin")
        self.ceph, self.name = ceph, guest.name

    def start(self):
        configure(self.guest, self.ceph)
        return super().start()

    def mapped(self, volume):
        """(device, client) or None."""
        return mappings(self.guest).get(volume.replace("/", "."))


def start_hosts(*hosts):
    """Side by side."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(CephHost.start, hosts))
