#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# First program of a guest, in the initramfs: finds the root disk and goes on with stage2.sh there.
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
for module in /modules/*; do insmod "$module"; done
root=
while [ -z "$root" ]; do
  for disk in /sys/block/vd*; do
    [ "$(cat "$disk/serial")" != labroot ] || root=/dev/${disk##*/}
  done
  [ -n "$root" ] || sleep 0.1
done
mount -t ext4 -o noatime "$root" /root || exit 1
mount -t tmpfs -o mode=755 none /run
cp -r /lab /run/lab
cp /bin/busybox /run/lab/busybox
for directory in dev proc sys run; do mount -o move /$directory /root/$directory; done
exec switch_root /root /run/lab/busybox sh /run/lab/stage2.sh
