"""What a verification shows beyond its table: seeds of a factory, rungs, reasons, the data, a figure."""

from __future__ import annotations

import csv
import io

import pytest
import torch
from torch import nn

import subtx_toy as st
from subtx_toy.claims.about_data import curve_of
from subtx_toy.claims.user import claim
from subtx_toy.claims.vocabulary.claim import Inequality
from subtx_toy.problem.named import welch
from subtx_toy.theory.alignment import exact_alignment


def factory(seed: int) -> st.Problem:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    x = torch.randn(6, 3).double()
    trait = st.cross_entropy_trait(x, torch.randint(3, (6,)))
    return st.Problem(model=module, inputs=x, distillation_loss=st.kl(), eps=0.01, student_lr=0.1, trait_loss=trait)


@claim(id="small curvature")
def small_curvature(_problem: object, evidence: st.Evidence) -> Inequality:
    "V is at most a twentieth: false for some of the models."
    return Inequality(evidence.V, 0.05)


def test_a_factory_is_looked_at_for_every_seed_and_a_false_bound_is_found() -> None:
    found = st.verify(factory, seeds="0:8", claims=["C1", small_curvature])
    assert found.instances == 8
    assert [one.instances for one in found.verdicts.summaries] == [8, 8]
    assert found.verdicts.summaries[0].verdict == "holds"
    assert not found.passed
    counterexample = found.counterexamples["small curvature"]
    assert counterexample is not None
    seed = int(counterexample[0].rpartition(" ")[2])
    assert exact_alignment(factory(seed), 1e-6) > 0.05e-6
    assert found.data is None


def test_costly_claims_are_thinned_only_where_all_are_checked_on_drawn_problems() -> None:
    for found in (
        st.verify(factory, seeds="0:3", claims="C7c,C23"),
        st.verify(factory(0), claims="C7c,C23"),
        st.verify(instances=3, claims="C7c,C23"),
    ):
        assert [one.instances for one in found.verdicts.summaries] == [found.instances] * 2
        assert "costly claims" not in found.table
    drawn = st.verify(instances=3, controls=False)
    seen = {one.claim.id: one.instances for one in drawn.verdicts.summaries}
    assert (seen["C1"], seen["C7c"], seen["C23"]) == (3, 1, 1)
    assert "costly claims, such as C4b, are checked on few drawn problems, or on all by --claims" in drawn.table


def test_what_is_wrong_with_seeds_is_said() -> None:
    with pytest.raises(st.InputError, match="seeds: expected a factory that takes a seed"):
        st.verify(factory(0), seeds=[1])
    with pytest.raises(st.InputError, match="expected a Problem, or a function with seeds"):
        st.verify(factory)
    with pytest.raises(st.InputError, match="seed 3': expected a Problem, got int"):
        st.verify(lambda seed: seed, seeds=[3])  # type: ignore[arg-type, return-value]


def test_rungs_are_the_numbers_that_were_compared() -> None:
    found = st.verify(factory, seeds=range(2), claims="C1", rungs=True)
    rows = list(csv.DictReader(io.StringIO(found.csv())))
    assert [row["problem"] for row in rows] == ["0"] * 6 + ["1"] * 6
    for row in rows:
        exact, observed, rounding = (float(row[name]) for name in ("exact", "observed", "rounding"))
        assert exact == pytest.approx(exact_alignment(factory(int(row["problem"])), float(row["eps"])), rel=1e-12)
        assert abs(exact - observed) <= rounding
    assert float(rows[5]["predicted"]) == pytest.approx(float(rows[5]["exact"]), rel=1e-3)
    latex = found.latex()
    assert latex.count(r"\\") == 13
    assert latex.startswith(r"\begin{tabular}{rrrrrr}")
    assert st.verify(welch(), claims="C1").rungs == ()


def test_a_table_says_why_a_row_is_left_open_and_what_the_data_say() -> None:
    found = st.verify(factory(0), claims="C1,C13")
    assert "C13 is not applicable: it asks that the model is one of this package's perceptrons" in found.table
    assert found.data is not None
    assert found.data.sentence in found.table
    data = found.document()["data"]
    assert data["curvature"]["low"] < data["curvature"]["mean"] < data["curvature"]["high"]
    assert data["lines"]["num_lines"] == 6
    assert data["lines"]["all_positive"]
    assert "<table>" in found._repr_html_()


def test_the_figure_marks_the_three_ends() -> None:
    problem = welch()
    found = st.verify(problem, claims="C1,C2,C4")
    figure = found.plot(certified_eps=619.6)
    margins, alignment = figure.axes
    assert [one.get_text() for one in margins.get_yticklabels()] == ["C1", "C2", "C4"]
    labels = [one.get_text() for one in alignment.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels[:2] == ["first order, ε V", "alignment"]
    assert any(one.startswith("certified ε = 620") for one in labels)
    assert len(st.verify(instances=2, claims="C1").plot().axes) == 1
    curve = curve_of(problem)
    assert curve.closed is not None
    assert curve.observed is None


def test_the_net_of_eight_parameters_moves_f_by_what_g_shows() -> None:
    problem = welch()
    assert sum(value.numel() for value in problem.base_params.values()) == 8
    found = st.verify("welch", claims="C1,C3,C4,C8")
    assert [one.verdict for one in found.verdicts.summaries] == ["holds"] * 4
