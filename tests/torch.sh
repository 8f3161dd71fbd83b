#!/bin/sh
# Twenty training steps and the scores of cifar.net, resnet.net, a net of every norm and one of every activation, with
# every loss and optimizer, ten of GoogLeNet with its heads, of MobileNet v3 and of U-Net, three of ConvNeXt, against
# PyTorch; the scores of the nets of the papers against torchvision's nets with torchvision's weights.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=${PYTHON:-/usr/bin/python3}

# compare SCRIPT NAME FILE OPTION...
compare() {
    script=$1 net=$2 folder=$work/$2 file=$3
    shift 3
    mkdir -p "$folder"
    check "torch/$net: compile" "$cnnc" -march=native "$@" "$root/$file" -o "$folder/program" || return
    check "torch/$net: $script" "$python" "$root/tests/torch_$script.py" "$net" "$folder/program" "$folder" &&
        grep -E '^(first|losses|norms|averages|scores)' "$log" | sed 's/^/    /' && rm -rf "$folder"
}

needs() { "$python" -c "import $1" 2>/dev/null || { skip "torch/$1" "$python has no $1 (Debian package python3-$1)"; return 1; }; }

if needs torch; then
    compare compare cifar examples/cifar.net
    compare compare resnet18 examples/resnet.net -Ddepth=18 -Dclasses=10 -Dsize=64x64
    compare compare norms tests/torch/norms.net
    compare compare curves_smooth tests/torch/curves.net
    compare compare mixed tests/torch/mixed.net
    compare compare unet tests/torch/unet.net -Dpadding=same -Dsize=64x64 -Ddrop=0 --train=pairs
    compare compare unet_valid tests/torch/unet.net -Dsize=380x380 -Dwidth=8 -Ddrop=0 --train=pairs
    compare compare unet_norm tests/torch/unet.net -Dpadding=same -Dsize=64x80 -Ddrop=0 -Dnorm=true -Dwidth=16 -Dchannels=3 -Dclasses=5 --train=weighted
    for section in weighted bce mse hinge focal sum adam adamw rmsprop rmsprop_inside lars clipped clamped; do
        compare compare "curves_$section" tests/torch/curves.net --train=$section
    done
fi
if needs torchvision; then
    check "torch/operations of trivial_augment and rand_augment" "$python" "$root/tests/torch_ops.py" \
        "${CNNC_BUILD:-$root/build}/release/tests/apply_op" "$work" && grep '^scores' "$log" | sed 's/^/    /'
    compare compare googlenet examples/googlenet.net "-Ddrops=[0, 0]"
    compare compare convnext examples/convnext.net -Ddrop=0 -Dgain=0.3 -Dsize=32x32
    compare compare mobilenet_v3 examples/mobilenet_v3.net -Ddrop=0 -Dsize=128x128
    compare forward alexnet examples/alexnet.net -Dvariant=torchvision
    compare forward convnext_tiny examples/convnext.net
    compare forward densenet121 examples/densenet.net
    compare forward efficientnet_b0 examples/efficientnet.net
    compare forward googlenet examples/googlenet.net -Dvariant=torchvision
    compare forward mobilenet_v2 examples/mobilenet_v2.net
    compare forward mobilenet_v3_large examples/mobilenet_v3.net
    compare forward mobilenet_v3_small examples/mobilenet_v3.net -Dkind=small
    compare forward resnet50 examples/resnet.net -Ddepth=50
    compare forward resnet101 examples/resnet.net -Ddepth=101
    compare forward resnet152 examples/resnet.net -Ddepth=152
    compare forward resnext50_32x4d examples/resnet.net -Ddepth=50 -Dgroups=32 -Dbase=4
    compare forward shufflenet_v2_x0_5 examples/shufflenet_v2.net -Dwidth=0.5
    compare forward shufflenet_v2_x1_0 examples/shufflenet_v2.net
    compare forward squeezenet1_0 examples/squeezenet.net -Dversion=1.0
    compare forward squeezenet1_1 examples/squeezenet.net
    compare forward vgg11_bn examples/vgg.net -Ddepth=11 -Dnorm=true
    compare forward vgg16 examples/vgg.net
    compare forward wide_resnet50_2 examples/resnet.net -Ddepth=50 -Dbase=128
fi
finish
