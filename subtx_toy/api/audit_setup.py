"""What an audit of a file of numbers needs before it looks at a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from subtx_toy.audit.examination import Question, scorer_of
from subtx_toy.audit.questions import questions
from subtx_toy.audit.reference import load_reference, split_reference
from subtx_toy.audit.score_sums import Scorer
from subtx_toy.audit.usual_reference import Ensemble, usual_reference
from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.channel.number_file import NumberFile
from subtx_toy.channel.packaged_base import load_base
from subtx_toy.channel.prompts import data_behind, prompt_inputs
from subtx_toy.data import Dataset, load
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.files.checksum import sha256_of
from subtx_toy.problem.params import Params


@dataclass(frozen=True, eq=False)
class AuditSetup:
    """A file whose header was read, the base, what to look for, and what scores its lines.

    Attributes:
        read: the file.
        start: the base.
        shown: the data set that the prompts are from, or None.
        tested: the traits.
        nets: benign fine-tunes that the file is compared with.
        scorer: along the traits and the main honest moves.
        reference: where the fine-tunes are from, and the checksum of that file.
    """

    read: NumberFile
    start: Checkpoint
    shown: Dataset | None
    tested: list[Question]
    nets: Sequence[Params]
    scorer: Scorer
    reference: dict[str, str | None]

    @classmethod
    def of(
        cls, file: Path | str, base: Path | str, traits: Sequence[str], reference: Path | str | None,
        num_reference: int, *, data_dir: Path | None, report: Report | None, progress: Progress | None,
    ) -> AuditSetup:  # fmt: skip
        """Read and check everything, then learn the traits and make the reference where it is not given."""
        read, start = NumberFile(Path(file)), load_base(base)
        given = None
        if reference is not None:
            nets = load_reference(Path(reference), start)
            given = Ensemble(nets, Path(reference).name, sha256_of(Path(reference)))
        read.check()  # a malformed line is reported before the slow fine-tunes start
        loader = partial(load, data_dir=data_dir, report=report, progress=progress)
        shown, images = data_behind(read.header.prompts, start, loader)
        inputs = prompt_inputs(read.header.prompts, shown)
        tested = questions(traits, start.model, start.params, images, progress=progress)
        ensemble = given or usual_reference(start, images, num_reference, report=report, progress=progress)
        axes, others = split_reference(ensemble.nets)
        scorer = scorer_of(start, tested, axes, read.header.law, inputs, images)
        source = {"reference": ensemble.source, "reference_sha256": ensemble.sha256}
        return cls(read, start, shown, tested, others, scorer, source)
