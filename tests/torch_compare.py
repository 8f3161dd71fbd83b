"""torch_compare.py NAME PROGRAM WORK: the program that cnnc made of a net against the same net in PyTorch.

Both start from the weights that PROGRAM exports and see the same batches. The first step must change every parameter alike,
the loss of each of some steps must agree within 1e-3 relative, and then the scores of inference must agree. NAME says
which of the nets below it is: they are written here by hand, so that the front end is compared too.

Training with batch norm on small pictures is chaotic: one ReLU that rounding turns on or off is enough. So the rate is one
at which PyTorch agrees with itself in double precision well within the tolerance; that difference is printed beside ours.
Exits with 1 on a difference."""
import json
import os
import re
import struct
import subprocess
import sys
from typing import Callable, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

LOSS_TOLERANCE = 1e-3       # relative, at each step
STEP_TOLERANCE = 2e-2       # of the first step, relative to its length, for each parameter
AVERAGE_TOLERANCE = 5e-3    # of averaged parameters, all together, relative to what they moved
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


class Curves(nn.Module):
    """tests/torch/curves.net: every activation, two gates."""

    def __init__(self, classes):
        super().__init__()
        planes = [(3, 16, 3), (16, 16, 3), (16, 4, 1), (4, 16, 1), (16, 24, 3), (24, 24, 1), (24, 24, 1), (24, 24, 1),
                  (24, 24, 1), (24, 24, 1)]
        for i, (planes_in, out, k) in enumerate(planes, 1):
            conv = nn.Conv2d(planes_in, out, k, 2 if i == 5 else 1, k // 2, groups=16 if i == 2 else 1,
                             bias=i in (3, 4, 8, 10))
            setattr(self, f"conv{i}", conv)
        for i, n in enumerate((16, 16, 24, 24, 24, 24), 1):
            setattr(self, f"bn{i}", nn.BatchNorm2d(n))
        self.fc1, self.fc2 = nn.Linear(24, 24), nn.Linear(24, classes)
        self.prelu1, self.prelu2 = nn.PReLU(24), nn.PReLU()

    def forward(self, x):
        x = F.silu(self.bn1(self.conv1(x)))
        x = F.hardswish(self.bn2(self.conv2(x)))
        x = x * F.hardsigmoid(self.conv4(F.relu(self.conv3(x.mean((2, 3), keepdim=True)))))
        x = F.gelu(self.bn3(self.conv5(x)))
        x = F.gelu(self.bn4(self.conv6(x)), approximate="tanh")
        x = torch.sigmoid(self.fc1(x.mean((2, 3))))[:, :, None, None] * x
        x = F.leaky_relu(self.conv8(F.elu(self.bn5(self.conv7(x)), 0.5)), 0.2)
        x = torch.tanh(self.prelu2(self.conv10(self.prelu1(self.bn6(self.conv9(x))))))
        return self.fc2(x.mean((2, 3)))


def pixel_norm(norm, x):
    """nn.LayerNorm over the channels of each pixel, as torchvision's LayerNorm2d."""
    return norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def in_runs(norm, x, pictures):
    """Ghost batch norm: in training each run of pictures by itself."""
    return torch.cat([norm(part) for part in x.split(pictures)]) if norm.training else norm(x)


class Norms(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.conv2 = nn.Conv2d(24, 24, 7, padding=3, groups=24)
        self.layer_norm1 = nn.LayerNorm(24, eps=1e-6)
        self.conv3, self.conv4 = nn.Conv2d(24, 48, 1), nn.Conv2d(48, 24, 1)
        self.scale1 = nn.Parameter(torch.zeros(24))
        self.conv5 = nn.Conv2d(24, 32, 3, 2, 1)
        self.group_norm1 = nn.GroupNorm(8, 32)
        self.conv6 = nn.Conv2d(32, 36, 1, bias=False)
        self.group_norm2 = nn.GroupNorm(12, 36)
        self.conv7 = nn.Conv2d(36, 20, 1)
        self.group_norm3 = nn.GroupNorm(1, 20, eps=1e-3)
        self.layer_norm2 = nn.LayerNorm(240)
        self.fc1, self.fc2 = nn.Linear(240, 30), nn.Linear(30, classes)
        self.bn2 = nn.BatchNorm1d(30)

    def forward(self, x):
        x = F.relu(in_runs(self.bn1, self.conv1(x), 6))
        y = self.conv4(F.gelu(self.conv3(pixel_norm(self.layer_norm1, self.conv2(x)))))
        x = x + y * self.scale1[:, None, None]
        x = F.adaptive_max_pool2d(F.relu(self.group_norm1(self.conv5(x))), (5, 6))
        x = F.adaptive_avg_pool2d(F.relu(self.group_norm2(self.conv6(x))), (3, 4))
        x = self.layer_norm2(self.group_norm3(self.conv7(x)).flatten(1))
        return self.fc2(F.relu(in_runs(self.bn2, self.fc1(x), 8)))


class Convs(nn.Module):
    def __init__(self, planes_in, planes, padding, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(planes_in, planes, 3, padding=padding, bias=not norm)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=padding, bias=not norm)
        self.bn1, self.bn2 = (nn.BatchNorm2d(planes), nn.BatchNorm2d(planes)) if norm else (nn.Identity(), nn.Identity())

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Up(nn.Module):
    def __init__(self, planes, padding, norm):
        super().__init__()
        self.deconv1 = nn.ConvTranspose2d(2 * planes, planes, 2, stride=2)
        self.convs1 = Convs(2 * planes, planes, padding, norm)

    def forward(self, x, skip):
        x = self.deconv1(x)
        top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
        return self.convs1(torch.cat([skip[:, :, top:top + x.shape[2], left:left + x.shape[3]], x], 1))


class UNet(nn.Module):
    """Ronneberger, Fischer, Brox 2015, figure 1."""

    def __init__(self, classes, channels, width, padding, norm):
        super().__init__()
        for i in range(5):
            setattr(self, f"convs{i + 1}", Convs(width << i - 1 if i else channels, width << i, padding, norm))
        for i in range(4):
            setattr(self, f"up{i + 1}", Up(width << 3 - i, padding, norm))
        self.conv1 = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = [self.convs1(x)]
        for i in range(2, 6):
            skips.append(getattr(self, f"convs{i}")(F.max_pool2d(skips[-1], 2)))
        x = skips.pop()
        for i in range(1, 5):
            x = getattr(self, f"up{i}")(x, skips.pop())
        return self.conv1(x)


def one_hot(x, labels):
    return F.one_hot(labels, x.shape[1]).to(x.dtype)


def bce(x, labels):
    return F.binary_cross_entropy_with_logits(x, one_hot(x, labels))


def mse(x, labels):
    return F.mse_loss(x, one_hot(x, labels))


def hinge(x, labels):
    """Keras's, of one against the others."""
    return F.relu(1 - x * (2 * one_hot(x, labels) - 1)).mean()


def focal(x, labels, gamma, alpha):
    """torchvision.ops.sigmoid_focal_loss, mean; alpha None: no weights."""
    t = one_hot(x, labels)
    p = torch.sigmoid(x)
    each = F.binary_cross_entropy_with_logits(x, t, reduction="none") * (1 - (p * t + (1 - p) * (1 - t))) ** gamma
    return (each * (1 if alpha is None else alpha * t + (1 - alpha) * (1 - t))).mean()


LOSSES = {
    "smooth": lambda x, labels: F.cross_entropy(x, labels, label_smoothing=0.1),
    "weighted": lambda x, labels: F.cross_entropy(
        x, labels, torch.tensor([1, 0, 2.5, 0.5, 1, 1 / 3, 4]).to(x.dtype), label_smoothing=0.2),
    "bce": bce, "mse": mse, "hinge": hinge,
    "focal": lambda x, labels: focal(x, labels, 1.5, 0.3),
    "sum": lambda x, labels: mse(x.softmax(1), labels) / 2 + 0.3 * bce(x, labels) + 2 * focal(x, labels, 2, None)}


def heads(outputs, labels):
    """The loss of GoogLeNet with both auxiliary heads (Szegedy et al. 2014, section 5)."""
    logits, aux2, aux1 = outputs
    return F.cross_entropy(logits, labels) + 0.3 * F.cross_entropy(aux1, labels) + 0.3 * F.cross_entropy(aux2, labels)


def published(name, **options):
    """A net of torchvision; without dropout, whose random numbers are its own."""
    import torchvision
    return lambda classes: getattr(torchvision.models, name)(weights=None, num_classes=classes, **options)


def paper_googlenet(classes):
    """GoogLeNet of the paper (Szegedy et al. 2014, table 1), from torchvision's: no batch norm, 5x5 as in the paper, its own
    pooling, response normalisation."""
    from torchvision.models.googlenet import GoogLeNet, Inception, InceptionAux

    class Conv(nn.Module):
        def __init__(self, planes_in, planes, **kernel):
            super().__init__()
            self.conv = nn.Conv2d(planes_in, planes, **kernel)

        def forward(self, x):
            return F.relu(self.conv(x))

    class Module(Inception):
        def __init__(self, planes_in, *planes):
            super().__init__(planes_in, *planes, conv_block=Conv)
            self.branch3[1] = Conv(planes[3], planes[4], kernel_size=5, padding=2)

    class Head(InceptionAux):
        def __init__(self, planes_in, classes, dropout):
            super().__init__(planes_in, classes, Conv, dropout)

        def forward(self, x):
            x = self.conv(F.avg_pool2d(x, 5, 3)).flatten(1)
            return self.fc2(F.relu(self.fc1(x)))

    net = GoogLeNet(classes, init_weights=False, blocks=[Conv, Module, Head], dropout=0, dropout_aux=0)
    net.maxpool1 = nn.Sequential(net.maxpool1, nn.LocalResponseNorm(5))
    net.maxpool2 = nn.Sequential(nn.LocalResponseNorm(5), net.maxpool2)
    net.maxpool4 = nn.MaxPool2d(3, 2, ceil_mode=True)
    return net


def pixels(x, labels):
    """The mean over the pixels that have a label."""
    return F.cross_entropy(x, labels, ignore_index=-1)


def pixels_weighted(x, labels):
    weight = torch.tensor([1, 0.5, 2, 0, 3]).to(x.dtype)
    return F.cross_entropy(x, labels, weight, ignore_index=-1, label_smoothing=0.1)


def mixed(x, labels, partners, shares):
    """Probabilities of two classes as the target, as of torchvision's MixUp and CutMix."""
    shares = shares[:, None].to(x.dtype)
    return F.cross_entropy(x, shares * one_hot(x, labels) + (1 - shares) * one_hot(x, partners.long()), label_smoothing=0.1)


class Net(NamedTuple):
    make: Callable
    lr: float
    loss: Callable = F.cross_entropy
    steps: int = 20
    batch: int = 16


NETS = {
    "cifar": Net(Cifar, 0.02),
    "resnet18": Net(ResNet18, 0.0002),
    "norms": Net(Norms, 0.05),
    "googlenet": Net(paper_googlenet, 0.01, heads, 10, 4),
    "convnext": Net(published("convnext_tiny", stochastic_depth_prob=0), 0.001, LOSSES["smooth"], 3, 4),
    "mobilenet_v3": Net(published("mobilenet_v3_large", dropout=0), 0.05, LOSSES["smooth"], 10, 8),
    "unet": Net(lambda classes: UNet(classes, 1, 64, 1, False), 0.05, pixels, 10, 2),
    "unet_valid": Net(lambda classes: UNet(classes, 1, 8, 0, False), 0.05, pixels, 10, 2),
    "unet_norm": Net(lambda classes: UNet(classes, 3, 16, 1, True), 0.02, pixels_weighted, 10, 4)}
NETS["curves_adam"] = NETS["curves_adamw"] = NETS["curves_rmsprop"] = NETS["curves_rmsprop_inside"] = Net(Curves, 0.001)
NETS["mixed"] = Net(Curves, 0.05, mixed)
NETS["curves_lars"] = Net(Curves, 0.05)
NETS["curves_clipped"] = NETS["curves_clamped"] = Net(Curves, 0.05)
NETS.update({f"curves_{name}": Net(Curves, 0.05, loss) for name, loss in LOSSES.items()})


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def weights_for(net, path):
    """A weight file for the net: the same names, none missing, none left over, and the same shapes but for ones at the end."""
    def without_ones(shape):
        return without_ones(shape[:-1]) if shape and shape[-1] == 1 else tuple(shape)

    weights = read_safetensors(path)
    expected = {k: v.shape for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    found, wanted = ({k: without_ones(v) for k, v in shapes.items()}
                     for shapes in ({k: v.shape for k, v in weights.items()}, expected))
    if found != wanted:
        sys.exit(f"parameters differ: {sorted(set(found.items()) ^ set(wanted.items()))}")
    return {k: v.reshape(expected[k]) for k, v in weights.items()}


def load(net, path):
    net.load_state_dict(weights_for(net, path), strict=False)


def sgd(parameters, lr, settings):
    return torch.optim.SGD(parameters, lr=lr, momentum=settings["momentum"], nesterov=settings["nesterov"],
                           weight_decay=settings["weight_decay"])


def adam(make):
    return lambda parameters, lr, settings: make(parameters, lr=lr, betas=settings["betas"], eps=settings["eps"],
                                                 weight_decay=settings["weight_decay"])


CLIPS = {"norm": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}


class InsideRmsprop(torch.optim.Optimizer):
    """RMSprop with eps in the root, as TensorFlow has it; written out, as PyTorch does not have it."""

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                s, g = self.state[p], p.grad + group["weight_decay"] * p.detach()
                s["square"] = group["alpha"] * s.get("square", 0) + (1 - group["alpha"]) * g * g
                s["velocity"] = group["momentum"] * s.get("velocity", 0) + g / (s["square"] + group["eps"]).sqrt()
                p.data -= group["lr"] * s["velocity"]


class Lars(torch.optim.Optimizer):
    """Algorithm 1 of You, Gitman, Ginsburg 2017, in double precision; vectors (biases, norms) without decay and as in SGD."""

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                s, g, w, rate = self.state[p], p.grad.double(), p.detach().double(), group["lr"]
                if p.dim() > 1:
                    decay, length = group["weight_decay"], w.norm()
                    rate *= group["trust"] * length / (g.norm() + decay * length + group["eps"])
                    g = g + decay * w
                s["velocity"] = group["momentum"] * s.get("velocity", 0) + rate * g
                p.data = (w - s["velocity"]).to(p.dtype)


def rmsprop(parameters, lr, settings):
    own = {k: settings[k] for k in ("alpha", "eps", "momentum", "weight_decay")}
    if settings["eps_inside"]:
        return InsideRmsprop(parameters, dict(own, lr=lr))
    return torch.optim.RMSprop(parameters, lr=lr, centered=settings["centred"], **own)


def lars(parameters, lr, settings):
    return Lars(parameters, dict({k: settings[k] for k in ("trust", "eps", "momentum", "weight_decay")}, lr=lr))


OPTIMIZERS = {"sgd": sgd, "adam": adam(torch.optim.Adam), "adamw": adam(torch.optim.AdamW), "rmsprop": rmsprop, "lars": lars}


def averaged(net, ema):
    return torch.optim.swa_utils.AveragedModel(net, avg_fn=lambda average, now, _: ema * average + (1 - ema) * now,
                                               use_buffers=True)


def train(net, batches, lr, settings, loss_of, average=None, norms=None):
    """The loss of every step, in the precision of the net; norms of gradients are appended to `norms`."""
    optimizer = OPTIMIZERS[settings["optimizer"]["call"]](net.parameters(), lr, settings["optimizer"])
    losses, together = [], settings["accumulate"]
    for first in range(0, len(batches), together):
        optimizer.zero_grad()
        mean = 0
        step = batches[first:first + together]
        for images, labels, *others in step:
            loss = loss_of(net(images.to(next(net.parameters()).dtype)), labels.long(), *others) / len(step)
            loss.backward()
            mean += loss.item()
        if "clip" in settings:
            norm = CLIPS[settings["clip"]["call"]](net.parameters(), settings["clip"]["limit"])
            if norms is not None:
                norms.append(norm.item())
        optimizer.step()
        if average:
            average.update_parameters(net)
        losses.append(mean)
    return losses


def train_program(program, start, batches, lr, work):
    """The same by PROGRAM: losses, norms if it clips by them, and the path of the weights after the last step."""
    replay = f"{work}/replay.safetensors"
    write_safetensors(replay, {f"{kind}.{k}": part for k, batch in enumerate(batches)
                               for kind, part in zip(("images", "labels", "partners", "shares"), batch)})
    text = run(program, "train", "--weights", start, "--replay", replay, "--lr", str(lr),
               "--batch", str(len(batches[0][1])), "--out", work)
    losses, norms = ([float(x) for x in re.findall(fr" {what} (\S+)", text)] for what in ("loss", "norm"))
    return losses, norms, f"{work}/{os.path.basename(program)}.safetensors"


def compare_first_step(before, net, path):
    """Every gradient, by what one step made of it. Of a bias before a convolution and a norm the gradient is zero but for
    rounding, and so is the running mean there: no parameter's step counts as less than a hundredth of the usual one."""
    state, ours = net.state_dict(), weights_for(net, path)
    steps = {name: state[name] - before[name] for name in ours}
    usual = torch.cat([step.flatten() for step in steps.values()]).square().mean().sqrt()
    worst = max((((ours[name] - state[name]).norm() / max(step.norm(), usual * step.numel() ** 0.5 / 100)).item(), name)
                for name, step in steps.items())
    print(f"first step: largest difference {worst[0]:.1e} of the step, in {worst[1]}")
    if not worst[0] <= STEP_TOLERANCE:
        sys.exit(f"first steps differ, tolerance {STEP_TOLERANCE:.0e}")


def compare_losses(ours, theirs, exact):
    worst = (0.0, 0.0)
    for step, (a, b, c) in enumerate(zip(ours, theirs, exact)):
        worst = max(worst[0], abs(a - b) / b), max(worst[1], abs(c - b) / b)
        print(f"step {step + 1:2d}  cnnc {a:.6f}  torch {b:.6f}  relative difference {abs(a - b) / b:.1e}"
              f"  (torch in double {abs(c - b) / b:.1e})")
    print(f"losses: largest relative difference {worst[0]:.1e} (torch in double {worst[1]:.1e})")
    if len(ours) != len(theirs) or not worst[0] <= LOSS_TOLERANCE:
        sys.exit(f"losses differ in {len(ours)} steps, tolerance {LOSS_TOLERANCE:.0e}")


def compare_norms(ours, theirs, limit):
    worst = max(abs(a - b) / b for a, b in zip(ours, theirs))
    over = sum(b > limit for b in theirs)
    print(f"norms: largest relative difference {worst:.1e}, {over} of {len(theirs)} above the limit")
    if len(ours) != len(theirs) or not worst <= LOSS_TOLERANCE or not 0 < over:
        sys.exit(f"norms differ, tolerance {LOSS_TOLERANCE:.0e}, or none is above {limit}")


def compare_average(before, average, path):
    """What the averages moved."""
    state, ours = average.module.state_dict(), weights_for(average.module, path)
    moved, off = (torch.cat([(a[k] - b[k]).flatten() for k in ours]).norm().item()
                  for a, b in ((state, before), (ours, state)))
    print(f"averages: difference {off / moved:.1e} of what they moved")
    if not off <= AVERAGE_TOLERANCE * moved:
        sys.exit(f"averages differ, tolerance {AVERAGE_TOLERANCE:.0e}")


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
        sys.exit(f"scores differ, tolerance {SCORE_TOLERANCE:.0e}")


def main(name, program, work):
    torch.manual_seed(1)
    torch.set_num_threads(2)
    info = json.loads(run(program, "info", "--json"))
    section = next(iter(info["settings"]["train"].values()))
    classes, shape, settings = info["classes"], info["input"], section
    plane = info["programs"]["train"]["outputs"]["logits"]["shape"][1:]    # a label for each pixel of a map, some none
    make, lr, loss_of, steps, batch = NETS[name]
    batches = [(torch.randn(batch, shape["channels"], shape["height"], shape["width"]),
                torch.randint(-1 if plane else 0, classes, (batch, *plane), dtype=torch.int32)) for _ in range(steps)]
    if loss_of is mixed:
        batches = [(x, y, y.roll(1), torch.rand(batch)) for x, y in batches]
    start = f"{work}/start.safetensors"
    run(program, "export", "--init", "-o", start)

    def fresh():
        net = make(classes).train()
        load(net, start)
        return net

    net, exact = fresh(), fresh().double()
    first = batches[:settings["accumulate"]]
    train(net, first, lr, settings, loss_of)
    compare_first_step(weights_for(net, start), net, train_program(program, start, first, lr, work)[2])
    net = fresh()
    losses, norms, weights = train_program(program, start, batches, lr, work)
    wanted = [] if norms else None
    average = averaged(net, section["ema"]) if "ema" in section else None
    compare_losses(losses, train(net, batches, lr, settings, loss_of, average, wanted), train(exact, batches, lr, settings, loss_of))
    if norms:
        compare_norms(norms, wanted, settings["clip"]["limit"])
    if average:
        compare_average(weights_for(net, start), average, weights)
    compare_scores(program, net, weights, batches[0][0], work)


if __name__ == "__main__":
    main(*sys.argv[1:4])
