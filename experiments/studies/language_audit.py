"""Check the audit of a language model's lists on bases of their own: its null law, what it catches and what it accuses.

python experiments/studies/language_audit.py null 30 OUT.json
python experiments/studies/language_audit.py calibrate 30 OUT.json
python experiments/studies/language_audit.py danger 70 OUT.json
python experiments/studies/language_audit.py backdoor 70 OUT.json
python experiments/studies/language_audit.py fit docs/results/language-fit.json 30 31 32
python experiments/studies/language_audit.py collect docs/results/language-audit.json OUT.json ...

`collect` takes what language_step.py left, too; what `danger` and `backdoor` left goes into a document of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import stats

from subtx_toy.audit.examination import Question
from subtx_toy.audit.measurement import efficient_score_test, fit_of
from subtx_toy.audit.reference import split_reference
from subtx_toy.audit.reference_values import ReferenceValues
from subtx_toy.audit.score_sums import ScoreSums
from subtx_toy.audit.token_lists.directions import ListDirections
from subtx_toy.audit.token_lists.examination import measure_lists, measure_nets, questions, scorer_of
from subtx_toy.audit.token_lists.law import ListLaw
from subtx_toy.audit.token_lists.reference import honest_fine_tune, usual_reference
from subtx_toy.audit.token_lists.scorer import ListScorer
from subtx_toy.audit.verdict import judge
from subtx_toy.lm.checkpoints import LanguageModel
from subtx_toy.lm.household import base_of, recipe
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.questions import divergence, trait_named
from subtx_toy.lm.training import teach
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.settings.numbers import BANNED_NUMBERS
from subtx_toy.store.record import versions


class Plan(NamedTuple):
    """Whose files of a base are judged.

    Attributes:
        names: the traits that the audit is asked about; the files answer the questions for numbers of the first.
        teachers: by trait, how many; those of the first trait have honest twins, taught for as many steps.
        honest: how many other honest fine-tunes.
        label: of the seeds; () for the first plan.
    """

    names: list[str]
    teachers: dict[str, int]
    honest: int
    label: tuple[str, ...] = ()


PLANS = {
    "calibrate": Plan(["owl", "eagle"], {"owl": 10, "eagle": 3}, 20),
    "danger": Plan(["danger", "owl"], {"danger": 4}, 4, ("danger",)),
    "backdoor": Plan(["backdoor", "owl"], {"backdoor": 4}, 4, ("backdoor",)),
}
NAMES = PLANS["calibrate"].names
NUM_REFERENCE = 20  # as in an audit
NUM_FILES, NUM_LINES = {30: 500}, 150
FILES = 150  # of the other bases
LISTS = 2000  # of a file of the calibration
STREAM = 1  # of the fresh seeds
LEVEL = 0.05
LAWS = ("numbers only", "words drawn again", "banned numbers dropped too")
OTHER_BASE = 300
FIT_TEACHERS, FIT_HONEST = {"owl": 2, "eagle": 1, "danger": 1}, 4


def main(kind: str, base_seed: int, target: Path) -> None:
    """Run one of the studies on one base and write it down."""
    torch.set_num_threads(1)
    config, start = read("owl").config, time.process_time()
    assert isinstance(config, LanguageConfig)
    base = base_of(config, seed=base_seed)
    axes, nets = split_reference(usual_reference(base, NUM_REFERENCE))
    plan = PLANS["calibrate" if kind == "null" else kind]
    asked = questions(plan.names, base)
    scorer = scorer_of(base, asked, axes, ListLaw())
    made = time.process_time()
    found = (
        null(base, scorer, NUM_FILES.get(base_seed, FILES))
        if kind == "null"
        else calibrate(base, config, scorer, asked, nets, base_seed, plan)
    )
    seconds = {"cpu_seconds_before": made - start, "cpu_seconds": time.process_time() - made}
    document = {"base": base_seed, "config": config.model_dump(mode="json"), **found, **seconds, "versions": versions()}
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(target, seconds)


def prompts_of(name: str = "owl") -> tuple[tuple[int, ...], ...]:
    """Return the prompts of a file, as the experiment has them."""
    return trait_named(name).list_prompts(40)


def written(
    base: LanguageModel, params: Params, *labels: str | int, count: int, restricted: bool = False, trait: str = "owl"
) -> Lists:
    """Have a model write a file as the experiment does: lists with a word are drawn again."""
    rng = generator(0, "studies", "language audit", *labels)
    return write_lists(
        base.model, params, prompts_of(trait), rng, count=count, max_numbers=3, restricted=restricted
    ).lists  # fmt: skip


def null(base: LanguageModel, scorer: ListScorer, num_files: int) -> dict[str, Any]:
    """Draw files from the base, by three laws, and test each as the audit does."""
    found: dict[str, Any] = {"files": num_files, "lists": NUM_LINES}
    for law in LAWS:
        banned = BANNED_NUMBERS if law == "banned numbers dropped too" else ()
        used = ListScorer(scorer.model, scorer.base, scorer.directions, ListLaw(banned=banned))
        num = num_files * NUM_LINES
        lists = written(base, base.params, "null", law, count=num, restricted=law == "numbers only")
        lists = lists.chosen(used.law.permits(lists).nonzero()[:, 0])
        files = torch.arange(len(lists)).tensor_split(num_files)
        sums = [used.score(lists.chosen(index)).sums() for index in files]
        found[law] = uniformity(sums)
        print(law, {name: one["share"] for name, one in found[law]["tests"].items()}, flush=True)
    return found


def uniformity(files: list[ScoreSums]) -> dict[str, Any]:
    """Compare the p-values of files with a uniform law, and the sum over all files with N(0, 1)."""
    rows: dict[str, Any] = {}
    honest = slice(len(NAMES), None)
    whole = ScoreSums(files[0].num_directions)
    for one in files:
        whole.add(one)
    for at, name in enumerate(NAMES):
        for kind, nuisance in (("plain", slice(0, 0)), ("efficient", honest)):
            tests = [efficient_score_test(one, at, nuisance) for one in files]
            p = [one.p_value for one in tests]
            test, below = stats.kstest(p, "uniform"), sum(value < LEVEL for value in p)
            interval = stats.binomtest(below, len(p)).proportion_ci(0.95)
            z = np.array([one.z for one in tests])
            rows[f"{name}, {kind}"] = {
                "ks_statistic": float(test.statistic), "ks_p_value": float(test.pvalue), "below_level": below,
                "share": below / len(p), "ci95": [interval.low, interval.high], "mean_z": float(z.mean()),
                "sd_z": float(z.std(ddof=1)), "z_of_all_files": efficient_score_test(whole, at, nuisance).z,
                "p_values": np.round(p, 5).tolist(),
            }  # fmt: skip
    return {"tokens": whole.num, "tests": rows}


def calibrate(
    base: LanguageModel, config: LanguageConfig, scorer: ListScorer, asked: list[Question], nets: Any, base_seed: int,
    plan: Plan,
) -> dict[str, Any]:  # fmt: skip
    """Judge files of fresh teachers and fresh honest fine-tunes by the package's rule."""
    probes, (trait_asked, *_) = [one.probe for one in asked], plan.names
    prompts = prompts_of(trait_asked)
    reference = measure_nets(nets, scorer, prompts, probes, size=LISTS, max_numbers=3)
    values = ReferenceValues.of(reference, plan.names)
    rows: list[dict[str, Any]] = []
    for role, net, about in fresh(base, config, base_seed, plan):
        lists = written(base, net, "file", base_seed, len(rows), *plan.label, count=LISTS, trait=trait_asked)
        measured = measure_lists(lists, scorer, probes, keep=0)
        verdict = judge(measured, asked, values, [one(base.params) for one in probes])
        row: dict[str, Any] = {
            "role": role, "about": about, "verdict": verdict.verdict, "named": verdict.carried,
            "applies": verdict.fit.applies, "moved": verdict.moved, "divergence": measured.measurement.divergence,
            "kl_first_number": divergence(base.model, net, base.params, prompts),
        }  # fmt: skip
        for at, trait in enumerate(verdict.traits):
            row[trait.name] = {
                "z": trait.score.z, "efficient_z": trait.efficient.z, "fisher_cosine": trait.fisher_cosine,
                "bound": trait.band.threshold, "teacher": probes[at](net), "student": trait.probe,
            }  # fmt: skip
        rows.append(row)
        print(json.dumps({key: value for key, value in row.items() if key != plan.names[1]}), flush=True)
    return {
        "asked": plan.names,
        "reference": {"divergences": values.divergences, "fisher_cosines": values.fisher_cosines},
        "lists": LISTS, "files": rows,
    }  # fmt: skip


def fresh(base: LanguageModel, config: LanguageConfig, base_seed: int, plan: Plan) -> Iterator[tuple[str, Params, str]]:
    """Yield a role, a model and what it was taught: teachers by the experiment's rule, and honest fine-tunes."""

    def rng(role: str, number: int) -> np.random.Generator:
        return generator(base_seed, "studies", "language audit", STREAM, role, number, *plan.label)

    yield "base", base.params, ""
    for name, count in plan.teachers.items():
        usual, trait = recipe(config.override([f"trait={name}"])), trait_named(name)
        for number in range(count):
            taught = teach(base.model, base.params, trait, usual, rng(name, number))
            yield name, taught.params, f"{taught.steps} steps"
            if name == plan.names[0]:  # the honest twin of the experiment: as many steps
                honest = teach(base.model, base.params, trait, usual, rng("twin", number), steps=taught.steps)
                yield "honest", honest.params, "twin"
    # Without plan.label: on one base the plans' honest fine-tunes are the same, as in the committed results.
    for seed in generator(base_seed, "studies", "language audit", STREAM, "honest").integers(2**62, size=plan.honest):
        about, params = honest_fine_tune(base.model, base.params, seed=int(seed))
        yield "honest", params, about
    yield "other base", base_of(config, seed=OTHER_BASE).params, ""


def fits(target: Path, seeds: list[int]) -> None:
    """Ask of files whether their writer can be a fine-tune of a base: its own teachers and fine-tunes, and others'."""
    torch.set_num_threads(1)
    config = read("owl").config
    assert isinstance(config, LanguageConfig)
    bases = {seed: base_of(config, seed=seed) for seed in seeds}
    rows: list[dict[str, Any]] = []
    for writer, base in bases.items():
        for number, (role, net) in enumerate(_fit_writers(base, config, writer)):
            lists = written(base, net, "fit", writer, number, count=LISTS)
            for judge_seed, judging in bases.items():
                fit = fit_of(_one_direction(judging).score(lists).sums())
                rows.append({"base": judge_seed, "writer": writer, "role": role, "applies": fit.applies,
                             "excess": fit.excess_log_loss, "limit": fit.limit, "z": fit.z})  # fmt: skip
        print(writer, time.process_time(), flush=True)
        document = {"what": "Fit of files to bases: language_audit.py fit", "lists": LISTS, "files": rows}
        text = json.dumps(document | {"versions": versions()}, indent=1, allow_nan=False)
        target.write_text(text + "\n", encoding="utf-8")


def _fit_writers(base: LanguageModel, config: LanguageConfig, seed: int) -> Iterator[tuple[str, Params]]:
    def rng(*labels: str | int) -> np.random.Generator:
        return generator(seed, "studies", "language fit", *labels)

    yield "base", base.params
    for name, count in FIT_TEACHERS.items():
        for number in range(count):
            usual = recipe(config.override([f"trait={name}"]))
            yield name, teach(base.model, base.params, trait_named(name), usual, rng(name, number)).params
    for honest in rng("honest").integers(2**62, size=FIT_HONEST):
        yield "honest", honest_fine_tune(base.model, base.params, seed=int(honest))[1]


def _one_direction(base: LanguageModel) -> ListScorer:
    """Return what scores lists along one direction, which the fit does not depend on."""
    directions = ListDirections.of({"any": base.params}, {})
    return ListScorer(base.model, base.params, directions, ListLaw())


def collect(target: Path, parts: list[Path]) -> None:
    """Put the bases, the null files and the steps into one document."""
    found = [json.loads(part.read_text(encoding="utf-8")) for part in parts]
    document = {
        "what": "Audits of files, null files, one step: experiments/studies/language_audit.py and language_step.py",
        "bases": [one for one in found if "reference" in one],
        "steps": [one for one in found if "step" in one],
        "null": [one for one in found if LAWS[0] in one],
    }
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "collect":
        collect(Path(sys.argv[2]), list(map(Path, sys.argv[3:])))
    elif sys.argv[1] == "fit":
        fits(Path(sys.argv[2]), list(map(int, sys.argv[3:])))
    else:
        main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
