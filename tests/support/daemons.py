# SPDX-License-Identifier: Apache-2.0
"""Starts the product's real programs for a test and cleans up whatever they leave.

Every daemon is a child that dies with the test run, lives in a directory of its own, and is ended by
pid. Nothing here mocks anything.
"""
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from support.storage import storage_in

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("VOLPLUGIN_BIN", ROOT / "build" / "bin"))
PATIENCE = 30.0  # seconds a condition may take on a loaded machine

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(condition, what, patience=PATIENCE):
    """Polls until condition() is true (returns its value) or fails the test."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {patience} s in vain for: {what}"
        time.sleep(0.02)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=130):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def request(sock, method, target, body=None, headers=None, timeout=130):
    """One HTTP request over a unix socket: (status, headers, parsed JSON or text)."""
    connection = UnixConnection(sock, timeout)
    try:
        data = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
        connection.request(method, target, body=data, headers=headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        try:
            parsed = json.loads(text) if text else None
        except ValueError:
            parsed = text
        return answer.status, dict(answer.getheaders()), parsed
    finally:
        connection.close()


def volcli(address, *args, stdin=None, check=True):
    """volcli, ended, with the volmaster at that address."""
    result = subprocess.run([BIN / "volcli", "--master", address, *map(str, args)], input=stdin, text=True,
                            capture_output=True, timeout=180)
    if check:
        assert result.returncode == 0, (args, result.stdout, result.stderr)
    return result


class Daemon:
    """A child process of ours, with its log in a file."""

    def __init__(self, argv, log, namespace_pid=None, env=None):
        self.argv = [str(a) for a in argv]
        if namespace_pid:
            self.argv = ["nsenter", "-t", str(namespace_pid), "-m", "-u", "-n", "-r", "--"] + self.argv
        self.log = pathlib.Path(log)
        self.env = env
        self.process = None

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            preexec_fn=die_with_parent, env=self.env)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait(self, patience=PATIENCE):
        """The exit code of a daemon that ends by itself."""
        code = self.process.wait(patience)
        self.process = None
        return code

    def stop(self, number=signal.SIGTERM, patience=PATIENCE):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.argv[0]} did not end after signal {number}; see {self.log}")
        self.process = None
        return code

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Volplugin:
    """`volplugin --standalone` (or an agent of a volmaster) with all its paths in one directory."""

    def __init__(self, directory, *flags, standalone=True, namespace_pid=None, socket_name="volplugin",
                 plugin_dir=None, storage=None):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.data = self.dir / "data"
        self.plugin = pathlib.Path(plugin_dir or self.dir) / f"{socket_name}.sock"
        self.api_socket = self.dir / "api.sock"
        self.mounts = self.data / "mounts"
        self.storage = storage or storage_in(self.dir)
        self.flags = [*self.storage.flags, *flags]
        self.standalone = standalone
        self.namespace_pid = namespace_pid
        self.node = None  # in records; None: the only one
        self.daemon = None

    def start(self, *extra, wait=True):
        self.storage.make()
        argv = [BIN / "volplugin", "--data-dir", self.data, "--plugin-socket", self.plugin]
        if self.standalone:
            argv += ["--standalone", "--api-socket", self.api_socket]
        self.daemon = Daemon(argv + self.flags + list(extra), self.dir / "log", self.namespace_pid).start()
        if wait:
            wait_until(lambda: self.serving() or not self.daemon.running(), "volplugin serves")
            assert self.daemon.running(), self.log()
        return self

    def serving(self):
        """Not asked with Plugin.Activate: that would tell the agent that the engine was restarted."""
        try:
            return "Capabilities" in self.docker("VolumeDriver.Capabilities", {}, timeout=5)
        except (OSError, http.client.HTTPException):
            return False

    def stop(self, number=signal.SIGTERM):
        code = self.daemon.stop(number) if self.daemon else None
        self.daemon = None
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def restart(self, *extra):
        self.stop()
        return self.start(*extra)

    def log(self):
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def api(self, method, target, body=None, headers=None):
        return request(self.api_socket, method, target, body, headers)

    def docker(self, method, body, timeout=130):
        """One call of the volume plugin protocol, as dockerd makes it."""
        data = b"" if body is None else json.dumps(body) + "\n"
        return request(self.plugin, "POST", f"/{method}", data, timeout=timeout)[2]

    def volcli(self, *args, stdin=None, check=True):
        return volcli(f"unix://{self.api_socket}", *args, stdin=stdin, check=check)

    def upload(self, tenant="tenant1", size="16MB", filesystem="ext4", filesystems=None, **options):
        policy = {"default-options": {"size": size, "filesystem": filesystem, **options},
                  "filesystems": filesystems or {"ext4": "mkfs.ext4 -q -m0 %"}}
        status, _, answer = self.api("PUT", f"/v1/tenants/{tenant}", policy)
        assert status in (200, 201), answer
        return policy

    def volumes(self):
        return self.api("GET", "/v1/volumes")[2]["items"]

    def mount_records(self):
        return self.api("GET", "/v1/mounts")[2]["items"]

    def images(self):
        return self.storage.images()

    def mounted(self):
        """Mount points below our mount root, as the kernel says."""
        prefix = str(self.mounts)
        with open(f"/proc/{self.namespace_pid or 'self'}/mountinfo") as table:
            return [line.split()[4] for line in table if line.split()[4].startswith(prefix)]

    def devices(self):
        """Devices that show an image of ours to somebody."""
        return list(self.storage.devices().values())

    def operations(self):
        return self.api("GET", "/v1/operations")[2]["items"]

    def leftovers(self):
        """What there must not be when nothing is going on, one line each: anything half made, and anything
        that lacks its counterpart among records, images, devices and mounts."""
        def mine(records):
            return {f"{r['tenant']}.{r['name']}": r for r in records
                    if self.node is None or r.get("node") in (None, self.node)}

        volumes, mounts, images = mine(self.volumes()), mine(self.mount_records()), set(self.images())
        mounted = {pathlib.Path(path).name for path in self.mounted()}
        directories = {path.name for path in self.mounts.iterdir()} if self.mounts.exists() else set()
        wrong = [f"record {name} is {v['phase']}: {v.get('message')}" for name, v in volumes.items()
                 if v["phase"] != "ready"]
        wrong += [f"image {name} has no record" for name in images - set(volumes)]
        wrong += [f"record {name} has no image" for name in set(volumes) - images]
        wrong += [f"mount record {name} is {m['phase']} with uses {m['uses']}: {m.get('message')}"
                  for name, m in mounts.items() if m["phase"] != "mounted" or not m["uses"]]
        wrong += [f"mount record {name} without a mount" for name in set(mounts) - mounted]
        wrong += [f"{name} is mounted without a record" for name in mounted - set(mounts)]
        wrong += [f"mount directory {name} is left" for name in directories - mounted]
        devices = self.devices()
        if len(devices) != len(mounted):
            wrong.append(f"devices {devices} for the mounts {sorted(mounted)}")
        return wrong + self.storage.leftovers(mounted)

    def settle(self, patience=PATIENCE):
        """Waits until nothing half done is left."""
        wrong = []

        def settled():
            wrong[:] = self.leftovers()
            return not wrong

        try:
            wait_until(settled, "nothing half done is left", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}; left: {wrong}; log:\n{self.log()[-4000:]}") from None

    def clean(self):
        with contextlib.suppress(AssertionError):
            self.kill()
        for mount in self.mounted():
            _libc.umount2(mount.encode(), 2)
        self.storage.clean()


class Volmaster:
    """`volmaster` with a store of its own, on a unix socket and whatever the flags add."""

    def __init__(self, directory, *flags):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.socket = self.dir / "api.sock"
        self.address = f"unix://{self.socket}"
        self.flags = list(flags)
        self.daemon = None

    def start(self, *extra):
        argv = [BIN / "volmaster", "--data-dir", self.dir / "data", "--listen", self.address]
        self.daemon = Daemon(argv + self.flags + list(extra), self.dir / "log").start()
        wait_until(lambda: self.serving() or not self.daemon.running(), "volmaster serves")
        assert self.daemon.running(), self.log()
        return self

    def serving(self):
        try:
            return self.api("GET", "/v1/health")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self, number=signal.SIGTERM):
        code = self.daemon.stop(number) if self.daemon else None
        self.daemon = None
        return code

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def api(self, method, target, body=None, headers=None):
        return request(self.socket, method, target, body, headers)

    def volcli(self, *args, stdin=None, check=True):
        return volcli(self.address, *args, stdin=stdin, check=check)


class Agent(Volplugin):
    """`volplugin` as the agent `node` of a volmaster, whose API is also this object's."""

    def __init__(self, directory, master, node, *flags, address=None, storage=None):
        super().__init__(directory, "--master", address or master.address, "--host-label", node, *flags,
                         standalone=False, storage=storage)
        self.api_socket = master.socket
        self.node = node

    def registered(self):
        return self.api("GET", f"/v1/nodes/{self.node}")[2].get("connected", False)


@contextlib.contextmanager
def scratch(prefix="vp-"):
    """A short-named directory (unix socket paths are limited) that is removed afterwards."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
