#!/bin/sh
# What a file says about the program that is made of it: @nofuse.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

# ---- @nofuse: a kernel of its own ----

# steps FILE: layer and what of each step that is not of weights alone.
steps() { "$cnnc" -march=x86-64-v3 --report=schedule -o net "$1" 2>&1 | awk '/^   / && $1 != "layer" && $1 != "all" { print $1, $2 }'; }

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
image scale
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

finish
