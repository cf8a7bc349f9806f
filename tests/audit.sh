#!/bin/sh
# Known holes in the installed dependencies, where pip-audit can reach its data about them.
set -eu

audit() {
    .venv/bin/pip-audit --progress-spinner off --disable-pip --no-deps --requirement "$@"
}

# A release with holes long known: who cannot tell of those has no data.
echo 'aiohttp==3.8.0' >.venv/probe.txt
audit .venv/probe.txt --format json >.venv/probe.json 2>/dev/null || true
if ! grep -q 'fix_versions' .venv/probe.json; then
    echo "pip-audit: left out, its data cannot be reached"
    exit 0
fi
.venv/bin/pip freeze --local --exclude-editable >.venv/frozen.txt
audit .venv/frozen.txt
