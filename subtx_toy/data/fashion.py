"""Fashion-MNIST: 70,000 pictures of clothes in the format of MNIST.

Reference: H. Xiao, K. Rasul, R. Vollgraf (2017), "Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms", arXiv:1708.07747.
"""

from __future__ import annotations

from pathlib import Path

from subtx_toy.data.published import PublishedSet, files_of
from subtx_toy.data.sources import mirror, system_folder

# The checksums are of the uncompressed files in Debian's package dataset-fashion-mnist, version
# 0.0~git20200523.55506a9-1 (sha256 39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0), made
# from the authors' repository.
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
