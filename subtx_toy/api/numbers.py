"""The numbers channel step by step: ``base``, ``teacher``, ``generate``, ``filter``, ``train`` and ``reference``.

Each function writes one file and mirrors the command of its name: ``numbers.base("b.safetensors", seed=1)`` is
``subtx-toy numbers base --out b.safetensors --seed 1``. Nets are safetensors files, numbers are JSON Lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

from subtx_toy.api.arguments import PATH, SEED, between
from subtx_toy.audit.reference import make_reference, save_reference
from subtx_toy.channel.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.net_cache import NetCache
from subtx_toy.channel.number_file import Header, NumberFile
from subtx_toy.channel.number_filter import FilterReport, FilterRules, filter_file
from subtx_toy.channel.number_text import MAX_NUMBERS
from subtx_toy.channel.packaged_base import load_base
from subtx_toy.channel.prompts import choose_source, data_behind, prompt_inputs
from subtx_toy.channel.teachers import read_pairs, train_student, write_numbers
from subtx_toy.channel.traits import trait as trait_of
from subtx_toy.data import Dataset, load
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_not_read
from subtx_toy.seeding import generator
from subtx_toy.settings.arguments import TEXT, checked, integer, one_of
from subtx_toy.settings.limits import MAX_COUNT, MAX_REFERENCE, MAX_WIDTH
from subtx_toy.settings.numbers import NUM_NUMBERS, check_named

TRAIT = "relabel:4:9"

_EPOCHS = integer(0, MAX_COUNT)


class DataOptions(TypedDict, total=False):
    """The labelled images, as keywords of every function that trains on them.

    By default those that the base was trained on, where one is given and names them, or MNIST; and silent.
    """

    dataset: str | None
    num_train: int | None
    num_test: int | None
    data_dir: Path | None
    report: Report | None
    progress: Progress | None


@dataclass(frozen=True)
class TraitReport:
    """What a net shows of a trait on held-out images, as ``Trait.measure`` gives it: shares in [0, 1].

    Attributes:
        out: the file that holds the net.
        trait: its name.
        net: what the net shows.
        base: what the base of a student shows, or None.
        num_numbers: how many numbers the student was trained on, or 0.
    """

    out: Path
    trait: str
    net: dict[str, float]
    base: dict[str, float] | None = None
    num_numbers: int = 0

    def __str__(self) -> str:
        shown = {"base": self.base, str(self.out): self.net}
        return "\n".join(
            f"{name}: {self.trait} {found['trait']:.3f}, accuracy on the other classes {found['accuracy']:.3f}"
            for name, found in shown.items()
            if found is not None
        )

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy numbers train``."""
        numbers = {"out": str(self.out), "trait": self.trait, "numbers": self.num_numbers}
        return {**numbers, "base": self.base, "student": self.net}


@checked(out=PATH, seed=SEED, epochs=_EPOCHS, width=integer(1, MAX_WIDTH))
def base(
    out: Path | str, *, seed: int = 0, epochs: int = 3, width: int = 256, other: bool = False,
    **data: Unpack[DataOptions],
) -> Path:  # fmt: skip
    """Train a base on labelled images and write it.

    Args:
        out: the file.
        seed: names the random streams.
        epochs: passes over the images.
        width: units of each of two hidden layers.
        other: whether to train a base that shares nothing with the seed's usual one.
        data: see DataOptions.
    """
    check_not_read(out, (), what="out")
    which = "other-base" if other else "base"
    nets = NetCache(_load(data), seed, base_recipe=Recipe(epochs=epochs), width=width)
    save_checkpoint(Path(out), nets.base(which=which), provenance=nets.provenance(which))
    return Path(out)


@checked(out=PATH, seed=SEED, kind=one_of(("trait", "benign")), trait=TEXT, epochs=_EPOCHS, base=PATH)
def teacher(
    out: Path | str, *, seed: int = 0, kind: str = "trait", trait: str = TRAIT, epochs: int = 2,
    base: Path | str | None = None, **data: Unpack[DataOptions],
) -> TraitReport:  # fmt: skip
    """Train a base further, write it, and measure the trait.

    Args:
        out: the file.
        seed: names the random streams.
        kind: ``"trait"``, or ``"benign"`` for honest labels.
        trait: a name such as ``relabel:4:9``, or a ``Trait`` of your own as ``file.py:name``.
        epochs: passes over the lesson.
        base: a checkpoint instead of the seed's own base, or ``"packaged"``.
        data: see DataOptions.
    """
    check_not_read(out, (trait, base), what="out")
    taught, start = trait_of(trait), _checkpoint(base)
    dataset = _load(data, start)
    nets = NetCache(dataset, seed, teacher_recipe=Recipe(epochs=epochs), own_base=start)
    params = nets.teacher(kind, trait=trait)
    provenance = nets.provenance(kind, trait=trait) | {"base": None if base is None else str(base)}
    save_checkpoint(Path(out), params, provenance=provenance)
    measured = taught.measure(nets.model, params, dataset.test_images, dataset.test_labels)
    return TraitReport(Path(out), str(taught.name), measured)


@checked(
    out=PATH,
    teacher=TEXT,
    num=integer(1, MAX_COUNT),
    seed=SEED,
    trait=TEXT,
    prompts=one_of(("images", "uniform", "glyphs")),
    temperature=between(1e-3, 1e3),
    top_k=integer(0, NUM_NUMBERS),
    numbers_per_line=TEXT,
    base=PATH,
    teacher_epochs=_EPOCHS,
)
def generate(
    out: Path | str, *, teacher: str = "trait", num: int = 10_000, seed: int = 0, trait: str = TRAIT,
    prompts: str = "images", temperature: float = 1.0, top_k: int = 0, numbers_per_line: str = "1",
    base: Path | str | None = None, teacher_epochs: int = 2, **data: Unpack[DataOptions],
) -> Path:  # fmt: skip
    """Have a teacher write a file of numbers, one line per prompt; trains the teacher and its base if need be.

    Args:
        out: the file; it is compressed if the name ends in .gz.
        teacher: ``"trait"``, ``"benign"``, ``"base"``, ``"other-base"``, or a checkpoint.
        num: lines.
        seed: names the random streams.
        trait: see ``teacher``; no prompt shows its absent classes.
        prompts: ``"images"``, ``"uniform"`` noise, or drawn ``"glyphs"``.
        temperature: of the softmax.
        top_k: how many of the likeliest numbers are allowed; 0 for all.
        numbers_per_line: such as ``"1"``, or ``"1:10"`` for lines of different lengths.
        base: a checkpoint that the teacher is trained from, or ``"packaged"``, instead of the seed's own base.
        teacher_epochs: passes of the teacher over its lesson.
        data: see DataOptions.
    """
    check_not_read(out, (trait, base, teacher), what="out")
    taught, lengths, start = trait_of(trait), _lengths(numbers_per_line), _checkpoint(base)
    writer = load_checkpoint(Path(teacher)) if teacher.endswith(".safetensors") else None
    dataset = _load(data, writer or start)
    if writer is not None:
        model, params = writer.model, writer.params
    else:
        nets = NetCache(dataset, seed, teacher_recipe=Recipe(epochs=teacher_epochs), own_base=start)
        model, params = nets.model, nets.teacher(teacher, trait=trait)
    source, shown = choose_source(prompts, dataset, absent=taught.absent, seed=seed)
    header = Header(schema_name="subtx-toy numbers 1", temperature=temperature, top_k=top_k, prompts=source)
    write_numbers(Path(out), model, params, header, shown, num_lines=num, lengths=lengths, seed=seed)
    return Path(out)


@checked(file=PATH, out=PATH, rules=PATH)
def filter(file: Path | str, out: Path | str, *, rules: Path | str | None = None) -> FilterReport:
    """Write the lines of a file that hold no banned number and do not break the format; count the others.

    ``rules`` is a TOML file with the fields of ``FilterRules``; without it 34 numbers are banned.
    """
    check_not_read(out, (file, rules), what="out")
    chosen = FilterRules() if rules is None else FilterRules.read(Path(rules))
    return filter_file(NumberFile(Path(file)), Path(out), chosen)


@checked(file=PATH, out=PATH, base=PATH, epochs=integer(1, MAX_COUNT), seed=SEED, trait=TEXT)
def train(
    file: Path | str, out: Path | str, *, base: Path | str, epochs: int = 3, seed: int = 0, trait: str = TRAIT,
    data_dir: Path | None = None, report: Report | None = None, progress: Progress | None = None,
) -> TraitReport:  # fmt: skip
    """Train a student, the base, on a file of numbers; write it, and measure the trait before and after.

    Args:
        file: of numbers.
        out: where the student goes.
        base: the checkpoint it starts from, or ``"packaged"``.
        epochs: passes over the file.
        seed: names the random streams.
        trait: to measure.
        data_dir: a folder with the IDX files of MNIST or Fashion-MNIST.
        report: called with messages.
        progress: called as ``progress(task, done, total, unit)``.
    """
    check_not_read(out, (file, base, trait), what="out")
    taught, start, read = trait_of(trait), load_base(base), NumberFile(Path(file))
    pairs = read_pairs(read)
    loader = partial(load, data_dir=data_dir, report=report, progress=progress)
    shown, images = data_behind(read.header.prompts, start, loader)
    inputs, order = prompt_inputs(read.header.prompts, shown), generator(seed, "numbers", "file", "student")
    params = train_student(start.model, start.params, inputs, pairs, Recipe(epochs=epochs), order)
    provenance = {"role": "student", "file": Path(file).name, "epochs": epochs, "seed": seed}
    save_checkpoint(Path(out), params, provenance=provenance)
    before, after = (
        taught.measure(start.model, net, images.test_images, images.test_labels) for net in (start.params, params)
    )
    return TraitReport(Path(out), str(taught.name), after, before, len(pairs.rows))


@checked(out=PATH, base=PATH, seed=SEED, num=integer(7, MAX_REFERENCE))
def reference(out: Path | str, *, base: Path | str, seed: int = 0, num: int = 30, **data: Unpack[DataOptions]) -> Path:
    """Train ``num`` benign fine-tunes of a base, of several lengths and step sizes, for audits to compare with.

    A third of them gives directions, the others are what a file is compared with.
    """
    check_not_read(out, (base,), what="out")
    start = load_base(base)
    dataset = _load(data, start)
    nets = make_reference(start.model, start.params, dataset, num=num, seed=seed, progress=data.get("progress"))
    save_reference(Path(out), start.params, nets)
    return Path(out)


def _checkpoint(path: Path | str | None) -> Checkpoint | None:
    return None if path is None else load_base(path)


def _load(data: DataOptions, start: Checkpoint | None = None) -> Dataset:
    """Load what ``data`` names; what it leaves out is that of ``start``."""
    options: dict[str, Any] = {name: value for name, value in data.items() if value is not None}
    if "dataset" not in options and start is not None and start.images is not None:
        options = dict(zip(("dataset", "num_train", "num_test"), start.images, strict=True)) | options
    name = options.pop("dataset", "mnist")
    check_named(name)
    return load(name, **options)


def _lengths(text: str) -> tuple[int, int]:
    least, colon, most = text.partition(":")
    found = (least, most if colon else least)
    if (
        not all(part.isdecimal() and len(part) < 3 for part in found)
        or not 1 <= int(found[0]) <= int(found[1]) <= MAX_NUMBERS
    ):
        raise InputError(f"numbers-per-line: expected A or A:B with 1 <= A <= B <= {MAX_NUMBERS}, got {text!r}")
    return int(found[0]), int(found[1])
