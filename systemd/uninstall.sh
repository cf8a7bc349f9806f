#!/bin/bash
# shellcheck source=systemd/common.sh
# Removes the broadcaster from the system: sudo make uninstall, or `broadcaster uninstall`.
# Only the owner's files are kept: settings, films and recordings.
set -euo pipefail
cd "$(dirname "$0")"
. ./common.sh

main() {
    need_root uninstall
    cd /
    local record=
    [ ! -e "$made" ] || record=$(sort -u "$made")
    if [ -e "$unit" ]; then systemctl disable --quiet --now broadcaster.service; fi
    local elsewhere=
    elsewhere=$(recordings_elsewhere)
    rm -f "$unit" "$sysusers" "$rules" "$poweroff" "$writable"
    rmdir --ignore-fail-on-non-empty "$unit.d" 2>/dev/null || true
    if [ "$(readlink "$command" || true)" = "$home/current/bin/broadcaster" ]; then rm "$command"; fi
    systemctl daemon-reload
    systemctl reset-failed broadcaster.service 2>/dev/null || true
    rm -rf "$home"
    remove_state
    accounts "$record"
    say "is removed from this system"
    kept "$record" "$elsewhere"
}

# Print record.folder, if the installer has let the service write there.
recordings_elsewhere() {
    [ -e "$writable" ] || return 0
    "$command" settings --settings "$settings" 2>/dev/null |
        sed -n '/^\[record\]/,/^\[/ s/^folder = "\(.*\)"/\1/p' || true
}

remove_state() {
    [ -d "$state" ] || return 0
    find "$state" -mindepth 1 -maxdepth 1 ! -path "$films" ! -path "$recordings" -exec rm -rf {} +
    if ! compgen -G "$recordings/*.mp4" >/dev/null; then rm -rf "$recordings"; fi
    rmdir --ignore-fail-on-non-empty "$films" "$state" 2>/dev/null || true
    if [ -d "$state" ]; then chown --no-dereference --recursive root:root "$state"; fi
}

# Remove the user and the group that the installer created; the group only if it has no members.
accounts() {
    if grep -qx 'user broadcaster' <<<"$1" && getent passwd broadcaster >/dev/null; then userdel broadcaster; fi
    if grep -qx 'group gpio' <<<"$1" && getent group gpio | grep -q ':$'; then groupdel gpio; fi
}

kept() {
    if [ -e "$settings" ]; then
        chown root:root "$settings"
        chmod 600 "$settings"
        echo "  Settings  kept in $settings for the next installation"
    fi
    if [ -d "$films" ]; then echo "  Films     kept in $films"; fi
    if [ -d "$recordings" ]; then echo "  Recorded  kept in $recordings"; fi
    if [ -d "$2" ]; then echo "  Recorded  kept in $2"; fi
    if [ -d "$unit.d" ]; then echo "  Settings  kept in $unit.d (created by systemctl edit)"; fi
    local packages
    packages=$(sed -n 's/^package //p' <<<"$1" | tr '\n' ' ')
    [ -z "$packages" ] || echo "  Packages  installed with it; if nothing else uses them: sudo apt remove $packages"
}

main
