# shellcheck shell=bash disable=SC2034
# Where the installed broadcaster lives; read by install.sh and uninstall.sh.
home=/opt/broadcaster                       # each version in a folder of its own, `current` is the one that runs
settings=/etc/broadcaster/broadcaster.toml  # the owner's, never overwritten
made=$home/made                             # what the system did not have before: packages, groups, user
unit=/etc/systemd/system/broadcaster.service
sysusers=/etc/sysusers.d/broadcaster.conf
rules=/etc/udev/rules.d/60-broadcaster.rules
poweroff=/etc/polkit-1/rules.d/broadcaster-poweroff.rules
command=/usr/local/bin/broadcaster
state=/var/lib/broadcaster
films=$state/films                          # the owner's, too: files that the service may play

# The scripts read what apt and others print, which is translated otherwise. C.UTF-8 alone is not enough:
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

# $1 is the target of make; `broadcaster install` says in $TYPED what its user has to type instead.
need_root() {
    [ "$(id -u)" = 0 ] || die "this changes the system. Please type: ${TYPED:-sudo make $1}"
    [ -d /run/systemd/system ] || die "systemd is not running here, so no service can be started"
}
