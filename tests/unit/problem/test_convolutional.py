"""The convolutional net computes what its definition says, from any images with rows and columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.convolutional import ConvolutionalNet
from subtx_toy.problem.model import HiddenModel
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA

Array = np.ndarray


def _net(shape: tuple[int, ...] = (6, 9), init: str = "pytorch") -> ConvolutionalNet:
    return ConvolutionalNet(shape, 5, 13, ACTIVATIONS["relu"], num_classes=10, init=init)


def _convolved(x: Array, weight: Array, bias: Array) -> Array:
    """Return [out, rows, columns] of one image [in, rows, columns], pixel by pixel, by the definition."""
    rows, columns = x.shape[1:]
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2)))
    found = np.zeros((len(weight), -(-rows // 2), -(-columns // 2)))
    for row in range(found.shape[1]):
        for column in range(found.shape[2]):
            seen = padded[:, 2 * row : 2 * row + 5, 2 * column : 2 * column + 5]
            found[:, row, column] = (weight * seen).sum((1, 2, 3)) + bias
    return np.maximum(found, 0)


def test_it_is_two_convolutions_and_two_dense_layers() -> None:
    net = _net()
    assert isinstance(net, HiddenModel)
    params = net.initial(generator(0, "net"))
    x = generator(0, "images").standard_normal((3, 54))
    plain = {name: value.numpy() for name, value in params.items()}
    expected = []
    for image in x:
        z = image.reshape(1, 6, 9)
        for layer in (0, 1):
            z = _convolved(z, plain[f"layers.{layer}.weight"], plain[f"layers.{layer}.bias"])
        hidden = np.maximum(plain["layers.2.weight"] @ z.ravel() + plain["layers.2.bias"], 0)
        expected.append(plain["layers.3.weight"] @ hidden + plain["layers.3.bias"])
    found = net.apply(params, torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=FP64_FORMULA, atol=FP64_FORMULA)
    assert found.shape == (3, net.num_outputs)


@pytest.mark.parametrize(("init", "variance"), [("pytorch", 1 / 3), ("fan_in_normal", 1.0), ("he", 2.0)])
def test_weights_have_the_variance_of_their_law(init: str, variance: float) -> None:
    net = _net((28, 28), init)
    params = net.initial(generator(1, "net"))
    weight = params["layers.2.weight"]
    num = weight.numel()
    assert weight.shape == (5, 16 * 49)
    assert float((weight**2).mean()) * weight.shape[1] == pytest.approx(variance, rel=5 * (2 / num) ** 0.5)
    assert bool((params["layers.0.bias"] == 0).all()) is (init != "pytorch")


def test_images_without_rows_are_refused() -> None:
    with pytest.raises(InputError, match=r"student_body: convolutions need images of rows and columns, got \(784,\)"):
        _net((784,))
