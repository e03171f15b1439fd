# SPDX-License-Identifier: Apache-2.0
"""The product's programs and Docker inside a guest, driven from the host. Every program is ended by its pid."""
import contextlib
import json
import pathlib
import shlex
import signal

from lab.errors import CommandFailed, InfrastructureFailure
from support.daemons import BIN, wait_until
from support.engine import image_tar

PROGRAMS = "/opt/volplugin/bin"
PAYLOADS = {PROGRAMS: [BIN / name for name in ("volplugin", "volcli", "lvmvd")]}
PATIENCE = 90  # seconds; everything is slow in a guest without KVM

_CALLS = "/run/plugin_calls.py"


class Program:
    """A program in the background of a guest. Its log and exit code are files in /run/products, gone with a reboot."""

    def __init__(self, guest, name, argv):
        self.guest, self.name, self.argv = guest, name, [str(arg) for arg in argv]
        self.files = f"/run/products/{name}"
        self.pid = None

    def launch(self):
        """Starts it, without waiting for more than its pid."""
        out, code, pid = (f"{self.files}.{kind}" for kind in ("log", "code", "pid"))
        runner = (f"{shlex.join(self.argv)} </dev/null >>{out} 2>&1 & echo $! >{pid}; wait $!; echo $? >{code}.new; "
                  f"mv {code}.new {code}")
        self.pid = int(self.guest.run(
            f"mkdir -p /run/products; rm -f {code} {pid}; echo '--- start' >>{out}\n"
            f"setsid bash -c {shlex.quote(runner)} </dev/null >/dev/null 2>&1 &\n"
            f"while [ ! -s {pid} ]; do sleep 0.02; done; cat {pid}").stdout)
        return self

    def wait_until(self, condition, patience=PATIENCE):
        """`condition`: shell words that succeed when the program is ready. Fails when the program ends."""
        script = f"until {condition}; do [ ! -e {self.files}.code ] || exit 99; sleep 0.1; done"
        with self.explained():
            self.guest.run(script, patience)

    def running(self):
        return self.guest.run(f"[ -e {self.files}.pid -a ! -e {self.files}.code ]", check=False).returncode == 0

    def wait(self, patience=PATIENCE):
        """The exit code of a program that ends by itself; 128 + n after signal n."""
        with self.explained():
            script = f"while [ ! -e {self.files}.code ]; do sleep 0.05; done; cat {self.files}.code"
            return int(self.guest.run(script, patience).stdout)

    def stop(self, number=signal.SIGTERM):
        """Ends it by a signal; returns the exit code."""
        self.guest.run(f"kill -{int(number)} {self.pid}")
        return self.wait()

    def kill(self):
        return self.stop(signal.SIGKILL)

    def log(self):
        return self.guest.run(f"cat {self.files}.log", check=False).stdout

    @contextlib.contextmanager
    def explained(self):
        """Adds the log to what fails."""
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.name} says:\n{self.log()[-6000:]}") from None


class PluginProgram(Program):
    """A program that serves the volume plugin protocol on a unix socket."""

    def __init__(self, guest, name, argv, socket):
        super().__init__(guest, name, argv)
        self.socket = socket

    def start(self):
        self.launch()
        # Not Plugin.Activate: that would tell that the engine was restarted.
        self.wait_until(f"{self._curl('VolumeDriver.Capabilities', {})} | grep -q Scope")
        return self

    def restart(self, number=signal.SIGTERM):
        self.stop(number)
        return self.start()

    def _curl(self, method, body):
        return f"curl -sS --unix-socket {self.socket} -d {shlex.quote(json.dumps(body))} http://d/{method} 2>&1"

    def text(self, method, body, *flags):
        """The body of an answer, as it is; curl gets the flags."""
        data = body if isinstance(body, str) else json.dumps(body)
        with self.explained():
            return self.guest.run(["curl", "-sS", "--unix-socket", self.socket, "-d", data, *flags,
                                   f"http://d/{method}"], 150).stdout

    def call(self, method, body):
        """The answer of VolumeDriver.`method`, parsed."""
        return json.loads(self.text(f"VolumeDriver.{method}", body))

    def must(self, method, body):
        answer = self.call(method, body)
        assert answer["Err"] == "", f"{method} {body}: {answer['Err']}\n{self.name} says:\n{self.log()[-6000:]}"
        return answer

    def refused(self, method, body):
        """The error text of a call that has to fail."""
        answer = self.call(method, body)
        assert answer["Err"], f"{method} {body} succeeded: {answer}"
        return answer["Err"]

    def names(self):
        return [volume["Name"] for volume in self.must("List", {})["Volumes"]]

    def begin_all(self, method, bodies, output=""):
        """The calls of many clients at the same time: the Command, which prints a line of JSON for each answer as it
        comes: [index, seconds, answer]. `output`: shell redirection."""
        self.guest.put(pathlib.Path(__file__).with_name("plugin_calls.py").read_bytes(), _CALLS)
        calls = json.dumps([[f"VolumeDriver.{method}", body] for body in bodies])
        return self.guest.spawn(f"python3 -I {_CALLS} {self.socket} {output}", 240, stdin=calls)

    def call_all(self, method, bodies):
        """[answer], in the order of `bodies`, and how long the slowest call took."""
        lines = [json.loads(line) for line in self.begin_all(method, bodies).wait().stdout.splitlines()]
        return [answer for _, _, answer in sorted(lines, key=lambda line: line[0])], max(line[1] for line in lines)


class GuestLvmvd(PluginProgram):
    """lvmvd on a volume group; its driver's name is `name`."""

    def __init__(self, guest, group, *flags, name="lvm-volume-driver"):
        self.group, self.root = group, f"/var/volume/mnt-{group}"
        argv = [f"{PROGRAMS}/lvmvd", *flags, f"--volume-group-name={group}", f"--mount-root={self.root}"]
        socket = f"/run/docker/plugins/{name}.sock"
        if name != "lvm-volume-driver":
            argv.append(f"--sock-file={socket}")
        super().__init__(guest, name, argv, socket)

    def directory(self, volume):
        """What containers get while it is mounted."""
        return f"{self.root}/{volume}"


class GuestVolplugin(PluginProgram):
    """`volplugin --standalone` with volumes in `pool`, "vg" or "vg/thinpool"."""

    def __init__(self, guest, pool, *flags, name="volplugin"):
        self.pool, self.data, self.api = pool, f"/var/lib/{name}", f"/run/{name}/api.sock"
        self.root = f"{self.data}/mounts"
        socket = f"/run/docker/plugins/{name}.sock"
        super().__init__(guest, name, [
            f"{PROGRAMS}/volplugin", "--standalone", "--backend", "lvm", "--default-pool", f"lvm={pool}", "--data-dir",
            self.data, "--plugin-socket", socket, "--api-socket", self.api, *flags], socket)

    def volcli(self, *args, stdin=None):
        with self.explained():
            return self.guest.run([f"{PROGRAMS}/volcli", "--master", f"unix://{self.api}", *args], 150, stdin).stdout

    def listed(self, *command):
        """What `volcli COMMAND -o json` shows: a list."""
        return json.loads(self.volcli(*command, "-o", "json"))

    def directory(self, volume):
        """Of TENANT/VOLUME: what containers get while it is mounted."""
        return f"{self.root}/{volume.replace('/', '.')}/data"


class GuestDocker(Program):
    """dockerd with its data on the guest's root, which survives a reboot. Containers have no network."""

    IMAGE = "busybox"

    def __init__(self, guest):
        super().__init__(guest, "dockerd", ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
                                            "--exec-opt", "native.cgroupdriver=cgroupfs"])

    def start(self):
        self.launch()
        return self.wait_ready()

    def wait_ready(self):
        self.wait_until("curl -s --unix-socket /run/docker.sock http://d/_ping 2>&1 | grep -q OK", 150)
        return self

    def restart(self):
        self.stop()
        return self.start()

    def begin(self, *args, stdin=None):
        """A docker command under way."""
        return self.guest.spawn(["docker", *args], 200, stdin)

    def docker(self, *args, stdin=None):
        """What a docker command prints that has to succeed."""
        with self.explained():
            return self.begin(*args, stdin=stdin).wait().stdout.strip()

    def fails(self, *args):
        """The error text, on one line, of a docker command that has to fail."""
        done = self.begin(*args).wait(check=False)
        assert done.returncode != 0, (args, done.stdout)
        return " ".join(done.stderr.split())

    def import_image(self):
        self.docker("import", "-", self.IMAGE, stdin=image_tar())

    def begin_sh(self, volume, script, *flags):
        return self.begin("run", "--rm", "--network", "none", *flags, "-v", f"{volume}:/mnt", self.IMAGE, "sh", "-c",
                          script)

    def sh(self, volume, script, *flags):
        """What a script prints in a fresh container that has the volume on /mnt."""
        with self.explained():
            return self.begin_sh(volume, script, *flags).wait().stdout.strip()

    def begin_background(self, name, volume, script, *flags):
        """Starts a container that runs the script, ends at once when told to, and has the volume on /mnt."""
        whole = f"trap 'exit 0' TERM; {script}\nwhile :; do sleep 1000 & wait $!; done"
        return self.begin("run", "-d", "--name", name, "--network", "none", *flags, "-v", f"{volume}:/mnt", self.IMAGE,
                          "sh", "-c", whole)

    def background(self, name, volume, script="", *flags):
        with self.explained():
            self.begin_background(name, volume, script, *flags).wait()

    def state(self, container):
        return self.docker("inspect", "--format", "{{.State.Status}}", container)


class GuestLvm:
    """What LVM and the kernel of a guest say of a volume group."""

    def __init__(self, guest, group):
        self.guest, self.group = guest, group

    def volumes(self):
        """Name -> size in MiB, of all logical volumes."""
        rows = self.guest.run(f"lvs --noheadings --units m --nosuffix -o lv_name,lv_size {self.group}").stdout
        return {name: float(size) for name, size in map(str.split, rows.splitlines())}

    def device(self, volume):
        """As it stands in /proc/mounts."""
        return "/dev/mapper/" + "-".join(part.replace("-", "--") for part in (self.group, volume))

    def filesystem(self, volume):
        """Type of the file system on it, or nothing."""
        return self.guest.run(["blkid", "-p", "-o", "value", "-s", "TYPE", self.device(volume)],
                              check=False).stdout.strip()

    def is_open(self, volume):
        shown = self.guest.run(["dmsetup", "info", "-c", "--noheadings", "-o", "open", self.device(volume)])
        return shown.stdout.strip() != "0"

    def mounts(self, volume):
        """[(directory, file system type)] where the guest's own namespace has it."""
        rows = (line.split() for line in self.guest.get("/proc/mounts").decode().splitlines())
        return [(row[1], row[2]) for row in rows if row[0] == self.device(volume)]

    def wait_unused(self, *volumes):
        """Until none is mounted, and nobody has a device of them open."""
        for volume in volumes:
            wait_until(lambda: not self.mounts(volume) and not self.is_open(volume), f"{volume} is unused", PATIENCE)


def print_logs(*programs):
    """For the end of a test: pytest shows it only when the test failed."""
    for program in programs:
        with contextlib.suppress(CommandFailed, InfrastructureFailure):
            print(f"--- {program.name}\n{program.log()[-6000:]}")
