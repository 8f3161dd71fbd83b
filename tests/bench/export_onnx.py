"""export_onnx.py DIR [NET...]: nets of torchvision with random weights as DIR/NET_b1.onnx and DIR/NET_b16.onnx, as the
peers of bench.sh read them; those that `bench.sh nets more` measures, where none is named."""
import sys
import warnings

import torch
import torchvision.models as models

from common import MORE

warnings.filterwarnings("ignore")
for name in sys.argv[2:] or MORE:
    torch.manual_seed(0)
    net = getattr(models, name)().eval()
    for batch in (1, 16):
        torch.onnx.export(net, torch.randn(batch, 3, 224, 224), f"{sys.argv[1]}/{name}_b{batch}.onnx", opset_version=13)
    print(name, sum(p.numel() for p in net.parameters()), "parameters")
