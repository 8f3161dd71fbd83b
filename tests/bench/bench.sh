#!/bin/sh
# sh tests/bench/bench.sh [nets|layers|cost|page] [OPTION...]: cnnc against other engines on this machine, in one run.
#
#   nets    whole nets against onnxruntime, PyTorch and ncnn: milliseconds, median pairwise ratios, geometric means
#   layers  convolutions against oneDNN and the FMA loop, fully connected layers against OpenBLAS and the memory
#   cost    time and memory of the compiler, memory of prediction
#   page    the tables of docs/performance.md again, each by the arguments that stand above it
#
# The first three print a table and takes --help and --json=FILE. CNNC_PEERS names the folder of the peers: models/NET_bN.onnx and
# node_modules/onnxruntime-node, and ncnn where setup_ncnn.sh built it; python3-torch and libdnnl-dev are Debian's. What
# is absent is left out. CNNC is the compiler (build/release/cnnc), CNNC_BUILD the build folder, where all output goes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
what=nets
case ${1:-} in
nets | layers | cost | page) what=$1 && shift ;;
esac
if ! command -v python3 >/dev/null; then
    echo 'bench: nothing measured: there is no python3'
    exit 0
fi
if [ ! -x "${CNNC:-${CNNC_BUILD:-$root/build}/release/cnnc}" ]; then
    echo 'bench: nothing measured: cnnc is not built; sh tests/run.sh style builds it'
    exit 0
fi
exec env PYTHONDONTWRITEBYTECODE=1 python3 "$here/$what.py" "$@"
