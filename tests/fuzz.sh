#!/bin/sh
# The fuzz target of tests/fuzz, without libFuzzer: every input of the corpus, and every one that once was a finding,
# ends with a verdict in time. `sh tests/fuzz/run.sh` looks for more.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
target=$(dirname "$cnnc")/tests/fuzz_net
cd "$root/tests/fuzz" || exit 1

check 'fuzz/corpus' "$target" corpus
n_inputs=$(find corpus -type f | wc -l)
[ "$(tail -n 1 "$log")" = "$n_inputs files" ] || fail 'fuzz/corpus is whole' "$log"
for file in found/*.net; do check "fuzz/$file" "$target" "$file"; done
[ "$n_inputs" -le 600 ] || { echo 'over 600 files: sh tests/fuzz/run.sh merge' >"$log"; fail 'fuzz/corpus is small' "$log"; }
finish
