#!/bin/bash
# shellcheck source=systemd/places.sh
# Removes the broadcaster from the system: sudo make uninstall, or `broadcaster uninstall`.
# Only what is the owner's stays: settings and films.
set -euo pipefail
cd "$(dirname "$0")"
. ./places.sh

main() {
    need_root uninstall
    cd /
    local record=
    [ ! -e "$made" ] || record=$(sort -u "$made")
    if [ -e "$unit" ]; then systemctl disable --quiet --now broadcaster.service; fi
    rm -f "$unit" "$sysusers" "$rules" "$poweroff"
    if [ "$(readlink "$command" || true)" = "$home/current/bin/broadcaster" ]; then rm "$command"; fi
    systemctl daemon-reload
    systemctl reset-failed broadcaster.service 2>/dev/null || true
    rm -rf "$home"
    remove_state
    accounts "$record"
    say "is removed from this system"
    kept "$record"
}

remove_state() {
    [ -d "$state" ] || return 0
    find "$state" -mindepth 1 -maxdepth 1 ! -path "$films" -exec rm -rf {} +
    rmdir --ignore-fail-on-non-empty "$films" "$state" 2>/dev/null || true
    if [ -d "$films" ]; then chown --no-dereference --recursive root:root "$state"; fi
}

# The user and the groups that the installer created, unless somebody else is in them by now.
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
    if [ -d "$films" ]; then echo "  Films     kept in $films"; fi
    if [ -d "$unit.d" ]; then echo "  Settings  kept in $unit.d, made by systemctl edit"; fi
    local packages
    packages=$(sed -n 's/^package //p' <<<"$1" | tr '\n' ' ')
    [ -z "$packages" ] || echo "  Packages  that came with it and others may use by now: sudo apt remove $packages"
}

main
