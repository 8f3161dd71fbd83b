#!/bin/sh
# sh tests/bench/setup_ncnn.sh SOURCE DIR: builds ncnn for bench.sh, float32 with AVX-512, OpenMP and no Vulkan.
#
# SOURCE is a clone of https://github.com/Tencent/ncnn (or its bare git directory: the newest commit is taken); DIR is the
# folder of the peers (CNNC_PEERS). Leaves DIR/ncnn/ with the sources, the library in DIR/ncnn/build and DIR/ncnn/peer_ncnn,
# the program bench.sh asks for measurements. Only the layers that the seven nets need are built (5 minutes on two cores);
# everything that is not float32 is left out but the half-precision storage of fully connected weights, which is ncnn's
# default on x86 and is measured both ways. For a CPU without AVX-512: ISA=avx2.
set -eu
[ $# = 2 ] || { sed -n 2,10p "$0" >&2; exit 64; }
source=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
ncnn=$2/ncnn
needed='convolution convolutiondepthwise innerproduct pooling relu clip binaryop concat flatten split input padding packing
cast softmax'

if [ ! -f "$ncnn/CMakeLists.txt" ]; then
    mkdir -p "$ncnn"
    git -C "$source" archive HEAD -- CMakeLists.txt cmake src benchmark toolchains | tar -x -C "$ncnn"
fi
git -C "$source" log -1 --format='%H %cs' >"$ncnn/VERSION"

# -DWITH_LAYER_name=OFF for every layer that is not needed.
without=$(sed -n 's/^ncnn_add_layer(\([A-Za-z0-9]*\).*/\1/p' "$ncnn/src/CMakeLists.txt" | tr '[:upper:]' '[:lower:]' |
    while read -r layer; do
        case " $(echo "$needed" | tr '\n' ' ') " in
        *" $layer "*) ;;
        *) echo "-DWITH_LAYER_$layer=OFF" ;;
        esac
    done)
avx512=ON
[ "${ISA:-avx512}" = avx512 ] || avx512=OFF
# shellcheck disable=SC2086  # a list of options
cmake -S "$ncnn" -B "$ncnn/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DNCNN_AVX512=$avx512 \
    -DNCNN_RUNTIME_CPU=OFF -DNCNN_AVX=ON -DNCNN_FMA=ON -DNCNN_F16C=ON -DNCNN_AVX2=ON -DNCNN_AVXVNNI=OFF \
    -DNCNN_AVX512VNNI=OFF -DNCNN_AVX512BF16=OFF -DNCNN_AVX512FP16=OFF -DNCNN_OPENMP=ON -DNCNN_VULKAN=OFF \
    -DNCNN_INT8=OFF -DNCNN_BF16=OFF -DNCNN_WEIGHT_QUANT=OFF -DNCNN_BATCH=OFF -DNCNN_PIXEL=OFF -DNCNN_C_API=OFF \
    -DNCNN_BUILD_TOOLS=OFF -DNCNN_BUILD_EXAMPLES=OFF -DNCNN_BUILD_BENCHMARK=OFF $without
nice -n 10 ninja -C "$ncnn/build" -j "${JOBS:-1}" ncnn
c++ -O2 -fopenmp -I "$ncnn/src" -I "$ncnn/build/src" -o "$ncnn/peer_ncnn" "$here/peer_ncnn.cpp" \
    "$ncnn/build/src/libncnn.a" -lpthread
echo "ncnn $(cat "$ncnn/VERSION") is ready: $ncnn/peer_ncnn"
