"""The programs that bench.sh compares, each behind the same three calls: start, measure, close.

A peer is a process that lives as long as its row of the table. It prints a line that says what it is, and then, for
each line SECONDS on its standard input, runs the batch for that long (once at least) and prints the median in
milliseconds. "scores" instead of a number prints the scores of the first picture, for those peers that have the same
weights. cnnc's program is started afresh each time and runs the batch once untimed, as a peer does at its start."""
import json
import os
import pathlib
import subprocess

from common import HERE, PEERS, PYTHON, WORK, tool


class Failed(Exception):
    """A peer that cannot run this row."""


class Process:
    def __init__(self, command, cwd=None, env=None):
        self.child = subprocess.Popen([str(c) for c in command], cwd=cwd, env=env, text=True, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        self.name = self.read()

    def read(self):
        line = self.child.stdout.readline().strip()
        if not line:
            raise Failed(f"{self.child.args[0]} ended with status {self.child.wait()}")
        return line

    def ask(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.read()

    def measure(self, seconds):
        return float(self.ask(str(seconds)))

    def scores(self):
        return [float(x) for x in self.ask("scores").split()]

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()


class Cnnc:
    def __init__(self, program, batch, threads, train, env=None):
        self.name = "cnnc"
        self.env = env
        self.command = [str(program), "bench", "--batch", str(batch), "--threads", str(threads), "--json"]
        self.command += ["--train"] if train else []

    def measure(self, seconds):
        done = subprocess.run([*self.command, "--seconds", str(seconds)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False, env=self.env)
        if done.returncode:
            raise Failed(f"{self.command[0]} ended with status {done.returncode}")
        return json.loads(done.stdout)["results"][0]["ms_per_batch"]

    def close(self):
        pass


def masked_environment():
    """What makes a peer see a processor without AVX-512, whatever it asks."""
    mask = tool("no_avx512", "-shared", "-fPIC", suffix=".so")
    return {**os.environ, "LD_PRELOAD": str(mask), "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2",
            "ATEN_CPU_CAPABILITY": "avx2"}


def folder():
    if not PEERS:
        raise Failed("CNNC_PEERS does not name their folder")
    return pathlib.Path(PEERS)


def model(net, batch):
    path = folder() / "models" / f"{net}_b{batch}.onnx"
    if not path.exists():
        raise Failed(f"there is no {path}")
    return path


def ort(net, batch, threads, env, _train):
    return Process(["node", HERE / "peer_ort.js", model(net, batch), batch, threads], cwd=folder(), env=env)


def torch(net, batch, threads, env, train):
    return Process([PYTHON, HERE / "peer_torch.py", "train" if train else "infer", net, batch, threads], env=env)


def ncnn(weights):
    def start(net, batch, threads, env, _train):
        program = folder() / "ncnn" / ("peer_ncnn_avx2" if env else "peer_ncnn")
        if not program.exists():
            raise Failed(f"there is no {program}; see setup_ncnn.sh")
        files = WORK / "ncnn" / net
        if not files.with_suffix(".bin").exists():
            files.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([PYTHON, HERE / "ncnn_model.py", model(net, 1), files], check=True)
        return Process([program, f"{files}.param", f"{files}.bin", batch, threads, weights])
    return start


# name: title, how it is started, whether it has the weights of the ONNX file, whether all is float32
ALL = {
    "ort": ("onnxruntime", ort, True, True),
    "torch": ("PyTorch", torch, False, True),
    "ncnn": ("ncnn", ncnn("fp32"), True, True),
    "ncnn16": ("ncnn fp16", ncnn("fp16"), True, False),
}
