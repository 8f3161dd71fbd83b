# Sourced by every label's script: one line a test, and an exit status that comes from one counter.
# A label's script is called as `sh tests/LABEL.sh CNNC` in any folder; CNNC_TEST_WORK names its scratch folder.
# shellcheck shell=sh disable=SC2034  # what is set here is used by the scripts

root=$(cd "$(dirname "$0")/.." && pwd)
cnnc=${1:-${CNNC_BUILD:-$root/build}/release/cnnc}
work=${CNNC_TEST_WORK:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
n_failed=0
# However slow the machine, no one command of a test runs for longer than this many seconds.
limit=${CNNC_TEST_LIMIT:-600}

ok() { echo "ok $1"; }
skip() { echo "skip $1: $2"; }

# fail NAME [FILE]: FILE holds what went wrong; its last lines are shown.
fail() {
    echo "FAIL $1"
    if [ -n "${2:-}" ] && [ -s "$2" ]; then tail -n 25 "$2" | sed 's/^/    /'; fi
    n_failed=$((n_failed + 1))
}

# check NAME COMMAND...: the command exits with 0. Its output stays in $log.
log=$work/log
check() {
    check_name=$1
    shift
    if timeout "$limit" "$@" >"$log" 2>&1; then
        ok "$check_name"
    else
        echo "exit status $?: $*" >>"$log"
        fail "$check_name" "$log"
        return 1
    fi
}

# same NAME A B: the two files have the same bytes.
same() {
    if cmp "$2" "$3" >"$log" 2>&1; then ok "$1"; else fail "$1" "$log"; fi
}

finish() { [ "$n_failed" = 0 ]; }
