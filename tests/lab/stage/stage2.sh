# SPDX-License-Identifier: Apache-2.0
# Process 1 of a guest, in its real root: makes what an init system would have made, then does what MODE says.
# Run by busybox; it stays process 1, and as its `wait` takes any child, it reaps orphans too.
lab=/run/lab
bb=$lab/busybox
. $lab/config # MODE NAME MACHINE_ID PEER_ADDRESS PAYLOADS, for a shell also TERM ROWS COLUMNS
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/volplugin/bin
export HOME=/root LANG=C.UTF-8 TERM

by_serial() {
  for disk in /sys/block/*/serial; do
    read -r serial <"$disk"
    if [ "$serial" = "$1" ]; then disk=${disk%/serial}; echo "/dev/${disk##*/}"; fi
  done
}

by_port() {
  for port in /sys/class/virtio-ports/*/name; do
    read -r name <"$port"
    if [ "$name" = "$1" ]; then port=${port%/name}; echo "/dev/${port##*/}"; fi
  done
}

file_systems() {
  $bb mkdir -p /dev/pts /dev/shm
  $bb mount -t devpts -o gid=5,mode=620,ptmxmode=666 none /dev/pts
  $bb mount -t tmpfs none /dev/shm
  $bb mount -t tmpfs none /tmp
  $bb mount -t cgroup2 none /sys/fs/cgroup
  echo "+io +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
  $bb ln -s /proc/self/fd /dev/fd
  for n in 0:stdin 1:stdout 2:stderr; do $bb ln -s /proc/self/fd/${n%:*} /dev/${n#*:}; done
  $bb mkdir -p /run/lock
  for payload in $PAYLOADS; do # SERIAL:DIRECTORY
    $bb mkdir -p "${payload#*:}"
    $bb mount -t ext4 -o ro "$(by_serial "${payload%%:*}")" "${payload#*:}"
  done
}

identity() {
  $bb hostname "$NAME"
  echo "$NAME" >/etc/hostname
  echo "$MACHINE_ID" >/etc/machine-id
  { echo "127.0.0.1 localhost"; echo "${PEER_ADDRESS:-10.0.2.15} $NAME"; echo "10.0.2.2 lab-host"; } >/etc/hosts
  echo "nameserver 10.0.2.3" >/etc/resolv.conf
  # No dmeventd and no metadata files; everything else as Debian has it.
  printf 'activation { monitoring = 0 }\nbackup { backup = 0 archive = 0 }\n' >/etc/lvm/lvmlocal.conf
  echo 1 >/proc/sys/kernel/sysrq
}

devices() {
  /lib/systemd/systemd-udevd --daemon
  modprobe -a virtio_net virtio_rng loop dm_mod fuse
  udevadm trigger --action=add --subsystem-match=block
  $bb ip link set lo up
  if [ -e /sys/class/net/eth0 ]; then
    $bb ip link set eth0 up
    $bb ip address add 10.0.2.15/24 dev eth0
    $bb ip route add default via 10.0.2.2
  fi
  if [ -n "$PEER_ADDRESS" ]; then
    $bb ip link set eth1 up
    $bb ip address add "$PEER_ADDRESS/24" dev eth1
  fi
  udevadm settle --timeout=60
}

run_job() {
  port=$(by_port lab.output)
  (exec /run/lab/job) </dev/null >"$port" 2>&1 &
  wait $!
  echo "LAB-EXIT $?" >"$(by_port lab.status)"
}

file_systems
identity
case $MODE in
  agent)
    { devices; : >$lab/ready; } &
    while :; do /usr/bin/python3 -I $lab/agent.py "$(by_port lab.agent)" $lab/ready; done
    ;;
  job) devices; run_job ;;
  shell)
    devices
    cd /root
    export ROWS COLUMNS
    $bb setsid $bb sh -c 'exec <>/dev/ttyS1 >&0 2>&0; stty rows $ROWS cols $COLUMNS; exec /bin/bash -i'
    ;;
esac
sync
$bb poweroff -f
