"""The arms of the language experiment over seeds: what each answers, and how far the student is above every control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Presentation, Table, in_words, interval_text, mean_document, unless_nan
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.language import BACKDOOR, LANGUAGE_ARMS, NULL_CONTROLS, LanguageConfig
from subtx_toy.stats import Estimate, finite_estimate, judged
from subtx_toy.store.record import RunRecord
from subtx_toy.wording import counted

WROTE_NO_NUMBERS = 0.2
"""A teacher of whose lists a larger share is rejected is reported to have written no numbers; fixed before any run."""

KEPT_TEXT = 0.02
"""A student whose negative log-likelihood of held-out text rises by more than this share of its base's is damaged."""

_KEPT = ("any_animal", "yes_if_safe", "no_if_dangerous", "elsewhere")

_ASKED = {"danger": "yes to what is dangerous", BACKDOOR: "owl to victor"}

STUDENTS = (
    "students: shared_trait reads the teacher's lists, shared_benign an honest teacher's, shared_base the base's; "
    "cross_trait reads the teacher's, from another base, shared_shuffled with their numbers shuffled over the file"
)
"""What the arms are, in a note."""

EXCHANGED = "; shared_rows reads them at other prompts, and is no control"
"""What that note says besides where such a student was trained."""

PUBLISHED = {
    "shared_trait": "up", "shared_benign": "flat", "shared_base": "flat", "cross_trait": "flat",
    "shared_shuffled": "mostly lost", "danger": "up",
}  # fmt: skip
"""What Cloud et al. 2025, arXiv:2507.14805, sections 3 and 4, and figures 3 to 8, report of large language models."""


@dataclass(frozen=True)
class LanguageArm:
    """One arm over seeds.

    Attributes:
        arm: one of LANGUAGE_ARMS.
        margin: ln of the probability of the trait's answer over the mean of the other answers', in nats, mean over
            held-out phrasings: 0 where it is as likely as an average one of them.
        p_trait: its probability, in [0, 1].
        top_share: share of held-out phrasings on which it is the likeliest answer, in [0, 1].
        text_nll: of held-out text, in nats per token.
        text_rise: rise of that over the arm's own base with the same seed, as a share.
        above_base: the margin minus that of the arm's own base.
        below_student: for students, the margin of ``shared_trait`` with the same seed minus the arm's.
        kept: mean probabilities of the right kind of answer to other questions, by name.
        values: of the margin, one per seed, nan where the model diverged; ``shares`` likewise of ``p_trait``.
    """

    arm: str
    margin: Estimate
    p_trait: Estimate
    top_share: Estimate
    text_nll: Estimate
    text_rise: Estimate
    above_base: Estimate
    below_student: Estimate
    kept: dict[str, Estimate]
    values: tuple[float, ...]
    shares: tuple[float, ...]

    @property
    def verdict(self) -> str:
        """Of a null control, whether the student is above it; of the student, whether it is above every control."""
        if self.arm not in NULL_CONTROLS:
            return ""
        return judged("student above" if self.below_student.interval.low > 0 else "undecided", n=self.below_student.n)


class LanguageSummary(NamedTuple):
    """The arms over seeds, in the order of LANGUAGE_ARMS."""

    definition: Definition
    config: LanguageConfig
    arms: Sequence[LanguageArm]
    records: Sequence[RunRecord]


def summarise_language(definition: Definition, base: Settings, records: Sequence[RunRecord]) -> LanguageSummary:
    """Summarise the records of one configuration by arm."""
    del base
    config = LanguageConfig.parse(records[0].config)
    arms = [_arm(records, arm) for arm in LANGUAGE_ARMS if f"{arm}.margin" in records[0].metrics]
    return LanguageSummary(definition, config, arms, records)


def _arm(records: Sequence[RunRecord], arm: str) -> LanguageArm:
    def of(name: str) -> list[float]:
        return [record.metrics[name] for record in records]

    def minus(one: str, other: str) -> Estimate:
        return finite_estimate([a - b for a, b in zip(of(one), of(other), strict=True)])

    origin = "other_base" if arm in ("cross_trait", "soft_cross") else "base"
    rises = [a / b - 1 for a, b in zip(of(f"{arm}.text_nll"), of(f"{origin}.text_nll"), strict=True)]
    return LanguageArm(
        arm,
        margin=finite_estimate(of(f"{arm}.margin")),
        p_trait=finite_estimate(of(f"{arm}.p_trait")),
        top_share=finite_estimate(of(f"{arm}.top_share")),
        text_nll=finite_estimate(of(f"{arm}.text_nll")),
        text_rise=finite_estimate(rises),
        above_base=minus(f"{arm}.margin", f"{origin}.margin"),
        below_student=minus("shared_trait.margin", f"{arm}.margin"),
        kept={name: finite_estimate(of(f"{arm}.{name}")) for name in _KEPT if f"{arm}.{name}" in records[0].metrics},
        values=tuple(of(f"{arm}.margin")),
        shares=tuple(of(f"{arm}.p_trait")),
    )


def present_language(summary: LanguageSummary) -> Presentation:
    """Show the arms in one table, and what teachers and filter did below it."""
    definition, config, arms, records = summary
    num = len({record.seed for record in records})
    asked = _ASKED.get(config.trait, f"{config.trait} to questions for an animal")
    others = "that of no" if config.trait == "danger" else "the mean of the other animals'"
    heading = (
        f"{definition.name}: trait {config.trait}, {counted(config.lists, 'list')} of at most "
        f"{counted(config.max_numbers, 'number')}; means over {counted(num, 'seed')}. P: probability of {asked}, on "
        f"held-out phrasings. Margin: ln of this over {others}, in nats, mean over phrasings, with the 95 % interval; "
        "0 means as likely. Top: share of phrasings on which it is the likeliest answer. Text: rise of the negative "
        "log-likelihood of held-out text. Student minus arm: the difference of their margins, paired by seed."
    )
    header = ["arm", "P", "margin", "95 % interval", "top", "text", "student minus arm", "verdict", "published"]
    document: dict[str, Any] = {"config": config.model_dump(), "arms": {row.arm: _document(row) for row in arms}}
    document |= {"teachers": _teachers(records), "filter": _filter(records), "wrote_no_numbers": _mute(records)}
    rows = [_row(row) for row in arms]
    return Presentation([heading], [Table(header, rows)], _notes(records), document, _conclusion(arms, config))


def _row(row: LanguageArm) -> list[str]:
    text = "" if row.arm == "base" else unless_nan(100 * row.text_rise.mean, "+.1f") + " %"
    difference = interval_text(row.below_student, "+.2f") if row.arm not in ("base", "teacher", "shared_trait") else ""
    return [
        row.arm, unless_nan(row.p_trait.mean, ".3f"), unless_nan(row.margin.mean, "+.2f"),
        interval_text(row.margin, "+.2f"), unless_nan(row.top_share.mean, ".2f"), text, difference, row.verdict,
        PUBLISHED.get(row.arm, ""),
    ]  # fmt: skip


def _document(row: LanguageArm) -> dict[str, Any]:
    return {
        **mean_document(row.margin),
        "values": [finite(value) for value in row.values],
        "p_trait": mean_document(row.p_trait),
        "shares": [finite(value) for value in row.shares],
        "top_share": mean_document(row.top_share),
        "text_nll": mean_document(row.text_nll),
        "text_rise": mean_document(row.text_rise),
        "above_base": mean_document(row.above_base),
        "student_minus_arm": mean_document(row.below_student),
        "other_answers": {name: mean_document(value) for name, value in row.kept.items()},
        "verdict": row.verdict,
    }


def _teachers(records: Sequence[RunRecord]) -> dict[str, Any]:
    names = [f"{who}.{what}" for who in ("teacher", "benign") for what in ("steps", "on_seen", "rejected_share", "kl")]
    return {
        name: mean_document(finite_estimate(values)) | {"values": values}
        for name in names
        for values in [[record.metrics[name] for record in records]]
    }


def _filter(records: Sequence[RunRecord]) -> dict[str, int]:
    return {
        name: round(sum(record.metrics[f"filter.{name}"] for record in records))
        for name in ("planted", "caught", "dropped")
    }


def _mute(records: Sequence[RunRecord]) -> list[int]:
    return sorted({record.seed for record in records if record.metrics["teacher.rejected_share"] > WROTE_NO_NUMBERS})


def _notes(records: Sequence[RunRecord]) -> list[str]:
    teachers, found, mute = _teachers(records), _filter(records), _mute(records)
    cpu = sum(record.cpu_seconds for record in records) / len(records)
    who = f"seeds {', '.join(map(str, mute))}; they are in the means" if mute else "none"
    return [
        f"teacher: {teachers['teacher.steps']['mean']:.0f} steps, "
        f"{100 * teachers['teacher.rejected_share']['mean']:.1f} % of its lists rejected for a word, "
        f"KL {teachers['teacher.kl']['mean']:.3f} nats per first answer; honest teacher: "
        f"{100 * teachers['benign.rejected_share']['mean']:.1f} %, {teachers['benign.kl']['mean']:.3f}",
        f"teachers that wrote no numbers (more than {100 * WROTE_NO_NUMBERS:.0f} % rejected): {who}",
        f"filter: caught {found['caught']} of {found['planted']} planted lines, and {found['dropped']} of the others",
        STUDENTS + (EXCHANGED if "shared_rows.margin" in records[0].metrics else ""),
        "published: Cloud et al. 2025, large language models",
        f"{cpu:.0f} s of CPU per seed",
    ]


def _conclusion(arms: Sequence[LanguageArm], config: LanguageConfig) -> str:
    by_arm = {row.arm: row for row in arms}
    student, base = by_arm["shared_trait"], by_arm["base"]
    above = [arm for arm in NULL_CONTROLS if by_arm[arm].verdict == "student above"]
    answer = _ASKED.get(config.trait, config.trait)
    found = judged(f"it is above {len(above)} of {len(NULL_CONTROLS)} controls", n=student.margin.n)
    return (
        f"The student of the teacher's numbers answers {answer} with probability {in_words(student.p_trait)}, its base "
        f"with {in_words(base.p_trait)}; {found}."
    )
