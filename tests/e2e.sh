#!/bin/sh
# Whole programs: what they say about themselves, that they train, and that weights depend on nothing but the file, the
# data and the seed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
make_shapes=${CNNC_BUILD:-$root/build}/release/tests/make_shapes
make_discs=${CNNC_BUILD:-$root/build}/release/tests/make_discs
cd "$work" || exit 1

# says NAME TEXT: the output of the last check has TEXT (an extended regular expression).
says() {
    if grep -qE -e "$2" "$log"; then ok "$1"; else fail "$1" "$log"; fi
}

check_alexnet() {
    check 'e2e/alexnet: compile' "$cnnc" "$root/examples/alexnet.net" -o alexnet || return
    check 'e2e/alexnet: info' ./alexnet info
    says 'e2e/alexnet: info has the parameters' '60,?965,?224'
    says 'e2e/alexnet: info has the memory' '[Mm]emory'
    refuses 'e2e/alexnet: no weights' 66 'there is no alexnet.safetensors' ./alexnet predict data/unseen/star.jpg
    refuses 'e2e/alexnet: no weights to export' 66 'there is no alexnet.safetensors' ./alexnet export -o copy.safetensors
    check 'e2e/alexnet: export' ./alexnet export --init -o alexnet.safetensors
    check 'e2e/alexnet: predict' ./alexnet predict -k 3 data/unseen/star.jpg data/unseen/ring.jpg
    says 'e2e/alexnet: predict names the picture' 'data/unseen/ring\.jpg'
    check 'e2e/alexnet: bench' ./alexnet bench --batch 1,16 --threads 2
    says 'e2e/alexnet: bench prints times' 'ms'
}

# train_into FOLDER ARGUMENT...: a short training of shapes at a fixed rate, so that its length changes no step.
train_into() {
    folder=$1
    shift
    check "e2e/train into $folder" ./shapes train --data data --lr 0.05 --batch 16 --out "$folder" "$@"
}

check_same_weights() {
    train_into threads1 --steps 8 --threads 1
    for threads in 2 3; do
        train_into "threads$threads" --steps 8 --threads "$threads"
        same "e2e/same weights for 1 and $threads threads" threads1/shapes.safetensors "threads$threads/shapes.safetensors"
    done
    train_into resumed --steps 3
    train_into resumed --steps 8 --resume
    same 'e2e/same weights when resumed' threads1/shapes.safetensors resumed/shapes.safetensors
    train_into other --steps 8 --seed 99
    if cmp -s threads1/shapes.safetensors other/shapes.safetensors; then
        fail 'e2e/another seed gives other weights'
    else
        ok 'e2e/another seed gives other weights'
    fi
}

# A signal in the middle of a step: the program saves, says so by its exit status, and goes on to the same weights.
check_interrupt() {
    train_into whole || return
    ./shapes train --data data --lr 0.05 --batch 16 --out cut >cut.log 2>&1 &
    pid=$!
    while ! grep -qs 'epoch 1/' cut.log && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
    kill -INT "$pid" 2>/dev/null
    wait "$pid"
    status=$?
    if [ "$status" = 75 ]; then
        ok 'e2e/interrupted training exits with 75'
    else
        echo "exit status $status" >>cut.log
        fail 'e2e/interrupted training exits with 75' cut.log
    fi
    train_into cut --resume
    same 'e2e/same weights after an interruption' whole/shapes.safetensors cut/shapes.safetensors
}

# answer ISA FOLDER: the best class of each unseen picture, with the code for that instruction set and the weights of
# FOLDER.
answer() { CNNC_ISA=$1 ./shapes predict --weights "$2/shapes.safetensors" -k 1 --json data/unseen/*.jpg; }

# near NAME A B [ERROR]: two outputs of predict --json name the same classes with nearly the same scores.
near() {
    tr -s '[]{},: \n' '\n' <"$2" >near.a
    tr -s '[]{},: \n' '\n' <"$3" >near.b
    if paste near.a near.b | awk -v most="${4:-1e-4}" '
        $1 == $2 { next }
        $1 !~ /^[0-9.e-]+$/ || $2 !~ /^[0-9.e-]+$/ || $1 - $2 > most || $2 - $1 > most { print; bad = 1 }
        END { exit bad }' >"$log" 2>&1; then ok "$1"; else fail "$1" "$log"; fi
}

# One set of weights gives the same answers by all instruction sets, which take turns in one training, too.
check_instruction_sets() {
    train_into steps --steps 2
    steps=2
    train_into turns --steps $steps
    for isa in v2 v3 v4; do
        CNNC_ISA=$isa ./shapes info >"$log" 2>&1
        if [ $? = 71 ]; then
            skip "e2e/$isa" "$(cat "$log")"
            continue
        fi
        says "e2e/$isa is in use" "$isa \(in use\)"
        answer '' whole >best.json
        answer $isa whole >$isa.json
        near "e2e/$isa gives the same scores" best.json $isa.json
        CNNC_ISA=$isa train_into "steps-$isa" --steps 2
        answer v2 steps >best.json
        answer v2 "steps-$isa" >$isa.json
        near "e2e/$isa trains to nearly the same weights" best.json $isa.json
        steps=$((steps + 2))
        CNNC_ISA=$isa train_into turns --steps $steps --resume
    done
    refuses 'e2e/no such instruction set' 64 'it has v4, v3, v2' env CNNC_ISA=v5 ./shapes info
    check 'e2e/one processor: compile' "$cnnc" -march=x86-64-v2 "$root/examples/shapes.net" -o small || return
    refuses 'e2e/an instruction set that is not in the program' 64 'it has v2' env CNNC_ISA=v3 ./small info
    refuses 'e2e/assembly for several processors' 64 'only a program' "$cnnc" -S -march=x86-64-v2,x86-64-v3 "$root/examples/shapes.net"
    refuses 'e2e/a processor twice' 64 'named twice' "$cnnc" -march=x86-64-v2,x86-64-v2 "$root/examples/shapes.net"
}

# refuses NAME STATUS TEXT COMMAND...: the command ends with that exit status and says TEXT.
refuses() {
    name=$1
    status=$2
    says=$3
    shift 3
    "$@" >"$log" 2>&1
    if [ $? = "$status" ] && grep -q "$says" "$log"; then ok "$name"; else fail "$name" "$log"; fi
}

# Names of classes from a file, once and for all or for one answer; the mode of a new file goes by the umask.
check_names() {
    seq -f 'form %g' 12 >forms.txt
    (umask 027 && ./shapes export --weights copy.safetensors --labels forms.txt -o named.safetensors) >"$log" 2>&1
    if [ "$(stat -c %a named.safetensors)" = 640 ]; then ok 'e2e/mode of weights'; else fail 'e2e/mode of weights' "$log"; fi
    ./shapes predict --weights named.safetensors --json data/unseen/*.jpg >named.json
    ./shapes predict --weights copy.safetensors --labels forms.txt --json data/unseen/*.jpg >given.json
    same 'e2e/names of classes: kept by export, or for once' named.json given.json
    grep -q '"label": "form 1[0-2]*"' named.json || fail 'e2e/names of classes' named.json
    seq 11 >eleven.txt
    refuses 'e2e/names of classes: too few' 65 'eleven.txt: 11 names of classes, and net shapes has 12 outputs' \
        ./shapes predict --weights copy.safetensors --labels eleven.txt data/unseen/heart.jpg
}

check_commands() {
    check 'e2e/eval' ./shapes eval --data data --weights whole/shapes.safetensors --json
    says 'e2e/eval has top1' '"top1": *[0-9.]+'
    check 'e2e/predict' ./shapes predict --weights whole/shapes.safetensors -k 2 data/unseen/heart.jpg
    says 'e2e/predict prints a class of the data' 'arrow|circle|crescent|cross|frame|heart|hourglass|ring|square|star|stripes'
    check 'e2e/predict --json' ./shapes predict --weights whole/shapes.safetensors --json data/unseen/heart.jpg
    check 'e2e/export' ./shapes export --weights whole/shapes.safetensors -o copy.safetensors
    check 'e2e/exported weights are read' ./shapes predict --weights copy.safetensors data/unseen/heart.jpg
    check_names
    ./shapes predict --weights copy.safetensors --json data/unseen/heart.jpg >file.json
    ./shapes predict --weights copy.safetensors --json - <data/unseen/heart.jpg | sed 's|"file": "-"|"file": "data/unseen/heart.jpg"|' >pipe.json
    same 'e2e/predict: a picture from standard input' file.json pipe.json
    ./shapes info --source >source
    same 'e2e/info --source is the source' source "$root/examples/shapes.net"
    check 'e2e/bench --train' ./shapes bench --train --batch 8 --threads 2
    check 'e2e/bench --layers' ./shapes bench --layers --batch 1 --weights whole/shapes.safetensors
}

# Weights of fully connected layers in half precision: nearly the same scores, different ones, by every instruction set.
check_halves() {
    { cat "$root/examples/shapes.net"; printf 'deploy {\n    weights = fp16\n}\n'; } >halves.net
    check 'e2e/fp16: compile' "$cnnc" --check-roundtrip -march=x86-64-v2,x86-64-v3 halves.net -o halves || return
    answer '' whole >best.json
    for isa in v2 v3; do
        CNNC_ISA=$isa ./halves info >"$log" 2>&1 || continue
        CNNC_ISA=$isa ./halves predict --weights whole/shapes.safetensors -k 1 --json data/unseen/*.jpg >$isa.json
        near "e2e/fp16: nearly the same scores by $isa" best.json $isa.json 1e-3
        if cmp -s best.json $isa.json; then fail "e2e/fp16: $isa rounds" $isa.json; else ok "e2e/fp16: $isa rounds"; fi
    done
}

# Sections with names: of training one is compiled, of the others the program takes the one that it is told.
check_sections() {
    cat >variants.net <<'NET'
cnnc 1
use "shapes.net"
data shapes {
    train = folder("data/train")
    test  = folder("data/test")
}
data turned {
    train  = folder("data/train")
    test   = folder("data/test")
    labels = file("turned.txt")
}
data named {
    train  = folder("data/train")
    test   = folder("data/test")
    labels = synsets("words.txt")
}
augment still {
    resize(48x48)
}
train short {
    loss   = cross_entropy(logits)
    freeze = ["conv1", "bn1"]
    batch  = 16
    lr     = 0.01
    stop   = 3 steps

    evaluate   = every(1 steps)
    checkpoint = every(1 steps, keep=2, best="loss")
}
NET
    check 'e2e/sections: compile' "$cnnc" -march=native -I "$root/examples" --train=short variants.net -o variants || return
    check 'e2e/sections: train' ./variants train --data shapes --augment still --out short
    says 'e2e/sections: the batch and the data of the named ones' '144 pictures, 12 classes, batch 16, '
    check 'e2e/checkpoint: two are kept' test -e short/variants.checkpoint.2.safetensors -a ! -e short/variants.checkpoint.3.safetensors
    check 'e2e/checkpoint: the best is by loss' grep -aq '"loss":"' short/variants.best.safetensors
    check 'e2e/sections: eval' ./variants eval --data shapes --weights short/variants.safetensors
    for class in data/train/*; do echo "${class##*/} a ${class##*/}, that is a shape"; done >words.txt
    check 'e2e/labels: train' ./variants train --data named --out named
    check 'e2e/labels: predict' ./variants predict --weights named/variants.safetensors -k 12 data/unseen/star.jpg
    says 'e2e/labels: classes have their names' '% +a star, that is a shape$'
    check 'e2e/labels: eval' ./variants eval --data named --weights named/variants.safetensors
    refuses 'e2e/labels: data and weights disagree' 65 'data/test: the net has no class .[a-z]*.; of its 12 the first is .a .*, that is a shape.' \
        ./variants eval --data shapes --weights named/variants.safetensors
    for class in data/train/*; do echo "${class##*/}"; done | sort -r >turned.txt
    check 'e2e/labels: in the order of a file' ./variants train --data turned --out turned
    check 'e2e/labels: eval of these' ./variants eval --data turned --weights turned/variants.safetensors
    grep -h '^top-1' "$log" >turned.top1
    check 'e2e/labels: another order' ./variants eval --data shapes --weights turned/variants.safetensors
    grep -h '^top-1' "$log" | diff - turned.top1 >diff.log || fail 'e2e/labels: another order, the same answers' diff.log
    sed -i 2d turned.txt
    refuses 'e2e/labels: a class that the file lacks' 65 'turned.txt: no line for the class' ./variants eval --data turned
    sed -i 2d words.txt
    refuses 'e2e/labels: a class without a name' 65 'words.txt: no line for the class' ./variants eval --data named
    refuses 'e2e/sections: no such section' 64 'no section .augment stil.; did you mean still' ./variants train --augment stil
    "$cnnc" -march=native -I "$root/examples" variants.net -o variants >"$log" 2>&1
    ./variants info --json >"$log"
    says 'e2e/sections: the one without a name by default' '"batch": 32'
}

# The state of an optimizer besides momentum, averaged weights, a schedule that goes by evaluations: the same weights
# for any number of threads and when resumed; what a group says counts, and what is frozen stays.
check_adamw() {
    cat >adamw.net <<'NET'
cnnc 1
use "shapes.net"
train {
    loss      = cross_entropy(logits)
    optimizer = adamw(weight_decay=0.1)
    freeze    = ["conv1", "bn1"]
    group "conv2.*" {
        lr_scale     = 0
        weight_decay = 0
    }
    batch     = 16
    lr        = plateau(0.001, gamma=0.5, patience=1 steps)
    stop      = 8 steps
    evaluate  = every(2 steps)
    ema       = 0.5
}
NET
    check 'e2e/adamw: compile' "$cnnc" -march=native --check-roundtrip -I "$root/examples" adamw.net -o adamw || return
    check 'e2e/adamw: initial weights' ./adamw export --init -o start.safetensors
    for threads in 3 1; do
        check "e2e/adamw: $threads threads" ./adamw train --data data --out "adamw$threads" --threads $threads
    done
    says 'e2e/adamw: the rate falls' 'no better: the learning rate is 0\.0005 from now on'
    same 'e2e/adamw: same weights for 1 and 3 threads' adamw1/adamw.safetensors adamw3/adamw.safetensors
    check 'e2e/adamw: stopped' ./adamw train --data data --out adamw2 --steps 3
    check 'e2e/adamw: resumed' ./adamw train --data data --out adamw2 --steps 8 --resume
    same 'e2e/adamw: same weights when resumed' adamw1/adamw.safetensors adamw2/adamw.safetensors
    python3 - start.safetensors adamw1/adamw.safetensors >"$log" 2>&1 <<'CHECK'
import json, struct, sys

def tensors(path):
    data = open(path, "rb").read()
    n, = struct.unpack("<Q", data[:8])
    head = json.loads(data[8:8 + n])
    return {k: data[8 + n:][slice(*v["data_offsets"])] for k, v in head.items() if k != "__metadata__"}

before, after = map(tensors, sys.argv[1:])
print(*sorted(name for name in before if before[name] == after[name]))
CHECK
    says 'e2e/adamw: what is frozen stays, and what has no rate' \
        '^bn1.bias bn1.running_mean bn1.running_var bn1.weight conv1.weight conv2.weight$'
}

# What is made of frozen weights is made once, but for max_memory: the weights are the same, of the checkpoint, too.
check_frozen() {
    for key in 'seed = 1' 'max_memory = 64 GiB'; do
        folder=${key%% *}
        mkdir -p "$folder"
        cat >"$folder/frozen.net" <<NET
cnnc 1
use "shapes.net"
train {
    loss      = cross_entropy(logits)
    optimizer = sgd(momentum=0.9)
    freeze    = all(except="fc*")
    batch     = 16
    lr        = 0.1
    stop      = 6 steps
    evaluate  = every(3 steps)
    $key
}
NET
        check "e2e/frozen: compile, $key" "$cnnc" -march=native -I "$root/examples" "$folder/frozen.net" -o "$folder/frozen" || return
        check "e2e/frozen: train, $key" "$folder/frozen" train --data data --out "$folder"
    done
    for folder in seed max_memory; do
        "$folder/frozen" info --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["programs"]["train"]["once"] > 0)'
    done >"$log"
    says 'e2e/frozen: some steps run once' '^True$'
    says 'e2e/frozen: none with max_memory' '^False$'
    same 'e2e/frozen: same weights' seed/frozen.safetensors max_memory/frozen.safetensors
}

# The same of other optimizers, with all the state that they may have, on mixed pictures.
check_optimizers() {
    for call in 'rmsprop(momentum=0.5, centred=true, eps_inside=true)' 'lars(trust=0.1)'; do
        name=${call%%\(*}
        cat >"$name.net" <<NET
cnnc 1
use "shapes.net"
augment {
    hflip
    mixup
    cutmix(p=0.6)
}
train {
    loss      = cross_entropy(logits)
    optimizer = $call
    group "bn*" {
        weight_decay = 0
    }
    batch     = 16
    lr        = 0.001
    stop      = 6 steps
}
NET
        check "e2e/$name: compile" "$cnnc" -march=native --check-roundtrip -I "$root/examples" "$name.net" -o "$name" || return
        for threads in 3 1; do
            check "e2e/$name: $threads threads" "./$name" train --data data --out "$name$threads" --threads $threads
        done
        same "e2e/$name: same weights for 1 and 3 threads" "${name}1/$name.safetensors" "${name}3/$name.safetensors"
        check "e2e/$name: bench --train" "./$name" bench --train --batch 4 --seconds 0
        check "e2e/$name: stopped" "./$name" train --data data --out "${name}2" --steps 2
        check "e2e/$name: resumed" "./$name" train --data data --out "${name}2" --resume
        same "e2e/$name: same weights when resumed" "${name}1/$name.safetensors" "${name}2/$name.safetensors"
    done
}

# Pictures of several sizes: one program trains and evaluates at each as that which was compiled for it alone, bit for
# bit; which batch has which size depends on neither threads nor stops, and a step has batches of several.
check_sizes() {
    cat >sized.net <<'NET'
cnnc 1
option side   = 48
option at     = [32, 40, 48]
option judged = 64
option bits   = 8
input image {
    depth  = bits
    size   = [side, side]
    resize = shorter(side * 9 / 8)
    crop   = centre([side, side])
    mean   = [0.5, 0.5, 0.5]
    std    = [0.25, 0.25, 0.25]
}
net sized(image) {
    x = image
    for n in [16, 32, 64] {
        x = x -> conv(n, 3, pad=1, bias=false) -> bn -> relu -> maxpool(2, stride=2)
    }
    logits = x -> avgpool(global=true) -> flatten -> dropout(0.1) -> fc(12)
    output scores = softmax(logits)
}
data {
    train = folder("data/train")
    test  = folder("data/test")
}
augment {
    random_resized_crop(sizes=at, area=[0.5, 1.0])
    hflip
    mixup(0.3)
}
train {
    loss      = cross_entropy(logits)
    optimizer = sgd(momentum=0.9, weight_decay=5e-4)
    batch     = 16
    accumulate = 2
    clip      = norm(0.5)
    lr        = 0.05
    stop      = 6 steps
}
eval {
    size             = [judged, judged]
    metrics          = [top1]
    save_predictions = "sized.csv"
}
NET
    check 'e2e/sizes: compile' "$cnnc" -march=native --check-roundtrip sized.net -o sized || return
    ./sized info >"$log"
    says 'e2e/sizes: info has them' '40 x 40 pixels to train'
    for threads in 3 1; do
        check "e2e/sizes: $threads threads" ./sized train --out "sized$threads" --threads $threads
    done
    says 'e2e/sizes: training says them' '32 x 32, 40 x 40, 48 x 48 pixels'
    same 'e2e/sizes: same weights for 1 and 3 threads' sized1/sized.safetensors sized3/sized.safetensors
    check 'e2e/sizes: stopped' ./sized train --out sized2 --steps 3
    check 'e2e/sizes: resumed' ./sized train --out sized2 --resume
    same 'e2e/sizes: same weights when resumed' sized1/sized.safetensors sized2/sized.safetensors
    check 'e2e/sizes: eval at another size' ./sized eval --json --weights sized1/sized.safetensors
    grep -v seconds "$log" | cat - sized.csv >at64
    mkdir -p for64 at32 for32
    check 'e2e/sizes: compile for that size' "$cnnc" -march=native -Dside=64 '-Dat=[64]' sized.net -o for64/sized
    check 'e2e/sizes: eval of the other program' for64/sized eval --json --weights sized1/sized.safetensors
    grep -v seconds "$log" | cat - sized.csv >for64/scores
    same 'e2e/sizes: the same scores' for64/scores at64
    check 'e2e/sizes: compile at one size' "$cnnc" -march=native '-Dat=[32]' -Djudged=40 sized.net -o at32/sized
    check 'e2e/sizes: compile for one size' "$cnnc" -march=native -Dside=32 '-Dat=[32]' -Djudged=40 sized.net -o for32/sized
    for kind in at32 for32; do
        check "e2e/sizes: train $kind" $kind/sized train --out $kind/run
        grep -ao '"xxh3":"[0-9a-f]*"' $kind/run/sized.safetensors >$kind/hash
    done
    same 'e2e/sizes: the same weights' at32/hash for32/hash
    check 'e2e/depth: compile' "$cnnc" -march=native -Dbits=16 '-Dat=[48]' sized.net -o deep
    for threads in 3 1; do check "e2e/depth: $threads threads" ./deep train --out "deep$threads" --threads $threads; done
    same 'e2e/depth: same weights for 1 and 3 threads' deep1/deep.safetensors deep3/deep.safetensors
    check 'e2e/depth: predict' ./deep predict --weights deep1/deep.safetensors data/unseen/star.jpg
}

# largest_difference A B: of the numbers of two weight files.
largest_difference() {
    python3 - "$@" >"$log" 2>&1 <<'CHECK'
import array, json, struct, sys

def numbers(path):
    data = open(path, "rb").read()
    n, = struct.unpack("<Q", data[:8])
    head = json.loads(data[8:8 + n])
    return [x for k in sorted(head) if k != "__metadata__"
            for x in array.array("f", data[8 + n:][slice(*head[k]["data_offsets"])])]

parts, whole = map(numbers, sys.argv[1:])
print(f"largest difference {max(abs(a - b) for a, b in zip(parts, whole)):.1e} of {max(map(abs, whole)):.2f}")
CHECK
}

# Steps of several batches, and gradients that are clipped: the same weights for any number of threads and when resumed
# in the middle of an epoch; without norms nearly what one batch of as many pictures gives; what is left at the end of
# an epoch.
check_accumulate() {
    cat >parts.net <<'NET'
cnnc 1
input image {
    size   = 48x48
    resize = exact(48x48)
}
data {
    train = folder("shapes/train")
}
option batch = 16
option accumulate = 4
option drop = true
net parts(image) {
    x = image -> maxpool(4, stride=4) -> conv(16, 3, pad=1) -> relu -> maxpool(2, stride=2) -> conv(32, 3, pad=1) -> relu
    logits = x -> avgpool(global=true) -> flatten -> fc(12)
    output scores = softmax(logits)
}
train {
    loss       = cross_entropy(logits)
    optimizer  = adamw()
    batch      = batch
    accumulate = accumulate
    clip       = norm(0.2)
    drop_last  = drop
    lr         = 0.01
    stop       = 12 steps
}
NET
    for batch in '16 -Daccumulate=4' '64 -Daccumulate=1' '16 -Daccumulate=4 -Ddrop=false'; do
        # shellcheck disable=SC2086  # options
        check "e2e/accumulate: compile $batch" "$cnnc" -march=native --check-roundtrip -Dbatch=$batch parts.net -o "parts${batch%% *}" || return
        case $batch in *false) break ;; esac
        check 'e2e/accumulate: train' "./parts${batch%% *}" train --data data --out "parts-${batch%% *}" --threads 1
        says 'e2e/accumulate: the norm is shown' 'epoch 1/6 .* norm [0-9.]+'
    done
    check 'e2e/accumulate: an epoch that no step divides' ./parts16 train --data data --out rest
    says 'e2e/accumulate: its last step has fewer pictures' 'batch 4 x 16, 3 steps an epoch'
    check 'e2e/accumulate: compile again' "$cnnc" -march=native parts.net -o parts16
    check 'e2e/accumulate: 3 threads, stopped' ./parts16 train --data data --out resumed-parts --threads 3 --steps 3
    says 'e2e/accumulate: as many steps as with one large batch' 'batch 4 x 16, 2 steps an epoch'
    check 'e2e/accumulate: resumed' ./parts16 train --data data --out resumed-parts --threads 2 --resume
    same 'e2e/accumulate: the same weights' parts-16/parts16.safetensors resumed-parts/parts16.safetensors
    refuses 'e2e/accumulate: resumed by another program' 65 'its accumulate is 4, here it is 1' \
        env sh -c 'cp resumed-parts/parts16.checkpoint.safetensors parts-64/parts64.checkpoint.safetensors && ./parts64 train --data data --out parts-64 --batch 16 --resume'
    largest_difference parts-16/parts16.safetensors parts-64/parts64.safetensors
    says 'e2e/accumulate: nearly the weights of one large batch' 'difference [0-9.]+e-0[4-9] of'
}

# Training in parts of batches that fit: as much memory as was foreseen at most, the weights of whole batches but for
# rounding, the same ones for any number of threads.
check_max_memory() {
    sed -e 's/image -> maxpool(4, stride=4) -> conv(16, 3, pad=1) -> relu -> maxpool(2, stride=2)/image -> conv(16, 3, pad=1) -> relu -> maxpool(4, stride=4)/' \
        -e 's/^    clip.*/    max_memory = memory/' -e 's/adamw()/sgd(momentum=0.9)/' -e 's/^option drop .*/&\noption memory = 34 MiB/' \
        -e 's/train = folder.*/&\n    test  = folder("shapes\/test")\n    prefetch = 1 batches/' parts.net >fit.net
    printf 'augment {\n    mixup(0.3)\n}\n' >>fit.net
    for memory in 34 400; do
        check "e2e/max_memory: compile for $memory MiB" "$cnnc" --report=memory -Dbatch=96 -Daccumulate=1 "-Dmemory=$memory.0001 MiB" fit.net -o "fit$memory" || return
        cp "$log" "foreseen$memory"
        says 'e2e/max_memory: the report says how many' '^training on .*: [0-9]+ of a batch of 96 pictures at a time, [0-9.]+ MiB in all; max_memory'
        check "e2e/max_memory: train in $memory MiB" python3 - "./fit$memory" train --data data --out "fit-$memory" <<'PEAK'
import resource, subprocess, sys

subprocess.run(sys.argv[1:], check=True)
print(f"peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f} MiB")
PEAK
        cat "$log" >>"foreseen$memory"
    done
    python3 - >"$log" 2>&1 <<'CHECK'
import re

for memory in (34, 400):
    text = open(f"foreseen{memory}").read()
    at_once, foreseen = max((float(mib), int(n)) for n, mib in re.findall(r"^training on .*: (\d+) of .*, ([0-9.]+) MiB in", text, re.M))[::-1]
    said, = re.findall(r"threads?, ([0-9.]+) MiB$", text, re.M)
    peak, = re.findall(r"^peak ([0-9.]+)", text, re.M)
    print(f"at once {at_once}, foreseen {foreseen}, said {said}, peak {peak}")
    own = 8 # FIT_OWN: what is allowed for the program itself and for the scratch of threads that are not there
    assert foreseen - own < float(said) <= foreseen <= memory
    assert foreseen / 2 < float(peak) <= foreseen # not every page of what is said is ever written
    assert (at_once < 96) == (memory == 34)
print("as foreseen")
CHECK
    says 'e2e/max_memory: the peak is what was foreseen' '^as foreseen$'
    check 'e2e/max_memory: 3 threads' ./fit34 train --data data --out fit-3 --threads 3
    same 'e2e/max_memory: the same weights' fit-34/fit34.safetensors fit-3/fit34.safetensors
    check 'e2e/max_memory: bench' ./fit34 bench --train --seconds 0
    largest_difference fit-34/fit34.safetensors fit-400/fit400.safetensors
    says 'e2e/max_memory: nearly the weights of whole batches' 'difference [0-9.]+e-0[4-9] of'
}

# Fully connected layers by OpenBLAS: nearly the same scores and weights, equal ones for any number of threads; only
# such programs need the library, and cnnc says so where it is missing.
check_blas() {
    if [ "$(cc -print-file-name=libopenblas.so)" = libopenblas.so ]; then
        skip 'e2e/blas' 'libopenblas-dev is not installed'
        return
    fi
    mkdir -p blas
    for use in auto always; do
        check "e2e/blas $use: compile" "$cnnc" --check-roundtrip -fblas=$use "$root/examples/shapes.net" -o blas/shapes || return
        ldd blas/shapes >"$log"
        says "e2e/blas $use: linked with it" libopenblas
        answer '' whole >best.json
        blas/shapes predict --weights whole/shapes.safetensors -k 1 --json data/unseen/*.jpg >blas.json
        near "e2e/blas $use: the same scores" best.json blas.json
        for threads in 1 2 3; do
            check "e2e/blas $use: train" blas/shapes train --data data --lr 0.05 --batch 16 --out blas/$threads --steps 2 --threads $threads
            same "e2e/blas $use: same weights for $threads threads" blas/1/shapes.safetensors blas/$threads/shapes.safetensors
        done
        train_into steps --steps 2
        answer '' steps >best.json
        answer '' blas/1 >blas.json
        near "e2e/blas $use: trains to nearly the same weights" best.json blas.json
        rm -rf steps
    done
    check 'e2e/blas: with the tuner' env XDG_CACHE_HOME="$work/cache" "$cnnc" --tune=1 -fblas=always "$root/examples/shapes.net" -o tuned
    # shellcheck disable=SC2016  # the script expands it
    printf '#!/bin/sh\ncase $1 in -print-file-name=*) echo "${1#*=}" ;; *) echo "it links"; exit 1 ;; esac\n' >without
    chmod +x without
    refuses 'e2e/blas: not installed' 71 'install libopenblas-dev' "$cnnc" --linker=./without -fblas=always "$root/examples/shapes.net"
    refuses 'e2e/blas: not asked for' 71 'it links' "$cnnc" --linker=./without -fblas=never "$root/examples/shapes.net"
    refuses 'e2e/blas: no such use' 64 'WHEN' "$cnnc" -fblas=yes "$root/examples/shapes.net"
}

# tuned OPTION...: compiles shapes.net with algorithms that are measured here; results are kept in the test's own
# folder.
tuned() { check "e2e/$*" env XDG_CACHE_HOME="$work/cache" "$cnnc" -v "$@" "$root/examples/shapes.net" -o tuned; }

# What the tuner measures is used again, is not trusted blindly, and does not change what a program computes.
check_tuner() {
    rm -rf cache
    tuned --tune=1 || return
    says 'e2e/tune: shapes are measured' 'tune: 3 shapes: [1-3] measured, 0 known'
    tuned --tune=1
    says 'e2e/tune: what was measured is known' 'tune: 3 shapes: [0-2] measured, [1-3] known'
    answer '' whole >best.json
    ./tuned predict --weights whole/shapes.safetensors -k 1 --json data/unseen/*.jpg >tuned.json
    near 'e2e/tune: the same scores' best.json tuned.json
    awk '{ print $1, $2, 7, 3, 0.01 }' cache/cnnc/tune >lies
    cp lies cache/cnnc/tune
    tuned --tune=1
    says 'e2e/tune: a lie is not known' 'tune: 3 shapes: [1-3] measured, 0 known'
    ./tuned predict --weights whole/shapes.safetensors -k 1 --json data/unseen/*.jpg >tuned.json
    near 'e2e/tune: the same scores with a cache that lies' best.json tuned.json
    { head -c 5000 "$cnnc"; printf '\n%0400d\nx y 1 1 nan\nx y 1\n' 0; } >cache/cnnc/tune
    tuned --tune=1
    says 'e2e/tune: a broken cache is empty' 'tune: 3 shapes: [1-3] measured, 0 known'
    rm -f cache/cnnc/tune
    mkdir cache/cnnc/tune
    tuned --tune=1
    says 'e2e/tune: no file can be written' 'could not be written'
    refuses 'e2e/tune: for another processor' 64 'march=native only' "$cnnc" --tune -march=x86-64-v2 "$root/examples/shapes.net"
    refuses 'e2e/tune: no such time' 64 'SECONDS' "$cnnc" --tune=0 "$root/examples/shapes.net"
}

# at_least NAME KEY LEAST: a number of the JSON object in $log.
at_least() {
    if tr -d ' ,' <"$log" | awk -F: -v key="\"$2\"" -v least="$3" '$1 == key && $2 >= least { good = 1 } END { exit !good }'; then
        ok "$1"
    else
        fail "$1" "$log"
    fi
}

# A small U-Net learns the classes of pixels; what it predicts is a mask again; weights depend on neither threads nor
# stops.
check_masks() {
    cat >discs.net <<'NET'
cnnc 1
input image {
    size   = 64x64
    resize = exact(64x64)
    mean   = [0.5, 0.5, 0.5]
    std    = [0.25, 0.25, 0.25]
}
block convs(x, n) {
    return x -> conv(n, 3, pad=1, bias=false) -> bn -> relu -> conv(n, 3, pad=1, bias=false) -> bn -> relu
}
net discs(image) {
    a      = image -> convs(8)
    b      = a -> maxpool(2, stride=2) -> convs(16)
    c      = b -> maxpool(2, stride=2) -> convs(32)
    d      = concat(b, c -> deconv(16, 2, stride=2)) -> convs(16)
    e      = concat(a, d -> deconv(8, 2, stride=2)) -> convs(8)
    logits = e -> conv(3, 1)
    output scores = softmax(logits)
}
data {
    train = masks("images/train", "masks/train")
    test  = masks("images/test", "masks/test")
}
data again {
    test  = masks("discs/images/test", "predicted", ignore=200)
}
data nine {
    test  = masks("discs/images/test", "discs/masks/test", ignore=9)
}
augment {
    random_crop(64x64, pad=4)
    hflip
    vflip
    colour_jitter(brightness=0.2)
}
train {
    loss      = cross_entropy(logits, smoothing=0.05)
    optimizer = sgd(momentum=0.9)
    batch     = 8
    lr        = cosine(0.1)
    stop      = 4 epochs
}
eval {
    metrics = [mean_iou]
}
NET
    "$make_discs" discs 96 20 || { fail 'e2e/masks: data'; return; }
    check 'e2e/masks: compile' "$cnnc" -march=native discs.net -o discs-net || return
    check 'e2e/initial weights: compile otherwise' "$cnnc" -march=x86-64-v3 -fno-winograd --batch=4 discs.net -o otherwise || return
    for program in discs-net otherwise; do
        check "e2e/initial weights: $program" "./$program" export --init -o "$program-init.safetensors"
    done
    same 'e2e/initial weights: the same however a net is compiled' discs-net-init.safetensors otherwise-init.safetensors
    check 'e2e/masks: train' ./discs-net train --data discs --out masked
    says 'e2e/masks: pixels and classes while training' 'pixels 9[0-9.]+ %  mean IoU [89][0-9.]+ %'
    check 'e2e/masks: eval' ./discs-net eval --data discs --weights masked/discs-net.safetensors
    says 'e2e/masks: eval prints the classes' '^ +[0-9.]+ %  class 2'
    check 'e2e/masks: eval --json' ./discs-net eval --data discs --weights masked/discs-net.safetensors --json
    at_least 'e2e/masks: mean IoU' mean_iou 0.8
    check 'e2e/masks: predict' ./discs-net predict --weights masked/discs-net.safetensors --out predicted discs/images/test/*.png
    check 'e2e/masks: the answer as a mask' ./discs-net eval --data again --weights masked/discs-net.safetensors --json
    at_least 'e2e/masks: the answer is right by itself' mean_iou 1
    for threads in 1 3; do
        check "e2e/masks: $threads threads" ./discs-net train --data discs --out "masked$threads" --steps 10 --threads $threads
    done
    same 'e2e/masks: same weights for 1 and 3 threads' masked1/discs-net.safetensors masked3/discs-net.safetensors
    check 'e2e/masks: stopped' ./discs-net train --data discs --out masked2 --steps 5
    check 'e2e/masks: resumed' ./discs-net train --data discs --out masked2 --steps 10 --resume
    same 'e2e/masks: same weights when resumed' masked1/discs-net.safetensors masked2/discs-net.safetensors
    check 'e2e/masks: bench' ./discs-net bench --batch 1 --seconds 0
    check 'e2e/masks: bench --train' ./discs-net bench --train --seconds 0
    check_bad_masks
}

check_bad_masks() {
    mask=discs/masks/test/0007.png
    refuses 'e2e/masks: no weights' 66 'there is no discs-net.safetensors' ./discs-net eval --data discs
    cp masked/discs-net.safetensors .
    { cat discs.net && printf 'data classes {\n    test = folder("data/test")\n}\n'; } >classes.net
    refuses 'e2e/masks: a folder a class instead' 65 'the net has scores for each pixel .E0455' "$cnnc" check classes.net
    refuses 'e2e/masks: two maps, one file' 64 'need a folder' ./discs-net predict --out map.png discs/images/test/000[12].png
    refuses 'e2e/masks: two maps of one name' 64 'both be written' ./discs-net predict --out predicted discs/images/t*/0001.png
    refuses 'e2e/masks: a map of a net without' 64 'not for its pixels' ./shapes predict --out map.png data/unseen/star.jpg
    mv $mask kept.png
    refuses 'e2e/masks: a mask is missing' 66 'images/test/0007.png has no mask: there is no file .*masks/test/0007.png' ./discs-net eval --data discs
    cp discs/images/test/0007.png $mask
    refuses 'e2e/masks: a mask in colours' 65 'one channel' ./discs-net eval --data discs
    cp data/unseen/star.jpg $mask
    refuses 'e2e/masks: a mask that is no PNG file' 65 'must be a PNG file' ./discs-net eval --data discs
    mv kept.png $mask
    refuses 'e2e/masks: a number that is no class' 65 'a pixel of the mask is 255; the net has classes 0 to 2, and 9 is none' \
        ./discs-net eval --data nine
}

# Pictures made on the fly: without a file a net learns them, and knows them when their seed is another.
check_synthetic() {
    cat >synthetic.net <<'NET'
cnnc 1
input image {
    size = 24x24
    mean = [0.5, 0.5, 0.5]
    std  = [0.25, 0.25, 0.25]
}
net synthetic(image) {
    x = image -> conv(16, 3, pad=1, bias=false) -> bn -> relu -> maxpool(2) -> conv(32, 3, pad=1, bias=false) -> bn -> relu
    logits = x -> avgpool(global=true) -> flatten -> fc(10)
    output scores = softmax(logits)
}
data {
    train = synthetic(2000, classes=10)
    test  = synthetic(500, classes=10, seed=2)
}
data cifar {
    train    = cifar10("cifar")
    test     = cifar10("cifar")
    sampling = class_balanced
}
data idx {
    train = idx("images", "labels")
}
data loose {
    train = folder("loose/train")
    test  = folder("loose/train")
}
data packed {
    train = tar("packed/{08..10}.tar")
    test  = tar("packed/*.tar")
}
augment {
    random_crop(24x24, pad=2)
}
train {
    loss      = cross_entropy(logits)
    optimizer = sgd(momentum=0.9)
    lr        = 0.05
    stop      = 3 epochs
}
eval {
    save_predictions = "synthetic.csv"
}
NET
    check 'e2e/synthetic: compile' "$cnnc" -march=native synthetic.net -o synthetic || return
    check 'e2e/synthetic: train' ./synthetic train --out made
    check 'e2e/synthetic: eval' ./synthetic eval --weights made/synthetic.safetensors --json
    at_least 'e2e/synthetic: top-1' top1 0.9
    check 'e2e/synthetic: pictures have names' grep -q '^synthetic#499,9,' synthetic.csv
    check_stored
}

# Archives by tar, of every format it has, are what the folder is that they were made of.
check_archives() {
    mkdir -p loose/train packed
    for class in data/train/[a-m]* data/train/[o-t]*; do
        [ "$(find loose/train -mindepth 1 -maxdepth 1 | wc -l)" = 10 ] && break
        mkdir "loose/train/${class##*/}"
        find "$class" -name '*[05].jpg' -exec cp {} "loose/train/${class##*/}/" \;
    done
    (cd loose && tar -cf ../packed/08.tar --format=v7 train/*/*0.jpg && tar -cf ../packed/09.tar --format=gnu ./train/*/*5.jpg)
    mkdir -p loose/empty
    (cd loose && tar -cf ../packed/10.tar --format=pax empty)
    ./stored train --data loose --out made/loose --steps 20 --batch 8 --threads 1 >"$log" 2>&1
    check 'e2e/archives: train' ./stored train --data packed --out made/packed --steps 20 --batch 8 --threads 3
    same 'e2e/archives: the same weights as from a folder' made/loose/stored.safetensors made/packed/stored.safetensors
    check 'e2e/archives: eval' ./stored eval --data packed --weights made/packed/stored.safetensors
    check 'e2e/archives: members have names' grep -q '^packed/0[89].tar:train/' synthetic.csv
    head -c 9000 packed/08.tar >part && mv part packed/08.tar
    refuses 'e2e/archives: one that was cut' 65 'packed/08.tar: at byte [0-9]*: ' ./stored train --data packed --out made/packed
    gzip packed/08.tar && mv packed/08.tar.gz packed/08.tar
    refuses 'e2e/archives: a packed one' 65 'packed by gzip' ./stored train --data packed --out made/packed
    rm packed/08.tar
    refuses 'e2e/archives: one that is missing' 66 'packed/08.tar: No such file' ./stored train --data packed --out made/packed
}

# Files with many pictures, of one colour each, which is their class.
check_stored() {
    mkdir -p cifar
    for class in 0 1 2 3 4 5 6 7 8 9; do
        printf '%b' "\\0$(printf %03o "$class")"
        head -c 3072 /dev/zero | tr '\0' "\\$(printf %03o "$((class * 20))")"
    done >cifar/test_batch.bin
    for batch in 1 2 3 4 5; do cat cifar/test_batch.bin cifar/test_batch.bin >cifar/data_batch_$batch.bin; done
    printf '%s\n' airplane automobile bird cat deer dog frog horse ship truck >cifar/batches.meta.txt
    sed 's/24x24$/24x24\n    crop = centre(24x24)/' synthetic.net >stored.net
    check 'e2e/stored: compile' "$cnnc" -march=native stored.net -o stored || return
    check 'e2e/stored: train on CIFAR' ./stored train --data cifar --out made --epochs 30 --batch 10
    check 'e2e/stored: eval' ./stored eval --data cifar --weights made/stored.safetensors --json
    at_least 'e2e/stored: top-1' top1 0.5
    check 'e2e/stored: names of the classes' grep -q '^cifar#1,automobile,' synthetic.csv
    sed 's/^eval {/eval {\n    crops = 10/' stored.net >crops.net
    check 'e2e/crops: compile' "$cnnc" -march=native crops.net -o crops || return
    check 'e2e/crops: eval' ./crops eval --data cifar --weights made/stored.safetensors --json
    says 'e2e/crops: there are ten' '"crops": 10,'
    at_least 'e2e/crops: top-1' top1 0.5
    truncate -s 20000 cifar/test_batch.bin
    refuses 'e2e/stored: a file that is cut' 65 'cifar/test_batch.bin: the file ends at byte 20000, within picture 6' \
        ./stored eval --data cifar --weights made/stored.safetensors
    check_archives
    refuses 'e2e/stored: IDX without files' 66 'images: No such file' ./stored train --data idx --out made
}

check_reports() {
    check 'e2e/reports' "$cnnc" -march=native --report=schedule --report=memory "$root/examples/shapes.net" -o reported || return
    says 'e2e/report: the schedule of training' '^train on '
    says 'e2e/report: algorithm and register tile' '(direct|F\([2-4],3\) (phases|band [0-9]+)), [0-9]+x[0-9]+'
    says 'e2e/report: the memory plan' 'times what any plan needs'
    ./reported bench --layers --batch 1 --seconds 0 >"$log" 2>&1
    says 'e2e/report: bench says the peak' 'peak [0-9.]+ GFLOP/s'
    says 'e2e/report: bench says how' '(direct|F\([2-4],3\) (phases|band [0-9]+)), [0-9]+x[0-9]+'
}

# A program must run where neither the compiler nor LLVM is: it needs the C library only.
check_libraries() {
    ldd ./shapes | awk '{ print $1 }' | grep -vE '^(linux-vdso|libc\.|libm\.|/lib)' >"$log"
    if [ -s "$log" ]; then fail 'e2e/a program needs libc and libm only' "$log"; else ok 'e2e/a program needs libc and libm only'; fi
}

"$make_shapes" data --train 12 --test 4 || exit 1
check 'e2e/shapes: compile' "$cnnc" "$root/examples/shapes.net" -o shapes || { finish; exit; }
check_libraries
check_same_weights
check_interrupt
check_commands
check_halves
check_blas
check_sections
check_sizes
check_adamw
check_frozen
check_optimizers
check_accumulate
check_max_memory
check_tuner
check_reports
check_masks
check_synthetic
check_instruction_sets
check_alexnet
finish
