#!/bin/bash
# shellcheck source=systemd/common.sh
# Installs the broadcaster as a service, or updates it: sudo make install [SOURCE=test], or `broadcaster install`.
# Every step can be repeated. A step that fails prints what to do, and leaves the running version untouched.
set -euo pipefail
cd "$(dirname "$0")"
. ./common.sh
. ./packages.sh

python=/usr/bin/python3 # the system's, because the camera library is installed for it
source=${SOURCE:-camera}
# In a checkout, the Python package is next to this folder; in a wheel, it contains it, and pip installs $WHEEL.
if [ -e ../pyproject.toml ]; then code=../broadcaster; else code=..; fi
wheel=${WHEEL:-$(realpath ..)}
new=

main() {
    need_root install
    [[ $source =~ ^(camera|test)$ ]] || die "SOURCE=$source: must be camera or test; anything else goes into $settings"
    command -v apt-get >/dev/null || die "this is for Raspberry Pi OS and Debian: there is no apt-get here"
    install -d -m 755 "$home"
    trap forget_new EXIT
    packages
    "$python" "$code/supported.py" || die "so it cannot be installed here"
    user
    environment
    settings_file
    films_folder
    recordings_folder
    service
    report
}

user() {
    getent group gpio >/dev/null || echo group gpio >>"$made"
    getent passwd broadcaster >/dev/null || echo user broadcaster >>"$made"
    install -D -m 644 broadcaster.sysusers "$sysusers"
    systemd-sysusers "$sysusers" || die "the user broadcaster could not be created, see above"
}

# Each version has its own virtual environment, so an update that fails half-way does not affect the running one.
environment() {
    say "installing version $(sed -n 's/__version__ = "\(.*\)"/\1/p' "$code/__init__.py") into $home"
    new=$(mktemp -d "$home/venv.XXXXXX")
    chmod 755 "$new"
    "$python" -m venv --system-site-packages "$new" || die "there is no virtual environment: sudo apt install python3-venv"
    "$new/bin/pip" install --quiet --cache-dir "$home/cache" --prefer-binary "${wheel}[usb]" ||
        die "pip could not install it, see above. Is there a network connection? The previous version is still running"
    ! compgen -G "$new/lib/python3*/site-packages/@(picamera2|libcamera|lgpio)*" >/dev/null ||
        die "pip installed a camera or GPIO library, which must come from apt. Please report this"
}

settings_file() {
    install -d -m 755 "$(dirname "$settings")"
    if [ -e "$settings" ]; then
        [ -z "${SOURCE:-}" ] || say "SOURCE=$source is ignored: $settings exists, and is not changed"
    else
        install -m 640 broadcaster.toml "$settings"
        sed -i "/^\[video\]/,/^\[/ s/^#source = .*/source = \"$source\"/" "$settings"
    fi
    chown root:broadcaster "$settings"
    chmod 640 "$settings"
    "$new/bin/broadcaster" settings --settings "$settings" >/dev/null ||
        die "please correct $settings and try again. The previous version is still running"
}

# The service sees neither /home nor /tmp (ProtectHome=, PrivateTmp=), so it gets a folder for media files.
films_folder() {
    install -d -m 750 -o broadcaster -g broadcaster "$state"
    install -d -m 755 -o broadcaster -g broadcaster "$films"
}

# Let the service write to record.folder, if that is not in its state folder. What is missing is reported, not fatal.
recordings_folder() {
    local problem
    problem=$("$new/bin/python" -m broadcaster.cli.recordings_folder "$settings" "$writable")
    [ -z "$problem" ] || say "$problem"
}

service() {
    local before
    before=$(readlink -e "$home/current" || true)
    switch_to "$new"
    new=
    ln -sfn "$home/current/bin/broadcaster" "$command"
    install -m 644 broadcaster.service "$unit"
    install -D -m 644 broadcaster.rules "$rules"
    # Without polkit, only root may power the machine off.
    if [ -d "$(dirname "$poweroff")" ]; then install -m 644 broadcaster-poweroff.rules "$poweroff"; fi
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
    [ -n "$1" ] || die "it does not start, see above. For more of its log: journalctl -u broadcaster"
    switch_to "$1"
    systemctl restart broadcaster.service || true
    die "it does not start, see above; the previous version has been restored"
}

# The daemon's own start banner and warnings, from the journal.
report() {
    local log press=
    journalctl --sync
    log=(journalctl --quiet --no-pager --output=cat)
    log+=("_SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value broadcaster.service)")
    say "is running ($(systemctl show --property=StatusText --value broadcaster.service)), and starts at boot"
    echo
    "${log[@]}" | grep '^broadcaster [0-9]\|^  ' || true
    [ "$(value panel enabled)" != true ] || press="press the button, or: "
    echo "  Go live  ${press}sudo broadcaster live on"
    echo "  Settings $settings, then: sudo systemctl restart broadcaster"
    echo "  Films    in $films: the service can read neither /home nor /tmp"
    echo "  Log      journalctl -u broadcaster"
    echo "  Check    sudo broadcaster check"
    "${log[@]}" --priority=warning
    [ "$(value video source)" != '"camera"' ] || look_for_camera
}

# Print the effective value of a setting as TOML: value TABLE NAME
value() {
    "$command" settings --settings "$settings" | sed -n "/^\[$1\]/,/^\[/ s/^$2 = //p"
}

# The check opens the camera. The existence of /dev/video0 proves nothing, because a Pi's codecs have such nodes, too.
look_for_camera() {
    local found
    if found=$("$command" check camera 2>&1); then return; fi
    say "the camera gives no picture yet:"
    sed -n '3,/^$/p' <<<"$found"
    echo "  The service looks for a camera each time the stream starts, and reports failed (no-camera) without one."
    echo "  For the test picture instead: video.source = \"test\" in $settings"
}

forget_new() {
    [ -z "$new" ] || rm -rf "$new"
}

shopt -s extglob
main
