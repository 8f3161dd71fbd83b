#!/bin/sh
# The syntax tree prints back to source: of every file, what is printed parses and prints again to the same bytes. Files
# tests/parse/canonical_*.net are in the printed form already and print to themselves.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
n_passed=0

print_ast() { timeout 60 "$cnnc" --emit=ast "$1" >"$2" 2>"$log"; }

round_trip() {
    if ! print_ast "$1" "$work/first.net" || ! print_ast "$work/first.net" "$work/second.net"; then
        fail "parse/$1" "$log"
    elif ! diff "$work/first.net" "$work/second.net" >"$log"; then
        fail "parse/$1" "$log"
    else
        ok "parse/$1"
        n_passed=$((n_passed + 1))
    fi
}

canonical() {
    if print_ast "$1" "$work/first.net" && diff "$1" "$work/first.net" >"$log"; then
        ok "parse/$1 is in the printed form"
        n_passed=$((n_passed + 1))
    else
        fail "parse/$1 is in the printed form" "$log"
    fi
}

for file in tests/parse/*.net examples/*.net; do round_trip "$file"; done
for file in tests/parse/canonical_*.net; do canonical "$file"; done
echo "$n_passed passed, $n_failed failed"
finish
