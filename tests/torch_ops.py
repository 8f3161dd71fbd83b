"""torch_ops.py APPLY_OP WORK: every operation of trivial_augment and rand_augment against torchvision's, on a picture.

Magnitudes must be torchvision's. Colours may differ by one level, as Pillow cuts where cnnc rounds; a move may take the
pixel beside for one pixel in a hundred, where a place is on the edge of two. Exits with 1 on a difference."""
import subprocess
import sys

import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, autoaugment

WIDTH, HEIGHT = 90, 70
BESIDE = 0.02
MOVES = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")


def picture():
    """Smooth, with noise, and not of all levels, so that contrast has something to do."""
    torch.manual_seed(1)
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    planes = torch.stack([20 + 2 * x, 40 + 2 * y, 30 + x + y]) + torch.randint(0, 25, (3, HEIGHT, WIDTH))
    return Image.fromarray(planes.clamp(0, 230).to(torch.uint8).permute(1, 2, 0).contiguous().numpy())


def run(*command):
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def compare(apply_op, path, image, name, magnitude):
    """How many pixels differ, and by how much at most."""
    ours = torch.frombuffer(bytearray(run(apply_op, path, name, repr(magnitude))), dtype=torch.uint8)
    made = autoaugment._apply_op(image, name, magnitude, InterpolationMode.NEAREST, None)
    theirs = torch.frombuffer(bytearray(made.tobytes()), dtype=torch.uint8)
    off = (ours.reshape(-1, 3).int() - theirs.reshape(-1, 3).int()).abs()
    most, part = off.max().item(), (off.max(1).values > 0).float().mean().item()
    if not (part <= BESIDE if name in MOVES else most <= 1):
        sys.exit(f"{name} {magnitude}: {100 * part:.2f} % of the pixels differ, by {most} at most")
    return most, part


def main(apply_op, work):
    path, image, worst = f"{work}/picture.png", picture(), {}
    image.save(path)
    spaces = (autoaugment.TrivialAugmentWide()._augmentation_space(31),
              autoaugment.RandAugment()._augmentation_space(31, (HEIGHT, WIDTH)))
    for policy, space in enumerate(spaces):
        lines = [line.split() for line in run(apply_op, str(policy)).decode().splitlines()]
        if [line[0] for line in lines] != list(space):
            sys.exit(f"operations are {[line[0] for line in lines]}, torchvision's {list(space)}")
        for name, *magnitudes, sign in lines:
            theirs, signed = space[name]
            ours = torch.tensor([float(m) for m in magnitudes])
            off = (ours - theirs.float()).abs().max().item() if theirs.dim() else ours.abs().max().item()
            if off > 1e-4 or signed != (sign == "1"):
                sys.exit(f"{name}: magnitudes differ by {off}, signs {sign} and {signed}")
            for step in (0, 9, 20, 30):
                for m in {ours[step].item(), -ours[step].item()} if signed else {ours[step].item()}:
                    worst[name] = max(worst.get(name, (0, 0)), compare(apply_op, path, image, name, m))
    print("scores: " + ", ".join(f"{name} {most} in {100 * part:.2f} %" for name, (most, part) in worst.items()))


if __name__ == "__main__":
    main(*sys.argv[1:3])
