# SPDX-License-Identifier: Apache-2.0
"""volmaster and its agents as separate processes."""
import contextlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.daemons import BIN, Agent, Daemon, Volmaster, request, wait_until


class LossyProxy:
    """Passes requests on to volmaster. While `lose` is set, the answer to a request that begins with it is
    lost: it was carried out, but the connection breaks."""

    def __init__(self, path, target):
        self.address = f"unix://{path}"
        self.target = str(target)
        self.lose = None
        self.lost = threading.Event()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                inner, _ = self.server.accept()
                threading.Thread(target=self.serve, args=(inner,), daemon=True).start()

    def serve(self, inner):
        outer = socket.socket(socket.AF_UNIX)
        ends = {inner: outer, outer: inner}
        losing = False
        with inner, outer, contextlib.suppress(OSError):
            outer.connect(self.target)
            while True:
                for ready in select.select(list(ends), [], [])[0]:
                    data = ready.recv(65536)
                    if ready is inner and self.lose and data.startswith(self.lose):
                        losing = True
                    elif ready is outer and losing:
                        self.lose = None
                        self.lost.set()
                        return
                    if not data:
                        return
                    ends[ready].sendall(data)


class Cluster:
    """volmaster and agents by node name, in one directory."""

    def __init__(self, directory):
        self.dir = directory
        self.master = Volmaster(directory / "vm", "--listen", "127.0.0.1:0")
        self.agents = {}

    def start(self, *nodes, tcp=False):
        self.master.start()
        for node in nodes:
            self.add(node, tcp)
        return self

    def add(self, node, tcp=False):
        address = re.search(r"serving the API on (127\.\S+)", self.master.log())[1] if tcp else None
        self.agents[node] = Agent(self.dir / node, self.master, node, address=address)
        self.agents[node].start()
        wait_until(self.agents[node].registered, f"{node} is connected")
        return self.agents[node]

    def upload(self, command="mkfs.ext4 -q %"):
        policy = {"default-options": {"size": "16MB"}, "filesystems": {"ext4": command}}
        assert self.master.api("PUT", "/v1/tenants/tenant1", policy)[0] in (200, 201)

    def create(self, name="v", timeout_ms=60_000, **more):
        return self.master.api("POST", "/v1/volumes", {"tenant": "tenant1", "name": name, **more},
                               {"Request-Timeout-Ms": str(timeout_ms)})

    def settle(self):
        for agent in self.agents.values():
            agent.settle()

    def clean(self):
        for agent in self.agents.values():
            agent.clean()
        self.master.stop(signal.SIGKILL)


@pytest.fixture
def cluster(directory):
    made = Cluster(directory)
    yield made
    made.clean()


def docker(agent, method, **body):
    return agent.docker(f"VolumeDriver.{method}", body)


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "unix"])
def test_whole_life_over_one_agent(cluster, tcp):
    """Made by volmaster without being told where, used over the agent, removed by volmaster."""
    agent = cluster.start("n1", tcp=tcp).agents["n1"]
    cluster.upload()
    status, _, record = cluster.create()
    assert (status, record["node"], record["phase"]) == (201, "n1", "ready")
    assert agent.images() == ["tenant1.v"] and cluster.create()[0] == 200
    path = docker(agent, "Mount", Name="tenant1/v", ID="a")["Mountpoint"]
    pathlib.Path(path, "file").write_text("kept")
    status, _, problem = cluster.master.api("DELETE", "/v1/volumes/tenant1/v")
    assert status == 409 and "node 'n1'" in problem["detail"] and "container mount a" in problem["detail"]
    assert docker(agent, "Unmount", Name="tenant1/v", ID="a") == {"Err": ""}
    agent.settle()
    path = docker(agent, "Mount", Name="tenant1/v", ID="b")["Mountpoint"]
    assert pathlib.Path(path, "file").read_text() == "kept"
    assert docker(agent, "Unmount", Name="tenant1/v", ID="b") == {"Err": ""}
    agent.settle()
    assert cluster.master.api("DELETE", "/v1/volumes/tenant1/v")[0] == 204
    assert agent.images() == [] and docker(agent, "List")["Volumes"] == []


def test_no_agent(cluster):
    """A volume that lives on a host cannot be made without one; the error says what to do. A tenant can."""
    cluster.start()
    cluster.upload()
    status, _, problem = cluster.create()
    assert status == 503 and problem["code"] == "unavailable" and not problem["effect-unknown"]
    assert "no host is connected: start volplugin there" in problem["detail"]
    status, _, problem = cluster.create(node="n7")
    assert status == 503 and "node 'n7' is not connected: start volplugin there" in problem["detail"]
    assert cluster.master.api("GET", "/v1/volumes")[2]["items"] == []


def test_two_agents(cluster):
    """A volume stays on its host: the other one sees it, but may not use it, and is told where it is."""
    first, second = cluster.start("n1", "n2").agents.values()
    cluster.upload()
    status, _, problem = cluster.create()
    assert status == 400 and "connected: n1, n2" in problem["detail"]
    assert docker(first, "Create", Name="tenant1/one", Opts={}) == {"Err": ""}
    assert cluster.create("two", node="n2")[2]["node"] == "n2"
    assert first.images() == ["tenant1.one"] and second.images() == ["tenant1.two"]
    for agent in first, second:
        assert [volume["Name"] for volume in docker(agent, "List")["Volumes"]] == ["tenant1/one", "tenant1/two"]
    err = docker(second, "Mount", Name="tenant1/one", ID="a")["Err"]
    assert "volume 'tenant1/one' is kept on node 'n1' and can be used only there" in err
    assert docker(second, "Create", Name="tenant1/one", Opts={}) == {"Err": ""}, "it exists, wherever"
    assert second.images() == ["tenant1.two"]
    assert docker(first, "Mount", Name="tenant1/one", ID="a")["Err"] == ""
    status, _, problem = cluster.master.api("DELETE", "/v1/volumes/tenant1/one")
    assert status == 409 and "mounted on node 'n1'" in problem["detail"]
    assert docker(first, "Unmount", Name="tenant1/one", ID="a") == {"Err": ""}
    cluster.settle()
    for name in "one", "two":
        assert cluster.master.api("DELETE", f"/v1/volumes/tenant1/{name}")[0] == 204
    assert first.images() == second.images() == []


def test_removal_waits_for_an_absent_agent(cluster):
    """The data is on a host that is away: the removal is refused or stays visible, and is done when the host
    is back."""
    agent = cluster.start("n1").agents["n1"]
    cluster.upload()
    assert cluster.create()[0] == 201
    agent.stop()
    status = cluster.master.api("DELETE", "/v1/volumes/tenant1/v", headers={"Request-Timeout-Ms": "1000"})[0]
    assert status in (503, 504)
    operations = cluster.master.api("GET", "/v1/operations")[2]["items"]
    assert [(o["kind"], o["volume"]) for o in operations] == [("remove", "tenant1/v")]
    assert agent.images() == ["tenant1.v"]
    agent.start()
    agent.settle()
    assert agent.images() == [] and agent.volumes() == []


def begin_create(cluster, gate):
    """A create whose file system command waits until the file `gate` exists; returns its connection."""
    cluster.upload(f"echo > {gate}.begun; until [ -e {gate} ]; do sleep 0.05; done; mkfs.ext4 -q %")
    body = json.dumps({"tenant": "tenant1", "name": "v"}).encode()
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(60)
    raw.connect(str(cluster.master.socket))
    raw.sendall(b"POST /v1/volumes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRequest-Timeout-Ms: 3000\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body)
    wait_until(lambda: os.path.exists(f"{gate}.begun"), "the node makes the volume")
    return raw


def check_create_works(cluster):
    agent = cluster.agents["n1"]
    agent.settle()
    assert agent.images() == [] and agent.volumes() == []
    cluster.upload()
    wait_until(lambda: cluster.create()[0] == 201, "the node is reached")
    assert agent.images() == ["tenant1.v"]


def test_agent_killed_during_make(cluster, directory):
    """The caller gets an error that says it is not known what happened; when the agent is back, what it had
    begun is cleared away."""
    agent = cluster.start("n1").agents["n1"]
    with begin_create(cluster, directory / "gate") as raw:
        agent.kill()
        assert agent.images() == ["tenant1.v"]
        answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 504 ") and b'"effect-unknown":true' in answer
    assert cluster.master.api("GET", "/v1/volumes/tenant1/v")[2]["phase"] == "failed"
    (directory / "gate").touch()
    agent.start()
    check_create_works(cluster)


def test_volmaster_killed_during_make(cluster, directory):
    """The agent finishes for nobody; the restarted volmaster finds the record and has it cleared away."""
    cluster.start("n1")
    with begin_create(cluster, directory / "gate") as raw:
        cluster.master.stop(signal.SIGKILL)
        assert raw.recv(65536) == b""
    (directory / "gate").touch()
    cluster.master.start()
    assert cluster.master.api("GET", "/v1/volumes/tenant1/v")[2]["phase"] in ("creating", "failed")
    check_create_works(cluster)


def test_a_task_that_comes_too_late_makes_nothing(cluster):
    """The agent hung while volmaster gave up and the record was forgotten: the image would be nobody's, and
    keep its name taken for ever."""
    agent = cluster.start("n1").agents["n1"]
    cluster.upload()
    agent.daemon.process.send_signal(signal.SIGSTOP)
    try:
        assert cluster.create("v", timeout_ms=1000)[0] == 504
        assert cluster.master.api("DELETE", "/v1/volumes/tenant1/v?mode=forget-record")[0] == 204
    finally:
        agent.daemon.process.send_signal(signal.SIGCONT)
    wait_until(lambda: cluster.create("w")[0] in (200, 201), "the agent works again")
    agent.settle()
    assert agent.images() == ["tenant1.w"]


def test_an_image_with_content_is_never_formatted(cluster):
    """Even if it carries the volume's own mark, as one that an interrupted attempt left: the volume gets a
    fresh image instead, and the command sees nothing but blank devices."""
    agent = cluster.start("n1").agents["n1"]
    cluster.upload("cmp -n 65536 % /dev/zero && mkfs.ext4 -q %")
    image = agent.data / "pools" / "default" / "tenant1.v"
    image.parent.mkdir(parents=True)
    agent.daemon.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        try:
            answer = pool.submit(cluster.create)
            record = wait_until(lambda: cluster.master.api("GET", "/v1/volumes")[2]["items"], "a record")[0]
            assert record["phase"] == "creating"
            subprocess.run(["mkfs.ext4", "-q", image, "16M"], check=True)
            os.setxattr(image, "trusted.volplugin.uid", record["uid"].encode())
            left = os.open(image, os.O_RDONLY)  # open, so that its inode number is not used again
        finally:
            agent.daemon.process.send_signal(signal.SIGCONT)
        assert answer.result()[0] == 201, answer.result()
    assert image.stat().st_ino != os.fstat(left).st_ino
    os.close(left)
    agent.settle()


def test_an_agent_that_hangs_stops_no_other(cluster):
    """What is half done on another node is finished all the same."""
    first, second = cluster.start("n1", "n2").agents.values()
    cluster.upload()
    for agent, name in (first, "a"), (second, "b"):
        assert cluster.create(name, node=agent.node)[0] == 201
        agent.daemon.process.send_signal(signal.SIGSTOP)
    try:
        for name in "a", "b":
            answer = cluster.master.api("DELETE", f"/v1/volumes/tenant1/{name}", headers={"Request-Timeout-Ms": "300"})
            assert answer[0] == 504
        second.daemon.process.send_signal(signal.SIGCONT)
        wait_until(lambda: [v["name"] for v in cluster.master.api("GET", "/v1/volumes")[2]["items"]] == ["a"],
                   "the other node's removal is finished", patience=60)
        assert second.images() == [] and first.images() == ["tenant1.a"]
    finally:
        for agent in first, second:
            agent.daemon.process.send_signal(signal.SIGCONT)
    cluster.settle()
    assert first.images() == []


def test_volmaster_away(cluster):
    """The agent answers what it knows, unmounts, and refuses what it cannot promise; later all agrees again."""
    agent = cluster.start("n1").agents["n1"]
    cluster.upload()
    for name in "v", "w":
        assert cluster.create(name)[0] == 201
    path = docker(agent, "Mount", Name="tenant1/v", ID="a")["Mountpoint"]
    assert len(docker(agent, "List")["Volumes"]) == 2
    cluster.master.stop(signal.SIGKILL)
    assert docker(agent, "Get", Name="tenant1/v")["Volume"]["Mountpoint"] == path
    assert len(docker(agent, "List")["Volumes"]) == 2
    assert docker(agent, "Path", Name="tenant1/v")["Mountpoint"] == path
    assert docker(agent, "Mount", Name="tenant1/v", ID="b") == {"Mountpoint": path, "Err": ""}, "it is ours already"
    for method, body in {"Create": {"Name": "tenant1/x", "Opts": {}}, "Mount": {"Name": "tenant1/w", "ID": "c"},
                         "Remove": {"Name": "tenant1/w"}}.items():
        assert "is volmaster (or volplugin --standalone) running?" in docker(agent, method, **body)["Err"], method
    for use in "a", "b":
        assert docker(agent, "Unmount", Name="tenant1/v", ID=use) == {"Err": ""}
    assert agent.mounted() == []
    cluster.master.start()
    agent.settle()
    assert agent.mount_records() == [] and agent.images() == ["tenant1.v", "tenant1.w"]


@pytest.mark.parametrize("request_line, method", [
    (b"PUT /v1/mounts/", "Mount"),
    (b"DELETE /v1/mounts/", "Unmount"),
    (b"POST /v1/volumes", "Create"),
    (b"DELETE /v1/volumes/", "Remove"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_lost_answer(cluster, request_line, method):
    """volmaster did it, but the agent does not hear of it: nothing stays behind that nobody knows of, and the
    call works when it is made again."""
    cluster.master.start()
    proxy = LossyProxy(cluster.dir / "proxy.sock", cluster.master.socket)
    agent = cluster.agents["n1"] = Agent(cluster.dir / "n1", cluster.master, "n1", address=proxy.address)
    agent.start()
    wait_until(agent.registered, "n1 is connected")
    cluster.upload()
    calls = {"Create": {"Opts": {"ephemeral": "true"}}, "Mount": {"ID": "a"}, "Unmount": {"ID": "a"}, "Remove": {}}
    for before in list(calls)[:list(calls).index(method)]:
        assert docker(agent, before, Name="tenant1/v", **calls[before])["Err"] == ""
        agent.settle()
    proxy.lose = request_line
    answer = docker(agent, method, Name="tenant1/v", **calls[method])
    assert proxy.lost.wait(10)
    assert (answer["Err"] == "") == (method == "Unmount"), answer
    agent.settle()
    assert agent.mount_records() == []
    assert docker(agent, method, Name="tenant1/v", **calls[method])["Err"] == ""
    agent.settle()


def test_agent_before_volmaster(cluster):
    """The agent serves Docker at once, and works when volmaster comes."""
    agent = Agent(cluster.dir / "n1", cluster.master, "n1")
    cluster.agents["n1"] = agent
    agent.start()
    assert "is volmaster" in docker(agent, "Create", Name="tenant1/v", Opts={})["Err"]
    cluster.master.start()
    cluster.upload()
    wait_until(lambda: docker(agent, "Create", Name="tenant1/v", Opts={}) == {"Err": ""}, "the agent is connected")
    assert agent.images() == ["tenant1.v"]


def test_get_is_never_answered_with_an_error_while_volmaster_is_away(cluster):
    """dockerd forgets a volume that is answered with an error, so the request is held instead, and then
    dropped; here the volume is one the agent never saw."""
    agent = cluster.start("n1").agents["n1"]
    cluster.master.stop(signal.SIGKILL)
    with pytest.raises(TimeoutError):
        request(agent.plugin, "POST", "/VolumeDriver.Get", b'{"Name":"tenant1/unseen"}', timeout=2)


@pytest.mark.parametrize("busy", ["nothing", "a task"])
def test_both_end_soon_when_asked(cluster, directory, busy):
    """Neither the long poll between them nor a running task keeps them."""
    agent = cluster.start("n1").agents["n1"]
    if busy == "a task":
        begin_create(cluster, directory / "gate").close()
        (directory / "gate").touch()
    assert agent.daemon.stop(signal.SIGTERM, patience=10) == 0
    assert cluster.master.daemon.stop(signal.SIGTERM, patience=10) == 0
    assert not agent.plugin.exists() and not cluster.master.socket.exists()


def test_two_volmasters_on_one_store_are_refused(cluster):
    cluster.start()
    second = Daemon([BIN / "volmaster", "--data-dir", cluster.master.dir / "data", "--listen",
                     f"unix://{cluster.dir}/second.sock"], cluster.dir / "second.log").start()
    assert second.wait() == 1
    assert f"in use by process {cluster.master.daemon.process.pid} since" in second.text()
    assert cluster.master.serving()
