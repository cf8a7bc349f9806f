#!/bin/busybox sh
# The init process of the virtual machine: loads modules, mounts file systems, runs the tests, and powers off.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
while read -r module; do
    case $module in
        vivid.ko) insmod /modules/$module n_devs=1 node_types=0x1 num_inputs=1 input_types=0 ;;
        snd-aloop.ko) insmod /modules/$module index=0 id=Loopback pcm_substreams=1 ;;
        *) insmod /modules/$module ;;
    esac || echo "cannot load $module"
done </modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host || echo "cannot mount the host's files"
for folder in proc sys dev; do mount --move /$folder /host/$folder; done
mount -t tmpfs none /host/run
mkdir -p /host/run/tmp /host/dev/shm
mount -t tmpfs none /host/dev/shm
ifconfig lo 127.0.0.1 up
ifconfig dummy0 10.9.8.7 netmask 255.255.255.0 up
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run/tmp PYTHONDONTWRITEBYTECODE=1
chroot /host /bin/sh -c 'cd @CHECKOUT@ && exec @PYTHON@ -m pytest -v -rP --color=no -p no:cacheprovider -p no:hypothesispytest tests/vm/camera.py tests/vm/microphone.py 2>&1'
[ $? = 0 ] && echo "verdict: all passed" || echo "verdict: not passed"
/bin/busybox poweroff -f
