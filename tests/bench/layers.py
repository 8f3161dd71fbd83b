"""Layers of ResNet-50 and VGG-16, as they run inside cnnc's whole nets, against oneDNN, OpenBLAS and the machine.

GFLOP/s count the multiply-adds of the direct method, so that Winograd can be above the FMA loop. cnnc's time of a layer
is that of the fastest runs of its steps inside the whole net; the peers run one layer at a time with cold caches
(cold.h). OpenBLAS multiplies matrices of the sizes that the convolution has as a product, without making them. One row
stands for all layers of one shape; means are over layers."""
import argparse
import json
import os
import re
import subprocess

from common import (CNNC, HERE, NETS, ROOT, WORK, add_output_options, bandwidth, compile_net, describe, fail, fma_peak,
                    machine, quiet, run, save, show, show_head, show_row, tool)


def arguments():
    p = argparse.ArgumentParser(prog="bench.sh layers", description=__doc__)
    p.add_argument("nets", nargs="*", metavar="NET", help="(resnet50 vgg16)")
    p.add_argument("--batch", default="1,16", help="list of batches (1,16)")
    p.add_argument("--threads", type=int, default=1, help="(1)")
    p.add_argument("--runs", type=int, default=3, help="of cnnc's program; the fastest time of each layer counts (3)")
    p.add_argument("--seconds", type=float, default=1.0, help="length of such a run (1)")
    p.add_argument("--onednn", metavar="DIR", help="a build with include/ and lib/ instead of Debian's libdnnl-dev; "
                   "\"none\" leaves it out")
    p.add_argument("--avx2", action="store_true", help="nobody uses AVX-512")
    p.add_argument("--flags", default="", help="more options of cnnc")
    add_output_options(p)
    a = p.parse_args()
    a.nets = a.nets or ["resnet50", "vgg16"]
    a.batch = [int(x) for x in a.batch.split(",")]
    for net in a.nets:
        if net not in NETS:
            fail(64, f"unknown net: {net}")
    return a


VALUE = re.compile(r'%(\d+) = (\w+)(?:\(([^)]*)\))? (?:\{([^}]*)\} )?"([^"]*)" : f32\[([^\]]*)\]')


def shapes(net):
    """name: (kind, sizes as onednn_layers.cpp reads them but for the batch) of each layer, from the graph as text."""
    lines = run([CNNC, *NETS[net][0], "--emit=graph", "-o", "-"], cwd=ROOT / "examples").splitlines()
    size, found = {}, {}
    for number, op, args, attributes, name, dims in (m.groups() for m in map(VALUE.search, lines) if m):
        size[number] = [int(x) for x in dims.split(",") if x not in ("N", "")]
        if op == "conv":
            image, weight = (size[x.strip(" %")] for x in args.split(","))
            numbers = (int(re.search(key + r"=\[?(\d+)", attributes)[1]) for key in ("stride", "pad", "groups"))
            found[name] = ("conv", (*image, weight[0], *weight[2:], *numbers))
        elif op == "fc":
            outputs, inputs = size[args.split(",")[1].strip(" %")]
            found[name] = ("fc", (inputs, outputs))
    return found


def macs(kind, v):
    if kind == "fc":
        return v[0] * v[1]
    ic, ih, iw, oc, kh, kw, s, p, g = v
    return ((ih + 2 * p - kh) // s + 1) * ((iw + 2 * p - kw) // s + 1) * oc * ic // g * kh * kw


def product(kind, v, batch):
    """M, N, K of the matrix product, None for groups."""
    if kind == "fc":
        return v[1], batch, v[0]
    ic, ih, iw, oc, kh, kw, s, p, g = v
    return None if g > 1 else (oc, batch * ((ih + 2 * p - kh) // s + 1) * ((iw + 2 * p - kw) // s + 1), ic * kh * kw)


class Server:
    """A program that answers a line with a line."""

    def __init__(self, path, env):
        self.child = subprocess.Popen([str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def read(self):
        return self.child.stdout.readline().split()

    def ask(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()
        return self.read()


def start_onednn(a, env):
    if a.onednn == "none" or not (a.onednn or os.path.exists("/usr/include/dnnl.hpp")):
        return None
    where = [f"-I{a.onednn}/include", f"-L{a.onednn}/lib", f"-Wl,-rpath,{a.onednn}/lib"] if a.onednn else []
    sources = [HERE / "onednn_layers.cpp", "-ldnnl", *where]
    path = WORK / "onednn_layers"
    WORK.mkdir(parents=True, exist_ok=True)
    run(["c++", "-O2", "-o", path, *sources])
    server = Server(path, env)
    server.name = " ".join(server.read())
    return server


def start_openblas(env):
    if subprocess.run(["pkg-config", "--exists", "openblas"], check=False).returncode:
        return None
    return Server(tool("openblas_layers", "-lopenblas"), env)


def environment(a):
    threads = str(a.threads)
    env = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    if a.avx2:
        env.update(ONEDNN_MAX_CPU_ISA="AVX2", DNNL_MAX_CPU_ISA="AVX2", OPENBLAS_CORETYPE="Haswell", CNNC_ISA="v3")
    return env


def layer_times(a, program, batch, env):
    """layer: [milliseconds, MACs per picture, whether Winograd]; each step's fastest time of all runs."""
    best = None
    for _ in range(a.runs):
        done = subprocess.run([str(program), "bench", "--batch", str(batch), "--threads", str(a.threads), "--layers",
                               "--json", "--seconds", str(a.seconds)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env=env, text=True, check=True)
        steps = json.loads(done.stdout)["results"][0]["steps"]
        best = steps if best is None else [min(x, y, key=lambda s: s["ms"]) for x, y in zip(best, steps)]
    layers = {}
    for s in best:
        t = layers.setdefault(s["layer"], [0.0, 0.0, False])
        t[0] += s["ms"]
        t[1] += s["gflops"] * s["ms"] * 1e6 / 2 / batch
        t[2] |= "winograd" in s["what"]
    return layers


def same_shape(found, times):
    """(kind, sizes): [(milliseconds, Winograd), ...]; layers that share a step with others are left out."""
    groups, shared = {}, []
    for name, key in found.items():
        t = times.get(name)
        if t and abs(t[1] / macs(*key) - 1) < 0.01:
            groups.setdefault(key, []).append((t[0], t[2]))
        else:
            shared.append(name)
    return groups, shared


def measure(key, batch, members, dnnl, blas):
    kind, v = key
    flops = 2 * macs(kind, v) * batch
    row = {"kind": kind, "sizes": v, "batch": batch, "layers": len(members), "winograd": members[0][1],
           "cnnc": [flops / (1e6 * ms) for ms, _ in members]}
    row["mean"] = sum(row["cnnc"]) / len(members)
    if dnnl:
        seconds, *name = dnnl.ask(kind, batch, *v)
        row["onednn"], row["onednn_name"] = 1e-9 * flops / float(seconds), " ".join(name)
    sizes = product(kind, v, batch)
    if blas and sizes:
        row["openblas"] = 1e-9 * flops / float(blas.ask(*sizes)[0])
    if kind == "fc" and batch == 1:
        row["gb_per_s"] = 4e-9 * v[0] * v[1] * row["mean"] * 1e9 / flops
    return row


def text_of(row):
    v = row["sizes"]
    if row["kind"] == "fc":
        return f"fc {v[0]} to {v[1]}"
    ic, ih, iw, oc, kh, kw, s, _, g = v
    return f"{kh}x{kw}" + (f"/{s}" if s > 1 else "") + (f" groups {g}" if g > 1 else "") + f" {ic}x{ih}x{iw} to {oc}"


def print_row(net, row, peak):
    number = lambda key: f"{row[key]:.1f}" if key in row else ""
    ratio = f"{row['onednn'] / row['mean']:.2f}" if "onednn" in row else ""
    cells = [net, text_of(row), row["layers"], row["batch"], "Winograd" if row["winograd"] else "direct",
             f"{row['mean']:.1f}", f"{row['mean'] / peak:.2f}", number("onednn"), row.get("onednn_name", ""), ratio,
             number("openblas"), number("gb_per_s")]
    show_row(cells)


def summary(title, rows, peak):
    rates = [x / peak for row in rows for x in row["cnnc"]]
    if not rates:
        return None
    mean = sum(rates) / len(rates)
    show(f"* {title}: {len(rates)} layers, mean {mean:.3f} of the FMA loop, least {min(rates):.3f}")
    return {"what": title, "layers": len(rates), "mean": mean, "least": min(rates)}


def summaries(rows, peak, memory, threads):
    out = []
    for net, batch in dict.fromkeys((r["net"], r["batch"]) for r in rows):
        mine = [r for r in rows if (r["net"], r["batch"]) == (net, batch)]
        inner = [r for r in mine if r["kind"] == "conv" and r["sizes"][0] >= 16 and r["sizes"][8] == 1]
        direct = [r for r in inner if not r["winograd"]]
        for what, sizes in ("1x1", [1]), ("3x3", [3]), ("1x1 and 3x3", [1, 3]):
            chosen = [r for r in direct if r["sizes"][4] in sizes]
            out.append(summary(f"{net} batch {batch}: direct {what}", chosen, peak))
        out.append(summary(f"{net} batch {batch}: Winograd", [r for r in inner if r["winograd"]], peak))
        for r in mine if batch == 1 else []:
            if r["kind"] == "fc":
                show(f"* {net} batch 1: {text_of(r)} reads {r['gb_per_s']:.1f} GB/s, {r['gb_per_s'] / memory:.3f} of "
                     f"the memory's with {threads} thread{'s' * (threads > 1)}")
    return [x for x in out if x]


def measure_net(a, net, batch, env, peers, peak):
    program = compile_net(net, a.flags.split())
    if not program:
        return [], []
    groups, shared = same_shape(shapes(net), layer_times(a, program, batch, env))
    rows = []
    for key, members in groups.items():
        rows.append({"net": net, **measure(key, batch, members, *peers)})
        print_row(net, rows[-1], peak)
    return rows, shared


def main():
    a = arguments()
    env = environment(a)
    peers = start_onednn(a, env), start_openblas(env)
    facts, before, memory = machine(), fma_peak(a.avx2), bandwidth(a.threads)
    facts["with"] = peers[0].name if peers[0] else "no oneDNN"
    facts["memory"] = f"{memory} GB/s"
    peak = before * a.threads
    show_head(["net", "layer", "layers", "batch", "method", "cnnc GFLOP/s", "of the FMA loop", "oneDNN GFLOP/s", "by",
               "time to oneDNN", "OpenBLAS GFLOP/s", "GB/s of weights"])
    rows = []
    for net in a.nets:
        for batch in a.batch:
            more, shared = measure_net(a, net, batch, env, peers, peak)
            rows += more
            if shared:
                show_row([net, "in one step with others: " + ", ".join(shared), "", batch, *[""] * 8])
    show("")
    means = summaries(rows, peak, memory, a.threads)
    show(describe(facts))
    after = fma_peak(a.avx2)
    still = quiet(before, after)
    save(a, {"machine": facts, "options": vars(a), "fma": {"before": before, "after": after, "quiet": still},
             "memory": memory, "rows": rows, "means": means})


main()
