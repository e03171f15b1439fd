# SPDX-License-Identifier: Apache-2.0
"""A container that goes on writing numbered lines to its volume, and checks that none of them got lost."""
from support.daemons import wait_until

SCRIPT = "i=0; while :; do i=$((i+1)); echo $i >> /mnt/log; sleep 0.1 & wait $!; done"


def last_line(lab, container):
    """How far the writer got, as its container sees the volume."""
    return int(lab.engine.exec(container, "tail -n 1 /mnt/log") or 0)


def wait_for_progress(lab, container, steps=3, patience=30):
    """The writer goes on writing to the volume."""
    before = last_line(lab, container)
    wait_until(lambda: last_line(lab, container) >= before + steps, f"{container} goes on writing", patience)


def assert_log_is_whole(lab, volume="tenant1/x", at_least=3):
    """Every line the writer wrote is there, in order."""
    numbers = [int(line) for line in lab.engine.sh(volume, "cat /mnt/log").split()]
    assert len(numbers) >= at_least and numbers == list(range(1, len(numbers) + 1))
