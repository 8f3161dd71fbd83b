"""torch_forward.py NAME PROGRAM WORK: the scores of the program that cnnc made of a net of examples/ against those of
torchvision.models.NAME, for the same two pictures.

The weights are torchvision's own state dict, unchanged: its names must be the program's. They are random, but such that no
layer fades and none explodes: He's deviation, running statistics that were measured, residual branches that add a little, as
those of trained nets do. What is compared are the logarithms of the scores, which are the logits but for one number a picture;
the last layer is scaled so that the largest logit is 10, and the program must be within 1e-4 of that. torchvision's own
distance from its result in double precision is printed beside ours. Exits with 1 on a difference."""
import sys

import torch
import torchvision
from torch import nn
from torch_compare import read_safetensors, run, write_safetensors
from torchvision.models.convnext import CNBlock
from torchvision.models.resnet import BasicBlock, Bottleneck

TOLERANCE = 1e-4            # of the largest logit
LARGEST = 10
OPTIONS = {"googlenet": {"aux_logits": True, "transform_input": False, "init_weights": False}}


def randomise(net):
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -0.1, 0.1)
        if isinstance(layer, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1
    for block in net.modules():
        if isinstance(block, CNBlock):
            nn.init.uniform_(block.layer_scale, 0.1, 0.5)
        if isinstance(block, (BasicBlock, Bottleneck)):
            nn.init.uniform_((block.bn3 if isinstance(block, Bottleneck) else block.bn2).weight, 0.1, 0.5)


def measure_statistics(net, images):
    """A step of training without an update fills the running statistics, whose momentum is 1."""
    if any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules()):
        net.train()
        net(images)


def scale_last(net, images):
    last = [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))][-1]
    factor = LARGEST / net(images).abs().max().item()
    last.weight.mul_(factor)
    last.bias.mul_(factor)


@torch.no_grad()
def main(name, program, work):
    torch.manual_seed(1)
    torch.set_num_threads(2)
    net = getattr(torchvision.models, name)(weights=None, **OPTIONS.get(name, {}))
    images = torch.randn(2, 3, 224, 224)
    randomise(net)
    measure_statistics(net, images)
    scale_last(net.eval(), images)
    write_safetensors(f"{work}/weights.safetensors", net.state_dict())
    write_safetensors(f"{work}/images.safetensors", {"images": images})
    run(program, "predict", "--weights", f"{work}/weights.safetensors", "--replay", f"{work}/images.safetensors",
        "--scores", f"{work}/scores.safetensors")
    theirs = net(images).log_softmax(1)
    ours = read_safetensors(f"{work}/scores.safetensors")["scores"].reshape(theirs.shape).log()
    exact = net.double()(images.double()).log_softmax(1)
    worst = (ours - theirs).abs().max().item() / LARGEST
    ours_off, theirs_off = ((x - exact).abs().max().item() / LARGEST for x in (ours, theirs))
    spread = (theirs[0] - theirs[1]).abs().max().item()
    print(f"scores of 2 pictures: largest difference {worst:.1e} of the largest logit (between the pictures {spread:.1f}); "
          f"from double precision {ours_off:.1e}, torchvision's {theirs_off:.1e}")
    if not worst <= TOLERANCE:
        sys.exit(f"scores differ, tolerance {TOLERANCE:.0e}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
