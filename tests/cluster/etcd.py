# SPDX-License-Identifier: Apache-2.0
"""EtcdMember: one member of the cluster's etcd, in a network namespace of its own."""
import signal
import subprocess

from support.daemons import Daemon, die_with_parent, wait_until

QUOTA = 32 << 20  # small, so that a test can use it up


class EtcdMember:
    """Faults: kill/start, pause/resume, cut/slow/mend (of its port)."""

    def __init__(self, directory, number, address, switch):
        self.dir = directory / f"etcd{number}"
        self.dir.mkdir(parents=True)
        self.name = f"etcd{number}"
        self.url = f"http://{address}:2379"
        self.peer = f"http://{address}:2380"
        self.switch = switch
        self.daemon = None
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo ready; exec sleep infinity"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                       preexec_fn=die_with_parent)
        assert self.holder.stdout.readline() == "ready\n", "the namespace of a member cannot be made"
        self.port = switch.connect(self.holder.pid, address)
        self.cut, self.slow, self.mend = self.port.cut, self.port.slow, self.port.mend

    def start(self, members, wait=True):
        # Three members that share two busy processors lose their leader with the 50 ms that one may have.
        pace = ["10", "50"] if len(members) == 1 else ["50", "500"]
        argv = ["etcd", "--name", self.name, "--data-dir", self.dir / "data", "--log-level", "error",
                "--listen-client-urls", self.url, "--advertise-client-urls", self.url, "--listen-peer-urls", self.peer,
                "--initial-advertise-peer-urls", self.peer, "--initial-cluster",
                ",".join(f"{m.name}={m.peer}" for m in members), "--heartbeat-interval", pace[0],
                "--election-timeout", pace[1], "--quota-backend-bytes", str(QUOTA)]
        self.daemon = Daemon(["nsenter", "-t", str(self.holder.pid), "-n", "--", *argv], self.dir / "log").start()
        if wait:
            wait_until(self.answers, f"{self.name} answers")
        return self

    def running(self):
        return self.daemon is not None and self.daemon.running()

    def answers(self):
        return self.ctl("get", "nothing", check=False).returncode == 0

    def leads(self):
        status = self.ctl("endpoint", "status", check=False)
        return status.returncode == 0 and status.stdout.split(", ")[4] == "true"

    def kill(self):
        self.daemon.stop(signal.SIGKILL)

    def pause(self):
        self.daemon.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.daemon.process.send_signal(signal.SIGCONT)

    def ctl(self, *args, check=True, stdin=None):
        """etcdctl with this member alone."""
        argv = self.switch.enter("etcdctl", "--endpoints", self.url, "--command-timeout", "2s", *args)
        done = subprocess.run(argv, input=stdin, text=True, capture_output=True, timeout=30)
        if check:
            assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done

    def close(self):
        if self.daemon:
            self.kill()
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
