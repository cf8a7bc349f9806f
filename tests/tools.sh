#!/bin/sh
# Sees to it that programs are there which pip does not bring; it is told their names: tests/tools.sh browser node …
# As root on Debian or Raspberry Pi OS it installs the missing ones; elsewhere it names the line to type.
set -eu

any_of() {
    for program; do
        if command -v "$program" >/dev/null; then return 0; fi
    done
    return 1
}

packages=
for tool; do
    case $tool in
        browser) any_of chromium chromium-browser google-chrome || packages="$packages chromium" ;;
        microphone) any_of arecord || packages="$packages alsa-utils" ;;
        node) any_of node || packages="$packages nodejs" ;;
        virtual-machine)
            any_of qemu-system-x86_64 || packages="$packages qemu-system-x86"
            any_of cpio || packages="$packages cpio"
            any_of depmod || packages="$packages kmod"
            any_of xz || packages="$packages xz-utils" ;;
        npx) any_of npx || packages="$packages npm" ;;
        nginx) any_of nginx || packages="$packages nginx-light" ;;
        caddy) any_of caddy || packages="$packages caddy" ;;
        systemd) any_of systemd-analyze || packages="$packages systemd" ;;
        network)
            any_of ip || packages="$packages iproute2"
            any_of nft || packages="$packages nftables"
            any_of turnserver || packages="$packages coturn"
            any_of faketime || packages="$packages faketime" ;;
        container)
            any_of mmdebstrap || packages="$packages mmdebstrap"
            any_of systemd-nspawn || packages="$packages systemd-container" ;;
    esac
done
[ -n "$packages" ] || exit 0

system=$(. /etc/os-release 2>/dev/null && echo "$ID" || true)
case $system-$(id -u) in
    debian-0 | raspbian-0)
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive exec apt-get install -qq --yes --no-install-recommends $packages >/dev/null ;;
esac
echo "Something is missing here. Please type: sudo apt install$packages" >&2
exit 1
