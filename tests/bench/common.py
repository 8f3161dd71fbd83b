"""What the benchmarks share: the nets, compiling, the limits of the machine, medians."""
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("CNNC_BUILD", ROOT / "build"))
CNNC = os.environ.get("CNNC", str(BUILD / "release/cnnc"))
WORK = BUILD / "bench"
PEERS = os.environ.get("CNNC_PEERS", "")
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")

# torchvision's name: the file in examples/ and the options that give the same net, and its number of parameters.
NETS = {
    "alexnet": (["alexnet.net", "-Dvariant=torchvision"], 61_100_840),
    "vgg16": (["vgg.net", "-Ddepth=16"], 138_357_544),
    "googlenet": (["googlenet.net", "-Dvariant=torchvision"], 6_624_904),
    "resnet18": (["resnet.net", "-Ddepth=18"], 11_689_512),
    "resnet50": (["resnet.net", "-Ddepth=50"], 25_557_032),
    "squeezenet1_1": (["squeezenet.net", "-Dversion=1.1"], 1_235_496),
    "mobilenet_v2": (["mobilenet_v2.net"], 3_504_872),
}

# Those that are measured where they are named, or `more` is; export_onnx.py makes their models.
MORE = {
    "vgg11": (["vgg.net", "-Ddepth=11"], 132_863_336),
    "vgg16_bn": (["vgg.net", "-Ddepth=16", "-Dnorm=true"], 138_365_992),
    "resnet34": (["resnet.net", "-Ddepth=34"], 21_797_672),
    "resnet101": (["resnet.net", "-Ddepth=101"], 44_549_160),
    "resnext50_32x4d": (["resnet.net", "-Ddepth=50", "-Dgroups=32", "-Dbase=4"], 25_028_904),
    "wide_resnet50_2": (["resnet.net", "-Ddepth=50", "-Dbase=128"], 68_883_240),
    "squeezenet1_0": (["squeezenet.net", "-Dversion=1.0"], 1_248_424),
    "densenet121": (["densenet.net"], 7_978_856),
    "mobilenet_v3_large": (["mobilenet_v3.net"], 5_483_032),
    "mobilenet_v3_small": (["mobilenet_v3.net", "-Dkind=small"], 2_542_856),
    "shufflenet_v2_x1_0": (["shufflenet_v2.net"], 2_278_604),
    "efficientnet_b0": (["efficientnet.net"], 5_288_548),
    "convnext_tiny": (["convnext.net"], 28_589_128),
}
KNOWN = {**NETS, **MORE}


def fail(status, message):
    print("bench: " + message, file=sys.stderr)
    sys.exit(status)


def run(command, **options):
    """Standard output of a command, which must succeed."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode:
        fail(70, f"exit status {done.returncode}: {' '.join(str(c) for c in command)}")
    return done.stdout


def tool(name, *flags, march="native", suffix=""):
    """Compiles one of the small C programs beside this file; returns its path."""
    source, out = HERE / (name + ".c"), WORK / (name + suffix)
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        WORK.mkdir(parents=True, exist_ok=True)
        run(["cc", "-O3", f"-march={march}", "-ffp-contract=fast", "-o", out, source, *flags])
    return out


def fma_peak(avx2=False):
    """GFLOP/s of one core, with the widest vectors or with those of AVX2."""
    return float(run([tool("fma_peak", march="x86-64-v3", suffix="_avx2") if avx2 else tool("fma_peak")]))


def bandwidth(threads):
    """GB/s read from memory."""
    return float(run([tool("bandwidth", "-pthread"), threads]))


def compile_net(name, flags=(), suffix="", more=""):
    """The program of a net, of more lines at the end of its text too; None, with the reason on standard error, where
    cnnc cannot compile it."""
    WORK.mkdir(parents=True, exist_ok=True)
    (file, *options), _ = KNOWN[name]
    source, out = ROOT / "examples" / file, WORK / (name + suffix)
    if more:
        text = source.read_text(encoding="utf-8") + more
        source = WORK / (name + suffix + ".net")
        source.write_text(text, encoding="utf-8")
    done = subprocess.run([CNNC, source, *options, *flags, "-o", out], check=False)
    if done.returncode:
        print(f"bench: {name}{suffix} left out: cnnc failed with exit status {done.returncode}", file=sys.stderr)
        return None
    return out


def check_size(name, program):
    """The net must be the one that the peers run."""
    words = next(line.split() for line in run([program, "info"]).splitlines() if line.startswith("parameters"))
    count = int(words[1].replace(",", ""))
    if count != KNOWN[name][1]:
        fail(65, f"{name} has {count} parameters, torchvision's has {KNOWN[name][1]}")


def median(values):
    return statistics.median(values)


def geomean(values):
    return statistics.geometric_mean(values) if values else float("nan")


def machine():
    """Model of the processor and how many there are; what is measured, which the page that says it does not change."""
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    git, silent = ["git", "-C", str(ROOT)], {"stderr": subprocess.DEVNULL, "text": True, "check": False}
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, **silent).stdout.strip()
    if commit and subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ".", ":!docs"], **silent).returncode:
        commit += "-dirty"
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": os.uname().release,
            "commit": commit or "unknown"}


def describe(facts):
    return ", ".join(f"{key} {value}" for key, value in facts.items())


def show(line):
    print(line, flush=True)


def show_row(cells):
    show("| " + " | ".join(map(str, cells)) + " |")


def show_head(columns):
    show_row(columns)
    show("|" + "---|" * len(columns))


BUSY = "The FMA rate moved by more than a tenth: the machine was busy, do not quote these figures."


def quiet(before, after):
    """Says whether the machine was; returns it too."""
    still = max(before, after) <= 1.1 * min(before, after)
    show(f"FMA loop, one core: {before:.1f} GFLOP/s before, {after:.1f} after")
    if not still:
        show(BUSY)
    return still


def add_output_options(parser):
    parser.add_argument("--json", metavar="FILE", help="write everything, every sample too, to FILE")


def save(options, result):
    """Writes what --json asks for."""
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
