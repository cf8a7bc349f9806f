#!/bin/sh
# Boots the system in a folder with systemd as PID 1: boot.sh FOLDER [OPTION of systemd-nspawn]…
# Needs root, and a mount namespace of its own.
# It gets control groups of version 2, whatever this machine has, and a network of its own with nothing in it.
set -eu

folder=$1
shift

mount --make-rprivate /
umount --recursive /sys/fs/cgroup 2>/dev/null || umount --lazy /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/broadcaster-test-$$"
echo $$ >"/sys/fs/cgroup/broadcaster-test-$$/cgroup.procs"
exec systemd-nspawn --directory="$folder" --boot --register=no --keep-unit --private-network --link-journal=no \
    --resolv-conf=off --console=read-only --machine="broadcaster-test-$$" "$@" </dev/null
