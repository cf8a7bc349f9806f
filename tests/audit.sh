#!/bin/sh
# Known vulnerabilities of the installed dependencies, if pip-audit can reach its database.
set -eu

audit() {
    .venv/bin/pip-audit --progress-spinner off --disable-pip --no-deps --requirement "$@"
}

# A release with known vulnerabilities: if none is reported, the database is not reachable.
echo 'aiohttp==3.8.0' >.venv/probe.txt
audit .venv/probe.txt --format json >.venv/probe.json 2>/dev/null || true
if ! grep -q 'fix_versions' .venv/probe.json; then
    echo "pip-audit: skipped, its database cannot be reached"
    exit 0
fi
.venv/bin/pip freeze --local --exclude-editable >.venv/frozen.txt
audit .venv/frozen.txt
