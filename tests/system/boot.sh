#!/bin/sh
# Boots the system in a folder with systemd as PID 1: boot.sh FOLDER [SYSTEMD-NSPAWN OPTION]…
# Needs root and a mount namespace of its own.
# The system gets cgroup v2, whatever the host uses, and an empty network namespace.
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
