# SPDX-License-Identifier: Apache-2.0
"""A private network: a bridge in a namespace of its own, and a veth pair to each machine.

Namespaces are kept by processes of ours and vanish with them, so nothing is left on the machine and nothing of
its own network is touched. The kernel needs no netem: a slow port is led through a relay in user space."""
import subprocess
import sys
import pathlib

from support.daemons import die_with_parent

NET = "10.77.0"
_RELAY = pathlib.Path(__file__).with_name("delay.py")
_SETUP = f"""
set -e
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up
ip link add br0 type bridge
ip addr add {NET}.254/24 dev br0
ip link set br0 up
echo ready
exec sleep infinity
"""


def _ip_batch(enter, *lines):
    done = subprocess.run([*enter, "ip", "-batch", "-"], input="\n".join(lines), text=True, capture_output=True,
                          timeout=30)
    assert done.returncode == 0, (lines, done.stdout, done.stderr)


class Switch:
    """The bridge all ports are on. Programs started with enter() reach every machine as 10.77.0.254."""

    def __init__(self):
        self.ports = []
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", _SETUP], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        assert self.holder.stdout.readline() == "ready\n", "the network of a cluster cannot be made"

    def enter(self, *argv):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "--", *map(str, argv)]

    def ip(self, *lines):
        _ip_batch(self.enter(), *lines)

    def connect(self, pid, address):
        """Gives the network namespace of process `pid` an eth0 with that address."""
        port = Port(self, len(self.ports) + 1, pid, address)
        self.ports.append(port)
        return port

    def close(self):
        for port in self.ports:
            port.stop_relay()
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Port:
    """One machine's connection. Faults do not exclude each other; mend() ends all."""

    def __init__(self, switch, number, pid, address):
        self.switch = switch
        self.number = number
        self.name = f"p{number}"
        self.address = address
        self._machine = ["nsenter", "-t", str(pid), "-n", "--"]
        self._relay = None
        self._cut = None
        switch.ip(f"link add {self.name} type veth peer name eth0 netns {pid}",
                  f"link set {self.name} master br0 up")
        subprocess.run([*self._machine, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"], check=True)
        _ip_batch(self._machine, "link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up")

    def cut(self, direction="both"):
        """Frames vanish without a word: those to the machine ("in"), from it ("out"), or both."""
        assert direction in ("in", "out", "both")
        self._cut = direction
        if direction in ("in", "both"):
            self._qdisc(self.switch.enter(), "replace", self.name)
        if direction in ("out", "both"):
            self._qdisc(self._machine, "replace", "eth0")

    def slow(self, milliseconds):
        """Every frame takes that much longer, in each direction."""
        self.stop_relay()
        tap, far = f"t{self.number}", f"f{self.number}"
        self._relay = subprocess.Popen(self.switch.enter(sys.executable, _RELAY, tap, far, str(milliseconds)),
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                       preexec_fn=die_with_parent)
        assert self._relay.stdout.readline() == "ready\n", "the relay of a slow port does not start"
        self.switch.ip(f"link add b{self.number} type bridge", f"link set b{self.number} up",
                       f"link set {tap} master b{self.number} up", f"link set {far} master br0 up",
                       f"link set {self.name} master b{self.number}")

    def mend(self):
        if self._cut in ("in", "both"):
            self._qdisc(self.switch.enter(), "del", self.name)
        if self._cut in ("out", "both"):
            self._qdisc(self._machine, "del", "eth0")
        self._cut = None
        if self._relay:
            self.switch.ip(f"link set {self.name} master br0", f"link del b{self.number}")
            self.stop_relay()

    def stop_relay(self):
        if self._relay:
            self._relay.kill()
            self._relay.wait()
            self._relay.stdout.close()
            self._relay = None

    @staticmethod
    def _qdisc(enter, verb, device):
        kind = ["blackhole"] if verb == "replace" else []
        subprocess.run([*enter, "tc", "qdisc", verb, "dev", device, "root", *kind], check=True, capture_output=True,
                       timeout=30)
