#!/bin/sh
# Twenty training steps and the scores of cifar.net and resnet.net against PyTorch.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=${PYTHON:-/usr/bin/python3}

# compare NAME FILE OPTION...
compare() {
    name=$1 file=$2
    shift 2
    mkdir -p "$work/$name"
    check "torch/$name: compile" "$cnnc" "$@" "$root/examples/$file" -o "$work/$name/program" || return
    check "torch/$name: 20 steps" "$python" "$root/tests/torch_compare.py" "$name" "$work/$name/program" "$work/$name"
}

if "$python" -c 'import torch' 2>/dev/null; then
    compare cifar cifar.net
    compare resnet18 resnet.net -Ddepth=18 -Dclasses=10 -Dsize=64
else
    skip torch "$python has no torch (Debian package python3-torch)"
fi
finish
