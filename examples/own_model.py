"""A small convolutional net for the reference protocol.

subtx-toy run tiny model=examples/own_model.py:convolutional
"""

from __future__ import annotations

import torch
from torch import nn


def convolutional(image_shape: tuple[int, ...], num_outputs: int) -> nn.Module:
    """Build the net for images [n, *image_shape]; its outputs are class logits first, then auxiliary logits."""
    channels, height, width = image_shape
    body = nn.Sequential(
        nn.Conv2d(channels, 4, kernel_size=5, stride=3),
        nn.Tanh(),
        nn.Conv2d(4, 8, kernel_size=3, stride=2),
        nn.Tanh(),
        nn.Flatten(),
    )
    with torch.no_grad():
        num_features = body(torch.zeros(1, channels, height, width)).shape[1]
    return nn.Sequential(body, nn.Linear(num_features, num_outputs))
