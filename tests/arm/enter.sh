#!/bin/sh
# Runs a command in the system in a folder, with the host's network: enter.sh ROOT FOLDER… -- COMMAND…
# FOLDERs of the host are mounted read-only in it. Needs root, and mount and PID namespaces of its own, so that mounts and
# remaining processes disappear with the command.
set -eu

root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
    shift
done
shift
chroot "$root" "$@" # without exec: the command must not be PID 1, which handles signals differently
