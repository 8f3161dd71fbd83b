#!/bin/sh
# sh tests/run.sh [LABEL...]: sets up, builds, and runs every test, or those of the labels. --labels lists them.
#
# Every test prints one line: "ok NAME", "FAIL NAME" (with what went wrong below it) or "skip NAME: reason". The last line
# is "N passed, N failed, N skipped"; the exit status is 0 only if none failed. A label is either a group of CUnit
# programs (tests/unit) or a script tests/LABEL.sh that is called with the path of cnnc and prints such lines.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/setup.sh
. "$root/tests/setup.sh"

default_labels='style unit grad kernels sanitize parse errors roundtrip e2e badinput torch readme'
if [ "${1:-}" = --labels ]; then
    echo "$default_labels"
    exit 0
fi
labels=${*:-$default_labels}
work=$build/tests
results=$work/results
bin=$build/release

# Which label runs a CUnit program.
label_of() {
    case $(basename "$1") in
    test_kernel*) echo kernels ;;
    test_grad*) echo grad ;;
    *) echo unit ;;
    esac
}

# run_program NAME COMMAND...: one CUnit program; its output is shown if it fails.
run_program() {
    name=$1
    shift
    if (cd "$root" && timeout 900 "$@") >"$work/log" 2>&1; then
        echo "ok $name"
    else
        echo "FAIL $name (exit status $?)"
        tail -n 30 "$work/log" | sed 's/^/    /'
    fi
}

run_unit_label() {
    found=0
    for t in "$bin"/tests/test_*; do
        if [ ! -x "$t" ] || [ "$(label_of "$t")" != "$1" ]; then continue; fi
        found=1
        run_program "$1/$(basename "$t" | sed 's/^test_//')" "$t"
    done
    [ "$found" = 1 ] || echo "FAIL $1 (no programs tests/unit/test_*.c belong to it)"
}

# The compiler frees nothing before the end and LLVM keeps tables for ever, so leaks are looked for where a program runs
# for days: in the runtime, that is in the tests that include nothing of the compiler.
leaks_matter() {
    if grep -qE '#include "\.\./\.\./(ir|passes|backends|frontend)/' "$root/tests/unit/$(basename "$1").c"; then
        echo 0
    else
        echo 1
    fi
}

run_sanitize() {
    build_preset sanitize cnnc runtime unit_tests
    export ASAN_OPTIONS UBSAN_OPTIONS=print_stacktrace=1
    for t in "$build"/sanitize/tests/test_*; do
        if [ ! -x "$t" ] || [ "$(label_of "$t")" != unit ]; then continue; fi
        ASAN_OPTIONS=detect_leaks=$(leaks_matter "$t")
        run_program "sanitize/$(basename "$t" | sed 's/^test_//')" "$t"
    done
    ASAN_OPTIONS=detect_leaks=0
    for script in parse errors; do
        run_script "$script" "$build/sanitize/cnnc" | sed 's,^\(ok\|FAIL\|skip\) ,&sanitize/,'
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
    unit | grad | kernels) run_unit_label "$1" ;;
    sanitize) run_sanitize ;;
    *) run_script "$1" "$bin/cnnc" ;;
    esac
}

count() { grep -c "^$1 " "$results"; }

install_packages
build_preset release cnnc runtime unit_tests make_shapes
mkdir -p "$work"
: >"$results"
start=$(date +%s)
for label in $labels; do
    run_label "$label" 2>&1 | tee -a "$results"
done
echo "# $(($(date +%s) - start)) seconds, without the build"
failed=$(count FAIL)
echo "$(count ok) passed, $failed failed, $(count skip) skipped"
[ "$failed" = 0 ]
