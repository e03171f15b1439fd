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
    _sweep()
    path = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PARENT))
    try:
        with _locked(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(path):
    with open(path / "owner", "w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _sweep():
    for path in _PARENT.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):  # no lock file yet, or its owner lives
            with open(path / "owner") as owner:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
