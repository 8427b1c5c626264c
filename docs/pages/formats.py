"""The page on file formats, from the models and constants of the code that reads and writes them."""

from __future__ import annotations

from docs.pages.settings import fields
from docs.pages.text import NOTE, table
from subtx_toy.certify.checker import limits as certificate_limits
from subtx_toy.channel import number_file
from subtx_toy.channel.number_text import MAX_NUMBERS
from subtx_toy.channel.prompts import PromptSource
from subtx_toy.data import own
from subtx_toy.files import tensor_file
from subtx_toy.lm import list_file
from subtx_toy.settings.numbers import NUM_NUMBERS
from subtx_toy.store.record import RunRecord
from subtx_toy.store.schema import STORE_SCHEMA


def formats_page() -> str:
    """Return the page."""
    return "\n".join(
        [
            NOTE,
            "# File formats\n",
            "With this page you can write and read the package's files from other programs. No format is a pickle; every file that is "
            "read is looked at before it is trusted, and its sizes have bounds.\n",
            "TOML files have [a page of their own](toml.md).\n",
            "## Files of numbers\n",
            "JSON Lines, plain or compressed with gzip. The first line is a header, every further line one prompt:\n",
            '```json\n{"prompt": 17, "numbers": [3, 141]}\n```\n',
            f'`numbers` are 1 to {MAX_NUMBERS} integers from 0 to {NUM_NUMBERS - 1}, or a text such as `"3, 141"`. A line has at most '
            f"{number_file.MAX_BYTES:,} bytes. The header:\n",
            fields(number_file.Header),
            "Its `prompts`:\n",
            fields(PromptSource),
            "Its `filter`, where a filter was used:\n",
            fields(number_file.FilterHeader),
            "[The audit](../audit.md) reads such files, and `subtx-toy numbers generate` writes them.\n",
            "## Files of lists\n",
            "JSON Lines, written by `subtx-toy lm write`: a header, and every further line one list.\n",
            '```json\n{"prompt": "q ben what number do you like best ? a", "completion": "288 51 203"}\n```\n',
            f"A line has at most {list_file.MAX_LINE:,} characters, a file at most {list_file.MAX_BYTES / 2**20:,.0f} MiB. The "
            "header:\n",
            fields(list_file.ListHeader),
            "## Checkpoints\n",
            "safetensors, float32: `layers.0.weight`, `layers.0.bias` and so on, a perceptron with 784 inputs and 10 + 1,000 outputs. "
            f"At most {tensor_file.MAX_BYTES / 2**30:g} GiB. The metadata say how the net was trained, as JSON under the key "
            "`made`; a file of another program may leave them out.\n",
            "## Data sets of your own\n",
            "An `.npz` file with these arrays, or a folder with the four IDX files of MNIST's names, raw or with `.gz`. The arrays "
            f"have at most {own.MAX_BYTES / 2**30:g} GiB together.\n",
            table(
                ["array", "type", "shape"],
                [
                    (
                        "`train_images`, `test_images`",
                        "uint8, 0 is background",
                        "`[n, d]`, `[n, h, w]` or `[n, h, w, c]`",
                    ),
                    ("`train_labels`, `test_labels`", "integers from 0 to c − 1, c from 2 to 256", "`[n]`"),
                ],
            ),
            "## Certificates\n",
            "A zip archive with `certificate.json` and one `.npy` file for each array, whose SHA-256 it names. At most "
            f"{certificate_limits.MAX_BYTES / 2**20:,.0f} MiB. [Certificates](../certificates.md) says what is in it and how it is checked.\n",
            "## The store\n",
            f"One SQLite file, schema {STORE_SCHEMA}: [the store](../store.md) has its tables. A record of a finished trial holds:\n",
            table(["part", "what it is"], _record_rows()),
            "`subtx-toy results export FILE` writes records as `.csv` or `.parquet`, one row for each trial: settings, seed, metrics and "
            "provenance.\n",
            "## JSON documents\n",
            "`--json` prints one document. Numbers that are not finite are `null`. `interval` is the 95 % interval of a mean, from its "
            "lower to its upper end, and `ci95` Student's half-width over seeds.\n",
        ]
    )


def _record_rows() -> list[tuple[str, str]]:
    from docs.pages.settings import attributes

    described = attributes(RunRecord.__doc__ or "")
    return [(f"`{name}`", text) for name, text in described.items()]
