# SPDX-License-Identifier: Apache-2.0
"""Many volumes at once from a plugin in a guest."""
import contextlib
import json
import socket
import threading

from support.daemons import wait_until


@contextlib.contextmanager
def collector():
    """(port, lines): what a guest sends to 10.0.2.2:port is in `lines`, by and by."""
    lines = []

    def receive(server):
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection, connection.makefile() as file:
                lines.extend(iter(file.readline, ""))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=receive, args=(server,), name="collector", daemon=True)
        thread.start()
        yield server.getsockname()[1], lines
        thread.join(10)


def cut_while_creating(plugin, names, at_least=6):
    """Begins to create all volumes at once and cuts the guest's power when some are made: those acknowledged."""
    with collector() as (port, lines):
        plugin.begin_all("Create", [{"Name": name} for name in names], f">/dev/tcp/10.0.2.2/{port}")
        wait_until(lambda: len(lines) >= at_least, "some volumes are made", 120)
        plugin.guest.power_cut()
    acknowledged = {names[index] for index, _, answer in map(json.loads, lines) if answer == {"Err": ""}}
    assert len(acknowledged) >= at_least, lines
    return acknowledged


def create_all(plugin, names):
    """Creates all volumes at once. A machine that is too slow for that within the deadline of 110 s is asked again for
    the rest, as Docker's users would."""
    missing, rounds = names, 0
    while missing:
        rounds += 1
        answers, slowest = plugin.call_all("Create", [{"Name": name} for name in missing])
        print(f"{len(missing)} creates: the slowest took {slowest} s")
        late = [name for name, answer in zip(missing, answers) if answer != {"Err": ""}]
        assert not late or (slowest > 105 and len(late) < len(missing) and rounds < 4), answers
        missing = late
