#!/bin/sh
# sh tests/fuzz/run.sh [SECONDS]: fuzzes the front end (tests/fuzz/fuzz_net.c) with libFuzzer under AddressSanitizer and
# UndefinedBehaviorSanitizer; 600 seconds if none are given. It starts from tests/fuzz/corpus and from every net of the
# checkout. A finding ends it with a status other than 0; the input that causes it stays in $build/fuzz/findings.
#
# sh tests/fuzz/run.sh merge: makes tests/fuzz/corpus anew, from it, every net and what runs have found: few small files
# that reach all that these reach.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/setup.sh
. "$root/tests/setup.sh"
install_packages "$packages$test_packages"
build_preset fuzz fuzz_net
target=$build/fuzz/tests/fuzz_net
here=$build/fuzz/run
corpus=$root/tests/fuzz/corpus
mkdir -p "$here/seeds" "$here/found" "$build/fuzz/findings"

# One input of the target: a net, its definitions, and the files that it uses.
seed() {
    sed -n 's/^# args -D/#define /p' "$1"
    cat "$1"
    sed -n 's/^use "\(.*\)".*/\1/p' "$1" | while read -r used; do
        [ ! -f "$(dirname "$1")/$used" ] || { echo "#file $used"; cat "$(dirname "$1")/$used"; }
    done
}

make_seeds() {
    find "$root/examples" "$root/tests/errors" "$root/tests/parse" "$root/tests/fuzz/found" -name '*.net' | while read -r net; do
        seed "$net" >"$here/seeds/$(echo "${net#"$root"/}" | tr / _)"
    done
}

# Every word of the tables, every keyword of the lexer, and the signs.
make_dictionary() {
    {
        cat "$root"/frontend/layers.def "$root"/frontend/builtins.def "$root"/frontend/settings.def "$root"/ir/acts.def "$root"/ir/losses.def | grep -oE '[a-z_][a-z0-9_]+'
        sed -n '/keyword\[\]/,/^};/p; /top_word\[\]/,/^};/p; /^UNIT/p' "$root/frontend/lexer.l" | grep -oE '[A-Za-z]+'
        sed -n '/} suffix\[\]/,/^};/p' "$root/frontend/value.c" | grep -oE '[A-Za-z]+'
        printf '%s\n' '->' '..' '<<' '==' '!=' '<=' '>=' '@' '*' '/' '%' '{' '}' '(' ')' '[' ']' '0.5' '224x224' '#file a.net' \
            '#define depth=2'
    } | LC_ALL=C sort -u | sed 's/.*/"&"/' >"$here/dictionary"
}

# Plain libFuzzer options; the time that an input may take is the target's own affair, this limit is for what never
# ends.
fuzz() {
    "$target" -dict="$here/dictionary" -max_len=16384 -timeout=120 -rss_limit_mb=512 -artifact_prefix="$build/fuzz/findings/" "$@"
}

make_seeds
make_dictionary
if [ "${1:-}" = merge ]; then
    rm -rf "$here/merged"
    mkdir "$here/merged"
    fuzz -set_cover_merge=1 -use_counters=0 "$here/merged" "$corpus" "$here/seeds" "$here/found" || exit 1
    rm -rf "$corpus"
    cp -r "$here/merged" "$corpus"
else
    fuzz -max_total_time="${1:-600}" "$here/found" "$corpus" "$here/seeds"
fi
