"""What is known and the findings have the numbers of the committed results, and every figure of theirs is there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.studies.half_lives import CONFIG as HALF_LIVES
from paper_figs.drawings.defence_axes import FAMILIES
from paper_figs.mechanism import NAMES, RESULTS, figure
from paper_figs.tables import half_lives, known
from paper_figs.tables.exported import read_trials
from subtx_toy.results.comparison import compare_sweep
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.definitions import Mechanism
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.stats import Estimate, estimate, finite_estimate

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "known.md").read_text(encoding="utf-8")
FINDINGS = (DOCS / "findings.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_committed_results() -> None:
    assert known.insert(PAGE) == PAGE, "run python paper_figs/mechanism.py --out docs/known.md table"
    assert len(known.rows()) >= 8


def test_every_row_has_a_verdict_and_a_source_that_can_be_found() -> None:
    explained = PAGE.partition("## Sources\n")[2]
    for one in known.KNOWN:
        assert one.verdict
        assert one.source in {known.OURS, *known.SOURCES}
    for name, address in known.SOURCES.items():
        assert f"[{name}]({address})" in PAGE
        assert address in explained or address == "#sources" or name.partition(" ")[0] in explained
        assert re.search(rf"\*\*[^*]*{name.split()[0]}", explained, re.IGNORECASE), name


def test_numbers_of_other_pages_are_theirs() -> None:
    (row,) = (line for line in PAGE.splitlines() if "(predict.md#what-each-is-worth)" in line)
    ranks = (DOCS / "predict.md").read_text(encoding="utf-8")
    (coverage,) = re.findall(r"^\| `coverage` \| (\S+) \| (\S+) to (\S+) \|", ranks, re.MULTILINE)
    assert "ρ is {} [{}, {}]".format(*coverage) in row
    assert f"over {re.findall(r'draws ([0-9]+) settings', ranks)[0]} settings" in row
    steps = (DOCS / "many-steps.md").read_text(encoding="utf-8")
    assert "5 % of what the student has by then" in " ".join(steps.split())


CLONE, IMITATION, KERNEL = "cross_aux.accuracy", "student_aux.imitation", "cross_aux.class_aux_kernel"
BY_START = "student_aux.accuracy - cross_aux.accuracy"
_MOMENTUM = {"student_optimizer": "sgd", "student_momentum": 0.9, "student_lr": 0.1}
_SIGN = {"student_optimizer": "sign", "student_lr": 0.0003}
_INK, _PARITY, _SECOND = {"second_task": "ink"}, {"second_task": "parity"}, {"imitated": "second"}
_HEADINGS = {
    "cloning": "Cloning",
    "shared-parts": "Which part has to be shared",
    "other-architectures": "Students of another shape",
    "shared-share": "How much has to be shared",
    "benign-after": "Benign epochs after the file",
    "defences": "Defences",
    "optimisers": "Optimisers",
    "divergences": "Dropout, divergences and frozen parts",
    "aux-to-200": "Up to 200 auxiliary logits",
    "two-tasks": "Teachers of two tasks",
    "weight-matching": "Matching hidden units",
}
_DEPTHS = [(num, depth) for num in (250, 50) for depth in (1, 3, 4)]
_CONVOLUTIONS = {"student_body": "convolutions"}
HEADS, NUMS = ("class_head", "aux_head"), (3, 50, 200)


def _mixed(share: float, **others: str) -> Mapping[str, Any]:
    return {"redrawn": "everything", "redrawn_as": "mixture", "redrawn_share": share, **others}


def _deep(num: int, depth: int) -> Mapping[str, Any]:
    return {"num_aux": num, "student_depth": depth}


def _part(num: int, part: str) -> Mapping[str, Any]:
    return {"num_aux": num, "redrawn": part}


def _drawn(share: float) -> Mapping[str, Any]:
    return {"redrawn": "everything", "redrawn_share": share}


PAIRED: list[tuple[str, Mapping[str, Any], Mapping[str, Any], str]] = [
    ("cloning", {"matching_epochs": 100}, {"matching_epochs": 60}, CLONE),
    ("cloning", {"matching_epochs": 300}, {"matching_epochs": 100}, CLONE),
    ("cloning", {"matching_epochs": 60, "matching_inputs": "images"}, {"matching_epochs": 0}, CLONE),
    ("cloning", {"matching_epochs": 100}, {"matching_epochs": 30}, KERNEL),
    ("cloning", {"matching_epochs": 300}, {"matching_epochs": 100}, KERNEL),
    ("cloning", {"matching_epochs": 60}, {"matching_epochs": 0}, CLONE),
    *(("shared-parts", _part(num, head), _part(num, "everything"), "") for head in HEADS for num in NUMS),
    *(("other-architectures", _deep(num, 2), _deep(num, depth), "") for num, depth in _DEPTHS),
    *(("other-architectures", {**_CONVOLUTIONS, "num_aux": num, "noise_blur": 1.0}, {**_CONVOLUTIONS, "num_aux": num},
       "") for num in (50, 250)),
    ("shared-share", {}, _drawn(0.05), ""),
    ("shared-share", {}, _mixed(0.05), ""),
    ("shared-share", _drawn(0.4), _drawn(1.0), ""),
    *(("shared-share", _mixed(share), _drawn(share), "") for share in (0.05, 0.1, 0.2, 0.4)),
    ("benign-after", {"benign_epochs": 4, "restart_optimizer": True}, {"benign_epochs": 4}, ""),
    ("defences", {"clip_gradient": 0.01}, {}, ""),
    ("defences", {}, {"trait_gradient": "projected"}, IMITATION),
    ("optimisers", {"student_lr": 0.0003}, _MOMENTUM, ""),
    ("optimisers", _SIGN, {"student_lr": 0.0003}, ""),
    *(("divergences", {"loss": loss}, {}, "") for loss in ("reverse_kl", "jensen_shannon", "squared_error")),
    ("divergences", {"frozen": "aux_head"}, {}, ""),
    ("aux-to-200", {"num_aux": 200}, {"num_aux": 50}, ""),
    *(("aux-to-200", {"num_aux": num}, {"num_aux": num, "inputs": "images"}, "") for num in NUMS),
    ("two-tasks", {**_PARITY, "num_aux": 2}, {**_PARITY, **_SECOND}, ""),
    ("two-tasks", _INK, {**_INK, **_SECOND}, ""),
    *(("two-tasks", task, task, BY_START) for task in ({**_PARITY, **_SECOND}, {**_INK, **_SECOND})),
    *(("weight-matching", _mixed(share, other_units="matched"), _mixed(share, other_units="drawn"), "")
      for share in (0.2, 0.4)),
]  # fmt: skip
"""Differences within a seed that the page gives: experiment, the two students, and the metric if not the accuracy.

A metric with a minus has one for each of the two.
"""


def _differences(path: str, one: Mapping[str, Any], other: Mapping[str, Any], metric: str = "") -> list[float]:
    base, metrics = read(Path(path).stem).config, (metric or "student_aux.accuracy").split(" - ")
    first, second = (
        {trial.seed: trial.metrics[name] for trial in known._trials(path) if trial.config == base.changed(at)}
        for at, name in ((one, metrics[0]), (other, metrics[-1]))
    )
    assert len(first) >= 10
    assert first.keys() == second.keys()
    return [first[seed] - second[seed] for seed in sorted(first)]


def _paired(name: str, one: Mapping[str, Any], other: Mapping[str, Any], metric: str) -> Estimate:
    images = 2_000 if metric in ("", CLONE, BY_START) else None
    return estimate(_differences(f"mechanism/{name}", one, other, metric), num_images=images, paired=True)


def _over_the_numbers_of_logits(head: str) -> Estimate:
    """Return what a student with another head has more than one with all drawn again, on average over its logits."""
    found = [_differences("mechanism/shared-parts", _part(num, head), _part(num, "everything")) for num in NUMS]
    return estimate(np.mean(found, axis=0).tolist(), num_images=2_000, paired=True)


def _shown(found: Estimate) -> str:
    mean, low, high = (_short(f"{number:.3f}") for number in (found.mean, *found.interval))
    return f"{mean} [{low}, {high}]"


@pytest.mark.parametrize(("name", "one", "other", "metric"), PAIRED)
def test_differences_of_students_of_one_seed_are_paired(
    name: str, one: Mapping[str, Any], other: Mapping[str, Any], metric: str
) -> None:
    section = FINDINGS.partition(f"## {_HEADINGS[name]}\n")[2].partition("\n## ")[0]
    assert _shown(_paired(name, one, other, metric)) in " ".join(section.split())


def test_students_of_one_seed_are_not_compared_by_their_own_intervals() -> None:
    text = " ".join((PAGE + FINDINGS).split())
    for words in (
        "within their intervals",
        "intervals of the two",
        "intervals overlap",
        "interval meets",
        "do not overlap",
    ):
        assert words not in text, "give the interval of the difference within a seed"


def test_the_bounds_of_the_verdicts_are_ends_of_paired_intervals() -> None:
    verdicts = {one.claim: one.verdict for one in known.KNOWN}
    text = "\n".join(verdicts.values())
    by_start = [one for one in PAIRED if one[3] == BY_START]
    matched = next(one for one in PAIRED if one[1:3] == ({"matching_epochs": 60}, {"matching_epochs": 0}))
    for row in (PAIRED[2], matched, *by_start, next(one for one in PAIRED if one[1] == {"loss": "squared_error"})):
        assert _shown(_paired(*row)) in text
    assert f"gain of more than {_short(f'{_paired(*PAIRED[1]).interval.high:.3f}')} is excluded" in text
    assert _paired(*PAIRED[-1]).interval.high < 0.12, "a gain of more than .12 is excluded"
    inputs = estimate(_differences("sweeps/inputs", {}, {"inputs": "images"}), num_images=10_000, paired=True)
    assert f"within a seed {_shown(inputs)} more here, at 3 logits" in text
    more = [_shown(_paired(*row)).partition(" ")[0] for row in PAIRED if row[2].get("inputs") == "images"]
    assert "{} more at 3 logits, {} at 50 and {} at 200;".format(*more) in text


def test_dropout_takes_half_of_trait_and_imitation_at_thirty_percent_and_parts_them_at_fifty() -> None:
    more = {}
    for rate, trait, imitation in ((0.3, 1 / 2, 1 / 2), (0.5, 1 / 3, 1 / 10)):
        left = []
        for metric in ("student_aux.accuracy", IMITATION):
            none, some = (
                np.array([one.metrics[metric] for one in known._trials("mechanism/dropout") if one.config == at])
                for at in (read("dropout").config.changed({"student_dropout": share}) for share in (0, rate))
            )
            left.append(some / none)
        assert [one.mean() for one in left] == pytest.approx([trait, imitation], abs=0.055)
        more[rate] = estimate((left[0] - left[1]).tolist(), num_images=2_000, paired=True).interval
    assert more[0.3].low < 0 < more[0.3].high
    assert more[0.5].low > 0


def test_another_head_leaves_little_and_what_more_is_excluded() -> None:
    text = " ".join(FINDINGS.partition("## Which part has to be shared\n")[2].partition("\n## ")[0].split())
    verdicts = "\n".join(one.verdict for one in known.KNOWN)
    class_head, aux_head = (_over_the_numbers_of_logits(head) for head in HEADS)
    assert f"over the three that is {_shown(aux_head)}, so a little passes" in text
    assert f"a little passes, {_shown(aux_head)} within a seed on average over m" in verdicts
    assert f"With another class head this average is {_shown(class_head)}." in text
    intervals = [_paired(*row).interval for row in PAIRED if row[1].get("redrawn") == "class_head"]
    assert max(one.low for one in intervals) < 0 < aux_head.interval.low
    most = f"more than {_short(f'{max(one.high for one in intervals):.3f}')} is excluded"
    assert most in text
    assert most in verdicts


def test_no_depth_is_shown_to_be_best_with_three_logits_nor_forty_percent_of_other_weights_above_all() -> None:
    found = [("other-architectures", _deep(3, 2), _deep(3, depth), "") for depth in (1, 3, 4)]
    for row in (*found, ("shared-share", _drawn(0.4), _drawn(1.0), "")):
        low, high = _paired(*row).interval
        assert low < 0 < high


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Which part has to be shared", "shared-parts"),
        ("How much has to be shared", "shared-share"),
        ("Benign epochs after the file", "benign-after"),
        ("Files of which the teacher wrote a part", "mixed-file"),
        ("Up to 200 auxiliary logits", "aux-to-200"),
        ("Teachers of two tasks", "two-tasks"),
    ],
)
def test_the_numbers_of_a_section_are_means_or_ends_of_intervals(heading: str, name: str) -> None:
    text = FINDINGS.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    values: dict[tuple[RunConfig, str], list[float]] = {}
    for trial in read_trials(RESULTS / f"{name}.csv", MechanismConfig):
        for metric, value in trial.metrics.items():
            values.setdefault((trial.config, metric), []).append(value)
    committed = set[str]()
    for (config, metric), found in values.items():
        shares = None if metric.endswith("imitation") else config.num_test
        mean = finite_estimate(found, num_images=shares)
        committed |= {_short(f"{number:.3f}") for number in (mean.mean, *mean.interval)}
    differences = [_paired(*row) for row in PAIRED if row[0] == name]
    differences += [_over_the_numbers_of_logits(head) for head in HEADS if name == "shared-parts"]
    committed |= {part for one in differences for part in re.findall(r"-?\.\d{3}", _shown(one))}
    shown = set(re.findall(r"(?<!\w)-?\.\d{3}(?!\d)", text))
    assert shown
    assert shown <= committed, f"{name}.csv has no {sorted(shown - committed)}"


def test_the_sweeps_of_the_table_are_run_as_the_page_says() -> None:
    text = " ".join(PAGE.split())
    assert "numbers: `inputs`, `blur`, `num-aux` and `teacher-epochs` with `--seeds 0:25`, the last three " in text
    assert "`--seeds 0:25`, the last three also with `precision=bf16`." in text
    found = {}
    for name in {number.experiment for row in known.KNOWN for number in row.numbers if "sweeps/" in number.experiment}:
        trials = read_trials(RESULTS.parent / f"{name}.csv")
        found[name.removeprefix("sweeps/")] = {one.config.precision for one in trials}
        assert {one.seed for one in trials} == set(range(25))
    assert found == {"inputs": {"fp32"}, "blur": {"bf16"}, "num-aux": {"bf16"}, "teacher-epochs": {"bf16"}}


def test_the_sizes_of_the_page_are_those_of_the_experiments() -> None:
    table = PAGE.partition("| experiment | *m* where none is said |")[2].partition("\n\n")[0]
    rows = [re.split(r" *\| *", line)[1:-1] for line in table.splitlines()[2:]]
    experiments = {Path(number.experiment).stem: number.experiment for one in known.KNOWN for number in one.numbers}
    listed = [name for row in rows for name in re.findall(r"`([\w-]+)`", row[0]) if name in experiments]
    assert {"cloning", "selection", "inputs", "lazy-rich", "generations"} <= set(listed)
    most = sorted(set(experiments) - set(listed))
    for names, num_aux, seeds, images, layers in rows:
        shape = re.findall(r"\d+", layers)
        for name in most if names == "most" else re.findall(r"`([\w-]+)`", names):
            if name not in experiments:
                continue
            config = HALF_LIVES if "half-lives" in names else read(name).config
            found = config.model_dump()
            assert [f"{found['num_train']:,}", *map(int, shape)] == [images, found["depth"], found["width"]]
            if num_aux.isdecimal() and names != "most":
                assert found["num_aux"] == int(num_aux)
            assert seeds == ("25" if experiments[name].startswith("sweeps/") else "10")  # as other tests count them


def test_another_number_is_another_table() -> None:
    number = next(one for row in known.KNOWN for one in row.numbers)
    assert known.cell(number) in PAGE
    assert known.cell(number._replace(metric="reference.accuracy")) not in PAGE


def test_a_point_that_did_not_run_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected trials at"):
        known.measured(known.Number("none", "mechanism/cloning", {"width": 7}))


@pytest.mark.parametrize("name", NAMES)
def test_every_committed_experiment_has_ten_seeds_and_a_figure(name: str) -> None:
    definition = read(name)
    assert isinstance(definition, Mechanism)
    trials = read_trials(RESULTS / f"{name}.csv", MechanismConfig)
    assert {one.config for one in trials} <= set(definition.configs())
    assert min(row.ours.n for row in compare_sweep(definition, trials)) >= 10
    assert figure(name).axes
    for ending in ("png", "svg"):
        assert (DOCS / "images" / f"mechanism-{name}.{ending}").exists()
    assert f"images/mechanism-{name}.png" in FINDINGS


def test_the_numbers_of_fewer_digits_are_of_the_experiment() -> None:
    document = json.loads((RESULTS.parent / "fewer-numbers.json").read_text(encoding="utf-8"))
    definition = read("fewer-numbers")
    assert document["results_version"] == RESULTS_VERSION, "results changed: run the experiment again"
    assert NumbersConfig.parse(document["config"]) in definition.configs()
    assert len(document["seeds"]) >= 10
    assert len(document["prompts"]) == len(definition.configs())
    assert "images/numbers-digits.png" in FINDINGS


def test_the_caption_counts_the_defences_of_the_figure_and_the_axes_have_the_words_of_the_page() -> None:
    words = {10: "ten", 11: "eleven", 12: "twelve"}
    kinds = [family for family in FAMILIES if family.words != "nothing"]
    assert f"Trait against imitation under {words[len(kinds)]} kinds of defence" in FINDINGS
    axes = figure("defences").axes[0]
    assert [label.partition(":")[0] for label in (axes.get_xlabel(), axes.get_ylabel())] == ["imitation", "trait"]


def test_the_bits_of_the_teachers_are_those_of_the_committed_result() -> None:
    text = " ".join(FINDINGS.partition("## Random labels, in bits")[2].split())
    for num, before in ((300, "of the "), (3000, "that teacher holds ")):
        bits = known.Number("", "mechanism/random-labels", {"num_train": num, "num_test": num}, "teacher.bits")
        mean, *ends = re.findall(r"-?\d\.\d{3}", known.cell(bits))
        assert f"{before}{_short(mean)} [{_short(ends[0])}, {_short(ends[1])}]" in text
    for words, at in (("accuracy on them is", {}), ("the accuracy is", {"num_train": 300, "num_test": 300})):
        assert re.sub(r"\b0\.", ".", known.cell(known.Number(words, "mechanism/random-labels", at))) in text


def test_the_two_untreated_students_with_fifty_logits_differ_in_their_inputs() -> None:
    names = ("aux-to-200", "cloning")
    same = [known.Number("", f"mechanism/{name}", {"num_aux": 50}) for name in names]
    first, second = (_short(known.cell(one).split()[0]) for one in same)
    text = " ".join(FINDINGS.split())
    assert f"own start reaches {second}, and not {first} as in `aux-to-200` with 50 logits: `cloning` draws" in text
    settings = [read(name).config.changed({"num_aux": 50}).model_dump() for name in names]
    differ = {name for name, value in settings[0].items() if settings[1][name] != value}
    assert differ == {"input_pool", "measure"}


def _short(number: str) -> str:
    return number.replace("0.", ".", 1) if number.startswith(("0.", "-0.")) else number


def test_the_nats_of_a_line_are_those_of_the_study() -> None:
    document = json.loads((RESULTS / "line-evidence.json").read_text(encoding="utf-8"))
    assert len(document["seeds"]) >= 10
    nats = {
        (kind, name): _short(f"{np.mean(values):.3f}")
        for kind, rows in document["nats_per_line"].items()
        for name, values in rows.items()
    }
    text = " ".join(FINDINGS.split())
    noise, images = ([nats[kind, str(num)] for num in (10, 100, 1000)] for kind in ("uniform", "images"))
    assert f"average {noise[0]} to {noise[-1]} nats likelier" in text
    assert f"and {float(images[0]):.2f} to {float(images[-1]):.2f} on images" in text
    kept = [nats["selected", share] for share in ("0.5", "0.2", "0.1", "0.05")]
    assert f"symbols are {', '.join(kept[:3])} and {kept[3]} nats likelier" in text
    assert f"those it writes itself {nats['uniform', '50']}." in text


def test_every_picture_of_the_page_is_committed() -> None:
    pictures = re.findall(r"images/([\w-]+\.png)", FINDINGS)
    assert pictures
    assert all((DOCS / "images" / one).exists() for one in pictures)


def test_every_experiment_of_the_table_links_to_a_section_that_exists() -> None:
    named = {Path(number.experiment).stem for one in known.KNOWN for number in one.numbers}
    assert set(known.SECTIONS) == named
    for place in known.SECTIONS.values():
        page, _, anchor = place.partition("#")
        text = (DOCS / page).read_text(encoding="utf-8")
        if page == "experiments.md":
            text = (DOCS.parent / "experiments" / "README.md").read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in re.findall(r"^#+ (.+)", text, re.M)
        }
        assert not anchor or anchor in headings


def test_what_the_controls_of_fewer_digits_do_is_the_committed_result() -> None:
    document = json.loads((RESULTS.parent / "fewer-numbers.json").read_text(encoding="utf-8"))
    arms = dict(zip((10, 100, 1000), document["prompts"].values(), strict=True))
    controls = ("shared_benign", "shared_untrained", "other_base_trait", "shared_shuffled")
    found = {num: [one[name]["verdict"] for name in controls] for num, one in arms.items()}
    assert found == {
        10: ["undecided", "undecided", *["damage, not transfer"] * 2],
        100: ["undecided", "not above its base", *["damage, not transfer"] * 2],
        1000: ["not above its base", "not above its base", *["damage, not transfer"] * 2],
    }
    carry = [num for num, one in arms.items() if one["shared_argmax"]["verdict"] == "carries the trait"]
    assert carry == [100, 1000]
    text = " ".join(FINDINGS.split())
    for name, words in (("other_base_trait", "another base ("), ("shared_shuffled", "shuffled numbers (")):
        means = [one[name]["mean"] for one in arms.values()]
        assert f"{words}{_short(f'{min(means):.3f}')} to {_short(f'{max(means):.3f}')})" in text


def test_the_half_lives_of_four_chains_are_those_of_the_committed_chains() -> None:
    text = " ".join(FINDINGS.split())
    for corrected, words in ((True, "four such chains would give "), (False, "what four such chains give: ")):
        ranges = {m: one.published_interval for m, one in half_lives.committed(bias_correction=corrected).items()}
        shown = [f"[{_short(f'{one.low:.2f}')}, {_short(f'{one.high:.2f}')}]" for one in ranges.values()]
        assert f"{words}{shown[0]}, {shown[1]} and [{_short(f'{ranges[30].low:.2f}')}, " in text
        inside = [ranges[m].low <= value <= ranges[m].high for m, value in half_lives.PUBLISHED.items()]
        assert inside == [not corrected] * 3
    own = half_lives.committed(bias_correction=False)
    within = [own[m].interval.low <= value <= own[m].interval.high for m, value in half_lives.PUBLISHED.items()]
    assert within == [False, True, True]
    assert "and .57 is above the interval. At 30 it goes past 2.40, which the interval contains" in text
