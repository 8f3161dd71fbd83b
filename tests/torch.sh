#!/bin/sh
# Twenty training steps and the scores of cifar.net and resnet.net against PyTorch.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=${PYTHON:-/usr/bin/python3}

# compare NAME FILE OPTION...
compare() {
    net=$1 folder=$work/$1 file=$2
    shift 2
    mkdir -p "$folder"
    check "torch/$net: compile" "$cnnc" "$@" "$root/examples/$file" -o "$folder/program" || return
    check "torch/$net: 20 steps and scores" "$python" "$root/tests/torch_compare.py" "$net" "$folder/program" "$folder" &&
        grep -E '^(first|losses|scores)' "$log" | sed 's/^/    /'
}

if "$python" -c 'import torch' 2>/dev/null; then
    compare cifar cifar.net
    compare resnet18 resnet.net -Ddepth=18 -Dclasses=10 -Dsize=64x64
else
    skip torch "$python has no torch (Debian package python3-torch)"
fi
finish
