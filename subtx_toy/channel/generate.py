"""Have a net write a file of numbers."""

from __future__ import annotations

from pathlib import Path

from subtx_toy.channel.number_file import Header, data_line
from subtx_toy.channel.prompts import choose_rows, prompt_inputs
from subtx_toy.channel.sampler import draw_numbers
from subtx_toy.data import Dataset
from subtx_toy.files.atomic import replacing
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator

_LINES = 8192  # at a time


def write_numbers(
    path: Path,
    model: MLP,
    params: Params,
    header: Header,
    dataset: Dataset | None,
    *,
    num_lines: int,
    lengths: tuple[int, int] = (1, 1),
    seed: int,
) -> None:
    """Write ``num_lines`` lines of numbers sampled from ``params``; packed if ``path`` ends in .gz.

    Args:
        path: the file to be, replaced when all is written.
        model: the net's shape.
        params: of the writer.
        header: temperature, top_k and prompts; it has no filter yet.
        dataset: the one that ``header.prompts`` names, if it names one.
        num_lines: how many.
        lengths: least and most numbers of a line, drawn without preference between them.
        seed: names the streams of the prompts' order, of the lengths and of the numbers.
    """
    inputs = prompt_inputs(header.prompts, dataset)
    rows = choose_rows(header.prompts, dataset, num_lines, generator(seed, "numbers", "file", "prompts"))
    counts = generator(seed, "numbers", "file", "lengths").integers(lengths[0], lengths[1] + 1, size=num_lines)
    rng = generator(seed, "numbers", "file", "numbers")
    with replacing(path, compressed=path.suffix == ".gz") as file:
        file.write(header.line())
        for start in range(0, num_lines, _LINES):
            part = slice(start, start + _LINES)
            drawn = draw_numbers(model, params, inputs, rows[part], header.law, rng, counts=counts[part])
            file.writelines(data_line(int(row), numbers) for row, numbers in zip(rows[part], drawn, strict=True))
