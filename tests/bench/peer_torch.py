"""peer_torch.py infer|train NET BATCH THREADS: PyTorch as bench.sh asks for it (see peers.py for the protocol).

Nets of torchvision with random weights, channels-last. Inference is the faster of eager mode and a frozen, optimised
script (chosen once, by a few runs of each); training is SGD with momentum and weight decay, what a user of PyTorch
would pick."""
import sys
import time
import warnings

import torch
import torchvision.models as models

EXTRA = {"googlenet": {"aux_logits": False, "init_weights": False}}


def milliseconds(step, seconds):
    times = []
    begin = time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    return sorted(times)[len(times) // 2]


def frozen(net, images):
    """None where this version of PyTorch cannot do it."""
    try:
        script = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.script(net)))
        for _ in range(3):
            script(images)
        return script
    except Exception as error:    # of many kinds
        print(f"bench: no frozen script: {str(error).splitlines()[-1]}", file=sys.stderr)
        return None


def inference(net, images):
    net.eval()
    forms = {"eager": net, "frozen script": frozen(net, images)}
    best = min((name for name in forms if forms[name] is not None),
               key=lambda name: min(milliseconds(lambda: forms[name](images), 0.2) for _ in range(2)))
    return best, lambda: forms[best](images)


def training(net, images):
    net.train()
    labels = torch.randint(0, 1000, (len(images),))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
    return "training", step


def main(mode, name, batch, threads):
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = getattr(models, name)(weights=None, **EXTRA.get(name, {})).to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, 224, 224).to(memory_format=torch.channels_last)
    with torch.inference_mode(mode == "infer"):
        form, step = (inference if mode == "infer" else training)(net, images)
        step()
        print(f"PyTorch {torch.__version__.split('+')[0]}, {form}", flush=True)
        for line in sys.stdin:
            print(f"{milliseconds(step, float(line)):.4f}", flush=True)


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
