# shellcheck shell=bash disable=SC2154
# shellcheck source=systemd/common.sh
# Installs packages with apt: python3-venv and arecord, and on boards the camera and GPIO libraries, which must not
# come from pip. Sourced by install.sh, after common.sh.

packages() {
    local always=(python3-venv alsa-utils) on_boards=(python3-picamera2 python3-lgpio) missing
    mapfile -t missing < <(absent "${always[@]}")
    if ((${#missing[@]})) || ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then
        apt-get update -qq || say "apt-get update failed; continuing with the existing package lists"
    fi
    mapfile -t on_boards < <(known "${on_boards[@]}")
    mapfile -t missing < <(absent "${always[@]}" "${on_boards[@]}")
    ((${#missing[@]})) || return 0
    say "installing packages: ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt could not install ${missing[*]}. See its message above, then try again"
    printf 'package %s\n' "${missing[@]}" >>"$made"
}

absent() {
    local package
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# apt's output is read completely first: piped into `grep -q`, which stops at the first match, apt could be killed by
# SIGPIPE, and because of `pipefail` the package would seem not to exist.
known() {
    local package policy
    for package; do
        policy=$(apt-cache policy "$package" 2>/dev/null) || continue
        if grep -q 'Candidate: [^(]' <<<"$policy"; then echo "$package"; fi
    done
}
