#!/bin/sh
# How messages are given: JSON, SARIF 2.1.0, -W, --color; and every change that a message proposes, applied to the wrong
# nets of tests/errors. See tests/messages.py.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
if ! command -v python3 >/dev/null; then
    skip messages 'no python3 here'
    finish
    exit
fi
cd "$work" || exit 1
python3 "$root/tests/messages.py" "$cnnc" "$root/tests/errors" "$work"
