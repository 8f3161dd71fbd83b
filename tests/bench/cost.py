"""What cnnc costs: time and peak memory of compiling a net, and peak memory of predicting one picture.

Each command runs some times; times are medians, memory is the largest resident set, of the command or of what it
started (the linker). onnxruntime runs in node, so node alone is measured too."""
import argparse
import os
import re
import struct
import subprocess
import time
import zlib

from common import (CNNC, HERE, NETS, ROOT, WORK, add_output_options, compile_net, describe, fail, machine, median, run,
                    save, show, show_head, show_row)
from peers import Failed, folder, model

MIB = 1 << 20


def arguments():
    p = argparse.ArgumentParser(prog="bench.sh cost", description=__doc__)
    p.add_argument("nets", nargs="*", metavar="NET", help="to compile (resnet50 vgg16)")
    p.add_argument("--predict", default="alexnet,googlenet,resnet50,mobilenet_v2",
                   help="list of nets to predict with (alexnet,googlenet,resnet50,mobilenet_v2), or none")
    p.add_argument("--flags", action="append", default=[],
                   help="options of cnnc; may be repeated (none, and -march=native)")
    p.add_argument("--threads", type=int, default=2, help="of prediction (2)")
    p.add_argument("--runs", type=int, default=3, help="(3)")
    add_output_options(p)
    a = p.parse_args()
    a.nets = a.nets or ["resnet50", "vgg16"]
    a.predict = [x for x in a.predict.split(",") if x != "none"]
    a.flags = a.flags or ["", "-march=native"]
    for net in a.nets + a.predict:
        if net not in NETS:
            fail(64, f"unknown net: {net}")
    return a


def usage(command, runs, cwd=None):
    """Median seconds, median seconds of processors and largest resident bytes of a command."""
    seconds, busy, most = [], [], 0
    for _ in range(runs):
        start = time.perf_counter()
        child = subprocess.Popen([str(c) for c in command], cwd=cwd, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = status
        if status:
            fail(70, f"status {status}: {' '.join(map(str, command))}")
        seconds.append(time.perf_counter() - start)
        busy.append(used.ru_utime + used.ru_stime)
        most = max(most, used.ru_maxrss * 1024)
    return median(seconds), median(busy), most


def compiling(a):
    show_head(["net", "options of cnnc", "seconds", "CPU seconds", "peak MiB", "program MiB"])
    rows = []
    for net in a.nets:
        for flags in a.flags:
            out = WORK / f"{net}-cost"
            seconds, busy, memory = usage([CNNC, *NETS[net][0], *flags.split(), "-o", out], a.runs, ROOT / "examples")
            rows.append({"net": net, "flags": flags, "seconds": seconds, "cpu_seconds": busy, "bytes": memory,
                         "size": out.stat().st_size})
            show_row([net, flags or "none", f"{seconds:.2f}", f"{busy:.2f}", f"{memory / MIB:.0f}",
                      f"{rows[-1]['size'] / MIB:.2f}"])
            out.unlink()
    return rows


def write_picture(path, width=500, height=375):
    """A PNG of a size that pictures have."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * y + c * 85) % 256 for x in range(width) for c in range(3))
                    for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def promised(program):
    """Bytes that `info` names for inference at batch 1."""
    found = re.search(r"memory +([\d.]+) (\w)iB for inference at batch 1\b", run([program, "info"]))
    return float(found[1]) * 1024 ** "BKMG".index(found[2].upper()) if found else None


def ort_memory(net, a):
    """Of onnxruntime's process after one picture, and of node without it; None where it is absent."""
    try:
        command = ["node", HERE / "peer_ort.js", model(net, 1), 1, a.threads]
        return usage(command, a.runs, folder())[-1], usage(["node", "-e", "0"], a.runs)[-1]
    except (Failed, OSError) as error:
        print(f"bench: onnxruntime left out: {error}")
        return None, None


def predicting(a):
    show("")
    show_head(["net", "cnnc's program MiB", "named by info MiB", "onnxruntime MiB", "of it node alone MiB",
               "to onnxruntime"])
    picture, rows = WORK / "picture.png", []
    write_picture(picture)
    for net in a.predict:
        program, weights = compile_net(net), WORK / f"{net}.safetensors"
        if not program:
            continue
        run([program, "export", "--init", "--output", weights])
        ours = usage([program, "predict", "--weights", weights, "--threads", a.threads, picture], a.runs)[-1]
        named, (theirs, node) = promised(program), ort_memory(net, a)
        weights.unlink()
        rows.append({"net": net, "cnnc": ours, "named": named, "ort": theirs, "node": node})
        cells = [f"{x / MIB:.1f}" if x else "" for x in (ours, named, theirs, node)]
        show_row([net, *cells, f"{ours / theirs:.2f}" if theirs else ""])
    return rows


def main():
    a = arguments()
    WORK.mkdir(parents=True, exist_ok=True)
    facts = machine()
    result = {"machine": facts, "options": vars(a), "compile": compiling(a)}
    result["predict"] = predicting(a) if a.predict else []
    show("\n" + describe(facts))
    save(a, result)


main()
