#!/bin/sh
# `cnnc --explain`: the wrong example of every code gives that code and no other, the right one gives no message; every
# code that the sources use has a row, and every row a use.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
printf 'cnnc 1\nblock unit(x, n) { return x -> conv(n, 3, pad=1) -> relu }\n' >blocks.net
echo 'cat dog' >words.txt


# example CODE WHICH: writes it to example.net, compiles it with the arguments it names, and sets `found` to the codes
# of the messages. A few lines may define a block or constant that nothing uses (W0135, W0136).
example() {
    "$cnnc" --explain "$1:$2" >example.net 2>"$log" || return 1
    arguments=$(sed -n '1s/^# cnnc \(.*\) example\.net$/\1/p' example.net)
    # shellcheck disable=SC2086  # several arguments
    timeout 60 "$cnnc" --emit=graph -o graph $arguments example.net >>"$log" 2>&1
    status=$?
    found=$(sed -n 's/^.*\[\([EW][0-9]*\)\]$/\1/p' "$log" | sort -u | awk -v code="$1" '!/W013[56]/ || $0 == code')
}

check_code() {
    if ! "$cnnc" --explain "$1" >page 2>"$log"; then fail "explain/$1" "$log"; return; fi
    if ! grep -q '^Wrong:$' page; then ok "explain/$1 has no example"; return; fi
    if ! example "$1" wrong || [ "$found" != "$1" ] || [ "$status" -gt 78 ]; then
        fail "explain/$1 wrong" "$log"
    elif ! example "$1" right || [ -n "$found" ] || [ "$status" != 0 ]; then
        fail "explain/$1 right" "$log"
    else
        ok "explain/$1"
    fi
}

"$cnnc" --explain list >all_codes || fail explain/list
cut -d" " -f1 all_codes | sort >rows
grep -ohE '"[EW]0[0-9]{3}"' "$root"/frontend/*.[chly] "$root"/ir/*.[ch] | tr -d '"' | sort -u >used
same 'explain/every code has one row' used rows
while read -r code; do check_code "$code"; done <rows

# ---- what is not a code ----

"$cnnc" --explain E1007 >out 2>"$log"
if [ $? = 64 ] && grep -q 'did you mean E0107?' "$log" && [ ! -s out ]; then ok explain/unknown; else fail explain/unknown "$log"; fi
"$cnnc" --explain e0107 >lower && "$cnnc" --explain=E0107 >upper
same 'explain/letters of either case' lower upper
"$cnnc" --explain W0131 >code && "$cnnc" --explain unused-option >name
same 'explain/name of a warning' code name
if grep -q -e '-Wunused-option' all_codes; then ok explain/names; else fail explain/names; fi
finish
