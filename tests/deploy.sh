#!/bin/sh
# What a file says about the program that is made of it: @nofuse, deploy { }, require { }; lists and shares in data { },
# metrics of eval { }.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

# ---- @nofuse: a kernel of its own ----

# steps FILE: layer and what of each step that is not of weights alone.
steps() {
    "$cnnc" -march=x86-64-v3 --report=schedule -o net "$1" 2>&1 |
        awk '/^     layer/ { rows = 1; next } rows && $1 != "once" && $1 != "all" && NF { print substr($0, 6) }' | awk '{ print $1, $2 }'
}

nofuse_net() {
    cat <<NET
cnnc 1
input image { size = 32x32 }
block head(x) {
    return relu(x -> avgpool(global=true) -> flatten -> fc(10))
}
net n(image) {
    x = image -> conv(12, 5) -> bn -> relu$1 -> conv(12, 3, stride=3)$1 -> bn -> relu
    output y = (x + x) -> head$1
}
NET
}
nofuse_net '' >fused.net
nofuse_net '@nofuse()' >apart.net
steps fused.net >steps.fused
steps apart.net >steps.apart
cat >want <<'STEPS'
conv1 conv+add
relu1 relu
conv2 conv+add
bn2 bn+relu+add
head1.avgpool1 avgpool
head1.fc1 fc+add
head1.relu1 relu
STEPS
same deploy/nofuse want steps.apart
if grep -q '^relu1\|^bn2\|^head1.relu1' steps.fused; then fail 'deploy/fused otherwise' steps.fused; else ok 'deploy/fused otherwise'; fi

# ---- deploy { } ----

small_input() {
    cat <<NET
cnnc 1
input image {
    size   = 32x32
    resize = exact(32x32)
}
NET
}

# net DEPLOY REQUIRE: a net with three outputs, two of them deployed, and these lines in its sections.
net() {
    small_input
    cat <<NET
net n(image) {
    x = image -> conv(16, 3, pad=1) -> bn -> relu -> avgpool(global=true) -> flatten
    logits = x -> fc(4)
    output aux = x -> fc(4) only train
    output scores = softmax(logits)
    output embedding = x -> fc(40) only deploy
}
deploy {
$1
}
require {
$2
}
train {
    loss = cross_entropy(logits) + cross_entropy(aux)
    lr   = 0
    stop = 1 steps
}
NET
}

# value KEY FILE: the number of a member of the program's JSON texts, which strings(1) would show.
value() { tr -c '[:print:]' '\n' <"$2" | sed -n "s/.*\"$1\": \\([0-9]*\\).*/\\1/p" | head -n 1; }
processors() { tr -c '[:print:]' '\n' <"$1" | sed -n 's/.*"cpu": "\([^"]*\)".*/\1/p' | sort -u | tr '\n' ' '; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else echo "$2, not $3" >"$log"; fail "$1" "$log"; fi; }

net 'batches = [2, 8, 4]
march = x86_64_v3
outputs = [scores]' '' >keys.net
if check deploy/keys "$cnnc" keys.net -o keys; then
    is 'deploy/batches: the largest' "$(value max_batch keys)" 8
    is deploy/march "$(processors keys)" 'x86-64-v3 '
    "$cnnc" --emit=loops -o - keys.net >loops
    if grep -q fc3 loops; then fail deploy/outputs; else ok deploy/outputs; fi
    ./keys export --init --output=keys.safetensors >"$log" 2>&1
    # Weights with the heads that this program lacks, and without the head that is for training alone.
    net '' '' >all.net
    sed '/only train/d; s/ + cross_entropy(aux)//' all.net >headless.net
    for source in all headless; do
        check "deploy/weights of $source.net" sh -c "'$cnnc' -march=x86-64-v3 $source.net -o $source &&
            ./$source export --init --output=$source.safetensors && ./keys bench --weights=$source.safetensors --seconds=0.01"
    done
    ./keys bench --seconds=0.01 2>"$log" | sed -n 's/^batch *\([0-9]*\).*/\1/p' | tr '\n' ' ' >sizes
    is 'deploy/batches in bench' "$(cat sizes)" '2 8 4 '
fi
check 'deploy/the command line wins' "$cnnc" --max-batch=5 -march=x86-64-v2 keys.net -o won &&
    is 'deploy/the command line wins: values' "$(value max_batch won) $(processors won)" '5 x86-64-v2 '
net '' '' >plain.net
check deploy/none "$cnnc" -march=x86-64-v3 plain.net -o plain && is 'deploy/no batches' "$(value max_batch plain)" 256
"$cnnc" --emit=loops -o - plain.net | grep -q fc3 || fail 'deploy/outputs without the key'

# refused NAME STATUS PATTERN COMMAND...: it fails like this, and no program is left.
refused() {
    name=$1 want=$2 pattern=$3
    shift 3
    rm -f refused
    timeout 60 "$@" >"$log" 2>&1
    status=$?
    if [ $status = "$want" ] && grep -qE "$pattern" "$log" && [ ! -e refused ]; then ok "$name"; else fail "$name" "$log"; fi
}

net 'batches = [1, 50]
max_memory = 6 MiB' '' >large.net
refused deploy/max_memory 65 'large.net:15:14: error: inference of 50 pictures needs .*MiB; .max_memory. is 6.0 MiB .E0432' \
    "$cnnc" large.net -o refused
refused 'deploy/max_memory in check' 65 'calls of [0-9]+ pictures fit: batches = \[[0-9]+\]' "$cnnc" check large.net
fits=$(sed -n 's/.*batches = \[\([0-9]*\)\]$/\1/p' "$log" | head -n 1)
check 'deploy/max_memory: the help helps' "$cnnc" --max-batch="$fits" --emit=loops large.net -o /dev/null
refused 'deploy/max_memory: and says the most' 65 E0432 "$cnnc" --max-batch=$((fits + 1)) --emit=loops large.net -o refused
refused 'deploy/march in check' 65 'keys.net:15:9: error: .march.: unknown processor' \
    sh -c "sed 's/x86_64_v3/[native, x86_64_v9]/' keys.net >bad_keys.net; '$cnnc' check bad_keys.net"

# ---- require { } ----

net '' 'code_size <= 100 KiB' >big_code.net
refused require/code_size 65 'the net does not keep this: code_size is .*KiB .E0420' "$cnnc" -march=x86-64-v3 big_code.net -o refused
net '' 'size <= 100 KiB' >big.net
refused require/size 65 'the net does not keep this: size is .*(KiB|MiB) .E0420' "$cnnc" -march=x86-64-v3 big.net -o refused
net '' 'code_size <= 20 MiB
size < 20 MiB' >small.net
check 'require/sizes that are kept' "$cnnc" -march=x86-64-v3 small.net -o small
# The size is that of the file and of the weights: 4 bytes for each of the deployed parameters and statistics of batch
# norm. The clauses are in the program, too, so it is measured with others of the same length.
net '' 'size <= 2000 KiB
size > 1000 KiB' >broad.net
check 'require/size in a wide range' "$cnnc" -march=x86-64-v3 broad.net -o exact
kib=$((($(wc -c <exact) + 4 * (448 + 64 + 68 + 680)) / 1024))
net '' "size <= $((kib + 1)) KiB
size > $((kib - 1)) KiB" >exact.net
check 'require/size to the KiB' "$cnnc" -march=x86-64-v3 exact.net -o exact

make_shapes=${CNNC_BUILD:-$root/build}/release/tests/make_shapes
[ -x "$make_shapes" ] || make_shapes=$(dirname "$cnnc")/tests/make_shapes
"$make_shapes" shapes --train 4 --test 2 >"$log" 2>&1 || fail require/make_shapes "$log"
for class in shapes/*/*; do case $class in */circle | */cross | */heart | */star) ;; *) rm -r "$class" ;; esac; done
net '' 'top1 >= 99.9%
top5 >= 99%
latency <= 1 us
throughput >= 1' >run.net
if check require/program "$cnnc" -march=x86-64-v3 run.net -o run && ./run export --init --output=run.safetensors >"$log" 2>&1; then
    refused 'require/top1 in eval' 1 'error: top1 is [0-9.]+ %, and require . . says top1 >= 99.90 %' ./run eval --data shapes
    if grep -q '^require top5 >= 99.00 %: measured 100.00 %, kept$' "$log"; then ok require/top5; else fail require/top5 "$log"; fi
    refused 'require/latency in bench' 1 'latency is [0-9.]+ ms, and require . . says latency <= 0.001 ms' ./run bench --seconds=0.01
    if grep -q '^require throughput >= 1.0 img/s: measured .*, kept$' "$log"; then ok require/throughput; else fail require/throughput "$log"; fi
    refused 'require/as JSON' 1 '"kept": false' ./run bench --seconds=0.01 --json
    check 'require/training is not measured' ./run bench --train --seconds=0.01
    check 'require/latency needs one picture' ./run bench --batch=4 --seconds=0.01
fi

# ---- memory: one figure, that of what is deployed ----

# The head that is only trained has 64 MiB of weights, what is deployed 36 MiB.
heads_net() {
    small_input
    cat <<NET
net n(image) {
    x = image -> conv(16, 3, stride=2) -> relu -> flatten
    output extra = x -> fc(4662) -> relu -> fc(10) only train
    logits = x -> fc(2600) -> relu -> fc(10)
    output scores = softmax(logits)
}
train {
    loss      = cross_entropy(logits) + 0.3 * cross_entropy(extra)
    optimizer = sgd()
    batch     = 8
    lr        = constant(0.1)
    stop      = 1 epochs
}
require { memory <= $1 MiB }
NET
}
heads_net 1 >heads.net
"$cnnc" check -march=x86-64-v3 heads.net >"$log" 2>&1
foreseen=$(sed -n 's/.*memory is \([0-9.]*\) MiB .E0420.*/\1/p' "$log")
heads_net 64 >heads.net
refused memory/refused 65 "memory is $foreseen MiB .E0420" sh -c "sed 's/64 MiB/1 MiB/' heads.net >less.net; '$cnnc' -march=x86-64-v3 less.net -o refused"
check memory/kept "$cnnc" -march=x86-64-v3 heads.net -o heads && ./heads export --init --output=heads.safetensors >"$log" 2>&1
is memory/info "$(CNNC_THREADS=2 ./heads info | sed -n 's/^memory *\([0-9.]*\) MiB for inference.*/\1/p')" "$foreseen"
is memory/sweep "$("$cnnc" sweep -march=x86-64-v3 heads.net | sed -n 's/.* \([0-9.]*\) MiB$/\1/p')" "$foreseen"
"$cnnc" --emit=html -march=x86-64-v3 heads.net -o heads.html >"$log" 2>&1
if grep -q "$foreseen MiB" heads.html; then ok memory/page; else fail memory/page "$log"; fi
peak() {
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)' "$@"
}
measured=$(peak ./heads predict --threads=2 --weights=heads.safetensors "$(echo shapes/test/circle/* | cut -d ' ' -f 1)")
if awk -v a="$foreseen" -v b="$measured" 'BEGIN { exit !(a > 36 && a < 1.04 * b && b < 1.04 * a) }'; then
    ok 'memory/that of the process'
else
    echo "foreseen $foreseen MiB, measured $measured MiB" >"$log"
    fail 'memory/that of the process' "$log"
fi

# What training is foreseen to take counts the sections data and eval that have names, which it may be told to use.
trains() {
    { sed 's/^    batch .*/&\n    max_memory = 4 GiB/; s/64 MiB/900 MiB/' heads.net && echo "$1"; } >trains.net
    "$cnnc" check -march=x86-64-v3 --report=memory trains.net | sed -n 's/.*at a time, \([0-9]*\)[.].* MiB in all; .*/\1/p'
}
plain=$(trains '')
data=$(trains 'data far { prefetch = 900 batches }')
eval=$(trains 'eval wide { batch = 256 }')
if [ "${plain:-0}" -gt 0 ] && [ "${data:-0}" -gt $((plain + 60)) ] && [ "${eval:-0}" -gt $((plain + 6)) ]; then
    ok 'memory/sections with names'
else
    echo "$plain MiB, $data with prefetch, $eval with a batch" >"$log"
    fail 'memory/sections with names' "$log"
fi

# ---- data: lists and shares ----

for file in shapes/test/*/*; do class=${file%/*}; echo "${file#shapes/} ${class##*/}"; done >shapes/list.txt
{
    net '' ''
    printf 'data {\n    test   = list("shapes/list.txt")\n    subset = 50%%\n}\n'
} >list.net
check data/list "$cnnc" -march=x86-64-v3 list.net -o list && ./list export --init --output=list.safetensors >"$log" 2>&1
./list eval >"$log" 2>&1
if grep -q 'whole pictures, 4 pictures' "$log"; then ok 'data/half of a list'; else fail 'data/half of a list' "$log"; fi
./list eval --data shapes >"$log" 2>&1
if grep -q 'whole pictures, 4 pictures' "$log"; then ok 'data/half of a folder'; else fail 'data/half of a folder' "$log"; fi

# ---- eval: folders are matched with the net's classes by their names ----

mkdir part && cp -r shapes/test/cross shapes/test/star part
printf 'star\ncircle\nheart\ncross\n' >names.txt
if check eval/names ./list export --init --labels=names.txt --output=named.safetensors; then
    check 'eval/some of the classes' ./list eval --data part --weights named.safetensors
    if grep -q '^no pictures of 2 of the 4 classes: circle, heart$' "$log"; then ok 'eval/says which are absent'; else fail 'eval/says which are absent' "$log"; fi
    ./list eval --json --data part --weights named.safetensors >"$log" 2>&1
    if grep -q '"classes_without_pictures": 2' "$log"; then ok 'eval/as JSON'; else fail 'eval/as JSON' "$log"; fi
    cp -r part more && cp -r part/star more/zebra
    refused 'eval/a folder of no class' 65 'more: the net has no class .zebra.; of its 4 the first is .star., the last .cross.' \
        ./list eval --data more --weights named.safetensors
    refused 'eval/weights without names' 65 'the data have 2 classes, net n has 4 outputs.*export --labels=FILE' \
        ./list eval --data part --weights list.safetensors
fi

# ---- eval: what a class is taken for ----

{
    net '' ''
    printf 'eval {\n    metrics = [top1, per_class, confusion, calibration(bins=20)]\n    save_predictions = "table.csv"\n}\n'
    printf 'test {\n    golden = "answers.safetensors"\n}\ntest loose {\n    gradients = all\n    tolerance = 2\n}\n'
} >metrics.net
check eval/metrics "$cnnc" -march=x86-64-v3 metrics.net -o metrics && ./metrics export --init --output=metrics.safetensors >"$log" 2>&1
./metrics eval --data shapes >"$log" 2>&1
# Of the eight pictures, as many as are right have their class; the others are mistakes, each between two classes.
right=$(sed -n 's/^top-1 .*(\([0-9]*\) of 8)$/\1/p' "$log")
wrong=$(awk '/ taken for / { n += $1 } END { print n + 0 }' "$log")
of_each=$(awk '/^ .* (circle|cross|heart|star)$/ && !/taken/ { print $(NF - 1), $NF }' "$log" | tr '\n' ' ')
is 'eval/confusion: each picture once' $((right + wrong)) 8
is 'eval/calibration' "$(sed -n 's/^calibration error  *\([0-9.]*\) %$/\1/p' "$log" | awk '{ print ($1 >= 0 && $1 <= 100) }')" 1
is 'eval/per_class' "$of_each" '2 circle 2 cross 2 heart 2 star '
if grep -q '^top-5' "$log"; then fail 'eval/metrics that are not listed' "$log"; else ok 'eval/metrics that are not listed'; fi
./metrics eval --data shapes --json >json 2>"$log"
is 'eval/confusion as JSON' "$(tr -d ' \n' <json | sed 's/.*"confusion":\[\(.*\)\],"loss".*/\1/' | tr -c '0-9\n' '\n' | awk '{ n += $1 } END { print (NR > 15) " " n }')" '1 8'
python3 - >"$log" 2>&1 <<'CHECK'
import json

result = json.load(open("json"))
bins = [b for b in result["calibration_bins"] if b["pictures"]]
print(sum(b["pictures"] for b in bins), len(result["calibration_bins"]),
      abs(sum(b["pictures"] * abs(b["right"] - b["probability"]) for b in bins) / 8 - result["calibration"]) < 1e-6)
CHECK
is 'eval/calibration as JSON' "$(cat "$log")" '8 20 True'

# ---- eval: a table of the pictures ----

mv shapes/test/star 'shapes/test/st,a"r'
rm -f table.csv
./metrics eval --data shapes >"$log" 2>&1
is 'eval/save_predictions: rows' "$(sed 1d table.csv | wc -l) $(grep -cE '^shapes/test/heart/[^,]*,heart,.*,0[.][0-9]{6}$' table.csv)" '8 2'
is 'eval/save_predictions: the first line' "$(head -n 1 table.csv)" 'picture,class,taken for,probability'
mv 'shapes/test/st,a"r' shapes/test/star
if grep -q '^"shapes/test/st,a""r/[^"]*","st,a""r",' table.csv; then ok 'eval/save_predictions: quotes'; else fail 'eval/save_predictions: quotes' table.csv; fi
rm -f table.csv && mkdir table.csv
refused 'eval/save_predictions: a folder is there' 73 'table.csv' ./metrics eval --data shapes
rmdir table.csv

# ---- test: golden values ----

refused 'test/no golden values' 66 'answers.safetensors: there are no golden values yet' ./metrics test
check 'test/made-up pictures' ./metrics test --update --golden=metrics.golden.safetensors
check 'test/pictures' ./metrics test --update shapes/test/heart/*
check 'test/the same answers' ./metrics test --threads 1
is 'test/what is compared' "$(awk '/largest difference/ { print $1, $NF }' "$log" | tr '\n' ' ')" 'pictures kept scores kept embedding kept '
./metrics export --init --seed 7 --output=others.safetensors >"$log" 2>&1
refused 'test/other weights' 1 'scores of picture [01]: number . is .* here and .* in answers.safetensors, which was written with other' ./metrics test -w others.safetensors
refused 'test/as JSON' 1 '"kept": false' ./metrics test -w others.safetensors --json
check 'test/a section with a name' ./metrics test --test loose -w others.safetensors
is 'test/gradients' "$(sed -n 's/^gradients of \([0-9]*\) of \([0-9]*\) tensors, 1 too small to measure: .*: kept$/\1 \2/p' "$log")" '8 8'
refused 'test/no such section' 64 'no section .test loos.; did you mean loose' ./metrics test --test loos
refused 'test/pictures without --update' 64 'pictures are for --update' ./metrics test shapes/test/heart/*
refused 'test/a file without golden values' 65 'has no tensor "images"' ./metrics test --golden others.safetensors
refused 'test/a picture that is none' 65 'list.txt' ./metrics test --update shapes/list.txt
head -c 5000 answers.safetensors >part.safetensors
refused 'test/a file that was cut' 65 'part.safetensors' ./metrics test --golden part.safetensors
python3 - <<'EDIT'
import json, struct

data = open("answers.safetensors", "rb").read()
n = 8 + struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:n])
header["__metadata__"].pop("xxh3")  # of other bytes
at = n + header["scores"]["data_offsets"][0]
text = json.dumps(header).encode().ljust(n - 8)
open("infinite.safetensors", "wb").write(data[:8] + text + data[n:at] + struct.pack("<f", float("inf")) + data[at + 4:])
EDIT
refused 'test/an infinite golden value' 1 'scores of picture 0: number 0 is .* here and inf in' ./metrics test --golden infinite.safetensors
mkdir beside && mv metrics metrics.safetensors answers.safetensors beside
check 'test/beside the program' beside/metrics test
mv beside/* .

# Which output is deployed says whether scores are probabilities, whatever other layers the net has.
net 'outputs = [scores]' '' | sed 's/output scores = softmax(logits)/output scores = logits\n    output soft = softmax(logits)/' >logits.net
net 'outputs = [scores]' '' >soft.net
for kind in logits soft; do
    "$cnnc" -march=x86-64-v3 $kind.net -o $kind && ./$kind export --init --output=$kind.safetensors >"$log" 2>&1
    ./$kind eval --data shapes 2>"$log" | grep -E '^(top|loss)' >result.$kind
done
if [ -s result.soft ]; then same 'deploy/logits as scores' result.logits result.soft; else fail 'deploy/logits as scores' "$log"; fi

finish
