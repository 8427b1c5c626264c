"""Audit the lists that a language model wrote: what ``audit`` does where the base is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subtx_toy import __version__
from subtx_toy.api.arguments import NUM_REFERENCE, PATH, TOP, TRAITS
from subtx_toy.api.audit import Audit
from subtx_toy.audit.examination import Question, reference_size
from subtx_toy.audit.measurement import NumbersMeasurement
from subtx_toy.audit.reference import split_reference
from subtx_toy.audit.reference_values import ReferenceValues
from subtx_toy.audit.token_lists.examination import measure_lists, questions, scorer_of
from subtx_toy.audit.token_lists.law import ListLaw
from subtx_toy.audit.token_lists.reference import usual_reference
from subtx_toy.audit.token_lists.reference_values import measure_reference
from subtx_toy.audit.token_lists.scorer import PER_LINE, ListScorer
from subtx_toy.audit.verdict import judge
from subtx_toy.data.dataset import Progress
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_not_read, replacing
from subtx_toy.files.checksum import sha256_of
from subtx_toy.lm.checkpoints import LanguageModel, load_language_model
from subtx_toy.lm.list_file import ListFile, ListHeader
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.training import StudentRecipe, train_student
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.arguments import checked

_PROBED = StudentRecipe(epochs=3)  # the student of the whole file, trained as `lm train` does


@dataclass(frozen=True, eq=False)
class ListSetup:
    """A file of lists and the base, what to look for, and what scores the lists.

    Attributes:
        header: of the file.
        lists: its lists.
        start: the base.
        tested: the traits.
        nets: honest fine-tunes that the file is compared with.
        scorer: along the traits and the main honest moves.
    """

    header: ListHeader
    lists: Lists
    start: LanguageModel
    tested: list[Question]
    nets: Sequence[Params]
    scorer: ListScorer

    @classmethod
    def of(
        cls, file: Path, base: Path, traits: Sequence[str], num_reference: int, *, progress: Progress | None
    ) -> ListSetup:
        """Read and check everything, then learn the traits and make the reference.

        Raises:
            InputError: if a file cannot be read, the two do not fit, or there is no such trait.
        """
        read, start = ListFile(file), load_language_model(base)
        if read.header.numbers != start.num_numbers:
            raise InputError(f"{file}: numbers: expected {start.num_numbers} as in {base}, got {read.header.numbers}")
        lists = read.lists()
        longest = lists.prompts.shape[1] + read.header.max_numbers
        if longest > start.model.context:
            raise InputError(f"{file}: expected texts of at most {start.model.context} tokens, got {longest}")
        tested = questions(traits, start, progress=progress)
        axes, nets = split_reference(usual_reference(start, num_reference, progress=progress))
        return cls(read.header, lists, start, tested, nets, scorer_of(start, tested, axes, ListLaw.of(read.header)))

    def reference(self, *, progress: Progress | None) -> list[NumbersMeasurement]:
        """Return what the honest fine-tunes write to the file's prompts, measured as the file is, or cached."""
        prompts = [tuple(prompt) for prompt in self.lists.prompts.tolist()]
        size = reference_size(int(self.scorer.law.permits(self.lists).sum()))
        return measure_reference(
            self.nets, self.scorer, self.tested, prompts, size=size, max_numbers=self.header.max_numbers,
            progress=progress,
        )  # fmt: skip

    @property
    def notes(self) -> list[str]:
        """Where the law of the lists is not exactly that of the audit."""
        notes = []
        if self.header.banned or self.header.num_rejected:
            notes.append(
                "approximate: lists with a word or a banned number were left out; the law of a number leaves out that "
                "it makes this more or less likely for those after it"
            )
        return notes


@checked(file=PATH, base=PATH, traits=TRAITS, num_reference=NUM_REFERENCE, top=TOP)
def audit_lists(
    file: Path | str, *, base: Path | str, traits: Sequence[str], num_reference: int = 20, probe: bool = False,
    top: int = 10, progress: Progress | None = None,
) -> Audit:  # fmt: skip
    """Say whether a language model wrote a file of lists and, if not, whether its writer moved towards a trait.

    Args:
        file: of lists, as ``language.write`` writes it.
        base: the language model that a student would start from.
        traits: animals that may be preferred, ``danger`` or ``backdoor``.
        num_reference: honest fine-tunes that the file is compared with; half as many more are trained for their
            directions.
        probe: whether to train a student on the whole file too.
        top: how many of the lines that show a trait most are kept.
        progress: called as ``progress(task, done, total, unit)``.

    Raises:
        InputError: if a file cannot be read or is not valid, or there is no such trait.
    """
    file, base = Path(file), Path(base)
    found = ListSetup.of(file, base, traits, num_reference, progress=progress)
    probes, names = [question.probe for question in found.tested], [question.name for question in found.tested]
    measured = measure_lists(found.lists, found.scorer, probes, keep=top)
    values = ReferenceValues.of(found.reference(progress=progress) if measured.measurement.informative else [], names)
    judgement = judge(measured, found.tested, values, [one(found.start.params) for one in probes])
    shows = None
    if probe:
        order = generator(0, "audit", "probe")
        student = train_student(found.start.model, found.start.params, found.lists, _PROBED, order)
        shows = {question.name: question.probe(student) for question in found.tested}
    provenance = {
        "file_sha256": sha256_of(file), "base": base.name, "base_sha256": sha256_of(base),
        "reference": "made for this base, and cached", "reference_sha256": None, "subtx_toy": __version__,
    }  # fmt: skip
    return Audit(file, base, found.header, judgement, measured, shows, provenance, {}, found.notes)


@checked(file=PATH, out=PATH, base=PATH, traits=TRAITS, num_reference=NUM_REFERENCE)
def score_lists(
    file: Path | str, out: Path | str, *, base: Path | str, traits: Sequence[str], num_reference: int = 20,
    progress: Progress | None = None,
) -> Path:  # fmt: skip
    """Write the scores of a file of lists, line by line, for ``audit_scores``.

    The arguments are those of ``audit_lists``; ``out`` is the ``.npz`` file.
    """
    check_not_read(out, (file, base), what="out")
    found = ListSetup.of(Path(file), Path(base), traits, num_reference, progress=progress)
    scored = found.scorer.score(found.lists)
    if scored.num_impossible:
        raise InputError(f"{file}: expected lists that the base may write, got {scored.num_impossible} banned numbers")
    probes = [question.probe for question in found.tested]
    movement = measure_lists(found.lists, found.scorer, probes, keep=0).measurement.movement
    reference = found.reference(progress=progress)
    size = reference_size(len(found.lists))
    per_line = scored.tokens.sum() / len(found.lists)  # what is gained per token becomes a gain per line
    arrays: dict[str, object] = {
        "traits": np.array([question.name for question in found.tested]),
        "scores": scored.scores,
        "covariance": scored.covariance,
        **{name: scored.per_line[name] for name in PER_LINE},
        "reference_scores": np.array([one.sums.scores for one in reference]),
        "reference_covariances": np.array([one.sums.covariance for one in reference]),
        "reference_lines": np.full(len(reference), size),
        "gain": np.array(movement.gain * per_line),
        "log_evidence": np.array(movement.log_evidence),
        "reference_gains": np.array([one.movement.gain * one.sums.num / size for one in reference]),
    }
    with replacing(Path(out), what="out") as content:
        np.savez(content, **arrays)  # type: ignore[arg-type]
    return Path(out)
