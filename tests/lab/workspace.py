# SPDX-License-Identifier: Apache-2.0
"""Directories for the disks, sockets and logs of guests: short names (unix sockets), removed afterwards."""
import contextlib
import fcntl
import pathlib
import shutil
import tempfile

_PARENT = pathlib.Path("/tmp")
_PREFIX = "vplab-"


@contextlib.contextmanager
def workspace():
    """A directory of its own; gone in the end. What a killed process left is removed by the next one."""
    with open(_PARENT / "vplab.lock", "w") as everyone:
        fcntl.flock(everyone, fcntl.LOCK_EX)  # nobody sweeps a directory that its maker has not locked yet
        _sweep()
        path = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PARENT))
        owner = open(path / "owner", "w")
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        owner.close()


def _sweep():
    for path in _PARENT.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):  # no lock file yet, or its owner lives
            with open(path / "owner") as owner:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
