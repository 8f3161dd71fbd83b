/* One layer by oneDNN, in the layout it likes best. For each line
 *   conv N IC IH IW OC KH KW STRIDE PAD GROUPS      or      fc N IC OC
 * on standard input prints the seconds of the layer with bias and ReLU in float32, and the implementation that ran; of
 * a convolution the faster of direct and automatic (which may be Winograd). For oneDNN 2 and 3. */
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <unordered_map>
#include <vector>

#include <dnnl.hpp>

#include "cold.h"

using dnnl::memory;
using Dims = memory::dims;
using Format = memory::format_tag;
static const auto F32 = memory::data_type::f32;
static const auto INFERENCE = dnnl::prop_kind::forward_inference;

struct Layer {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    dnnl::primitive primitive;
    std::unordered_map<int, memory> args;
};

struct Result {
    double seconds;
    std::string name;
};

static void execute(void *arg) {
    Layer *l = (Layer *)arg;
    l->primitive.execute(l->stream, l->args);
    l->stream.wait();
}

static memory filled(const Layer &l, const memory::desc &desc) {
    memory m(desc, l.engine);
    memset(m.get_data_handle(), 0x3c, desc.get_size());
    return m;
}

template <class Primitive, class Desc> static Result time_layer(Layer &l, const Desc &desc) {
    l.primitive = Primitive(desc);
    memory src = filled(l, desc.src_desc());
    l.args = {{DNNL_ARG_SRC, src},
              {DNNL_ARG_WEIGHTS, filled(l, desc.weights_desc())},
              {DNNL_ARG_BIAS, filled(l, desc.bias_desc())},
              {DNNL_ARG_DST, filled(l, desc.dst_desc())}};
    execute(&l);
    return {cold_best(execute, &l, src.get_data_handle(), desc.src_desc().get_size()), desc.impl_info_str()};
}

static dnnl::primitive_attr with_relu() {
    dnnl::post_ops ops;
    dnnl::primitive_attr attr;
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.f, 0.f);
#else
    ops.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
#endif
    attr.set_post_ops(ops);
    return attr;
}

static memory::desc any(const Dims &dims) { return memory::desc(dims, F32, Format::any); }

static Result convolution(Layer &l, dnnl::algorithm algorithm, const std::vector<long> &v) {
    using dnnl::convolution_forward;
    long n = v[0], ic = v[1], ih = v[2], iw = v[3], oc = v[4], kh = v[5], kw = v[6], s = v[7], p = v[8], g = v[9];
    Dims out = {n, oc, (ih + 2 * p - kh) / s + 1, (iw + 2 * p - kw) / s + 1};
    auto src = any({n, ic, ih, iw}), bias = any({oc}), dst = any(out);
    auto weights = g == 1 ? any({oc, ic, kh, kw}) : any({g, oc / g, ic / g, kh, kw});
#if DNNL_VERSION_MAJOR >= 3
    convolution_forward::primitive_desc desc(l.engine, INFERENCE, algorithm, src, weights, bias, dst, Dims{s, s},
                                             Dims{p, p}, Dims{p, p}, with_relu());
#else
    convolution_forward::desc op(INFERENCE, algorithm, src, weights, bias, dst, Dims{s, s}, Dims{p, p}, Dims{p, p});
    convolution_forward::primitive_desc desc(op, with_relu(), l.engine);
#endif
    return time_layer<convolution_forward>(l, desc);
}

static Result fully_connected(Layer &l, const std::vector<long> &v) {
    using dnnl::inner_product_forward;
    auto src = any({v[0], v[1]}), weights = any({v[2], v[1]}), bias = any({v[2]}), dst = any({v[0], v[2]});
#if DNNL_VERSION_MAJOR >= 3
    inner_product_forward::primitive_desc desc(l.engine, INFERENCE, src, weights, bias, dst, with_relu());
#else
    inner_product_forward::desc op(INFERENCE, src, weights, bias, dst);
    inner_product_forward::primitive_desc desc(op, with_relu(), l.engine);
#endif
    return time_layer<inner_product_forward>(l, desc);
}

static Result best_convolution(Layer &l, const std::vector<long> &v) {
    Result direct = convolution(l, dnnl::algorithm::convolution_direct, v);
    Result chosen = convolution(l, dnnl::algorithm::convolution_auto, v);
    return chosen.seconds < direct.seconds ? chosen : direct;
}

int main() {
    Layer l;
    std::string kind;
    const dnnl_version_t *version = dnnl_version();
    printf("oneDNN %d.%d.%d\n", version->major, version->minor, version->patch);
    fflush(stdout);
    while (std::cin >> kind) {
        std::vector<long> v(kind == "conv" ? 10 : 3);
        for (long &x : v) std::cin >> x;
        Result r = kind == "conv" ? best_convolution(l, v) : fully_connected(l, v);
        printf("%.9f %s\n", r.seconds, r.name.c_str());
        fflush(stdout);
    }
    return 0;
}
