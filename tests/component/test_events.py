# SPDX-License-Identifier: Apache-2.0
"""GET /v1/events: changes as they happen, for many listeners, without a thread for each."""
import json
import pathlib
import signal
import socket
import subprocess

import pytest
from support.daemons import BIN, PATIENCE, Volmaster, die_with_parent, wait_until
from support.etcd import Etcd

POLICY = {"default-options": {"size": "16MB"}, "filesystems": {"ext4": "mkfs.ext4 -q %"}}


def parse(text):
    """The events that are complete, as (id, event, data)."""
    events = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            events.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
    return events


class Curl:
    """A listener that follows, as people write it in scripts."""

    def __init__(self, sock, directory, query="", *headers):
        self.out = pathlib.Path(directory) / f"events{len(list(pathlib.Path(directory).glob('events*')))}"
        argv = ["curl", "-sSN", "--unix-socket", str(sock), f"http://localhost/v1/events{query}"]
        for header in headers:
            argv += ["-H", header]
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(argv, stdout=out, stderr=out, preexec_fn=die_with_parent)
        wait_until(lambda: "\n\n" in self.text() or self.process.poll() is not None, "the stream begins")

    def text(self):
        return self.out.read_text()

    def events(self):
        return parse(self.text())

    def seen(self, *wanted):
        """Waits until the last event is of this kind, name and change."""
        def last():
            events = self.events()
            data = events[-1][2] if events else {}
            return (data.get("kind"), data.get("name"), data.get("change")) == wanted
        wait_until(last, f"{wanted} is told")
        return self

    def stop(self):
        self.process.kill()
        self.process.wait()


def changes(events):
    return [(data["kind"], data["name"], data["change"], data.get("record", {}).get("phase"))
            for _, event, data in events if event != "reset"]


def docker(plugin, method, **body):
    answer = plugin.docker(f"VolumeDriver.{method}", body)
    assert answer["Err"] == "", answer


def test_life_of_a_volume(volplugin):
    curl = Curl(volplugin.api_socket, volplugin.dir)
    try:
        (first, event, data), = curl.events()
        assert event == "reset" and data == {"revision": int(first)}
        volplugin.upload("tenant2")
        docker(volplugin, "Create", Name="tenant2/v", Opts={})
        docker(volplugin, "Mount", Name="tenant2/v", ID="a")
        docker(volplugin, "Unmount", Name="tenant2/v", ID="a")
        volplugin.settle()
        assert volplugin.api("DELETE", "/v1/volumes/tenant2/v")[0] == 204
        assert volplugin.api("DELETE", "/v1/tenants/tenant2")[0] == 204
        events = curl.seen("tenant", "tenant2", "erase").events()
        told = changes(events)
        v, m = ("volume", "tenant2/v"), ("mount", "tenant2/v")
        assert told[:4] == [("tenant", "tenant2", "put", None), (*v, "put", "creating"), (*v, "put", "ready"),
                            (*m, "put", "mounted")]
        assert told[-4:] == [(*m, "erase", None), (*v, "put", "removing"), (*v, "erase", None),
                             ("tenant", "tenant2", "erase", None)]
        ids = [int(number) for number, _, _ in events]
        assert ids == sorted(set(ids)) and all(data["revision"] == int(number) for number, _, data in events)
        ready = events[3][2]
        assert ready["record"]["size-bytes"] == 16 << 20 and ready["record"]["revision"] == ready["revision"]

        # Who comes back with the id of the last event it saw gets the rest; after a restart it is told to list.
        again = Curl(volplugin.api_socket, volplugin.dir, "", f"Last-Event-ID: {ids[2]}")
        assert again.seen("tenant", "tenant2", "erase").events() == events[3:]
        again.stop()
        volplugin.stop()
        assert curl.process.wait(30) == 0, "the end of the stream is clean"
        volplugin.start()
        after = Curl(volplugin.api_socket, volplugin.dir, f"?after={ids[2]}")
        assert [event for _, event, _ in after.events()] == ["reset"]
        after.stop()
    finally:
        curl.stop()


class Listener:
    """One connection that reads the head only."""

    def __init__(self, sock):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(sock))
        self.socket.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        self.status = int(self.socket.recv(4096).split()[1])

    def close(self):
        self.socket.close()


def threads(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


def test_many_listeners_cost_no_threads(volplugin):
    pid = volplugin.daemon.process.pid
    curl = Curl(volplugin.api_socket, volplugin.dir)
    listeners = [Listener(volplugin.api_socket)]
    try:
        before = threads(pid)
        listeners += [Listener(volplugin.api_socket) for _ in range(100)]
        assert {one.status for one in listeners} == {200}
        volplugin.upload("tenant2")
        curl.seen("tenant", "tenant2", "put")
        # Handlers may have been started meanwhile; there are 16 at most.
        assert threads(pid) - before <= 16, (before, threads(pid))

        # There is a limit, and who leaves makes room.
        listeners += [Listener(volplugin.api_socket) for _ in range(255 - len(listeners))]
        assert {one.status for one in listeners} == {200}
        refused = Listener(volplugin.api_socket)
        assert refused.status == 503
        refused.close()
        listeners.pop().close()

        def room():
            one = Listener(volplugin.api_socket)
            listeners.append(one)
            return one.status == 200
        wait_until(room, "there is room again")
        volplugin.upload("tenant3")
        curl.seen("tenant", "tenant3", "put")
    finally:
        curl.stop()
        for one in listeners:
            one.close()


def test_listener_that_does_not_read_is_closed(volplugin):
    """It costs the others nothing, and volmaster no memory without bound."""
    silent = Listener(volplugin.api_socket)
    curl = Curl(volplugin.api_socket, volplugin.dir)
    try:
        filler = {f"fs{i}": "mkfs.ext4 -q % #" + "x" * 3000 for i in range(100)}
        for number in range(30):  # 300 KiB each; 4 MiB may wait
            assert volplugin.api("PUT", "/v1/tenants/big", {**POLICY, "filesystems": {**POLICY["filesystems"],
                                                                                     **filler}})[0] in (200, 201)
        volplugin.upload("tenant2")
        curl.seen("tenant", "tenant2", "put")
        assert len([1 for kind, name, _, _ in changes(curl.events()) if name == "big"]) == 30
        received = 0
        while data := silent.socket.recv(1 << 20):
            received += len(data)
        assert received < 30 * 300_000
    finally:
        curl.stop()
        silent.close()


@pytest.mark.parametrize("query, header", [("?after=x", None), ("", "Last-Event-ID: -1"), ("?since=1", None)])
def test_bad_requests(volplugin, query, header):
    name, _, value = (header or "X: y").partition(": ")
    status, _, problem = volplugin.api("GET", f"/v1/events{query}", headers={name: value})
    assert status == 400 and problem["code"] == "invalid_argument"


def test_events_of_another_volmaster(directory):
    etcd = Etcd(directory / "etcd").start()
    masters = [Volmaster(directory / f"vm{i}", *etcd.flags()).start() for i in range(2)]
    curl = Curl(masters[1].socket, directory)
    try:
        assert masters[0].api("PUT", "/v1/tenants/tenant1", POLICY)[0] == 201
        curl.seen("tenant", "tenant1", "put")
        assert masters[0].api("DELETE", "/v1/tenants/tenant1")[0] == 204
        curl.seen("tenant", "tenant1", "erase")
    finally:
        curl.stop()
        for master in masters:
            master.stop(signal.SIGKILL)
        etcd.kill()


class Volcli:
    """volcli events, into a file."""

    def __init__(self, sock, directory, *args):
        self.out = pathlib.Path(directory) / "volcli.out"
        self.err = pathlib.Path(directory) / "volcli.err"
        argv = [BIN / "volcli", "--master", f"unix://{sock}", "events", *args]
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(argv, stdout=out, stderr=err, preexec_fn=die_with_parent)
        wait_until(lambda: self.lines() or self.process.poll() is not None, "the first line")

    def lines(self):
        return self.out.read_text().splitlines()

    def end(self):
        return self.process.wait(PATIENCE)


def test_volcli_prints_lines_until_it_is_interrupted(volplugin):
    volcli = Volcli(volplugin.api_socket, volplugin.dir)
    assert volcli.lines()[0].endswith(" reset")
    volplugin.upload("tenant2")
    docker(volplugin, "Create", Name="tenant2/v", Opts={})
    node = volplugin.volumes()[0]["node"]
    wait_until(lambda: volcli.lines()[-1].endswith(f" volume put tenant2/v ready {node}"), "the volume is told")
    assert [line.split(" ", 1)[1] for line in volcli.lines()[1:]] == [
        "tenant put tenant2", f"volume put tenant2/v creating {node}", f"volume put tenant2/v ready {node}"]
    volcli.process.send_signal(signal.SIGINT)
    assert volcli.end() == -signal.SIGINT  # 130 in a shell


def test_volcli_ends_when_the_stream_is_lost(volplugin):
    volcli = Volcli(volplugin.api_socket, volplugin.dir, "-o", "json")
    volplugin.upload("tenant2")
    wait_until(lambda: len(volcli.lines()) == 2, "the tenant is told")
    first, second = map(json.loads, volcli.lines())
    assert list(first) == ["revision"] and second["record"]["name"] == "tenant2"
    volplugin.kill()
    assert volcli.end() == 5
    assert "ended the stream" in volcli.err.read_text()


def test_volcli_goes_on_behind_a_revision(volplugin):
    volplugin.upload("tenant2")
    volplugin.upload("tenant3")
    revision = volplugin.api("GET", "/v1/tenants/tenant2")[2]["revision"]
    volcli = Volcli(volplugin.api_socket, volplugin.dir, "--after", str(revision))
    wait_until(lambda: volcli.lines()[-1].endswith(" tenant put tenant3"), "what came since")
    assert "reset" not in volcli.out.read_text()
    volcli.process.kill()
    volcli.end()
