# SPDX-License-Identifier: Apache-2.0
"""Real etcd members for a test, on loopback ports of their own."""
import pathlib
import signal
import socket
import subprocess

from support.daemons import Daemon, wait_until


def free_ports(count):
    """etcd cannot bind to port 0. The kernel gives out ports in turn, so these stay free long enough."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Etcd:
    """A cluster of `size` members; `tls` names files (ca, cert, key) to serve clients with."""

    def __init__(self, directory, size=1, tls=None):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.tls = tls
        ports = free_ports(2 * size)
        scheme = "https" if tls else "http"
        self.urls = [f"{scheme}://127.0.0.1:{port}" for port in ports[:size]]
        self.peers = [f"http://127.0.0.1:{port}" for port in ports[size:]]
        self.members = [None] * size

    def argv(self, number):
        cluster = ",".join(f"m{i}={peer}" for i, peer in enumerate(self.peers))
        # Three members that share two busy processors lose their leader with the 50 ms that one may have.
        pace = ["10", "50"] if len(self.urls) == 1 else ["50", "500"]
        argv = ["etcd", "--name", f"m{number}", "--data-dir", self.dir / f"m{number}", "--log-level", "error",
                "--listen-client-urls", self.urls[number], "--advertise-client-urls", self.urls[number],
                "--listen-peer-urls", self.peers[number], "--initial-advertise-peer-urls", self.peers[number],
                "--initial-cluster", cluster, "--heartbeat-interval", pace[0], "--election-timeout", pace[1]]
        if self.tls:
            argv += ["--cert-file", self.tls["cert"], "--key-file", self.tls["key"], "--client-cert-auth",
                     "--trusted-ca-file", self.tls["ca"]]
        return argv

    def start(self, *numbers):
        numbers = numbers or range(len(self.urls))
        for number in numbers:
            self.members[number] = Daemon(self.argv(number), self.dir / f"log{number}").start()
        for number in numbers:
            wait_until(lambda: self.answers(number), f"member {number} of etcd answers")
        return self

    def answers(self, number):
        return self.ctl("get", "nothing", urls=[self.urls[number]], check=False).returncode == 0

    def kill(self, *numbers):
        for number in numbers or range(len(self.urls)):
            if self.members[number]:
                self.members[number].stop(signal.SIGKILL)
                self.members[number] = None

    def signal(self, number, what):
        self.members[number].process.send_signal(what)

    def leader(self):
        for number, url in enumerate(self.urls):
            fields = self.ctl("endpoint", "status", urls=[url]).stdout.split(", ")
            if fields[4] == "true":
                return number
        raise AssertionError("no leader")

    def ctl(self, *args, urls=None, check=True, user=None):
        argv = ["etcdctl", "--endpoints", ",".join(urls or self.urls), "--command-timeout", "2s"]
        if self.tls:
            argv += ["--cacert", self.tls["ca"], "--cert", self.tls["cert"], "--key", self.tls["key"]]
        if user:
            argv += ["--user", user]
        done = subprocess.run([*map(str, argv), *args], text=True, capture_output=True, timeout=30)
        if check:
            assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done

    def flags(self):
        return [word for url in self.urls for word in ("--etcd", url)]

    def demand_a_user(self):
        """Switches authentication on; who may use /volplugin/ is vp, with the password "secret"."""
        for line in ("user add root:r00t", "user grant-role root root", "user add vp:secret", "role add vp",
                     "role grant-permission vp readwrite --prefix=true /volplugin/", "user grant-role vp vp",
                     "auth enable"):
            self.ctl(*line.split())

    def tls_flags(self):
        return ["--etcd-cacert", self.tls["ca"], "--etcd-cert", self.tls["cert"], "--etcd-key", self.tls["key"]]


def user_flags(password_file):
    """Of the user that demand_a_user made; writes the file."""
    password_file.write_text("secret\n")
    return ["--etcd-user", "vp", "--etcd-password-file", password_file]


def make_certificates(directory):
    """A CA and one certificate for 127.0.0.1 that serves both ends: the files ca, cert and key."""
    files = {name: directory / f"{name}.pem" for name in ("ca", "ca_key", "cert", "key", "request", "extra")}

    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, cwd=directory)

    files["extra"].write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new_key, "-keyout", files["ca_key"], "-out", files["ca"], "-days", "2", "-subj", "/CN=ca")
    openssl("req", *new_key, "-keyout", files["key"], "-out", files["request"], "-subj", "/CN=volplugin")
    openssl("x509", "-req", "-in", files["request"], "-CA", files["ca"], "-CAkey", files["ca_key"],
            "-CAcreateserial", "-days", "2", "-extfile", files["extra"], "-out", files["cert"])
    return files
