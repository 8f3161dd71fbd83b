"""Whole nets, cnnc against its peers on the same machine in the same run: see bench.sh."""
import argparse
import math
import os
import sys
import time

import peers as programs
from common import (KNOWN, MORE, NETS, add_output_options, bandwidth, check_size, compile_net, describe, fail, fma_peak,
                    geomean, machine, median, quiet, save, show, show_head, show_row)

HALF = "cnnc16"    # cnnc with the weights of fully connected layers in half precision


def arguments():
    p = argparse.ArgumentParser(prog="bench.sh nets", description=__doc__)
    p.add_argument("nets", nargs="*", metavar="NET", help=f"of {' '.join(NETS)} (these); more: all of {' '.join(MORE)}")
    p.add_argument("--batch", default="", help="list of batches (1,16; with --train 16)")
    p.add_argument("--threads", default="1,2", help="list of numbers of threads (1,2)")
    p.add_argument("--peers", default="", help=f"list of {','.join(programs.ALL)} (all; with --train torch)")
    p.add_argument("--pairs", type=int, default=7, help="rounds; in each round every program measures once (7)")
    p.add_argument("--seconds", type=float, default=0.3, help="length of a measurement (0.3, one batch at least)")
    p.add_argument("--train", action="store_true", help="training steps instead of inference")
    p.add_argument("--half", default="", metavar="NET,...", help="nets that cnnc also runs with fp16 FC weights")
    p.add_argument("--avx2", action="store_true", help="nobody uses AVX-512: CNNC_ISA=v3, peers see a CPU without it")
    p.add_argument("--flags", default="", help="more options of cnnc, as --flags='-O3 -march=native'")
    add_output_options(p)
    a = p.parse_args()
    a.nets = [net for x in a.nets or NETS for net in (MORE if x == "more" else [x])]
    a.peers = [x for x in (a.peers or ("torch" if a.train else ",".join(programs.ALL))).split(",") if x != "none"]
    a.batch = [int(x) for x in (a.batch or ("16" if a.train else "1,16")).split(",")]
    a.threads = [int(x) for x in a.threads.split(",")]
    a.half = [x for x in a.half.split(",") if x]
    for name, known in [(x, KNOWN) for x in a.nets + a.half] + [(x, programs.ALL) for x in a.peers]:
        if name not in known:
            fail(64, f"unknown: {name}; known are {' '.join(known)}")
    return a


class Row:
    """One net, batch and number of threads: who runs, and what they measured."""

    def __init__(self, options, net, batch, threads):
        self.options, self.net, self.batch, self.threads = options, net, batch, threads
        self.running, self.samples, self.forms = {}, {}, {}

    def start(self, built, env):
        for name, program in built.items():
            self.running[name] = programs.Cnnc(program, self.batch, self.threads, self.options.train, env["cnnc"])
        for name in self.options.peers:
            try:
                self.running[name] = programs.ALL[name][1](self.net, self.batch, self.threads, env["peers"],
                                                           self.options.train)
                self.forms[name] = self.running[name].name
            except (programs.Failed, OSError) as error:
                print(f"bench: {self.net}: {name} left out: {error}", file=sys.stderr)
        self.check_scores()

    def check_scores(self):
        """Those that have the same weights must have the same scores; what is compared is the same net."""
        have = {n: self.running[n].scores() for n in self.running if n in programs.ALL and programs.ALL[n][2]}
        if "ort" not in have:
            return
        size = sum(x * x for x in have["ort"]) ** 0.5
        for name, scores in have.items():
            off = sum((x - y) ** 2 for x, y in zip(scores, have["ort"])) ** 0.5 / size
            if len(scores) != len(have["ort"]) or off > (1e-3 if programs.ALL[name][3] else 2e-2):
                fail(65, f"{self.net}: {name} computes something else, relative difference {off:g}")

    def measure(self):
        for _ in range(self.options.pairs):
            for name, program in self.running.items():
                self.samples.setdefault(name, []).append(program.measure(self.options.seconds))

    def close(self):
        for program in self.running.values():
            program.close()

    def ratio(self, ours, theirs):
        return median([a / b for a, b in zip(self.samples[ours], self.samples[theirs])])

    def result(self):
        ms = {name: median(values) for name, values in self.samples.items()}
        rivals = [n for n in ms if n in programs.ALL and programs.ALL[n][3]]
        best = min(rivals, key=ms.get) if rivals else None
        return {"net": self.net, "batch": self.batch, "threads": self.threads, "ms": ms, "best": best,
                "ratio": {ours: {n: self.ratio(ours, n) for n in ms if n in programs.ALL}
                          for ours in ms if ours not in programs.ALL},
                "to_best": self.ratio("cnnc", best) if best else None, "forms": self.forms, "samples": self.samples}


def title(name):
    return programs.ALL[name][0] if name in programs.ALL else name


def cell(value):
    """Blank where nobody measured."""
    return "" if value is None or math.isnan(value) else f"{value:.2f}"


def print_head(a):
    columns = ["net", "batch", "threads", "cnnc ms"] + [f"{title(p)} ms" for p in a.peers]
    show_head(columns + [f"to {title(p)}" for p in a.peers] + ["to the best"])


def print_row(a, r, ours="cnnc"):
    name = r["net"] + ("" if ours == "cnnc" else " (fp16 FC)")
    cells = [name, r["batch"], r["threads"], cell(r["ms"][ours])]
    cells += [cell(r["ms"].get(p)) for p in a.peers] + [cell(r["ratio"][ours].get(p)) for p in a.peers]
    show_row(cells + [f"{r['ratio'][ours][r['best']]:.2f} ({title(r['best'])})" if r["best"] else ""])


def print_means(a, rows):
    """Geometric means of the ratios over the nets, for each batch and number of threads."""
    means = []
    for batch in a.batch:
        for threads in a.threads:
            chosen = [r for r in rows if (r["batch"], r["threads"]) == (batch, threads)]
            to = {p: geomean([r["ratio"]["cnnc"][p] for r in chosen if p in r["ratio"]["cnnc"]]) for p in a.peers}
            best = geomean([r["to_best"] for r in chosen if r["best"]])
            means.append({"batch": batch, "threads": threads, "nets": len(chosen), "ratio": to, "to_best": best})
            show_row([f"geometric mean of {len(chosen)}", batch, threads, *[""] * (1 + len(a.peers)),
                      *map(cell, to.values()), cell(best)])
    return means


def build(a, net, batch):
    """Made for that batch, as the peers' files are."""
    flags = [*a.flags.split(), f"--batch={batch}"]
    built = {"cnnc": compile_net(net, flags)}
    if not built["cnnc"]:
        return None
    if net in a.half:
        built[HALF] = compile_net(net, flags, "-fp16", "\ndeploy {\n    weights = fp16\n}\n")
    check_size(net, built["cnnc"])
    return {name: program for name, program in built.items() if program}


def main():
    a = arguments()
    env = {"cnnc": None, "peers": None}
    if a.avx2:
        env = {"cnnc": {**os.environ, "CNNC_ISA": "v3"}, "peers": programs.masked_environment()}
    begin, facts, before = time.time(), machine(), fma_peak(a.avx2)
    facts["memory"] = f"{bandwidth(1)} GB/s by 1 thread, {bandwidth(2)} by 2"
    rows = []
    print_head(a)
    for net in a.nets:
        for batch in a.batch:
            built = build(a, net, batch)
            for threads in a.threads if built else []:
                row = Row(a, net, batch, threads)
                row.start(built, env)
                row.measure()
                row.close()
                rows.append(row.result())
                for ours in built:
                    print_row(a, rows[-1], ours)
    means = print_means(a, rows)
    after = fma_peak(a.avx2)
    show(f"\n{describe(facts)}; {a.pairs} rounds, {time.time() - begin:.0f} s")
    show("; ".join(sorted({form for r in rows for form in r["forms"].values()})))
    still = quiet(before, after)
    save(a, {"machine": facts, "options": vars(a), "fma": {"before": before, "after": after, "quiet": still},
             "rows": rows, "geometric_means": means})


main()
