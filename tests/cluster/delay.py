# SPDX-License-Identifier: Apache-2.0
"""Carries frames between two new tap devices, each of them late: delay.py DEVICE DEVICE MILLISECONDS.

Frames of one direction keep their order. Prints "ready" when the devices are there; ends when it is killed, and
the devices with it."""
import collections
import fcntl
import os
import select
import struct
import sys
import time

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 2, 0x1000
_FRAME = 65536
_MOST_WAITING = 20_000  # what comes on top is dropped, as a switch does


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return fd


def take_all(fd, queue, due):
    while True:
        try:
            frame = os.read(fd, _FRAME)
        except (BlockingIOError, OSError):  # OSError: not up yet
            return
        if len(queue) < _MOST_WAITING:
            queue.append((due, frame))


def deliver(queue, fd, now):
    while queue and queue[0][0] <= now:
        try:
            os.write(fd, queue.popleft()[1])
        except OSError:
            pass  # not up, or full: lost


def main():
    one, other = open_tap(sys.argv[1]), open_tap(sys.argv[2])
    delay = float(sys.argv[3]) / 1000
    waiting = {one: collections.deque(), other: collections.deque()}  # by where they came from
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        deliver(waiting[one], other, now)
        deliver(waiting[other], one, now)
        dues = [queue[0][0] for queue in waiting.values() if queue]
        readable, _, _ = select.select([one, other], [], [], max(0, min(dues) - now) if dues else None)
        for fd in readable:
            take_all(fd, waiting[fd], time.monotonic() + delay)


main()
