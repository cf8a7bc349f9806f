#!/bin/bash
# shellcheck source=systemd/places.sh
# Installs the broadcaster as a service, or updates it: sudo make install [SOURCE=test]
# Every step may be repeated. One that fails says what to do, and leaves the version that runs alone.
set -euo pipefail
cd "$(dirname "$0")/.."
. systemd/places.sh

python=/usr/bin/python3 # the system's: the camera's library belongs to it
source=${SOURCE:-camera}
new=

main() {
    need_root install
    [[ $source =~ ^(camera|test)$ ]] || die "SOURCE=$source: only camera and test are known; all else goes into $settings"
    command -v apt-get >/dev/null || die "this is for Raspberry Pi OS and Debian: there is no apt-get here"
    install -d -m 755 "$home"
    trap forget_new EXIT
    packages
    "$python" broadcaster/supported.py || die "so it cannot be installed here"
    user
    environment
    settings_file
    service
    report
}

# What apt has: python3-venv and arecord, and on boards the camera's library and the pins', which pip must not bring.
packages() {
    local always=(python3-venv alsa-utils) on_boards=(python3-picamera2 python3-lgpio) missing
    mapfile -t missing < <(absent "${always[@]}")
    if ((${#missing[@]})) || ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then
        apt-get update -qq || say "apt-get update failed; going on with the packages that are known"
    fi
    mapfile -t on_boards < <(known "${on_boards[@]}")
    mapfile -t missing < <(absent "${always[@]}" "${on_boards[@]}")
    ((${#missing[@]})) || return 0
    say "installing packages: ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt could not install ${missing[*]}. See what it says above; then try again"
    printf 'package %s\n' "${missing[@]}" >>"$made"
}

absent() {
    local package
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

known() {
    local package
    for package; do
        if apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]'; then echo "$package"; fi
    done
}

user() {
    getent group gpio >/dev/null || echo group gpio >>"$made"
    getent passwd broadcaster >/dev/null || echo user broadcaster >>"$made"
    install -D -m 644 systemd/broadcaster.sysusers "$sysusers"
    systemd-sysusers "$sysusers" || die "the user broadcaster could not be made, see above"
}

# A virtual environment of its own for each version: an update that fails half-way harms nobody.
environment() {
    say "installing version $(sed -n 's/__version__ = "\(.*\)"/\1/p' broadcaster/version.py) into $home"
    new=$(mktemp -d "$home/venv.XXXXXX")
    chmod 755 "$new"
    "$python" -m venv --system-site-packages "$new" || die "there is no virtual environment: sudo apt install python3-venv"
    "$new/bin/pip" install --quiet --cache-dir "$home/cache" --prefer-binary '.[usb]' ||
        die "pip could not install it, see above. Is there a network? What ran before still runs"
    ! compgen -G "$new/lib/python3*/site-packages/@(picamera2|libcamera|lgpio)*" >/dev/null ||
        die "pip brought a library of the camera or the pins, which must be apt's. Please report this"
}

settings_file() {
    install -d -m 755 "$(dirname "$settings")"
    if [ -e "$settings" ]; then
        [ -z "${SOURCE:-}" ] || say "SOURCE=$source changes nothing: $settings is there already, and stays as it is"
    else
        install -m 640 systemd/broadcaster.toml "$settings"
        sed -i "/^\[video\]/,/^\[/ s/^#source = .*/source = \"$source\"/" "$settings"
    fi
    chown root:broadcaster "$settings"
    chmod 640 "$settings"
    "$new/bin/broadcaster" settings --settings "$settings" >/dev/null ||
        die "please correct $settings and try again. What ran before still runs"
}

service() {
    local before
    before=$(readlink -e "$home/current" || true)
    switch_to "$new"
    new=
    ln -sfn "$home/current/bin/broadcaster" "$command"
    install -m 644 systemd/broadcaster.service "$unit"
    install -D -m 644 systemd/broadcaster.rules "$rules"
    # Where there is no polkit, nobody but root may switch the machine off.
    if [ -d "$(dirname "$poweroff")" ]; then install -m 644 systemd/broadcaster-poweroff.rules "$poweroff"; fi
    if [ -S /run/udev/control ]; then
        udevadm control --reload
        udevadm trigger --subsystem-match=gpio --subsystem-match=dma_heap
        udevadm trigger --sysname-match=vcio --sysname-match=vchiq
    fi
    systemctl daemon-reload
    systemctl enable --quiet broadcaster.service
    systemctl restart broadcaster.service || fail_to_start "$before"
    find "$home" -maxdepth 1 -name 'venv.*' ! -path "$(readlink -e "$home/current")" -exec rm -rf {} +
}

switch_to() {
    ln -sfn "$1" "$home/current.new"
    mv -T "$home/current.new" "$home/current"
}

fail_to_start() {
    journalctl --quiet --no-pager --output=cat --unit=broadcaster.service --lines=20 >&2
    [ -n "$1" ] || die "it does not start, see above. What it says from now on: journalctl -u broadcaster"
    switch_to "$1"
    systemctl restart broadcaster.service || true
    die "it does not start, see above; the version before is back in its place"
}

# The daemon's own start block and warnings, from the journal.
report() {
    local log block
    journalctl --sync
    log=(journalctl --quiet --no-pager --output=cat)
    log+=("_SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value broadcaster.service)")
    block=$("${log[@]}" | grep '^broadcaster [0-9]\|^  ' || true)
    say "is running ($(systemctl show --property=StatusText --value broadcaster.service)), and starts with the system"
    printf '\n%s\n' "$block"
    echo "  Go live  with the button, or: curl --json '{\"live\": true}' $(tail -1 <<<"$(links "$block")")api/live"
    echo "  Settings $settings, then: sudo systemctl restart broadcaster"
    echo "  Log      journalctl -u broadcaster"
    echo "  Check    sudo broadcaster check"
    "${log[@]}" --priority=warning
    if grep -q '^source = "camera"' "$settings" && ! compgen -G '/dev/video*' >/dev/null; then
        say "there is no camera here. The service looks for one at each start of the stream, and says failed (no-camera);"
        echo "  for the test picture instead: video.source = \"test\" in $settings"
    fi
}

links() {
    grep -oE 'https?://[^ ]*' <<<"$1"
}

forget_new() {
    [ -z "$new" ] || rm -rf "$new"
}

shopt -s extglob
main
