#!/bin/sh
# Makes sure that programs that pip cannot install are there: tests/tools.sh browser node …
# As root on Debian or Raspberry Pi OS it installs missing programs, unless that would start or upgrade a service.
# Otherwise it prints the command that installs them, and fails.
# --services also installs packages with a service and leaves it stopped; meant for machines that only run tests.
# shellcheck disable=SC2086 # package lists are split on purpose
set -eu

policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
services=
if [ "${1:-}" = --services ]; then
    services=yes
    shift
fi

any_of() {
    for program; do
        if command -v "$program" >/dev/null; then return 0; fi
    done
    return 1
}

packages='' servers=''
for tool; do
    case $tool in
        browser) any_of chromium chromium-browser google-chrome || packages="$packages chromium" ;;
        firefox) any_of firefox-esr firefox || packages="$packages firefox-esr" ;;
        ffmpeg) any_of ffmpeg || packages="$packages ffmpeg" ;;
        microphone) any_of arecord || packages="$packages alsa-utils" ;;
        node) any_of node || packages="$packages nodejs" ;;
        virtual-machine)
            any_of qemu-system-x86_64 || packages="$packages qemu-system-x86"
            any_of cpio || packages="$packages cpio"
            any_of depmod || packages="$packages kmod"
            any_of xz || packages="$packages xz-utils" ;;
        npx) any_of npx || packages="$packages npm" ;;
        nginx) any_of nginx || servers="$servers nginx-light" ;;
        caddy) any_of caddy || servers="$servers caddy" ;;
        turn) any_of turnserver || servers="$servers coturn" ;;
        systemd) any_of systemd-analyze || packages="$packages systemd" ;;
        network)
            any_of ip || packages="$packages iproute2"
            any_of nft || packages="$packages nftables"
            any_of faketime || packages="$packages faketime" ;;
        container)
            any_of mmdebstrap || packages="$packages mmdebstrap"
            any_of systemd-nspawn || packages="$packages systemd-container" ;;
        emulator)
            any_of qemu-aarch64-static qemu-aarch64 || packages="$packages qemu-user-static"
            any_of arch-test || packages="$packages arch-test" ;; # used by mmdebstrap
    esac
done

is_root_on_debian() {
    # shellcheck source=/dev/null
    case $( (. /etc/os-release && echo "$ID") 2>/dev/null || true)-$(id -u) in
        debian-0 | raspbian-0) return 0 ;;
    esac
    return 1
}

# Whether apt would replace an installed package that has a service: "Inst NAME [OLD] (NEW …)".
upgrades_service() {
    for package in $(LC_ALL=C apt-get install --simulate --yes --no-install-recommends $to_install |
        sed -n 's/^Inst \([^ ]*\) \[.*/\1/p'); do
        if dpkg -L "$package" | grep -q '/systemd/system/.*\.service$\|^/etc/init\.d/'; then return 0; fi
    done
    return 1
}

# Packages start and restart their services only if this script allows it (invoke-rc.d(8)). If it is left behind, it
# allows it again as soon as this process has exited.
forbid_services() {
    [ ! -e "$policy" ] || return 0
    printf '#!/bin/sh\n[ ! -d /proc/%s ] || exit 101\n' $$ >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
}

install_packages() {
    apt-get update -qq
    if [ -z "$services" ] && upgrades_service; then return 1; fi
    forbid_services
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $to_install >/dev/null
}

# Newly installed services must not start at the next boot either.
disable_servers() {
    for package in $servers; do
        name=${package%-light}
        if any_of systemctl; then systemctl --quiet disable "$name.service" >/dev/null 2>&1 || true; fi
        [ ! -e "/etc/init.d/$name" ] || update-rc.d "$name" disable
    done
}

to_install=$packages to_report=$servers
if [ -n "$services" ]; then to_install="$packages$servers" to_report=; fi
if [ -n "$to_install" ] && is_root_on_debian && install_packages; then
    to_install=
    if [ -n "$services" ]; then disable_servers; fi
fi
[ -n "$to_install$to_report" ] || exit 0
echo "Programs are missing. To install them: sudo apt install$to_install$to_report" >&2
exit 1
