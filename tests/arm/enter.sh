#!/bin/sh
# Runs a command in the system in a folder, with the host's network: enter.sh ROOT FOLDER… -- COMMAND…
# The folders of the host are seen read-only in it. Needs root, and mount and process namespaces of its own: what is
# mounted here goes away with the command, and so does every process that it leaves behind.
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
chroot "$root" "$@" # not by exec: process 1 is special, and the command should not be
