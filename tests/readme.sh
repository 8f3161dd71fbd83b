#!/bin/sh
# README and manuals are true: the net compiles and trains, flags, files and options exist, no figure is missing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
make_shapes=${CNNC_BUILD:-$root/build}/release/tests/make_shapes
cd "$work" || exit 1
readme=$root/README.md

# The lines of the fenced blocks of a language.
blocks() { awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```/ { on = 0 } on' "$readme"; }

check_net() {
    "$make_shapes" shapes --train 12 --test 4 || exit 1
    blocks net >tiny.net
    check 'readme/the net compiles' "$cnnc" tiny.net -o tiny || return
    check 'readme/the net trains' ./tiny train --steps 4
    check 'readme/the net evaluates' ./tiny eval
    check 'readme/the net predicts' ./tiny predict shapes/unseen/heart.jpg
}

# Every `--flag` of the compiler in the table "Looking inside" is in its help, and every file named is there.
check_flags() {
    "$cnnc" --help >help 2>&1
    sed -n '/^## Looking inside/,/^## /p' "$readme" | grep -oE '`-[-a-z]+' | tr -d '`' | sort -u >flags
    while read -r flag; do
        grep -q -e "$flag" help || echo "$flag is not in cnnc --help"
    done <flags >missing
    if [ -s flags ] && [ ! -s missing ]; then ok 'readme/flags'; else fail 'readme/flags' missing; fi
}

# Every path of the README, and the boxes of the diagram that name passes by file only.
check_files() {
    {
        grep -oE '(frontend|ir|passes|backends|runtime|tests|examples|docs)/[a-zA-Z_/.]*\.[a-z]+' "$readme"
        sed -n '/^## How it works/,/^## /p' "$readme" | grep -oE '(^|[ ])[a-z_]+\.[cly]' | sed 's,^ *,passes/,'
    } | sort -u >named
    while read -r f; do
        [ -e "$root/$f" ] || echo "$f does not exist"
    done <named >missing
    if [ -s named ] && [ ! -s missing ]; then ok 'readme/files'; else fail 'readme/files' missing; fi
}

check_labels() {
    sh "$root/tests/run.sh" --labels 2>/dev/null | tr ' ' '\n' >labels
    while read -r label; do
        grep -q "\`$label\`" "$readme" || echo "the label $label is not in the README"
    done <labels >missing
    if [ -s labels ] && [ ! -s missing ]; then ok 'readme/labels'; else fail 'readme/labels' missing; fi
}

# Every option of the two tables is in its manual page.
check_manuals() {
    {
        sed -n 's/^OPTION("--*\([a-z-]*\)[="].*/\1 cnnc.1/p' "$root/frontend/options.def"
        sed -n 's/^    {"\([a-z]*\)", .*KIND_.*/\1 program.1/p' "$root/runtime/cli.c"
    } | sort -u >options
    while read -r option page; do
        grep -qE "Fl -?$option\b" "$root/docs/$page" || echo "the option $option is not in docs/$page"
    done <options >missing
    if [ -s options ] && [ ! -s missing ]; then ok 'readme/manuals'; else fail 'readme/manuals' missing; fi
}

check_quickstart() {
    check 'readme/sh examples/quickstart.sh' sh "$root/examples/quickstart.sh" || return
    sed -n 's/^== Done: /    /p' "$log"
}

check_net
check_flags
check_files
check_labels
check_manuals
check_quickstart
grep -n 'FIGURE' "$readme" >missing
if [ -s missing ]; then fail 'readme/figures' missing; else ok 'readme/figures'; fi
finish
