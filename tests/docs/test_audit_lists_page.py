"""The page about audits of lists: its commands are run at a small size, its numbers are those of the results."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from paper_figs.language_audit import draw
from subtx_toy import cli
from subtx_toy.audit.examination import reference_size
from subtx_toy.settings.language import ANIMALS, TRAITS, LanguageConfig
from subtx_toy.stats import estimate

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "audit-lists.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
RESULTS: dict[str, Any] = json.loads((DOCS / "results/language-audit.json").read_text(encoding="utf-8"))
FILES = [{"base": base["base"], **row} for base in RESULTS["bases"] for row in base["files"]]
STEPS = RESULTS["steps"]
FRESH = range(110, 115)
"""Bases whose files were written after every part of the decision was fixed."""
SMALL = {
    "base": ["numbers=20", "width=16", "depth=1", "heads=2", "base_steps=30", "base_batch=32", "base_lr=1e-2"],
    "teach": ["teacher_lr=1e-2"],
    "write": ["sampling=restricted"],
    "score": ["--num-reference", "5"],
    "audit": ["--num-reference", "5"],
}


def test_the_document_has_ten_bases_five_steps_and_one_recipe() -> None:
    assert [base["base"] for base in RESULTS["bases"]] == [*range(30, 35), *FRESH]
    assert [step["seed"] for step in STEPS] == [30, 31, 32, 33, 34]
    assert len({repr(LanguageConfig.parse(one["config"])) for one in RESULTS["bases"] + RESULTS["null"]}) == 1


def interval(count: int, total: int) -> str:
    found = stats.binomtest(count, total).proportion_ci(0.95)
    return f"{100 * found.low:.0f} to {100 * found.high:.0f} %"


def test_the_table_of_verdicts_is_that_of_the_results() -> None:
    for role, trait, title in (
        ("owl", "owl", "teacher of owls"),
        ("eagle", "eagle", "teacher of eagles"),
        ("honest", "", "honest fine-tune"),
        ("base", "", "the base"),
        ("other base", "", "another base"),
    ):
        named = [row["named"] for row in FILES if row["role"] == role]
        total, own = len(named), sum(trait in one for one in named)
        others = sum(any(name != trait for name in one) for one in named)
        cells = (f"{own} of {total}", interval(own, total)) if trait else ("", "")
        last = interval(others, total) if total > len(RESULTS["bases"]) else ""
        row = f"| {title} | {cells[0]} | {cells[1]} | {others} of {total} | {last} |"
        assert re.sub(r" +", " ", row) in re.sub(r" +", " ", PAGE), row
    assert sum(row["about"] == "twin" for row in FILES) == 100


def ends(rows: list[dict[str, Any]], key: str) -> str:
    found = sorted(row[key] for row in rows)
    return f"{found[0]:.2f} to {found[-1]:.2f}"


def row_of_base(base: dict[str, Any]) -> str:
    """Return a base's row: how many are named, and what their cosines had to exceed."""
    of = {role: [row for row in base["files"] if row["role"] == role] for role in ("owl", "eagle", "honest")}
    named = {role: sum(role in row["named"] for row in rows) for role, rows in of.items()}
    owls, accused = [row["owl"] for row in of["owl"]], sum(bool(row["named"]) for row in of["honest"])
    cells = [
        str(base["base"]), f"{named['owl']} of {len(owls)}", ends(owls, "fisher_cosine"), ends(owls, "bound"),
        f"{named['eagle']} of {len(of['eagle'])}", f"{accused} of {len(of['honest'])}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def test_the_table_of_bases_is_that_of_the_results() -> None:
    for base in RESULTS["bases"]:
        assert row_of_base(base) in PAGE
        changed = base | {"files": [row | {"named": ["owl"]} for row in base["files"]]}
        assert row_of_base(changed) not in PAGE  # the control


OTHERS: dict[str, Any] = json.loads((DOCS / "results/language-audit-traits.json").read_text(encoding="utf-8"))


def rows_of_traits(document: dict[str, Any]) -> list[str]:
    """Return the rows on teachers of other traits and on the honest fine-tunes that wrote to the same prompts."""
    found = []
    for trait in dict.fromkeys(base["asked"][0] for base in document["bases"]):
        files = [row for base in document["bases"] if base["asked"][0] == trait for row in base["files"]]
        for role, title in ((trait, f"teacher of {trait}"), ("honest", f"honest fine-tune, asked for {trait}")):
            named = [row["named"] for row in files if row["role"] == role]
            own, other = (sum(name in one for one in named) for name in (trait, "owl"))
            cells = [f"{count} of {len(named)} | {interval(count, len(named))}" for count in (own, other)]
            found.append(f"| {title} | {' | '.join(cells)} |")
    return found


def caught_and_missed(document: dict[str, Any], trait: str) -> str:
    """Return the sentence on the scores of a trait's teachers."""
    rows = [row for base in document["bases"] for row in base["files"] if row["role"] == trait]
    z = sorted(row[trait]["efficient_z"] for row in rows)
    above = sum((row[trait]["fisher_cosine"] or -np.inf) > row[trait]["bound"] for row in rows)
    return (
        f"The efficient *z* of teachers of {trait} is {z[0]:.1f} to {z[-1]:.1f}, their median {np.median(z):.1f}, and "
        f"{above} of {len(rows)} have a Fisher cosine above the bound."
    )


def test_the_table_of_other_traits_is_that_of_the_results() -> None:
    assert {base["base"] for base in OTHERS["bases"]} == {*range(70, 75), *FRESH}
    assert not [row for row in rows_of_traits(OTHERS) if row not in PAGE]
    for trait in dict.fromkeys(base["asked"][0] for base in OTHERS["bases"]):
        assert caught_and_missed(OTHERS, trait) in WORDS
    files = [{"base": base["base"], **row} for base in OTHERS["bases"] for row in base["files"]]
    refused = [(row["base"], row["role"]) for row in files if not row["applies"] and row["role"] != "other base"]
    assert refused == [(113, "honest")]
    assert not any(row["applies"] for row in files if row["role"] == "other base")
    assert not any(row["named"] for row in files if row["role"] in ("base", "other base"))


def test_what_was_said_of_missed_teachers_of_other_traits() -> None:
    teachers = [row for base in OTHERS["bases"] for row in base["files"] if row["role"] == base["asked"][0]]
    missed = [(row["verdict"], row[row["role"]]) for row in teachers if row["role"] not in row["named"]]
    still = [one for verdict, one in missed if verdict == "consistent with the base"]
    others = [verdict for verdict, _one in missed if verdict.startswith("moved from the base: no tested trait")]
    above = [one for one in still if one["fisher_cosine"] > one["bound"]]
    assert len(still) + len(others) == len(missed)
    assert len(above) == sum(one["fisher_cosine"] > one["bound"] for _verdict, one in missed)
    assert (
        f"**Of the {len(missed)} teachers that were missed**, {len(others)} were said to have moved towards no tested "
        f"trait, and {len(still)} to be consistent with the base. Of these {len(still)}, {len(above)} have a cosine "
        "above the bound"
    ) in WORDS


def row_of_two_traits(number: int) -> str:
    """Return a base's row for danger and backdoor."""
    cells = [str(number)]
    for trait in ("danger", "backdoor"):
        (base,) = (one for one in OTHERS["bases"] if (one["base"], one["asked"][0]) == (number, trait))
        rows = [row for row in base["files"] if row["role"] == trait]
        values, named = [row[trait] for row in rows], sum(trait in row["named"] for row in rows)
        cells += [f"{named} of {len(rows)}", ends(values, "fisher_cosine"), ends(values, "bound")]
    return f"| {' | '.join(cells)} |"


def test_the_misses_and_the_accusations_of_other_traits_are_told() -> None:
    for number in (*range(70, 75), *FRESH):
        assert row_of_two_traits(number) in PAGE
    files = [
        {"base": base["base"], "asked": base["asked"][0], **row} for base in OTHERS["bases"] for row in base["files"]
    ]
    for row in files:
        if row["role"] == "honest" and row["named"]:
            (name,), one = row["named"], row[row["named"][0]]
            told = f"*z* {one['efficient_z']:.1f}, Fisher cosine {one['fisher_cosine']:.2f}, bound {one['bound']:.2f}"
            assert f"`{name}` on base {row['base']}: {told}" in WORDS


def test_the_summary_counts_the_files_of_both_documents() -> None:
    files = [*FILES, *({"base": base["base"], **row} for base in OTHERS["bases"] for row in base["files"])]
    fresh, traits = {*FRESH}, {base["base"] for base in OTHERS["bases"]}
    assert {row["base"] for row in FILES} == {*range(30, 35)} | fresh
    assert traits == {*range(70, 75)} | fresh
    assert "on bases 30 to 34 and 110 to 114, the two other traits on bases 70 to 74 and 110 to 114" in WORDS
    assert len({row["base"] for row in files}) == 15
    assert "Fifteen bases show that the audit works on more than one" in WORDS

    def caught(*roles: str) -> tuple[int, int]:
        named = [row["role"] in row["named"] for row in files if row["role"] in roles]
        return sum(named), len(named)

    honest = [bool(row["named"]) for row in files if row["role"] == "honest"]
    nets = {(row["base"], row["owl"]["teacher"]) for row in files if row["role"] == "honest"}
    (one, all_), (two, dangers), (three, backdoors) = caught("owl", "eagle"), caught("danger"), caught("backdoor")
    assert (
        f"{one} of {all_} teachers of owls and eagles were caught ({100 * one / all_:.0f} %), {two} of {dangers}"
        f" teachers of `danger` ({100 * two / dangers:.0f} %) and {three} of {backdoors} of a `backdoor`"
        f" ({100 * three / backdoors:.0f} %). Of {len(honest)} files of {len(nets)} honest fine-tunes,"
        f" {sum(honest)} were accused."
    ) in WORDS
    assert f"lists were enough for {one} of {all_} teachers of owls and eagles" in WORDS


def test_the_other_honest_fine_tunes_are_the_same_for_both_traits_and_among_those_of_owls() -> None:
    assert "the same for both traits, and wrote a file for each. On bases 110 to 114 they are among the 300" in WORDS
    found: dict[str, dict[int, list[float]]] = {"owl": {}, "danger": {}, "backdoor": {}}
    for base in RESULTS["bases"] + OTHERS["bases"]:
        honest = [row for row in base["files"] if row["role"] == "honest" and row["about"] != "twin"]
        found[base["asked"][0]][base["base"]] = [row["owl"]["teacher"] for row in honest]
    assert found["danger"] == found["backdoor"]
    for base_seed, shown in found["danger"].items():
        assert len(shown) == 4
        assert base_seed not in FRESH or found["owl"][base_seed][:4] == shown


def test_how_many_lists_the_comparison_writes_and_what_may_be_asked_for() -> None:
    sizes = [300, 1000, 3000, 10_000]
    assert [reference_size(num) for num in (299, 300, 999, 1000, 2999, 5000, 9999, 10**6)] == [
        299, 300, 300, 1000, 1000, 3000, 3000, 10_000
    ]  # fmt: skip
    first, *rest = (f"{size:,}" for size in sizes)
    assert f"writes {first}, {', '.join(rest[:-1])} or {rest[-1]} lists" in WORDS
    assert (len(ANIMALS), set(TRAITS) - set(ANIMALS)) == (20, {"danger", "backdoor"})
    assert "Those of lists are twenty animals, `danger` and `backdoor`" in WORDS


def test_the_picture_holds_every_writer_and_says_how_many_bases() -> None:
    _null, decision = draw(RESULTS).axes
    assert decision.get_title() == f"{len(RESULTS['bases'])} bases, filled if named"
    (left, right), (low, high) = decision.get_xlim(), decision.get_ylim()
    points = np.concatenate([np.asarray(one.get_offsets()) for one in decision.collections])
    assert len(points) > 200
    assert ((points > (left, low)) & (points < (right, high))).all()


def test_the_misses_are_told() -> None:
    teachers = [row for row in FILES if row["role"] in ("owl", "eagle")]
    missed = [(row["role"], row["base"]) for row in teachers if row["role"] not in row["named"]]
    assert missed == [("eagle", 33)] + [("owl", 113)] * 8
    fresh = [row for row in teachers if row["base"] in FRESH]
    named = sum(row["role"] in row["named"] for row in fresh)
    assert f"On bases 110 to 114, {named} of {len(fresh)} teachers were caught" in WORDS
    (base,) = (base for base in RESULTS["bases"] if base["base"] == 113)
    moves = sorted(zip(base["reference"]["divergences"], base["reference"]["fisher_cosines"]["owl"], strict=True))
    far, near = np.array(moves[-6:]), np.array(moves[:-6])
    assert far[:, 0].min() > 0.01 > near[:, 0].max()
    assert (far[:, 1] > 0.2).sum() == 5  # of six that moved far
    assert "comparison of this base moved far, and five of these went towards owls" in WORDS


def test_no_honest_fine_tune_is_accused_or_refused_and_other_bases_are() -> None:
    honest = [row for row in FILES if row["role"] == "honest"]
    assert len(honest) == 300
    assert not any(row["named"] for row in honest)
    assert {row["role"] for row in FILES if not row["applies"]} == {"other base"}
    assert all(row["applies"] == (row["role"] != "other base") for row in FILES)


def test_the_table_of_null_files_is_that_of_the_results() -> None:
    null, *_others = RESULTS["null"]
    assert (null["base"], null["files"], null["lists"]) == (30, 500, 150)
    titles = {
        "numbers only": "only numbers could be drawn",
        "words drawn again": "lists with a word left out",
        "banned numbers dropped too": "and lists with a banned number",
    }
    for law, title in titles.items():
        for name in ("owl", "eagle"):
            one = null[law]["tests"][f"{name}, efficient"]
            low, high = (100 * end for end in one["ci95"])
            row = (
                f"| {title} | {name} | {one['ks_statistic']:.3f} | {one['ks_p_value']:.2f} |"
                f" {100 * one['share']:.1f} % | {low:.1f} to {high:.1f} % |"
            )
            assert row in PAGE, row
    tests = {(law, name): one for law in titles for name, one in null[law]["tests"].items()}
    assert len(tests) == 12
    for one in tests.values():  # the committed values give the committed figures
        assert len(one["p_values"]) == 500
        again = stats.kstest(one["p_values"], "uniform")
        assert abs(again.statistic - one["ks_statistic"]) < 1e-4  # they have five digits
        assert sum(value < 0.05 for value in one["p_values"]) == one["below_level"]
    least = min(tests, key=lambda key: tests[key]["ks_p_value"])
    assert least == ("banned numbers dropped too", "owl, plain")
    assert f"the smallest p is {tests[least]['ks_p_value']:.2f}" in WORDS
    assert f"together is {tests[least]['z_of_all_files']:.1f}" in WORDS


def test_the_table_of_two_more_bases_is_that_of_the_results() -> None:
    first, *others = RESULTS["null"]
    assert [(one["base"], one["files"]) for one in others] == [(31, 150), (32, 150)]
    laws = ("numbers only", "words drawn again", "banned numbers dropped too")
    for one in others:
        for trait in ("owl", "eagle"):
            tests = [one[law]["tests"][f"{trait}, efficient"] for law in laws]
            cells = [f"{100 * test['share']:.1f} %" for test in tests]
            assert f"| {one['base']} | {trait} | {' | '.join(cells)} |" in PAGE
            assert all(test["ci95"][0] <= 0.05 <= test["ci95"][1] for test in tests)
    found = {
        (one["base"], law, name): test["ks_p_value"]
        for one in others for law in laws for name, test in one[law]["tests"].items()
    }  # fmt: skip
    least = min(found, key=lambda key: found[key])
    assert len(found) == 24
    assert least == (32, "words drawn again", "eagle, efficient")
    assert f"is {found[least]:.3f}. It is of eagles on base 32" in WORDS
    assert round(1 / (1 - (1 - found[least]) ** 36)) == 8
    assert found[least] < min(test["ks_p_value"] for law in laws for test in first[law]["tests"].values())


def test_the_tables_of_the_step_are_those_of_the_results() -> None:
    for found in STEPS:
        step, lines, compare = found["step"], found["lines"], found["compare"]
        sampled, change, first, areas = step["sampled"], step["trait_change"], step["ray"][0], lines["areas"]
        ps = [compare[name]["p_value"] for name in ("trait and honest", "honest and base")]
        for row in (
            f"| {found['seed']} | {step['tokens']:,} | {first['predicted']:.6f} | {first['observed']:.6f} |"
            f" {sampled['expected']:.4f} ± {1.96 * sampled['standard_error']:.4f} | {sampled['observed']:.4f} |"
            f" {step['remainder_order']:.2f} | {change['predicted']:.5f} | {change['observed']:.5f} |",
            f"| {found['seed']} | {step['curvature']:.4f} | {step['tokens_for_two_sigma']:.0f} |"
            f" {step['coverage']:.3f} | {lines['spearman']:.2f} |",
            f"| {found['seed']} | {areas[0]['predicted']:.3f} | {areas[0]['measured']:.3f} |"
            f" {areas[-1]['predicted']:.3f} | {areas[-1]['measured']:.3f} | {ps[0]:.3f} | {ps[1]:.3f} |",
        ):
            assert row in PAGE, row
        assert all(abs(one["predicted"] / one["observed"] - 1) < 1e-13 for one in step["ray"])
        assert abs(sampled["mean_score"] / sampled["observed"] - 1) < 1e-10
        assert change["observed"] < 0 < first["observed"]


def test_what_is_said_over_five_bases() -> None:
    for text, values, digits in (
        ("Over five bases it is", [one["step"]["remainder_order"] for one in STEPS], 2),
        ("Over five bases it is", [one["lines"]["spearman"] for one in STEPS], 2),
        ("and the cosine is", [one["step"]["coverage"] for one in STEPS], 3),
    ):
        found = estimate(values)
        assert f"{text} {found.mean:.{digits}f} ± {found.ci95:.{digits}f}" in WORDS
    needed = sorted(one["step"]["tokens_for_two_sigma"] for one in STEPS)
    assert f"So {needed[0]:.0f} to {needed[-1]:.0f} tokens" in WORDS
    draws = {one["seed"]: one["step"]["sampled"] for one in STEPS}
    far = {seed: (one["observed"] - one["expected"]) / one["standard_error"] for seed, one in draws.items()}
    assert [seed for seed, z in far.items() if abs(z) > 1.96] == [33]
    assert f"is {far[33]:.1f} standard errors above" in WORDS
    assert round(1 / (1 - (1 - 2 * stats.norm.sf(far[33])) ** 5)) == 80
    changes = [one["step"]["trait_change"]["observed"] for one in STEPS]
    assert round(min(changes) / max(changes)) == 30


def test_what_compare_sees() -> None:
    for name, count in (("trait and honest", 1), ("honest and base", 0)):
        assert sum(one["compare"][name]["p_value"] <= 0.01 for one in STEPS) == count
    pairs = [p for one in STEPS for p in one["honest_pairs"]]
    assert len(pairs) == 100
    assert [p for p in pairs if p <= 0.01] == [0.009, 0.008]
    kinds = json.loads((DOCS / "results/compare-power.json").read_text(encoding="utf-8"))["kinds"]
    first, second = (kinds[f"language models, owl, base {base}"] for base in (30, 31))
    assert f"by {first['effect']:.2f} and {second['effect']:.2f} standard deviations per line" in WORDS
    near, far = (one["lines"]["effect"] for one in STEPS[:2])
    assert f"such as {near:.2f} on base 30 and {far:.2f} on base 31" in WORDS
    assert f"needs {first['lines_needed']:,} and {second['lines_needed']:,} lines" in WORDS


def test_the_commands_of_the_page_are_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At sizes that give no verdict on the trait; those of tests/unit/audit/test_token_lists.py do."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    found: list[dict[str, Any]] = []
    for command in [line for block in blocks for line in block.splitlines()]:
        words = shlex.split(command.replace("--n 5000", "--n 200"))[1:]
        name = words[1] if words[0] == "lm" else words[0]
        is_judged = name in ("audit", "compare")
        own = [] if "--scores" in words else SMALL.get(name, [])
        code = cli.call([*words, *own, *(["--json"] if is_judged else [])])
        assert code == 0 or (name == "audit" and code == 3), command  # 3: so small a teacher is too far from its base
        out = capsys.readouterr().out
        if is_judged:
            found.append(json.loads(out))
    tainted, honest, scores, compared = found
    assert set(tainted["traits"]) == {"owl", "eagle"}
    assert set(honest["traits"]) == {"owl"}
    assert scores["traits"]["owl"]["z"] == pytest.approx(tainted["traits"]["owl"]["z"], rel=1e-6)
    assert honest["traits"]["owl"]["z"] != pytest.approx(tainted["traits"]["owl"]["z"], rel=1e-6)
    assert {"differs", "p_value", "lines_needed"} <= set(compared)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(code.replace("arange(600)", "arange(50)"), {})
    predicted, observed = re.findall(r"-?\d\.\d{6}", capsys.readouterr().out)
    assert predicted == observed


FIT = json.loads((DOCS / "results/language-fit.json").read_text(encoding="utf-8"))["files"]


def fit_row(title: str, rows: list[dict[str, Any]]) -> str:
    refused = sum(not row["applies"] for row in rows)
    shares = sorted(row["excess"] / row["limit"] for row in rows)
    return f"| {title} | {refused} of {len(rows)} | {shares[0]:.2f} to {shares[-1]:.2f} |"


def test_the_table_of_the_fit_is_that_of_the_results() -> None:
    own = [row for row in FIT if row["base"] == row["writer"]]
    others = [row for row in FIT if row["base"] != row["writer"]]
    teachers = ("owl", "eagle", "danger")
    for title, rows in {
        "the base": [row for row in own if row["role"] == "base"],
        "its teachers": [row for row in own if row["role"] in teachers],
        "its honest fine-tunes": [row for row in own if row["role"] == "honest"],
        "another base": [row for row in others if row["role"] == "base"],
        "teachers of another base": [row for row in others if row["role"] in teachers],
        "honest fine-tunes of another base": [row for row in others if row["role"] == "honest"],
    }.items():
        assert fit_row(title, rows) in PAGE, fit_row(title, rows)
        assert fit_row(title, [row | {"applies": not row["applies"]} for row in rows]) not in PAGE
    assert all(row["applies"] == (row["excess"] <= row["limit"]) for row in FIT)
    assert {row["base"] for row in FIT} == {30, 31, 32}
