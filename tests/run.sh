#!/bin/sh
# sh tests/run.sh [LABEL...]: sets up, builds, and runs every test, or those of the labels. --labels lists them.
#
# Every test prints one line: "ok NAME", "FAIL NAME" (with what went wrong below it) or "skip NAME: reason". The last
# line is "N passed, N failed, N skipped"; the exit status is 0 only if none failed. A label is either a group of CUnit
# programs (tests/unit) or a script tests/LABEL.sh that is called with the path of cnnc and prints such lines.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/setup.sh
. "$root/tests/setup.sh"

default_labels='style unit grad kernels nets sanitize parse errors limits fuzz explain messages roundtrip verbs reports page published e2e badinput faults torch deploy manual editors readme'
if [ "${1:-}" = --labels ]; then
    echo "$default_labels"
    exit 0
fi
labels=${*:-$default_labels}
work=$build/tests
results=$work/results
bin=$build/release

# The CUnit programs of a label, by name.
programs_of() {
    for source in "$root"/tests/unit/test_*.c; do
        name=$(basename "$source" .c)
        case $name in
        test_kernel*) label=kernels ;;
        test_grad*) label=grad ;;
        test_random_nets) label=nets ;;
        *) label=unit ;;
        esac
        [ "$label" != "$1" ] || echo "$name"
    done
}

# run_program LABEL PROGRAM: runs one from the root of the checkout; its output is shown if it fails.
run_program() {
    name=$1/${2##*/test_}
    if (cd "$root" && timeout 900 "$2") >"$work/log" 2>&1; then
        echo "ok $name"
    else
        echo "FAIL $name (exit status $?)"
        tail -n 30 "$work/log" | sed 's/^/    /'
    fi
}

run_programs() {
    [ -n "$(programs_of "$1")" ] || echo "FAIL $1 (no tests/unit/test_*.c belongs to it)"
    for name in $(programs_of "$1"); do run_program "$1" "$bin/tests/$name"; done
}

# LLVM keeps tables for ever, so leaks are looked for in the tests that do not make code.
leaks_matter() { if grep -q '#include "backends/emit.h"' "$root/tests/unit/$1.c"; then echo 0; else echo 1; fi; }

run_sanitize() {
    build_preset sanitize cnnc runtime unit_tests fuzz_net
    export ASAN_OPTIONS UBSAN_OPTIONS=print_stacktrace=1
    for name in $(programs_of unit) $(programs_of grad); do
        ASAN_OPTIONS=detect_leaks=$(leaks_matter "$name")
        run_program sanitize "$build/sanitize/tests/$name"
    done
    ASAN_OPTIONS=detect_leaks=0
    for script in parse errors fuzz; do
        run_script "$script" "$build/sanitize/cnnc" | sed -E 's,^(ok|FAIL|skip) ,&sanitize/,'
    done
    unset ASAN_OPTIONS UBSAN_OPTIONS
}

# run_script LABEL CNNC: a script must not fail without saying so.
run_script() {
    rm -rf "${work:?}/$1"
    mkdir -p "$work/$1"
    if [ ! -f "$root/tests/$1.sh" ]; then
        echo "FAIL $1 (there is no tests/$1.sh)"
        return
    fi
    CNNC_TEST_WORK=$work/$1 CNNC_BUILD=$build timeout 1200 sh "$root/tests/$1.sh" "$2" >"$work/$1.out" 2>&1
    status=$?
    cat "$work/$1.out"
    if [ "$status" != 0 ] && ! grep -q '^FAIL' "$work/$1.out"; then echo "FAIL $1 (exit status $status)"; fi
}

run_label() {
    case $1 in
    unit | grad | kernels | nets) run_programs "$1" ;;
    sanitize) run_sanitize ;;
    *) run_script "$1" "$bin/cnnc" ;;
    esac
}

count() { grep -c "^$1 " "$results"; }

install_packages "$packages$test_packages"
build_preset release cnnc runtime unit_tests make_shapes make_discs apply_op make_editors fuzz_net
mkdir -p "$work"
: >"$results"
start=$(date +%s)
for label in $labels; do
    began=$(date +%s)
    run_label "$label" 2>&1 | tee -a "$results"
    echo "# $label: $(($(date +%s) - began)) seconds"
done
echo "# $(($(date +%s) - start)) seconds, without the build"
failed=$(count FAIL)
echo "$(count ok) passed, $failed failed, $(count skip) skipped"
[ "$failed" = 0 ]
