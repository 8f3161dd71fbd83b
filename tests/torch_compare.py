"""torch_compare.py NAME PROGRAM WORK: the program that cnnc made of a net against the same net in PyTorch.

Both start from the weights that PROGRAM exports and see the same batches. Twenty training steps must agree in the loss
within 1e-3 relative at each step; then the scores of inference must agree. NAME says which of the nets below it is: they
are written here by hand, so that the front end is compared too. Exits with 1 on a difference."""
import json
import os
import re
import struct
import subprocess
import sys

import torch
from torch import nn
from torch.nn import functional as F

STEPS, BATCH, LR = 20, 16, 0.02
LOSS_TOLERANCE = 1e-3       # relative, at each step
SCORE_TOLERANCE = 1e-4      # absolute, of probabilities
DTYPES = {"F32": torch.float32, "I32": torch.int32, "I64": torch.int64}


def read_safetensors(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(n)), f.read()
    tensors = {}
    for name, t in header.items():
        if name != "__metadata__":
            block = bytearray(data[slice(*t["data_offsets"])])
            tensors[name] = torch.frombuffer(block, dtype=DTYPES[t["dtype"]]).reshape(t["shape"])
    return tensors


def write_safetensors(path, tensors):
    names = {v: k for k, v in DTYPES.items()}
    header, blocks, end = {}, [], 0
    for name, t in tensors.items():
        blocks.append(t.contiguous().numpy().tobytes())
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": [end, end + len(blocks[-1])]}
        end += len(blocks[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2015, figure 5 left); parameters named as in torchvision."""

    def __init__(self, planes_in, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(planes_in, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1 or planes_in != planes:
            self.downsample = nn.Sequential(nn.Conv2d(planes_in, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet18(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        for i, (planes_in, planes) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)]):
            blocks = BasicBlock(planes_in, planes, 1 if i == 0 else 2), BasicBlock(planes, planes, 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class Unit(nn.Module):
    def __init__(self, planes_in, planes):
        super().__init__()
        self.conv1 = nn.Conv2d(planes_in, planes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)

    def forward(self, x):
        return F.relu(self.bn1(self.conv1(x)))


class Cifar(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stage1 = nn.Sequential(Unit(3, 32), Unit(32, 32))
        self.stage2 = nn.Sequential(Unit(32, 64), Unit(64, 64))
        self.stage3 = nn.Sequential(Unit(64, 128), Unit(128, 128))
        self.fc = nn.Linear(128, classes)

    def forward(self, x):
        x = F.max_pool2d(self.stage1(x), 2)
        x = self.stage3(F.max_pool2d(self.stage2(x), 2))
        return self.fc(x.mean((2, 3)))


NETS = {"cifar": Cifar, "resnet18": ResNet18}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def load(net, path):
    """Puts a weight file into a net: the same names, none missing, none left over."""
    weights = {k: v for k, v in read_safetensors(path).items() if not k.endswith(".momentum")}
    expected = {k for k in net.state_dict() if not k.endswith("num_batches_tracked")}
    if set(weights) != expected:
        sys.exit(f"parameter names differ: {sorted(set(weights) ^ expected)}")
    net.load_state_dict(weights, strict=False)


def train(net, batches, settings):
    """The loss of every step."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=settings["momentum"], nesterov=settings["nesterov"],
                                weight_decay=settings["weight_decay"])
    losses = []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels.long())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def compare_losses(ours, theirs):
    worst = 0.0
    for step, (a, b) in enumerate(zip(ours, theirs)):
        worst = max(worst, abs(a - b) / abs(b))
        print(f"step {step:2d}  cnnc {a:.6f}  torch {b:.6f}  relative difference {abs(a - b) / abs(b):.1e}")
    if len(ours) != STEPS or not worst <= LOSS_TOLERANCE:
        sys.exit(f"losses differ: {len(ours)} steps, worst {worst:.1e}, tolerance {LOSS_TOLERANCE:.0e}")


def compare_weights(net, path):
    """Only reported: twenty steps let differences in rounding grow."""
    state = net.state_dict()
    worst = max(((v - state[k]).abs().max().item() / max(state[k].abs().max().item(), 1e-12), k)
                for k, v in read_safetensors(path).items() if k in state)
    print(f"weights after {STEPS} steps: largest difference {worst[0]:.1e} of the largest weight, in {worst[1]}")


def compare_scores(program, net, weights, images, work):
    load(net, weights)
    write_safetensors(f"{work}/images.safetensors", {"images": images})
    run(program, "predict", "--weights", weights, "--replay", f"{work}/images.safetensors",
        "--scores", f"{work}/scores.safetensors")
    ours = read_safetensors(f"{work}/scores.safetensors")["scores"]
    with torch.no_grad():
        theirs = net.eval()(images).softmax(1)
    worst = (ours.reshape(theirs.shape) - theirs).abs().max().item()
    print(f"scores of {len(images)} pictures: largest difference {worst:.1e}")
    if not worst <= SCORE_TOLERANCE:
        sys.exit(f"scores differ by {worst:.1e}, tolerance {SCORE_TOLERANCE:.0e}")


def main(name, program, work):
    torch.manual_seed(1)
    torch.set_num_threads(2)
    info = json.loads(run(program, "info", "--json"))
    classes, shape = info["classes"], info["input"]
    batches = [(torch.randn(BATCH, shape["channels"], shape["height"], shape["width"]),
                torch.randint(0, classes, (BATCH,), dtype=torch.int32)) for _ in range(STEPS)]
    replay, weights = f"{work}/replay.safetensors", f"{work}/start.safetensors"
    write_safetensors(replay, {f"{kind}.{k}": batch[i] for k, batch in enumerate(batches)
                               for i, kind in enumerate(("images", "labels"))})
    run(program, "export", "--init", "-o", weights)
    net = NETS[name](classes)
    load(net, weights)
    text = run(program, "train", "--weights", weights, "--replay", replay, "--steps", str(STEPS), "--lr", str(LR),
               "--batch", str(BATCH), "--out", work)
    ours = [float(x) for x in re.findall(r"^step \d+ loss (\S+)", text, re.M)]
    compare_losses(ours, train(net.train(), batches, info["settings"]["train"][""]["optimizer"]))
    final = f"{work}/{os.path.basename(program)}.safetensors"
    compare_weights(net, final)
    compare_scores(program, net, final, batches[0][0], work)


main(*sys.argv[1:4])
