#!/bin/bash
# shellcheck source=systemd/places.sh
# Takes the broadcaster off the system: sudo make uninstall. Only the settings stay.
set -euo pipefail
cd "$(dirname "$0")"
. ./places.sh

main() {
    need_root uninstall
    local record=
    [ ! -e "$made" ] || record=$(sort -u "$made")
    if [ -e "$unit" ]; then systemctl disable --quiet --now broadcaster.service; fi
    rm -f "$unit" "$sysusers" "$rules" "$poweroff"
    if [ "$(readlink "$command" || true)" = "$home/current/bin/broadcaster" ]; then rm "$command"; fi
    systemctl daemon-reload
    systemctl reset-failed broadcaster.service 2>/dev/null || true
    rm -rf "$home" "$state"
    accounts "$record"
    say "is gone from this system"
    kept "$record"
}

# The user and the groups that came with it, unless somebody else is in them by now.
accounts() {
    if grep -qx 'user broadcaster' <<<"$1" && getent passwd broadcaster >/dev/null; then userdel broadcaster; fi
    if grep -qx 'group gpio' <<<"$1" && getent group gpio | grep -q ':$'; then groupdel gpio; fi
}

kept() {
    if [ -e "$settings" ]; then
        chown root:root "$settings"
        chmod 600 "$settings"
        echo "  Settings  kept in $settings, for the next time"
    fi
    if [ -d "$unit.d" ]; then echo "  Settings  kept in $unit.d, made by systemctl edit"; fi
    local packages
    packages=$(sed -n 's/^package //p' <<<"$1" | tr '\n' ' ')
    [ -z "$packages" ] || echo "  Packages  that came with it and others may use by now: sudo apt remove $packages"
}

main
