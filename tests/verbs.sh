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
printf 'cnnc  1\n' >"$work/target.net"
chmod 640 "$work/target.net"
ln -sf target.net "$work/link.net"
status 'verbs/fmt -i through a link' 0 "$cnnc" fmt -i "$work/link.net"
if [ -L "$work/link.net" ] && [ "$(stat -c %a "$work/target.net")" = 640 ] && [ "$(cat "$work/target.net")" = 'cnnc 1' ]; then
    ok 'verbs/fmt -i keeps links and permissions'
else
    ls -l "$work"/*.net >"$log"
    fail 'verbs/fmt -i keeps links and permissions' "$log"
fi
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

# ---- sweep ----

status verbs/sweep 0 "$cnnc" sweep "$examples/googlenet.net"
says 'verbs/sweep: the paper' 'paper              6,998,552     1.58 G'
says 'verbs/sweep: torchvision' 'torchvision        6,624,904     1.50 G'
status 'verbs/sweep: some are not legal' 0 "$cnnc" sweep tests/verbs/illegal.net
says 'verbs/sweep: an interval is its ends and the usual value' '3       0.5'
says 'verbs/sweep: why not' 'illegal.net:13:'
[ "$(grep -c '\[E0' "$log")" = 3 ] || fail 'verbs/sweep: three of nine are not legal' "$log"
status 'verbs/sweep: none is legal' 65 "$cnnc" sweep --values=kernel=9,11 tests/verbs/illegal.net
status 'verbs/sweep: -D fixes an option' 0 "$cnnc" sweep -Dkernel=3 -Ddrop=0 tests/verbs/illegal.net
[ "$(wc -l <"$log")" = 2 ] || fail 'verbs/sweep: one combination is left' "$log"
status 'verbs/sweep of a wrong file' 65 "$cnnc" sweep tests/errors/e0010.net
status 'verbs/sweep of an unknown option' 64 "$cnnc" sweep --values=depht=1,2 tests/verbs/thousand.net
status 'verbs/sweep of too many' 78 "$cnnc" sweep --values="width=$(seq -s , 1 20000)" tests/verbs/thousand.net

status 'verbs/sweep: functions and lists are values' 0 "$cnnc" sweep --json --values='depths=[[1, 2], [3]],[[4]]' tests/verbs/functions.net
says 'verbs/sweep: a function has its name' '"options": {"act": "swish", "depths": "[[4]]", "width": 16}, "parameters"'
"$cnnc" sweep --json --jobs=1 tests/verbs/illegal.net >"$work/one.json"
"$cnnc" sweep --json --jobs=3 tests/verbs/illegal.net >"$work/three.json"
same 'verbs/sweep: as many processes as you like' "$work/one.json" "$work/three.json"
if command -v python3 >/dev/null; then
    check 'verbs/sweep --json' python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))["combinations"]
assert len(r) == 9, len(r)
assert [c["options"]["kernel"] for c in r] == [3] * 3 + [5] * 3 + [9] * 3
assert all(c["parameters"] > 0 and c["macs"] > 0 and c["memory"] > 0 for c in r[:6])
assert all(c["error"]["code"].startswith("E03") and c["error"]["line"] == 13 for c in r[6:])
' "$work/one.json"
else
    skip 'verbs/sweep --json' 'no python3 here'
fi

# ---- diff ----

status 'verbs/diff of equal nets' 0 "$cnnc" diff "$examples/resnet.net" "$examples/resnet.net"
says 'verbs/diff: all layers are the same' '  70 layers are the same'
says 'verbs/diff: all weights load' 'load into the second: 102 of 102'
status 'verbs/diff of depths' 1 "$cnnc" diff "$examples/resnet.net" "$examples/resnet.net" -Ddepth=34
says 'verbs/diff: a layer more' '+ layer1.2.conv1               conv             64x56x56        36,864     115.6 M'
[ "$(grep -c '^-' "$log")" = 1 ] || fail 'verbs/diff: no layer less' "$log"
says 'verbs/diff: parameters' 'parameters        11,689,512      21,797,672  +86.5 %'
status 'verbs/diff, an option of both' 1 "$cnnc" diff -Dclasses=5 "$examples/resnet.net" -Ddepth=34 "$examples/resnet.net" -Dclasses=7
says 'verbs/diff: a weight of another shape' 'fc.weight 5x512, 7x512'
sed -e 's/conv(8, kernel, pad=1)/conv(8, kernel, pad=1)@name("first") -> relu/' tests/verbs/illegal.net >"$work/renamed.net"
status 'verbs/diff of another name' 1 "$cnnc" diff tests/verbs/illegal.net "$work/renamed.net"
grep '^[-+] ' "$log" | awk '{ print $1 $2 }' | tr '\n' ' ' >"$work/rows"
printf -- '-tests/verbs/illegal.net: +%s/renamed.net: -conv1 +first +relu1 ' "$work" >"$work/wanted"
same 'verbs/diff: by kind and shape where names differ' "$work/wanted" "$work/rows"
sed 's/0.5 in/0.25 in/' tests/verbs/illegal.net >"$work/drop.net"
status 'verbs/diff of another attribute' 1 "$cnnc" diff tests/verbs/illegal.net "$work/drop.net"
says 'verbs/diff: the attribute' 'p=0.25'
status 'verbs/diff with a wrong file' 65 "$cnnc" diff tests/errors/e0010.net "$examples/resnet.net"
status 'verbs/diff with a missing file' 66 "$cnnc" diff "$examples/resnet.net" "$work/none.net"

# ---- new ----

make_shapes=${CNNC_BUILD:-$root/build}/release/tests/make_shapes
[ -x "$make_shapes" ] || make_shapes=${CNNC_BUILD:-$root/build}/tests/make_shapes
rm -rf "$work/new"
mkdir "$work/new"
cd "$work/new" || exit 1
"$make_shapes" shapes --train 4 --test 2 || exit 1
kinds=$(sed -n 's/^KIND(\([a-z]*\),.*/\1/p' "$root/frontend/new.def")
for kind in $kinds; do
    status "verbs/new --kind=$kind" 0 "$cnnc" new --kind="$kind" "my-$kind"
    status "verbs/new --kind=$kind: it is good" 0 "$cnnc" check "my-$kind.net"
    if grep -q warning "$log"; then fail "verbs/new --kind=$kind: no warnings" "$log"; fi
    status "verbs/new --kind=$kind: it is canonical" 0 "$cnnc" fmt --check "my-$kind.net"
    awk 'length > 120' "my-$kind.net" >"$log"
    if [ -s "$log" ]; then fail "verbs/new --kind=$kind: no line is too long" "$log"; fi
    # Pictures of 32x32, so that it is quick; the weights to begin with are those of the same net before training.
    grep -v '^    init ' "my-$kind.net" >fresh.net
    "$cnnc" -march=native -O1 -Dclasses=12 -Dsize=32x32 fresh.net -o fresh >"$log" 2>&1
    check "verbs/new --kind=$kind: it trains" ./fresh train --data shapes --steps 1 --batch 4 --out .
    [ "$kind" != transfer ] || cp fresh.safetensors resnet18.safetensors
    "$cnnc" -march=native -O1 -Dclasses=12 -Dsize=32x32 "my-$kind.net" -o mine >"$log" 2>&1
    check "verbs/new --kind=$kind: as it is" ./mine train --data shapes --steps 1 --batch 4 --out out
done
cp my-plain.net kept.net
status 'verbs/new over a file' 73 "$cnnc" new my-plain.net
same 'verbs/new never overwrites' my-plain.net kept.net
status 'verbs/new of no kind' 64 "$cnnc" new --kind=none x
says 'verbs/new of no kind: those there are' 'transfer '
for name in 1x '' for 'a b' ../ .net; do status "verbs/new of the name '$name'" 64 "$cnnc" new "$name"; done
ls for.net 1x.net >"$log" 2>/dev/null && fail 'verbs/new leaves nothing after a mistake' "$log"
cd "$root" || exit 1

# ---- time, of one processor ----

# within NAME SECONDS COMMAND...
within() {
    within_name=$1 most=$2
    shift 2
    bash -c 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>&1' - "$@" 2>"$log"
    took=$(awk '{ print $1 + $2 }' "$log")
    echo "$took seconds of a processor, at most $most: $*" >>"$log"
    if awk "BEGIN { exit !($took < $most) }"; then ok "$within_name"; else fail "$within_name" "$log"; fi
}

within 'verbs/check of ResNet-152 in 50 ms' 0.05 "$cnnc" check -Ddepth=152 "$examples/resnet.net"
within 'verbs/sweep of 1,000 combinations in 10 s' 10 "$cnnc" sweep --jobs=1 tests/verbs/thousand.net

finish
