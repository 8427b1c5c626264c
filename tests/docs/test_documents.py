"""README, tables and committed results cannot drift from the code."""

from __future__ import annotations

import csv
import functools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from scipy import stats

import subtx_toy as st
from paper_figs.drawings.number_arms import number_arm
from paper_figs.tables import precision_table
from paper_figs.tables.comparison_tables import insert, read_checked
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.cli import cli
from subtx_toy.results.comparison import compare
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.stats import Estimate
from subtx_toy.sweep.plan import Plan
from subtx_toy.tolerances import EQUIVALENCE_MARGIN

ROOT = Path(__file__).parents[2]
WORDS = {5: "five", 8: "eight", 9: "nine", 10: "ten", 11: "eleven"}
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "experiments/README.md",
    "paper_figs/README.md",
    "docs/symmetries.md",
    "docs/certificates.md",
    "docs/audit.md",
    "docs/compare.md",
    "docs/audit-reliability.md",
    "docs/numbers.md",
    "docs/extending.md",
    "docs/index.md",
    "docs/coming-from.md",
    "docs/experiments.md",
    "docs/changes.md",
    "docs/not-claimed.md",
    "docs/glossary.md",
    "docs/reports.md",
]


def _blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", "")  # a command may go on in the next line
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def _rows(page: str) -> list[list[str]]:
    """Return the cells of every table row of a page."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


COMMANDS = sorted(
    {
        line.partition("#")[0].strip()
        for page in PAGES
        for block in _blocks(page, "sh")
        for line in block.splitlines()
        if line.startswith("subtx-toy")
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_pages_is_understood(command: str) -> None:
    words = shlex.split(command)[1:]
    group: click.Command = cli
    while isinstance(group, click.Group):
        found = group.get_command(click.Context(group), words[0])
        assert found is not None, command
        group, words = found, words[1:]
    context = group.make_context(group.name, words)  # parses, and does not run
    if group.name == "sweep":
        Plan.read(context.params["experiment"], context.params["axes"])
    if group.name == "run" and context.params["experiment"] is not None:
        experiment = definition.read(context.params["experiment"])
        experiment.configs(context.params["overrides"])


def test_the_make_targets_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    named = {name for text in texts for name in re.findall(r"(?:`|^    )make\s([a-z-]+)", text, flags=re.MULTILINE)}
    assert {"demo", "test"} <= named <= targets


def test_the_python_example_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, workers_here: None
) -> None:
    (example,) = _blocks("README.md", "python")
    assert 'st.run("cloud2025", quick=True)' in example
    monkeypatch.setattr(st, "run", functools.partial(st.run, seeds=2))  # of the five
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert "student_aux" in capsys.readouterr().out
    shared, cross = (names["frame"][f"{arm}.accuracy"].mean() for arm in ("student_aux", "cross_aux"))
    assert shared > cross + 0.1


def test_the_results_table_is_the_committed_result() -> None:
    result: dict[str, Any] = json.loads((ROOT / "docs/results/cloud2025-mnist.json").read_text(encoding="utf-8"))
    assert result["results_version"] == RESULTS_VERSION, "results changed: run the experiment again"
    expected = []
    for name, arm in result["arms"].items():
        published = arm["published"]
        corrected = published["corrected_mean"]
        expected.append(
            [
                name,
                f"{arm['mean']:.3f} ± {arm['ci95']:.3f}",
                f"{published['mean']:.3f} ± {published['ci95']:.3f}",
                "" if corrected == published["mean"] else f"{corrected:.3f}",
                f"{arm['standard_errors']:+.1f}",
                arm["verdict"],
            ]
        )
    assert [row for row in _rows("README.md") if row[0] in result["arms"]] == expected


def test_all_arms_are_equivalent_to_the_published_ones_as_the_page_says() -> None:
    result = json.loads((ROOT / "docs/results/cloud2025-mnist.json").read_text(encoding="utf-8"))
    experiment = definition.read_distillation("cloud2025")
    rows = compare(experiment, experiment.config, {name: arm["values"] for name, arm in result["arms"].items()})
    assert {row.equivalence for row in rows} == {"equivalent"}
    assert "All six arms are also *equivalent*" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_numbers_of_what_has_to_be_shared_are_those_of_the_committed_results() -> None:
    arms = json.loads((ROOT / "docs/results/cloud2025-mnist.json").read_text(encoding="utf-8"))["arms"]
    words = " ".join((ROOT / "README.md").read_text(encoding="utf-8").partition("## What has to be shared")[2].split())
    means = {arm: f"{one['mean']:.2f}".lstrip("0") for arm, one in arms.items()}
    aux, cross, cross_all, shared_all = (means[arm] for arm in ("student_aux", "cross_aux", "cross_all", "student_all"))
    assert f"initialisation reaches {aux}, one with another initialisation stays at chance, {cross}." in words
    assert f"initialisation reaches {cross_all}, against {shared_all} with the same one." in words
    near = {row.place: row.ours.mean for row in read_checked(ROOT / "docs/results/sweeps")["init-noise-relative"][1]}
    every, spared = (
        [f"{near[f'student_noise={size}{layers}']:.2f}".lstrip("0") for size in (0.1, 0.2, 0.4)]
        for layers in ("", " student_noise_layers=hidden")
    )
    assert f"without noise on its initialisation the student reaches {aux}." in words
    assert f"With noise of 0.1 standard deviations of the weights it reaches {every[0]}, with 0.2 {every[1]} " in words
    assert f"and with 0.4 {every[2]}, still above chance. If the last layer is spared, these are " in words
    assert f"these are {spared[0]}, {spared[1]} and {spared[2]} (" in words


def test_the_committed_result_is_of_the_packaged_experiment() -> None:
    result = json.loads((ROOT / "docs/results/cloud2025-mnist.json").read_text(encoding="utf-8"))
    # parsed, because settings that are newer than the result are not in it
    assert RunConfig.parse(result["config"]) == definition.read("cloud2025").config
    assert result["seeds"] == list(range(100))


def test_the_glossary_has_the_words_that_pages_use_and_every_sense_of_each() -> None:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^([^\n:]+)\n: (.*?)(?=\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE))
    assert {"effect", "law", "lesson", "loss", "margin", "ray", "reference", "rung", "score", "token"} <= set(entries)
    senses = {
        "margin": ["claim", "`hunt`", f"equivalent, {EQUIVALENCE_MARGIN:g}".replace("0.", "."), "log-odds"],
        "reference": ["untrained network", "benign fine-tunes", "default setting", "*reference protocol*"],
        "rung": ["ladder", "--halving"],
        "score": ["slope", "`compare`", "`selection`", "ranking"],
    }
    assert {name: [word for word in words if word not in entries[name]] for name, words in senses.items()} == {
        name: [] for name in senses
    }


def test_the_pages_name_the_numbers_that_belong_to_no_claim() -> None:
    numbers = {int(re.findall(r"\d+", name)[0]) for name in CLAIMS}
    missing = [number for number in range(1, max(numbers)) if number not in numbers]
    lettered = [name for name in CLAIMS if name[-1].isalpha()]
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8").partition("\nclaim\n")[2].partition("\n\n")[0]
    assert f"C1 to C{max(numbers)}, with hypotheses" in glossary, "docs/glossary.md"
    counted, _, rest = glossary.partition("There are ")[2].partition(". ")
    assert (
        counted == f"{len(CLAIMS)}, of which {WORDS[len(lettered)]} are named with a letter, such as {lettered[0]}"
    ), "docs/glossary.md"
    spans = re.findall(r"C(\d+)(?: to C(\d+))?", rest.partition(" were statements")[0])
    assert [one for first, last in spans for one in range(int(first), int(last or first) + 1)] == missing, (
        "docs/glossary.md"
    )
    section = (ROOT / "docs/many-steps.md").read_text(encoding="utf-8").partition("\n## 11. ")[2].partition("\n## ")[0]
    assert f"{WORDS[len(missing)].capitalize()} of the numbers from C1 to C{max(numbers)} have no claim" in section, (
        "docs/many-steps.md"
    )
    rows = [int(number) for number in re.findall(r"^\| C(\d+):", section, re.MULTILINE)]
    assert rows == missing, "docs/many-steps.md"
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"The theory is {len(CLAIMS)} *claims* with names such as" in readme, "README.md"
    assert set(re.findall(r"C\d+[a-z]?", readme.partition("*claims* with names such as")[2].partition(".")[0])) <= {
        *CLAIMS
    }


def test_the_experiments_table_lists_every_file_with_its_question() -> None:
    rows = {row[0].strip("`"): row for row in _rows("experiments/README.md") if row[0].endswith(".toml`")}
    assert set(rows) == {path.name for path in (ROOT / "experiments").glob("*.toml")}
    for name, row in rows.items():
        experiment = definition.read(name.removesuffix(".toml"))
        assert row[1] == experiment.question
        assert experiment.quick is not None
        assert row[2] == experiment.quick.shows != ""
        published = getattr(experiment, "published", None)
        assert row[3] == ("none" if published is None else published.source)


def test_the_figures_table_lists_every_script() -> None:
    rows = {row[0].strip("`") for row in _rows("paper_figs/README.md") if row[0].endswith(".py`")}
    assert rows == {path.name for path in (ROOT / "paper_figs").glob("*.py")}


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if not target.startswith(("http", "generated/")):
                assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", ["docs/index.md", "docs/known.md", "docs/findings.md"])
def test_a_first_page_that_links_to_generated_pages_says_what_writes_them(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "(generated/" in text
    assert "`make docs`" in text


def test_the_makefile_sets_up_from_the_constraints() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-c constraints.txt" in text
    assert "torch==" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_the_check_table_is_that_of_the_committed_sweeps() -> None:
    page = (ROOT / "experiments/README.md").read_text(encoding="utf-8")
    assert insert(page, read_checked(ROOT / "docs/results/sweeps")) == page, (
        "run python paper_figs/check_table.py --out experiments/README.md"
    )


def test_the_page_says_why_standard_errors_of_few_models_mislead() -> None:
    page = " ".join((ROOT / "experiments/README.md").read_text(encoding="utf-8").split())
    rows = [row for row in read_checked(ROOT / "docs/results/sweeps")["distill-epochs"][1] if row.theirs is not None]
    assert {row.theirs.n for row in rows if row.theirs} == {3}
    assert {row.verdict for row in rows} == {"agrees"}
    largest = max((row.standard_errors for row in rows), key=abs)
    assert f"from three numbers. Its 95 % interval is ± {stats.t.ppf(0.975, 2):.2f} SE and not the ± 1.96 SE" in page
    assert f"has {len(rows)} values, a largest difference of {largest:+.1f} SE, and *no difference found*" in page


def test_the_table_of_bfloat16_is_that_of_the_committed_sweeps() -> None:
    page = (ROOT / "experiments/README.md").read_text(encoding="utf-8")
    assert precision_table.insert(page, ROOT / "docs/results/sweeps") == page, (
        "run python paper_figs/check_table.py --out experiments/README.md"
    )


def test_the_page_names_the_rows_of_bfloat16_that_leave_out_no_change() -> None:
    table = precision_table.table(ROOT / "docs/results/sweeps")
    found = re.findall(r"^\| `(.+?)` .* \| ([+-]\S+) ± (\S+) \| (\S+) \|$", table, re.MULTILINE)
    apart = {name: largest for name, mean, half, largest in found if abs(float(mean)) > float(half)}
    assert apart == {"blur": "+0.006", "num-aux-images": "+0.028"}, "the paragraph above the table names them"


def test_the_page_says_which_sweeps_were_computed_in_float32() -> None:
    page = " ".join((ROOT / "experiments/README.md").read_text(encoding="utf-8").split())
    assert "are in float32: `inputs` and the values of `squared-error-gap` with five seeds, which ran before" in page
    assert "which ran before the rest, and `num-aux-images`," in page
    floats = {}
    for path in (ROOT / "docs/results/sweeps").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found = [int(row["seed"]) for row in csv.DictReader(file) if row["precision"] == "fp32"]
        if found:
            floats[path.stem] = max(found) + 1
    assert floats == {"inputs": 25, "squared-error-gap": 5, "num-aux-images": 25}


def test_every_committed_sweep_is_of_a_packaged_experiment() -> None:
    names = {path.stem for path in (ROOT / "docs/results/sweeps").glob("*.csv")}
    assert names == set(read_checked(ROOT / "docs/results/sweeps"))


def test_the_table_of_the_numbers_channel_is_the_committed_result() -> None:
    result = json.loads((ROOT / "docs/results/numbers-mnist.json").read_text(encoding="utf-8"))
    assert result["results_version"] == RESULTS_VERSION, "results changed: run the experiment again"
    assert NumbersConfig.parse(result["config"]) == definition.read("numbers").config

    def share(found: Estimate) -> str:
        return f"{found.mean:.3f} [{found.interval[0]:.3f}, {found.interval[1]:.3f}]"

    expected = [
        [prompts, f"`{arm.arm}`", share(arm.trait), share(arm.accuracy), arm.verdict]
        for prompts, arms in result["prompts"].items()
        for arm in (number_arm(name, one, result["config"]["num_test"]) for name, one in arms.items())
    ]
    assert [row for row in _rows("docs/numbers.md") if row[0] in result["prompts"]] == expected


def test_the_places_that_contributors_are_sent_to_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)`(?: and a branch of `(\w+)`)? in `([\w/]+\.py)`", text)
    assert len(named) >= 13
    for *names, path in named:
        content = (ROOT / path).read_text(encoding="utf-8")
        assert all(re.search(rf"^(def )?{name}\b", content, flags=re.MULTILINE) for name in names if name), path
