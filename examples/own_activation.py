"""A nonlinearity that the package does not have; a perceptron with it is trained as fast as with any other.

subtx-toy run tiny activation=examples/own_activation.py:SWISH
"""

from __future__ import annotations

import torch

from subtx_toy.problem.activations import Activation

SWISH = Activation("swish", lambda z: z * torch.sigmoid(z), smooth=True)
