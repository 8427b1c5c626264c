"""Compare data files without a model: what ``subtx-toy compare`` does, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.arguments import SEED, TOP, path_of
from subtx_toy.api.display import Shown, frame
from subtx_toy.audit.texts.reader import TextFile, read_examples
from subtx_toy.audit.two_files.comparison import LEVEL, MIN_LINES, FileComparison, compare_examples
from subtx_toy.errors import InputError
from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Table
from subtx_toy.settings.arguments import checked
from subtx_toy.wording import counted, p_equation

if TYPE_CHECKING:
    import pandas as pd

_AUROC = 0.95


@dataclass(frozen=True, repr=False)
class Compare(Shown):
    """Two data files against each other, and each against a neutral one, if there is one.

    Attributes:
        files: the first, the second, and the neutral one if it was given.
        pair: the first against the second.
        to_neutral: the first and the second against the neutral file; empty without one.
    """

    files: tuple[TextFile, ...]
    pair: FileComparison
    to_neutral: tuple[FileComparison, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the files are shown to differ."""
        return self.pair.differs

    @property
    def conclusion(self) -> str:
        """The result in words."""
        return self.pair.conclusion

    @property
    def notes(self) -> list[str]:
        """How the files were read and compared, and what the neutral file says."""
        lines = [f"{file.path}: {file.format}, {counted(len(file.examples), 'line')}" for file in self.files]
        for name, found in zip(("first", "second"), self.to_neutral, strict=False):
            verb = "differs" if found.differs else "is not shown to differ"
            lines.append(f"the {name} file {verb} from the neutral one ({p_equation(found.test.p_value)})")
        if self.to_neutral:
            lines.append(self._against_neutral)
        else:
            lines.append(
                "which of the two changed, this does not tell; --neutral NEUTRAL compares each with a file of an "
                "honest writer that was trained as long (one of the untrained base is the wrong one)"
            )
        return [*lines, *self.pair.notes]

    @property
    def _against_neutral(self) -> str:
        differing = [name for name, one in zip(("first", "second"), self.to_neutral, strict=True) if one.differs]
        if len(differing) == 1:
            return f"only the {differing[0]} file differs from an honest writer's, so audit that one first"
        if differing:
            return "both differ from an honest writer's, as another honest one may: nothing follows for either"
        return "neither is shown to differ from an honest writer's"

    @property
    def tables(self) -> Sequence[Table]:
        """Bags of lines with the AUROC, and the tokens that differ most."""
        found = self.pair.separation
        bags = [
            [str(size), "" if value != value else f"{value:.3f}", f"{found.predicted[size]:.3f}"]
            for size, value in found.measured.items()
        ]
        tokens = [
            [one.token, str(one.first), str(one.second), f"{one.log_ratio:+.3f}", f"{one.z:+.1f}"]
            for one in self.pair.tokens
        ]
        return (
            Table(["lines of a bag", "AUROC", "by the law"], bags),
            Table(["token", "first", "second", "log-ratio", "in standard errors"], tokens),
        )

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy compare``."""
        found = self.pair.separation
        document = {
            "conclusion": self.conclusion, "differs": self.differs, "p_value": self.pair.test.p_value, "level": LEVEL,
            "p_values": self.pair.test.p_values, "unit": self.pair.exchange.unit,
            "shared_prompts": self.pair.exchange.shared,
            "lines": list(self.pair.sizes), "effect": found.effect, "effect_error": found.effect_error,
            "auroc": [
                {"k": size, "measured": finite(value), "predicted": found.predicted[size]}
                for size, value in found.measured.items()
            ],
            "lines_needed": self.pair.lines_needed, "bag_needed": found.bag_needed(_AUROC),
            "smallest_effect": finite(self.pair.smallest_effect),
            "top_tokens": [vars(one) for one in self.pair.tokens],
            "files": [
                {"path": str(file.path), "format": file.format, "lines": len(file.examples)} for file in self.files
            ],
            "notes": self.notes,
        }  # fmt: skip
        if self.to_neutral:
            document["neutral"] = [
                {"differs": one.differs, "p_value": one.test.p_value, "effect": one.separation.effect}
                for one in self.to_neutral
            ]
        return document

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each of the tokens that differ most.

        Raises:
            InputError: if pandas is not installed.
        """
        return frame([vars(one) for one in self.pair.tokens])


@checked(seed=SEED, top=TOP)
def compare(
    first: str | Path, second: str | Path, *, neutral: str | Path | None = None, seed: int = 0, top: int = 10
) -> Compare:
    """Say whether one writer wrote two data files, from the files alone.

    Three statistics of the lines (chi^2 of the tokens, features of a line, a linear classifier of prompt and answer)
    are compared with random exchanges of lines between the files, which gives one exact p-value. A difference says
    that something changed; it cannot say which trait, since honest further training shows in the same way.

    Args:
        first: a data file: JSON Lines, a JSON list, CSV, Parquet or plain text, perhaps packed by gzip.
        second: another one.
        neutral: a file of an honest writer that was trained as long as the suspect; each file is compared with it.
        seed: names the streams of the exchanges, >= 0.
        top: how many of the tokens that differ most are kept.

    Raises:
        InputError: if a file cannot be read, or has too few lines.

    References:
        Westfall and Young 1993, Resampling-Based Multiple Testing, for the common p-value.
    """
    names = ("first", "second", "neutral")
    given = [(name, path) for name, path in zip(names, (first, second, neutral), strict=True) if path is not None]
    files = [read_examples(path_of(name, path)) for name, path in given]
    InputError.gather(
        f"{file.path}: expected at least {MIN_LINES} lines, got {len(file.examples)}; fewer say nothing"
        for file in files
        if len(file.examples) < MIN_LINES
    )
    examples = [file.examples for file in files]
    pair = compare_examples(examples[0], examples[1], seed=seed, top=top)
    others = tuple(compare_examples(examples[2], one, seed=seed, top=0) for one in examples[:2] if neutral is not None)
    return Compare(tuple(files), pair, others)
