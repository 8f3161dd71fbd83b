"""torch_train.py NET BATCH THREADS STEPS: prints the median time in milliseconds of one training step of a torchvision
net (random weights, SGD with momentum and weight decay, channels-last: what a user of PyTorch would pick)."""
import sys
import time

import torch
import torchvision.models as models


def main(name, batch, threads, steps):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = getattr(models, name)(weights=None).to(memory_format=torch.channels_last).train()
    images = torch.randn(batch, 3, 224, 224).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (batch,))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
        times.append(1e3 * (time.perf_counter() - start))
    print(f"{sorted(times[1:])[steps // 2]:.3f}")    # the first step pays for what is set up once


main(sys.argv[1], *(int(a) for a in sys.argv[2:5]))
