"""ncnn_model.py MODEL.onnx OUT: writes OUT.param and OUT.bin, the same net with the same weights for ncnn.

Knows the operators that torchvision's classifiers are exported to. As ncnn's own tools do, an activation joins the
convolution or fully connected layer before it, and pooling over a window of one is dropped."""
import struct
import sys

import numpy as np
import onnx
from onnx import numpy_helper

MAGIC = 7767517
RELU, CLIP = 1, 3    # ncnn's numbers of activations


class Writer:
    def __init__(self, graph):
        self.lines, self.data, self.fresh = [], bytearray(), 0
        self.values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self.same = {}    # blob of the model -> blob that holds it
        self.nodes = []
        for node in graph.node:
            if node.op_type == "Constant":
                self.values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type == "Identity" and node.input[0] in self.values:
                self.values[node.output[0]] = self.values[node.input[0]]
            else:
                self.nodes.append(node)
        self.readers = {}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def blob(self, name):
        return self.same.get(name, name)

    def layer(self, kind, inputs, outputs, params=""):
        self.lines.append((kind, [self.blob(i) for i in inputs], outputs, params))

    def weights(self, array, flag):
        """Weights begin with a word that says how they are stored (0: as floats), biases do not."""
        if flag:
            self.data += struct.pack("<I", 0)
        self.data += np.ascontiguousarray(array, dtype="<f4").tobytes()

    def activation(self, node):
        """The activation that joins this node: its parameters and its output."""
        out = node.output[0]
        readers = self.readers.get(out, [])
        if len(readers) != 1 or readers[0].op_type not in ("Relu", "Clip"):
            return "", out
        after = readers[0]
        self.nodes.remove(after)
        if after.op_type == "Relu":
            return f" 9={RELU}", after.output[0]
        low, high = (float(self.values[i]) for i in after.input[1:3])
        return f" 9={CLIP} -23310=2,{low},{high}", after.output[0]

    def splits(self):
        """Every blob is read once; those that are read more often go through a Split."""
        count = {}
        for _, inputs, _, _ in self.lines:
            for name in inputs:
                count[name] = count.get(name, 0) + 1
        taken, lines = {}, []

        def copy_of(name):
            if count[name] == 1:
                return name
            taken[name] = taken.get(name, -1) + 1
            return f"{name}_{taken[name]}"

        for kind, inputs, outputs, params in self.lines:
            lines.append((kind, [copy_of(i) for i in inputs], outputs, params))
            for name in outputs:
                if count.get(name, 0) > 1:
                    lines.append(("Split", [name], [f"{name}_{i}" for i in range(count[name])], ""))
        return lines

    def text(self):
        lines = self.splits()
        blobs = sum(len(outputs) for _, _, outputs, _ in lines)
        rows = [f"{MAGIC}", f"{len(lines)} {blobs}"]
        for n, (kind, inputs, outputs, params) in enumerate(lines):
            rows.append(f"{kind} {kind}_{n} {len(inputs)} {len(outputs)} {' '.join(inputs + outputs)} {params}".strip())
        return "\n".join(rows) + "\n"


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def conv(w, node):
    a = attributes(node)
    weight = w.values[node.input[1]]
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    stride, dilation, group = a.get("strides", [1, 1]), a.get("dilations", [1, 1]), a.get("group", 1)
    bias = len(node.input) > 2
    params = (f"0={weight.shape[0]} 1={weight.shape[3]} 11={weight.shape[2]} 2={dilation[1]} 12={dilation[0]} "
              f"3={stride[1]} 13={stride[0]} 4={left} 14={top} 15={right} 16={bottom} 5={int(bias)} 6={weight.size}")
    if group > 1:
        params += f" 7={group}"
    activation, out = w.activation(node)
    w.layer("ConvolutionDepthWise" if group > 1 else "Convolution", node.input[:1], [out], params + activation)
    w.weights(weight, True)
    if bias:
        w.weights(w.values[node.input[2]], False)


def gemm(w, node):
    a = attributes(node)
    weight = w.values[node.input[1]]
    if not a.get("transB"):
        weight = weight.T
    activation, out = w.activation(node)
    w.layer("InnerProduct", node.input[:1], [out], f"0={weight.shape[0]} 1=1 2={weight.size}" + activation)
    w.weights(weight, True)
    w.weights(w.values[node.input[2]], False)


def pool(w, node):
    a = attributes(node)
    kernel, stride = a["kernel_shape"], a.get("strides", [1, 1])
    if kernel == [1, 1] and stride == [1, 1]:
        w.same[node.output[0]] = w.blob(node.input[0])
        return
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    valid = 0 if a.get("ceil_mode") else 1
    w.layer("Pooling", node.input, list(node.output),
            f"0={int(node.op_type == 'AveragePool')} 1={kernel[1]} 11={kernel[0]} 2={stride[1]} 12={stride[0]} "
            f"3={left} 13={top} 14={right} 15={bottom} 5={valid}")


def simple(kind, params=""):
    return lambda w, node: w.layer(kind, node.input, list(node.output), params)


OPERATORS = {
    "Conv": conv, "Gemm": gemm, "MaxPool": pool, "AveragePool": pool, "Relu": simple("ReLU"),
    "Add": simple("BinaryOp", "0=0"), "Concat": simple("Concat", "0=0"), "Flatten": simple("Flatten"),
    "GlobalAveragePool": simple("Pooling", "0=1 4=1"),
}


def main(model, out):
    graph = onnx.load(model).graph
    w = Writer(graph)
    names = set(w.values)
    image = next(i.name for i in graph.input if i.name not in names)
    w.layer("Input", [], [image], "0=224 1=224 2=3")
    while w.nodes:
        node = w.nodes.pop(0)
        OPERATORS[node.op_type](w, node)
    with open(out + ".param", "w", encoding="utf-8") as f:
        f.write(w.text())
    with open(out + ".bin", "wb") as f:
        f.write(w.data)


main(sys.argv[1], sys.argv[2])
