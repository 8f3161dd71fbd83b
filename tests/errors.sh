#!/bin/sh
# Every mistake in a .net file gives its message, at its place, and the documented exit status.
#
# tests/errors/*.net: the first line is `# error LINE:COL CODE`, with `-` for a message without a place and `command`
# for one about a definition; the second may be `# args ARGUMENTS` of cnnc. Files that would be too large to keep are
# made here. A code in the sources that no test expects is a failure too.
# `sh tests/errors.sh CNNC --update` writes the expected texts of tests/errors/{user,shape} anew; read their diff.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root/tests/errors" || exit 1
case ${2:-} in
--update) update=yes ;;
*) update= ;;
esac
tested=$work/tested
: >"$tested"
n_passed=0

# The status that belongs to a code (ir/diag.h).
status_of() {
    case $1 in
    W*) echo 0 ;;
    E09*) echo 78 ;;
    E0601) echo 66 ;;
    E0130) echo 64 ;;
    *) echo 65 ;;
    esac
}

# expect NAME PLACE CODE ARGUMENT...: cnnc reports CODE at PLACE of the last argument's file, and nothing like a crash.
expect() {
    name=errors/$1 place=$2 code=$3
    shift 3
    for file in "$@"; do :; done
    case $place in
    -) prefix='cnnc: error: ' ;;
    command) prefix='command line:1:' ;;
    *.net:*) prefix="$place: " ;;
    *) prefix="$file:$place: " ;;
    esac
    timeout 60 "$cnnc" --emit=graph -o "$work/out" "$@" >"$log" 2>&1
    status=$?
    echo "$code" >>"$tested"
    if [ "$status" = "$(status_of "$code")" ] && grep -F -e "$prefix" "$log" | grep -qF "[$code]" &&
        ! grep -qE 'internal error|Sanitizer|runtime error' "$log"; then
        ok "$name"
        n_passed=$((n_passed + 1))
    else
        echo "expected status $(status_of "$code"), $prefix... [$code]; got status $status" >>"$log"
        fail "$name" "$log"
    fi
}

accept() {
    name=errors/$1
    shift
    if timeout 60 "$cnnc" --emit=graph -o "$work/out" "$@" >"$log" 2>&1; then
        ok "$name"
        n_passed=$((n_passed + 1))
    else
        fail "$name" "$log"
    fi
}

for file in *.net; do
    place=$(sed -n '1s/^# error \([^ ]*\) .*/\1/p' "$file")
    code=$(sed -n '1s/^# error [^ ]* //p' "$file")
    args=$(sed -n '2s/^# args //p' "$file")
    # shellcheck disable=SC2086  # several arguments
    expect "$file" "$place" "$code" $args "$file"
done

# Whole nets with a mistake: user/ as somebody would write them who knows another framework, shape/ about shapes and values
# of layers. What cnnc says of NAME.net, and its status, is kept in NAME.txt.
for folder in user shape; do
    cd "$root/tests/errors/$folder" || exit 1
    for file in *.net; do
        expected=${file%.net}.txt
        timeout 60 "$cnnc" --emit=graph -o "$work/out" "$file" >"$log" 2>&1
        status=$?
        echo "exit status $status" >>"$log"
        if { [ "$status" != 65 ] && [ "$status" != 66 ]; } ||
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

# ---- files made here: a limit, and what is just below it ----

cd "$work" || exit 1
repeat() { awk -v n="$1" -v s="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%s", s }'; }
start='cnnc 1\ninput image { size = 8x8 }\n'
# shellcheck disable=SC2059  # the format is ours
net_with() { printf "${start}net n(image) {\n    x = image\n%s\n    output y = x\n}\n" "$1"; }
# shellcheck disable=SC2059
constant() { printf "${start}net n(image) { output y = image }\nconst a = %s\n" "$1"; }

constant "$(repeat 200 '(')1$(repeat 200 ')')" >nest200.net
accept nest200.net nest200.net
constant "$(repeat 201 '(')1$(repeat 201 ')')" >nest201.net
expect nest201.net 4:211 E0902 nest201.net
{ printf 'cnnc 1\nconst a = '; repeat 1000000 '('; } >deep.net
expect deep.net 2:211 E0902 deep.net
{ printf 'cnnc 1\nconst a = '; repeat 100000 '- '; echo 1; } >minus.net
expect minus.net 2:19987 E0902 minus.net
{ printf 'cnnc 1\nconst a = 1'; repeat 2000 ' + 1'; echo; } >long_sum.net
expect long_sum.net 2:11 E0902 long_sum.net

constant 1 | sed "s/const a/const $(repeat 255 a)/" >name255.net
accept name255.net name255.net
{ printf 'cnnc 1\nconst '; repeat 10000000 a; } >long_name.net
expect long_name.net 2:7 E0903 long_name.net
{ printf 'cnnc 1\nconst a = '; repeat 10000000 7; } >long_number.net
expect long_number.net 2:11 E0903 long_number.net
{ printf 'cnnc 1\nconst a = "'; repeat 10000000 s; } >long_string.net
expect long_string.net 2:11 E0003 long_string.net

{ printf 'cnnc 1\nconst a = ['; repeat 1000000 '1, '; echo ']'; } >long_list.net
expect long_list.net 2:3000001 E0904 long_list.net

{ echo 'cnnc 1'; repeat 16777216 '#'; } >too_large.net
expect too_large.net - E0901 too_large.net
{ constant 1; repeat 1000000 '# comment'; echo; repeat 100000 '#
'; } >comments.net
accept comments.net comments.net

net_with '    for i in 0..100000 { x = identity(x) }' >layers100000.net
accept layers100000.net layers100000.net
net_with '    for i in 0..100001 { x = identity(x) }' >layers100001.net
expect layers100001.net 5:30 E0905 layers100001.net
{
    echo 'cnnc 1'
    echo 'input image { size = 8x8 }'
    echo 'block b0(x) { return x -> relu }'
    for i in $(seq 1 40); do echo "block b$i(x) { return x -> b$((i - 1)) -> b$((i - 1)) }"; done
    echo 'net n(image) { output y = image -> b40 }'
} >doubling.net
expect doubling.net 5:33 E0905 doubling.net

for i in $(seq 1 66); do printf 'cnnc 1\nuse "chain%d.net"\n' "$((i + 1))" >"chain$i.net"; done
expect chain.net chain64.net:2:5 E0909 chain1.net
mkfifo pipe.net 2>/dev/null
printf 'cnnc 1\nuse "pipe.net"\n' >uses_pipe.net
expect uses_pipe.net 2:5 E0602 uses_pipe.net

constant 1 | tr '\n' '\r' >cr.net
accept cr.net cr.net
constant 1 | sed 's/$/\r/' >crlf.net
accept crlf.net crlf.net
{ printf '\357\273\277'; constant 1; } >bom.net
accept bom.net bom.net
{ constant 1; printf 'const b = 2'; } >no_end.net
accept no_end.net no_end.net
# shellcheck disable=SC2016  # the point is that nothing expands it
net_with '    x = x -> relu@name("%s%n $(touch pwned) -o")' >names.net
accept names.net names.net
[ ! -e pwned ] || fail errors/names.net
LC_ALL=de_DE.UTF-8 accept locale.net no_end.net

# ---- is every code tested? ----

# What a .net file cannot cause: shapes that only the compiler or IR text can ask for; see ir/shape.h and the checks of
# arguments in frontend/types.c, which come first.
not_from_source='E0300 E0303 E0307'
for code in $(grep -ohE '"[EW]0[0-9]{3}"' "$root"/frontend/*.[chly] "$root"/ir/*.[ch] | tr -d '"' | sort -u); do
    case " $not_from_source " in *" $code "*) continue ;; esac
    grep -q "^$code\$" "$tested" || { echo "no test expects it" >"$log"; fail "errors/code $code" "$log"; }
done

echo "$n_passed passed, $n_failed failed"
finish
