#!/bin/sh
# Every net of the papers compiles, for inference and training, and has the published numbers of parameters and
# multiply-adds, which its header says, too; by its defaults, its tensors take at most 5 % more memory than any plan
# needs. (Of wider ShuffleNets a sixth more: halves of 301 KB do not go round wholes of 552 KB.)
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root/examples" || exit 1

# PARAMETERS MULTIPLY-ADDS FILE OPTION...: of what is deployed. Parameters are those of the papers and of torchvision's
# nets; multiply-adds agree with torchvision's published ones (in millions) and with the papers' where they say them.
published() {
    cat <<'ROWS'
60965224 724406816 alexnet.net
61100840 714188480 alexnet.net -Dvariant=torchvision
28589128 4455531264 convnext.net
50223688 8683712256 convnext.net -Dkind=small
88591464 15354729472 convnext.net -Dkind=base
197767336 34361433600 convnext.net -Dkind=large
7978856 2834161664 densenet.net
28681000 7727907072 densenet.net -Ddepth=161
14149480 3359843328 densenet.net -Ddepth=169
20013928 4291365888 densenet.net -Ddepth=201
5288548 385814752 efficientnet.net
6998552 1582671872 googlenet.net
6624904 1498376192 googlenet.net -Dvariant=torchvision
61706 416520 lenet.net
4231976 568740352 mobilenet_v1.net
2585560 325400448 mobilenet_v1.net -Dwidth=0.75
1331592 149497088 mobilenet_v1.net -Dwidth=0.5
470072 41030272 mobilenet_v1.net -Dwidth=0.25
3504872 300774272 mobilenet_v2.net
5483032 216589760 mobilenet_v3.net
2542856 56510400 mobilenet_v3.net -Dkind=small
272474 40813184 resnet20.net
855770 125747840 resnet20.net -Ddepth=56
11689512 1814073344 resnet.net
21797672 3663761408 resnet.net -Ddepth=34
25557032 4089184256 resnet.net -Ddepth=50
44549160 7801405440 resnet.net -Ddepth=101
60192808 11513626624 resnet.net -Ddepth=152
25028904 4230479872 resnet.net -Ddepth=50 -Dgroups=32 -Dbase=4
68883240 11398021120 resnet.net -Ddepth=50 -Dbase=128
1366792 40476448 shufflenet_v2.net -Dwidth=0.5
2278604 144907992 shufflenet_v2.net
3503624 295759392 shufflenet_v2.net -Dwidth=1.5
7393996 583253464 shufflenet_v2.net -Dwidth=2
1248424 818924576 squeezenet.net -Dversion=1.0
1235496 349151936 squeezenet.net
31030658 150428424448 unet.net
31030658 48096083968 unet.net -Dpadding=same
31037698 48171581440 unet.net -Dpadding=same -Dnorm=true -Dchannels=3
132863336 7609090048 vgg.net -Ddepth=11
133047848 11308466176 vgg.net -Ddepth=13
138357544 15470264320 vgg.net
143667240 19632062464 vgg.net -Ddepth=19
132868840 7609090048 vgg.net -Ddepth=11 -Dnorm=true
133053736 11308466176 vgg.net -Ddepth=13 -Dnorm=true
138365992 15470264320 vgg.net -Ddepth=16 -Dnorm=true
143678248 19632062464 vgg.net -Ddepth=19 -Dnorm=true
62357608 1168032896 zfnet.net
ROWS
}

published >"$work/rows"
while read -r parameters macs file options; do
    name="published/$file${options:+ $options}"
    # shellcheck disable=SC2086  # several options
    check "$name: compile" "$cnnc" -v --report=memory -O0 -march=native -c $options "$file" -o "$work/net.o" || continue
    if grep -q ": $parameters parameters, $macs multiply-adds" "$log"; then ok "$name: counts"; else fail "$name: counts" "$log"; fi
    if [ -z "$options" ]; then
        sed -nE 's/.* ([0-9.]+) times what any plan needs.*/\1/p' "$log" >"$work/plans"
        if awk '{ n++; bad = bad || $1 > 1.05 } END { exit bad || n != 2 }' "$work/plans"; then
            ok "$name: plans"
        else
            fail "$name: plans" "$log"
        fi
    fi
    with_commas=$(echo "$parameters" | sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta')
    if head -n 16 "$file" | grep -q "^# .*$with_commas"; then
        ok "$name: header"
    else
        echo "the header of $file does not say $with_commas" >"$log"
        fail "$name: header" "$log"
    fi
done <"$work/rows"
finish
