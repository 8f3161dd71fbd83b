#!/bin/sh
# sh tests/bench/bench.sh [--train] [NET...]: times cnnc against onnxruntime (or, with --train, against PyTorch) on the same
# machine in the same run, and prints one row for each net, batch and number of threads.
#
# Nets: alexnet resnet18 resnet50 vgg16; by default vgg16 and resnet18. The two programs alternate (A B A B ...) for PAIRS
# pairs (7); the ratio is the median of the pairwise ratios, below 1 where cnnc is faster. CNNC_PEERS names the folder with
# models/NET_bN.onnx and node_modules/onnxruntime-node. A loop of FMAs before and after says whether the machine was quiet.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/bench
build=${CNNC_BUILD:-$root/build}
cnnc=$build/release/cnnc
work=$build/bench
peers=${CNNC_PEERS:-}
pairs=${PAIRS:-7}
mode=infer
[ "${1:-}" = --train ] && mode=train && shift
nets=${*:-vgg16 resnet18}
python=${PYTHON:-/usr/bin/python3}

absent() {
    echo "bench: nothing measured: $1"
    exit 0
}

# The command line that compiles a net of torchvision's name.
source_of() {
    case $1 in
    alexnet) echo alexnet.net ;;
    resnet*) echo resnet.net "-Ddepth=${1#resnet}" ;;
    vgg*) echo vgg.net "-Ddepth=${1#vgg}" ;;
    *) echo "bench: unknown net: $1" >&2; exit 64 ;;
    esac
}

median() { sort -g | awk '{ v[NR] = $1 } END { print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) }'; }

# Milliseconds of one batch. Arguments: net, batch, threads.
cnnc_ms() {
    flag=
    [ "$mode" = train ] && flag=--train
    # shellcheck disable=SC2086  # no flag is no argument
    "$work/$1" bench --batch "$2" --threads "$3" $flag --json 2>"$work/err" | sed -n 's/.*"ms_per_batch": *\([0-9.]*\).*/\1/p' | head -n 1
}
peer_ms() {
    if [ "$mode" = train ]; then
        "$python" "$here/torch_train.py" "$1" "$2" "$3" 3
    else
        (cd "$peers" && node "$here/ort_infer.js" "models/$1_b$2.onnx" "$3" $((2 + 8 / $2)))
    fi
}

# One row of the table. Arguments: net, batch, threads.
row() {
    : >"$work/pairs"
    for _ in $(seq "$pairs"); do
        a=$(cnnc_ms "$@")
        b=$(peer_ms "$@")
        if [ -z "$a" ] || [ -z "$b" ]; then
            echo "| $1 | $2 | $3 | failed: cnnc \"$a\" ms, peer \"$b\" ms | | |"
            return
        fi
        echo "$a $b" >>"$work/pairs"
    done
    ours=$(cut -d' ' -f1 "$work/pairs" | median)
    theirs=$(cut -d' ' -f2 "$work/pairs" | median)
    ratio=$(awk '{ print $1 / $2 }' "$work/pairs" | median)
    printf '| %s | %s | %s | %.2f | %.2f | %.2f |\n' "$1" "$2" "$3" "$ours" "$theirs" "$ratio"
}

[ -x "$cnnc" ] || absent "$cnnc is not built; sh tests/run.sh style builds it"
if [ "$mode" = train ]; then
    "$python" -c 'import torchvision' 2>/dev/null || absent "$python has no torchvision"
    batches=16 peer=PyTorch
else
    [ -n "$peers" ] || absent 'CNNC_PEERS does not name a folder with models/*.onnx and node_modules'
    [ -d "$peers/node_modules/onnxruntime-node" ] || absent "$peers has no node_modules/onnxruntime-node"
    command -v node >/dev/null || absent 'node is not installed'
    batches='1 16' peer=onnxruntime
fi
mkdir -p "$work"
cc -O3 -march=native -ffp-contract=fast -o "$work/fma_peak" "$here/fma_peak.c" || exit 71
before=$("$work/fma_peak")
echo "| net | batch | threads | cnnc, ms per batch | $peer, ms per batch | median of pairwise ratios |"
echo '|---|---|---|---|---|---|'
for net in $nets; do
    if [ "$mode" = infer ] && [ ! -f "$peers/models/${net}_b1.onnx" ]; then
        absent "$peers/models has no ${net}_b1.onnx"
    fi
    source=$(source_of "$net") || exit 64
    # shellcheck disable=SC2086  # a file and perhaps an option
    (cd "$root/examples" && "$cnnc" $source -o "$work/$net") || exit 1
    for batch in $batches; do
        for threads in 1 2; do
            row "$net" "$batch" "$threads"
        done
    done
done
after=$("$work/fma_peak")
echo "FMA loop, one core: $before GFLOP/s before, $after after; $pairs pairs a row;" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
awk -v a="$before" -v b="$after" 'BEGIN { exit !(a > 1.1 * b || b > 1.1 * a) }' &&
    echo 'The FMA rate moved by more than a tenth: the machine was busy, do not quote these figures.'
exit 0
