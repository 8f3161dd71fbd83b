#!/bin/sh
# Every mistake in a .net file gives its message, at its place, and the documented exit status.
#
# tests/errors/*.net: the first line is `# error LINE:COL CODE`, with `-` for a message without a place and `command`
# for one about a definition; the second may be `# args ARGUMENTS` of cnnc. What would be too large to keep,
# tests/limits.sh makes. A code in the sources that neither expects is a failure too.
# `sh tests/errors.sh CNNC --update` writes the expected texts of tests/errors/{user,shape} anew; read their diff.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/verdict.sh
. "$root/tests/verdict.sh"
cd "$root/tests/errors" || exit 1
case ${2:-} in
--update) update=yes ;;
*) update= ;;
esac

for file in *.net; do
    place=$(sed -n '1s/^# error \([^ ]*\) .*/\1/p' "$file")
    code=$(sed -n '1s/^# error [^ ]* //p' "$file")
    args=$(sed -n '2s/^# args //p' "$file")
    # shellcheck disable=SC2086  # several arguments
    expect "errors/$file" "$place" "$code" $args "$file"
done

# Whole nets with a mistake: user/ as somebody would write them who knows another framework, shape/ about shapes and
# values of layers. What cnnc says of NAME.net, and its status, is kept in NAME.txt.
for folder in user shape; do
    cd "$root/tests/errors/$folder" || exit 1
    for file in *.net; do
        expected=${file%.net}.txt
        timeout 60 "$cnnc" --emit=graph -o "$work/out" "$file" >"$log" 2>&1
        status=$?
        echo "exit status $status" >>"$log"
        if { [ "$status" != 65 ] && [ "$status" != 66 ] && [ "$status" != 78 ]; } ||
            ! grep -qE "^$file:[0-9]+:[0-9]+: error: .* \[E[0-9]+\]\$" "$log" ||
            grep -qE 'internal error|Sanitizer|runtime error' "$log"; then
            fail "errors/$folder/$file" "$log"
        elif [ -n "$update" ]; then
            cmp -s "$log" "$expected" || { cp "$log" "$expected"; echo "updated errors/$folder/$expected"; }
        elif diff -u "$expected" "$log" >"$work/diff" 2>&1; then
            ok "errors/$folder/$file"
            n_passed=$((n_passed + 1))
        else
            fail "errors/$folder/$file" "$work/diff"
        fi
    done
    for expected in *.txt; do
        [ -e "${expected%.txt}.net" ] || { echo "its net is gone" >"$log"; fail "errors/$folder/$expected" "$log"; }
    done
done
[ -z "$update" ] || exit "$((n_failed > 0))"

# ---- many mistakes, and mistakes far from their cause ----

cd "$work" || exit 1
# bounded NAME: an error, none of which takes more than 24 lines, in a second.
bounded() {
    timeout 1 "$cnnc" check "$1" >"$log" 2>&1
    status=$?
    longest=$(awk '/: error: / { n = 0 } { n++ } n > m { m = n } END { print m }' "$log")
    if [ "$status" = 65 ] && [ "$longest" -le 24 ]; then
        ok "errors/$1"
        n_passed=$((n_passed + 1))
    else
        echo "status $status, longest error $longest lines" >>"$log"
        fail "errors/$1" "$log"
    fi
}
start='cnnc 1
input image { size = 64x64 }'
{
    echo "$start"
    echo 'net many(image) {'
    echo '    x = image -> conv(8, 1)'
    for i in $(seq 1000); do echo "    y$i = x + (x -> conv(9, 3))"; done
    echo '    output y = x'
    echo '}'
} >thousand_errors.net
bounded thousand_errors.net
{
    echo "$start"
    echo 'net chain(image) {'
    echo '    y = image -> conv(8, 3)'
    echo '    for i in 0..10000 { y = y -> relu }'
    echo '    z = concat(image -> conv(8, 1), y)'
    echo '    for i in 0..10000 { y = y -> conv(8, 2, pad=[0, 1, 0, 1]) }'
    echo '    w = y + image'
    echo '    for i in 0..20 { y = y -> conv(8, 3) -> conv(8, 2) }'
    echo '    output u = y -> conv(8, 67, pad=1)'
    echo '    output v = w -> conv(8, 67)'
    echo '}'
} >long_chain.net
bounded long_chain.net
{
    echo "$start"
    echo 'block b0(x) { return x + (x -> conv(9, 3)) }'
    for i in $(seq 40); do echo "block b$i(x) { return x -> b$((i - 1)) }"; done
    echo 'net deep(image) { output y = image -> b40 }'
} >deep_blocks.net
bounded deep_blocks.net
{
    echo "$start"
    echo 'block f(x, n) { return x + (x -> conv(n + 1, 3)) }'
    echo 'net uses(image) {'
    echo '    for i in 0..20000 { y = image -> f(i) }'
    echo '    output z = image'
    echo '}'
} >many_uses.net
bounded many_uses.net
{
    echo "$start"
    printf 'net wide(image) {\n    x = image -> fork('
    for i in $(seq 4000); do printf 'conv(2, 1), '; done
    echo 'conv(2, 3)) -> concat'
    echo '    output y = x'
    echo '}'
} >wide_concat.net
bounded wide_concat.net

# ---- is every code tested? ----

grep -oE 'E0[0-9]{3}' "$root/tests/limits.sh" >>"$tested"
# What a .net file cannot cause: shapes that only the compiler or IR text can ask for; see ir/shape.h and the checks of
# arguments in frontend/types.c, which come first.
not_from_source='E0300 E0303 E0307'
for code in $(grep -ohE '"[EW]0[0-9]{3}"' "$root"/frontend/*.[chly] "$root"/ir/*.[ch] | tr -d '"' | sort -u); do
    case " $not_from_source " in *" $code "*) continue ;; esac
    grep -q "^$code\$" "$tested" || { echo "no test expects it" >"$log"; fail "errors/code $code" "$log"; }
done

echo "$n_passed passed, $n_failed failed"
finish
