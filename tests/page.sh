#!/bin/sh
# The pages of --emit=html, in a headless Chromium without a network: rows, totals, clicks, keys, no message, no
# request.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
python=${PYTHON:-/usr/bin/python3}
if ! command -v "$python" >/dev/null; then
    skip page 'no Python 3 here'
    finish
    exit
fi
PYTHONDONTWRITEBYTECODE=1 "$python" tests/page.py "$cnnc" "$work" 2>"$log" || { [ ! -s "$log" ] || fail page/run "$log"; n_failed=1; }
finish
