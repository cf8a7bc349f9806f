# shellcheck shell=bash disable=SC2034
# Paths of the installed broadcaster, and functions; sourced by install.sh and uninstall.sh.
home=/opt/broadcaster                       # one folder per version; `current` links to the active one
settings=/etc/broadcaster/broadcaster.toml  # belongs to the owner, never overwritten
made=$home/made                             # list of the packages, groups and users that the installer added
unit=/etc/systemd/system/broadcaster.service
sysusers=/etc/sysusers.d/broadcaster.conf
rules=/etc/udev/rules.d/60-broadcaster.rules
poweroff=/etc/polkit-1/rules.d/broadcaster-poweroff.rules
command=/usr/local/bin/broadcaster
state=/var/lib/broadcaster
films=$state/films                          # belongs to the owner: files that the service can play
recordings=$state/recordings                # belongs to the owner, too
writable=$unit.d/recordings.conf            # the drop-in that lets the service write to another record.folder

# The scripts parse the output of apt and other programs, which must not be translated. C.UTF-8 alone is not enough:
# gettext ignores LANGUAGE only in the locale C itself.
unset LANGUAGE
export LC_ALL=C.UTF-8

say() {
    echo "broadcaster: $*"
}

die() {
    say "$@" >&2
    exit 1
}

# $1 is the make target; `broadcaster install` passes the command that its user has to type instead in $TYPED.
need_root() {
    [ "$(id -u)" = 0 ] || die "this changes the system. Please type: ${TYPED:-sudo make $1}"
    [ -d /run/systemd/system ] || die "systemd is not running here, so no service can be started"
}
