#!/bin/sh
# sh tests/bench/setup_ncnn.sh SOURCE DIR: builds ncnn for bench.sh, with AVX-512 and with AVX2, OpenMP and no Vulkan.
#
# SOURCE is a clone of https://github.com/Tencent/ncnn or its bare git directory, of which the newest commit is taken;
# DIR is the folder of the peers (CNNC_PEERS). Leaves the sources in DIR/ncnn, with builds in folders there, and the
# programs that bench.sh asks for measurements: DIR/ncnn/peer_ncnn and peer_ncnn_avx2. Only the layers that the seven
# nets need are built, a minute for each instruction set. Everything that is not float32 is left out but fully connected
# weights in half precision, which are ncnn's default on x86 and are measured both ways.
set -eu
if [ $# != 2 ]; then
    sed -n 2,8p "$0" >&2
    exit 64
fi
source=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
ncnn=$2/ncnn
needed='convolution convolutiondepthwise innerproduct pooling relu clip binaryop concat flatten split input padding'
needed="$needed packing cast softmax"

if [ ! -f "$ncnn/CMakeLists.txt" ]; then
    mkdir -p "$ncnn"
    git -C "$source" archive HEAD -- CMakeLists.txt cmake src toolchains | tar -x -C "$ncnn"
    git -C "$source" log -1 --format='%h of %cs' >"$ncnn/VERSION"
fi

# -DWITH_LAYER_name=OFF for every layer that is not needed.
layers_off() {
    sed -n 's/^ncnn_add_layer(\([A-Za-z0-9]*\).*/\1/p' "$ncnn/src/CMakeLists.txt" | tr '[:upper:]' '[:lower:]' |
        while read -r layer; do
            case " $needed " in
            *" $layer "*) ;;
            *) echo "-DWITH_LAYER_$layer=OFF" ;;
            esac
        done
}

# build FOLDER AVX512 PROGRAM
build() {
    # shellcheck disable=SC2046  # a list of options
    cmake -S "$ncnn" -B "$1" -G Ninja -DCMAKE_BUILD_TYPE=Release -DNCNN_RUNTIME_CPU=OFF -DNCNN_AVX=ON -DNCNN_FMA=ON \
        -DNCNN_F16C=ON -DNCNN_AVX2=ON -DNCNN_XOP=OFF -DNCNN_AVXVNNI=OFF -DNCNN_AVX512="$2" -DNCNN_AVX512VNNI=OFF \
        -DNCNN_AVX512BF16=OFF -DNCNN_AVX512FP16=OFF -DNCNN_OPENMP=ON -DNCNN_VULKAN=OFF -DNCNN_INT8=OFF -DNCNN_BF16=OFF \
        -DNCNN_WEIGHT_QUANT=OFF -DNCNN_BATCH=OFF -DNCNN_PIXEL=OFF -DNCNN_C_API=OFF -DNCNN_BUILD_TOOLS=OFF \
        -DNCNN_BUILD_EXAMPLES=OFF -DNCNN_BUILD_BENCHMARK=OFF $(layers_off)
    nice -n 10 ninja -C "$1" -j "${JOBS:-1}" ncnn
    c++ -O2 -fopenmp -DNCNN_COMMIT="\"$(cat "$ncnn/VERSION")\"" -I "$ncnn/src" -I "$1/src" -o "$3" \
        "$here/peer_ncnn.cpp" "$1/src/libncnn.a" -lpthread
    echo "ncnn $(cat "$ncnn/VERSION") is ready: $3"
}

build "$ncnn/build" ON "$ncnn/peer_ncnn"
build "$ncnn/build_avx2" OFF "$ncnn/peer_ncnn_avx2"
