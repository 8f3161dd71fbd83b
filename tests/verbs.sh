#!/bin/sh
# The verbs of cnnc: check, fmt, new, diff, sweep. What they print, what they leave alone, how long they take.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
examples=$root/examples

# status NAME WANTED COMMAND...: the command ends with this exit status; its output stays in $log.
status() {
    status_name=$1 wanted=$2
    shift 2
    timeout "$limit" "$@" >"$log" 2>&1
    got=$?
    if [ "$got" = "$wanted" ]; then
        ok "$status_name"
    else
        echo "exit status $got, wanted $wanted: $*" >>"$log"
        fail "$status_name" "$log"
    fi
}

# says NAME TEXT: the last command printed it.
says() { if grep -qF -e "$2" "$log"; then ok "$1"; else fail "$1" "$log"; fi; }

# ---- the command line ----

status verbs/help 0 "$cnnc" --help
verbs=$(sed -n 's/^VERB(\([a-z]*\),.*/\1/p' frontend/verbs.def)
for verb in $verbs; do
    "$cnnc" --help >"$log"
    says "verbs/$verb is in --help" "  $verb "
    status "verbs/$verb --help" 0 "$cnnc" "$verb" --help
    says "verbs/$verb --help says how" "usage: cnnc $verb"
    status "verbs/$verb with an unknown option" 64 "$cnnc" "$verb" --no-such-option x
    status "verbs/$verb without arguments" 64 "$cnnc" "$verb"
    grep -q "^\.It .*$verb" docs/cnnc.1 || echo "docs/cnnc.1 does not know $verb" >"$work/missing"
done
if [ -e "$work/missing" ]; then fail 'verbs/all are in cnnc.1' "$work/missing"; else ok 'verbs/all are in cnnc.1'; fi
status 'verbs/a verb mistyped' 64 "$cnnc" chekc "$examples/cifar.net"
says 'verbs/a verb mistyped: the right one' 'did you mean check?'
status 'verbs/an option of another verb' 64 "$cnnc" check -i "$examples/cifar.net"
cp "$examples/cifar.net" "$work/check"
(cd "$work" && timeout "$limit" "$cnnc" --emit=graph ./check -o graph) >"$log" 2>&1
if [ -s "$work/graph" ]; then ok 'verbs/a file of the name of a verb'; else fail 'verbs/a file of the name of a verb' "$log"; fi

# ---- check ----

status verbs/check 0 "$cnnc" check "$examples"/*.net
says 'verbs/check says the cost' 'resnet.net: net resnet, 11,689,512 parameters'
status 'verbs/check of a wrong file' 65 "$cnnc" check tests/errors/e0010.net "$examples/cifar.net"
says 'verbs/check goes on with the next file' 'cifar.net: net cifar, 288,746 parameters, 38.6 M MACs per picture'
status 'verbs/check of a missing file' 66 "$cnnc" check "$work/none.net"

# ---- fmt ----

status 'verbs/fmt: the examples are canonical' 0 "$cnnc" fmt --check "$examples"/*.net "$examples"/*/*.net
status 'verbs/fmt of a wrong file' 65 "$cnnc" fmt tests/errors/e0010.net
for file in tests/errors/e00*.net; do
    cp "$file" "$work/wrong.net"
    timeout "$limit" "$cnnc" fmt -i "$work/wrong.net" >"$log" 2>&1
    got=$?
    if [ "$got" != 65 ] || ! cmp -s "$file" "$work/wrong.net"; then fail "verbs/fmt -i leaves ${file##*/}" "$log"; fi
done
ok 'verbs/fmt -i leaves files with mistakes alone'

printf '# first\ncnnc  1\nconst  a=[1,\n2]#last' >"$work/wild.net"
printf '# first\ncnnc 1\n\nconst a = [1,\n           2]                              #last\n' >"$work/tame.net"
"$cnnc" fmt - <"$work/wild.net" >"$work/out"
same 'verbs/fmt of standard input' "$work/tame.net" "$work/out"
"$cnnc" fmt "$work/wild.net" >"$work/out"
same 'verbs/fmt prints' "$work/tame.net" "$work/out"
status 'verbs/fmt --check of a wild file' 1 "$cnnc" fmt --check "$work/wild.net"
status 'verbs/fmt -i' 0 "$cnnc" fmt -i "$work/wild.net" "$work/tame.net"
same 'verbs/fmt -i writes' "$work/tame.net" "$work/wild.net"
status 'verbs/fmt --check of a tame file' 0 "$cnnc" fmt --check "$work/wild.net"
rm -rf "$work/locked"
mkdir "$work/locked"
printf 'cnnc  1\n' >"$work/locked/a.net"
chmod 500 "$work/locked"
if [ "$(id -u)" = 0 ]; then
    skip 'verbs/fmt -i in a folder that is locked' 'root may write everywhere'
else
    status 'verbs/fmt -i in a folder that is locked' 73 "$cnnc" fmt -i "$work/locked/a.net"
fi
chmod 700 "$work/locked"
ls "$work"/*.tmp* "$work"/locked/*.tmp* >"$log" 2>/dev/null
if [ -s "$log" ]; then fail 'verbs/fmt -i leaves no temporary file' "$log"; else ok 'verbs/fmt -i leaves no temporary file'; fi

# The tree and the graph are the same, and the form is stable, of every file that there is.
for file in "$examples"/*.net tests/parse/*.net; do
    name=verbs/fmt/$(basename "$file")
    cp "$file" "$work/before.net"
    if ! timeout "$limit" "$cnnc" fmt "$file" >"$work/after.net" 2>"$log"; then
        fail "$name" "$log"
        continue
    fi
    timeout "$limit" "$cnnc" fmt "$work/after.net" >"$work/again.net" 2>>"$log"
    for kind in ast graph; do
        for which in before after; do
            timeout "$limit" "$cnnc" --emit=$kind "$work/$which.net" -o "$work/$which.$kind" >/dev/null 2>&1 || : >"$work/$which.$kind"
        done
    done
    if cmp "$work/after.net" "$work/again.net" >"$log" 2>&1 && cmp "$work/before.ast" "$work/after.ast" >"$log" 2>&1 &&
        cmp "$work/before.graph" "$work/after.graph" >"$log" 2>&1 &&
        [ "$(grep -c '#' "$file")" = "$(grep -c '#' "$work/after.net")" ]; then
        ok "$name"
    else
        fail "$name" "$log"
    fi
done

finish
