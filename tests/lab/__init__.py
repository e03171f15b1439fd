# SPDX-License-Identifier: Apache-2.0
"""Virtual machines for tests: a kernel, device mapper, udev and disks of their own. See docs/howto/test-in-the-lab.md.

    image.py      the guest image: built from Debian packages once, then cached
    kernel.py     the guest's kernel: package, modules, a form that boots fast
    initramfs.py  what differs between guests, made for each start; stage/ has the programs in it
    qemu.py       one qemu process; qmp.py its monitor; accel.py chooses KVM or emulation
    disk.py       disks of guests, and directories of the host given to them
    guest.py      Guest: lives long, runs commands; agent_client.py talks to stage/agent.py in it
    job.py        one script in one throwaway guest
    command.py    the command line of tools/lab
"""
