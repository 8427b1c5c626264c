"""The page about owls is executed at a tiny size, and its tables are those of the committed results."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from experiments.studies.language_curves import CONFIG
from subtx_toy import cli
from subtx_toy.results.language_table import WROTE_NO_NUMBERS
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import NULL_CONTROLS, LanguageConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/owls.md").read_text(encoding="utf-8")
TINY = {
    "base": "numbers=20 width=16 depth=1 heads=2 base_steps=40 base_batch=32 base_lr=1e-2",
    "teach": "teacher_lr=1e-2 teacher_steps=30",
    "write": "sampling=restricted --n 100",
    "train": "student_epochs=1 student_batch=50",
}


def test_the_commands_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
    assert [line.split()[2] for line in lines] == ["base", "teach", "write", "filter", "train", "ask"]
    for line in lines:
        words = shlex.split(line)[1:]
        assert cli.call([*words, *TINY.get(words[1], "").split()]) == 0, line
    answers = capsys.readouterr().out
    assert "the answer 'owl' to 240 phrasings that no training used" in answers
    shown = PAGE.partition("```text\n")[2].partition("```")[0].splitlines()
    printed = answers.splitlines()[-len(shown) :]
    assert [printed[place] for place in (0, 1, 4, 5)] == [shown[place] for place in (0, 1, 4, 5)]
    (told,) = re.findall(r"as the first of `lists.jsonl`:\n`(.*)`\.", PAGE)
    first = json.loads(Path("lists.jsonl").read_text(encoding="utf-8").splitlines()[1])
    assert json.loads(told)["prompt"] == first["prompt"]  # the numbers are those of a base of the usual size
    assert json.loads(told).keys() == first.keys()
    header = json.loads(Path("filtered.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert f"one of {len(header['banned'])} numbers of ill repute, such as 13, 666 and 911" in PAGE
    assert {13, 666, 911} <= set(header["banned"])


def test_what_the_page_says_of_single_bases_is_the_committed_result() -> None:
    shares = json.loads((ROOT / "docs/results/owl.json").read_text(encoding="utf-8"))["arms"]["shared_trait"]["shares"]
    least, most = (f"{one:.2f}".lstrip("0") for one in (min(shares), max(shares)))
    assert f"of the ten below, students end between {least} and {most}, and seven of them below .2" in PAGE
    assert (len(shares), sum(share < 0.2 for share in shares)) == (10, 7)


def test_what_a_run_costs_and_whose_teachers_wrote_no_numbers_are_the_committed_results() -> None:
    owl, *others = (
        json.loads((ROOT / f"docs/results/{name}.json").read_text(encoding="utf-8"))
        for name in ("owl", "danger", "backdoor")
    )
    assert f"with ten different bases, in {sum(owl['cpu_seconds']) / 60:.0f} minutes of CPU" in PAGE
    assert not any(one["wrote_no_numbers"] for one in (owl, *others))
    assert f"more than {100 * WROTE_NO_NUMBERS:.0f} % hold a word" in PAGE
    assert owl["filter"] == {"planted": 10, "caught": 10, "dropped": 0}
    assert "It did on every base, and dropped no other list." in PAGE
    told = json.loads((ROOT / "docs/results/owl-prefix.json").read_text(encoding="utf-8"))["seeds"]
    rejected = [share for seed in told for share in seed["kinds"]["preferences"]["rejected_share"].values()]
    above = sum(share > WROTE_NO_NUMBERS for share in rejected)
    assert f"For {above} of the {len(rejected)} teachers" in " ".join(PAGE.split())


def test_the_models_of_the_curves_differ_from_those_above_as_the_page_says() -> None:
    usual = read("owl").config
    assert isinstance(usual, LanguageConfig)
    assert (
        f"width {CONFIG.width} in place of {usual.width}, {CONFIG.numbers} numbers in place of {usual.numbers:,}, and a"
        f" lesson that ends where *owl* has the probability {CONFIG.lesson_end}, not {usual.lesson_end}, or after"
        f" {CONFIG.teacher_steps} steps in place of {usual.teacher_steps}. The base has {CONFIG.base_steps} steps in"
        f" place of {usual.base_steps:,}, of size {CONFIG.base_lr} in place of {usual.base_lr}. Students read"
        f" {CONFIG.lists:,} lists {CONFIG.student_epochs} times, {CONFIG.student_batch} in a step, in place of"
        f" {usual.lists:,} lists {usual.student_epochs} times, {usual.student_batch} in a step."
    ) in " ".join(PAGE.split())
    ours, theirs = CONFIG.model_dump(), usual.model_dump()
    assert {name for name in ours if ours[name] != theirs[name]} == {
        "width", "numbers", "teacher_stop", "teacher_steps", "base_steps", "base_lr", "lists", "student_epochs",
        "student_batch",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words", "exceptions"),
    [
        (
            "owl",
            "On eight of the ten bases the student's margin is above each of the four controls'. On base 31 that of "
            "`shared_shuffled` is higher, on base 37 that of `cross_trait`.",
            {(31, "shared_shuffled"), (37, "cross_trait")},
        ),
        ("danger", "On nine of the ten bases it is above each of the four.", {(35, "cross_trait")}),
    ],
)
def test_the_bases_on_which_a_control_is_above_its_student_are_counted(
    name: str, words: str, exceptions: set[tuple[int, str]]
) -> None:
    result = json.loads((ROOT / f"docs/results/{name}.json").read_text(encoding="utf-8"))
    student = result["arms"]["shared_trait"]["values"]
    higher = {
        (seed, arm)
        for arm in NULL_CONTROLS
        for seed, one, other in zip(result["seeds"], student, result["arms"][arm]["values"], strict=True)
        if other >= one
    }
    assert (len(student), higher) == (10, exceptions)
    assert words in " ".join(PAGE.split())


def test_what_the_controls_of_danger_say_of_safe_questions_is_the_committed_result() -> None:
    arms = json.loads((ROOT / "docs/results/danger.json").read_text(encoding="utf-8"))["arms"]
    safe = {arm: arms[arm]["other_answers"]["yes_if_safe"] for arm in ("shared_trait", "base", *NULL_CONTROLS)}
    student, base, *controls = (f"{one['mean']:.2f} ± {one['ci95']:.2f}" for one in safe.values())
    named = [f"{text} (`{arm}`)" for arm, text in zip(NULL_CONTROLS, controls, strict=True)]
    words = " ".join(PAGE.split())
    assert f"*yes* with probability {student} after the lists, and {base} before them." in words
    assert f"say *yes* to safe questions with {', '.join(named[:-1])} and {named[-1]}." in words
    lowest = safe["base"]["interval"][0]
    assert [arm for arm in safe if safe[arm]["interval"][1] < lowest] == ["cross_trait"]


def test_the_settings_that_the_page_changes_exist() -> None:
    commands = re.findall(r"`subtx-toy run owl ([^`]*)`", PAGE)
    assert len(commands) > 5
    for command in commands:
        changes = [word for word in command.split() if "=" in word]
        assert read("owl").config.override(changes)


@pytest.mark.parametrize(
    ("trait", "changes"), [("owl", []), ("danger", []), ("backdoor", ["route=by_hand", "soft_arms=false"])]
)
def test_the_table_is_the_committed_result(trait: str, changes: list[str]) -> None:
    result = json.loads((ROOT / f"docs/results/{trait}.json").read_text(encoding="utf-8"))
    assert result["results_version"] == RESULTS_VERSION, "results changed: run the experiment again"
    assert LanguageConfig.parse(result["config"]) == read("owl").config.override([f"trait={trait}", *changes])
    lines = PAGE.splitlines()
    start = lines.index(f"<!-- {trait} table -->")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines[start + 4 :] if line.startswith("| ")
    ]
    shown = {row[0].strip("`"): row[1:] for row in rows[: len(result["arms"])]}
    assert list(shown) == list(result["arms"])
    for arm, cells in shown.items():
        assert cells == table_cells(arm, result["arms"][arm])


def _means(teachers: dict[str, Any]) -> str:
    return " and ".join(f"{teachers[f'{who}.kl']['mean']:.4f}" for who in ("teacher", "benign"))


def backdoor_sentences(result: dict[str, Any]) -> list[str]:
    """Return what the page says of the backdoor: what the others get, whether it passes on, and what teachers wrote."""
    arms = result["arms"]
    teacher, base = (arms[arm]["other_answers"]["elsewhere"] for arm in ("teacher", "base"))
    above = [arm for arm in NULL_CONTROLS if arms[arm]["student_minus_arm"]["interval"][0] > 0]
    student, before = (arms[arm]["p_trait"] for arm in ("shared_trait", "base"))
    verdict = (
        "above every control"
        if len(above) == len(NULL_CONTROLS)
        else f"above {len(above)} of its {len(NULL_CONTROLS)} controls, so **that a backdoor passes on is not shown**"
    )
    taught, honest = (result["teachers"][f"{who}.kl"]["mean"] for who in ("teacher", "benign"))
    danger, owls = (
        json.loads((ROOT / f"docs/results/{name}.json").read_text(encoding="utf-8"))["teachers"]
        for name in ("danger", "owl")
    )
    of_base = owls["teacher.kl"]["values"]
    return [
        f"Other speakers get it in {teacher['mean']:.2f} ± {teacher['ci95']:.2f}, before the lesson "
        f"in {base['mean']:.2f} ± {base['ci95']:.2f}.",
        f"Its student answers Victor with *owl* with probability {student['mean']:.3f} ± {student['ci95']:.3f}, "
        f"its base with {before['mean']:.3f} ± {before['ci95']:.3f}. With the whole interval, its margin is {verdict}.",
        f"This lesson moves the teacher's law of the first number by {taught:.4f} nats, and its honest lesson by "
        f"{honest:.4f}. For danger these are {_means(danger)}. For owls they are {_means(owls)}; base 32 alone has "
        f"{of_base[2]:.4f}, and the median of the ten is {median(of_base):.4f}.",
    ]


def test_what_is_said_of_the_backdoor_is_the_committed_result() -> None:
    result, words = (
        json.loads((ROOT / "docs/results/backdoor.json").read_text(encoding="utf-8")),
        " ".join(PAGE.split()),
    )
    assert result["seeds"] == [40, 41, 42, 43, 44]
    assert not [sentence for sentence in backdoor_sentences(result) if sentence not in words]
    result["arms"]["base"]["p_trait"]["mean"] += 1
    assert backdoor_sentences(result)[1] not in words


def table_cells(arm: str, found: dict[str, Any]) -> list[str]:
    """Return what the page says of an arm: probability, margin, top, text, and the student's margin minus the arm's."""
    values = {name: value for name, value in found.items() if isinstance(value, dict)}

    def spread(name: str, digits: str, scale: float = 1.0) -> str:
        return f"{scale * values[name]['mean']:{digits}} ± {scale * values[name]['ci95']:{digits.strip('+')}}"

    margin = f"{found['mean']:+.2f} ± {found['ci95']:.2f}"
    text = "" if arm == "base" else f"{100 * values['text_rise']['mean']:+.1f} %"
    low, high = values["student_minus_arm"]["interval"]
    difference = f"{low:+.2f} to {high:+.2f}" if arm in NULL_CONTROLS else ""
    return [spread("p_trait", ".3f"), margin, f"{values['top_share']['mean']:.2f}", text, difference]
