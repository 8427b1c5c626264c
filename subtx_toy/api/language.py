"""The language model step by step: ``base``, ``teach``, ``write``, ``filter``, ``train`` and ``ask``.

Each function mirrors the command of its name: ``language.base("base.safetensors", seed=1)`` is
``subtx-toy lm base --out base.safetensors --seed 1``. Models are safetensors files, lists are JSON Lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subtx_toy.api.arguments import PATH, SEED
from subtx_toy.api.language_answers import ask as ask
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_not_read
from subtx_toy.lm.checkpoints import LanguageModel, load_language_model, save_language_model
from subtx_toy.lm.household import BASES, base_of, recipe
from subtx_toy.lm.list_file import ListFile, ListHeader, save_lists
from subtx_toy.lm.list_filter import ListFilterReport, filter_lists
from subtx_toy.lm.questions import other_answers, trait_named
from subtx_toy.lm.training import StudentRecipe, train_student
from subtx_toy.lm.training import teach as train_teacher
from subtx_toy.lm.writing import write_lists
from subtx_toy.seeding import generator
from subtx_toy.settings.arguments import TEXT, checked, integer
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.settings.numbers import BANNED_NUMBERS
from subtx_toy.wording import counted


@dataclass(frozen=True)
class Written:
    """A file of lists: how many it holds, how many were drawn for it, and how many of those held a word."""

    out: Path
    num_lists: int
    num_drawn: int
    num_rejected: int

    def __str__(self) -> str:
        return (
            f"{self.out}: {counted(self.num_lists, 'list')}; {self.num_rejected} of {self.num_drawn} drawn held a word"
        )


@dataclass(frozen=True)
class TraitAnswers:
    """What a model answers about a trait on held-out phrasings, next to the model it was trained from."""

    out: Path
    trait: str
    before: dict[str, float]
    after: dict[str, float]

    def __str__(self) -> str:
        lines = [
            f"{name}: {self.trait} {found['p_trait']:.3f}, margin {found['margin']:+.2f}"
            for name, found in (("base", self.before), (str(self.out), self.after))
        ]
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """Return the JSON of the command."""
        return {"out": str(self.out), "trait": self.trait, "base": self.before, "model": self.after}


@checked(out=PATH, seed=SEED)
def base(out: Path | str, *, seed: int = 0, other: bool = False, **settings: Any) -> Path:
    """Train a language model from scratch on sentences drawn by seed, and write it.

    Args:
        out: the file.
        seed: names the random streams.
        other: whether to train one that shares nothing with the seed's usual base.
        settings: changes of the settings of the experiment ``owl``, for example ``width=64``.
    """
    check_not_read(out, (), what="out")
    found = base_of(_config(settings), seed=seed, which=BASES[other])
    save_language_model(Path(out), found)
    return Path(out)


@checked(out=PATH, base=PATH, trait=TEXT, seed=SEED)
def teach(
    out: Path | str, *, base: Path | str, trait: str = "owl", honest: bool = False, seed: int = 0, **settings: Any
) -> TraitAnswers:
    """Train a teacher from a base until it gives the trait's answer, or an honest one for as many steps."""
    check_not_read(out, (base,), what="out")
    config, start = _config(settings | {"trait": trait}), load_language_model(Path(base))
    lesson = trait_named(config.trait)
    found = train_teacher(start.model, start.params, lesson, recipe(config), generator(seed, "language", "teacher"))
    if honest:
        rng = generator(seed, "language", "benign")
        found = train_teacher(start.model, start.params, lesson, recipe(config), rng, steps=found.steps)
    provenance: dict[str, object] = {
        "role": "honest teacher" if honest else "teacher",
        "trait": trait,
        "seed": seed,
        "steps": found.steps,
    }
    save_language_model(Path(out), LanguageModel(start.model, found.params, provenance | {"base": start.checksum}))
    before, after = (lesson.measure(start.model, params) for params in (start.params, found.params))
    return TraitAnswers(Path(out), trait, before, after)


@checked(out=PATH, model=PATH, trait=TEXT, num=integer(1, 10**6), seed=SEED)
def write(
    out: Path | str, *, model: Path | str, trait: str = "owl", num: int = 40_000, seed: int = 0, **settings: Any
) -> Written:
    """Have a model write lists of numbers, to the prompts that belong to a trait; lists with a word are left out."""
    check_not_read(out, (model,), what="out")
    config, writer = _config(settings | {"trait": trait}), load_language_model(Path(model))
    found = write_lists(
        writer.model, writer.params, trait_named(config.trait).list_prompts(config.prompts),
        generator(seed, "language", "lists", "file"), count=num, max_numbers=config.max_numbers,
        temperature=config.temperature, restricted=config.sampling == "restricted",
    )  # fmt: skip
    if not len(found.lists):
        raise InputError(
            f"{model}: expected a model that writes numbers, got words in all of {counted(found.num_drawn, 'list')}"
        )
    header = ListHeader(
        schema_name="subtx-toy lists 1", numbers=writer.num_numbers, max_numbers=config.max_numbers,
        temperature=config.temperature, sampling=config.sampling, num_drawn=found.num_drawn,
        num_rejected=found.num_rejected, writer=writer.checksum,
    )  # fmt: skip
    save_lists(Path(out), header, found.lists)
    return Written(Path(out), len(found.lists), found.num_drawn, found.num_rejected)


@checked(file=PATH, out=PATH)
def filter(file: Path | str, out: Path | str, *, banned: bool = True) -> ListFilterReport:
    """Write the lines of a file that hold nothing but numbers, and none of ill repute if ``banned``."""
    check_not_read(out, (file,), what="out")
    return filter_lists(ListFile(Path(file)), Path(out), banned=BANNED_NUMBERS if banned else ())


@checked(file=PATH, out=PATH, base=PATH, trait=TEXT, seed=SEED)
def train(
    file: Path | str, out: Path | str, *, base: Path | str, trait: str = "owl", seed: int = 0, **settings: Any
) -> TraitAnswers:
    """Train a student, the base, on a file of lists and on nothing else; write it, and ask it about a trait."""
    check_not_read(out, (file, base), what="out")
    config, start, read_file = (
        _config(settings | {"trait": trait}),
        load_language_model(Path(base)),
        ListFile(Path(file)),
    )
    if read_file.header.numbers != start.num_numbers:
        raise InputError(f"{file}: numbers: expected {start.num_numbers} as in {base}, got {read_file.header.numbers}")
    student = StudentRecipe(config.student_epochs, config.student_batch, config.student_lr)
    params = train_student(
        start.model, start.params, read_file.lists(), student, generator(seed, "language", "students"),
        route=config.route,
    )  # fmt: skip
    provenance: dict[str, object] = {"role": "student", "file": Path(file).name, "seed": seed, "base": start.checksum}
    save_language_model(Path(out), LanguageModel(start.model, params, provenance))
    asked = trait_named(config.trait)
    before, after = (
        asked.measure(start.model, one) | other_answers(start.model, one) for one in (start.params, params)
    )
    return TraitAnswers(Path(out), trait, before, after)


def _config(settings: Mapping[str, Any]) -> LanguageConfig:
    config = read("owl").config
    assert isinstance(config, LanguageConfig)
    changed = config.override(settings)
    assert isinstance(changed, LanguageConfig)
    return changed
