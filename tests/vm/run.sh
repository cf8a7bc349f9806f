#!/bin/bash
# `make test-vm`: run Debian's kernel with its test camera (vivid) and test sound card (snd-aloop) in qemu, without KVM.
# The virtual machine mounts the host's files read-only (9p), so nothing is installed in it; its last line is the verdict.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo "The virtual machine needs to read all files of the host; run: sudo make test-vm" >&2; exit 1; }
[ "$(uname -m)" = x86_64 ] || { echo "The virtual machine needs an x86-64 host." >&2; exit 1; }
tests/tools.sh virtual-machine microphone

modules=(virtio_pci 9p 9pnet_virtio vivid snd-aloop dummy)
work=$(mktemp -d --tmpdir broadcaster-vm.XXXXXX)
trap 'rm -rf "$work"' EXIT
# Packages are cached between runs (70 MB). The standard kernel is needed because the cloud kernel lacks vivid.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/broadcaster-vm
mkdir -p "$cache"

kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*-amd64\)$/\1/p' | head -1)
fetch() {
    compgen -G "$cache/$1_*.deb" >/dev/null || (cd "$cache" && apt-get -o APT::Sandbox::User=root download -qq "$1")
    dpkg-deb -x "$(ls -t "$cache/$1"_*.deb | head -1)" "$work/$1"
}
fetch "$kernel"
fetch busybox-static
release=${kernel#linux-image-}
tree=$work/$kernel
[ -d "$tree/lib/modules" ] || tree=$tree/usr
depmod -b "$tree" "$release"

root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,host,modules}
cp "$(find "$work/busybox-static" -path "*/bin/busybox" -type f)" "$root/bin/busybox"
for module in "${modules[@]}"; do
    modprobe -d "$tree" -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/order"
while read -r file; do
    name=$(basename "$file" .xz) # modules are compressed since Debian 13, and busybox cannot load those
    if [ "$name.xz" = "$(basename "$file")" ]; then xz -dc "$file"; else cat "$file"; fi >"$root/modules/$name"
    echo "$name" >>"$root/modules/order"
done <"$work/order"
sed -e "s|@CHECKOUT@|$PWD|" -e "s|@PYTHON@|$(readlink -f .venv)/bin/python|" tests/vm/init.sh >"$root/init"
chmod 755 "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc) >"$work/initrd"

vmlinuz=$(find "$work/$kernel" -name 'vmlinuz-*' | head -1)
timeout 600 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nodefaults -no-reboot \
    -display none -serial stdio -kernel "$vmlinuz" -initrd "$work/initrd" \
    -append "console=ttyS0 quiet panic=-1 tsc=unstable" \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null | tee "$work/log"
grep -q '^verdict: all passed' "$work/log" || { echo "the tests in the virtual machine failed or did not finish" >&2; exit 1; }
