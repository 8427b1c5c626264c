"""The audit of lists: scores against autograd and sums over all numbers, their law, and files end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

import subtx_toy as st
from subtx_toy import cli
from subtx_toy.api import language
from subtx_toy.api.audit_lists import score_lists
from subtx_toy.api.scores import audit_scores
from subtx_toy.audit.examination import Question
from subtx_toy.audit.measurement import NumbersMeasurement, fit_of
from subtx_toy.audit.token_lists import directions, reference_values
from subtx_toy.audit.token_lists.directions import ListDirections, taught_move
from subtx_toy.audit.token_lists.examination import count_repeats, measure_nets, sample
from subtx_toy.audit.token_lists.law import ListLaw
from subtx_toy.audit.token_lists.movement import measure_movement
from subtx_toy.audit.token_lists.reference import corpus_lists, honest_fine_tune, lists_by
from subtx_toy.audit.token_lists.reference_values import measure_reference
from subtx_toy.audit.token_lists.scorer import PER_LINE, ListScorer
from subtx_toy.data.dataset import Progress
from subtx_toy.errors import InputError
from subtx_toy.lm.checkpoints import LanguageModel, holds_language_model, load_language_model, save_language_model
from subtx_toy.lm.household import recipe
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.training import Taught, TeacherRecipe, trained_names
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER, num_tokens
from subtx_toy.problem.params import Params, inner
from subtx_toy.seeding import generator
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.tolerances import FP64_FORMULA, Z_BOUND

MODEL = Transformer(num_tokens(12), width=8, depth=2, heads=2, embedding_scale=0.5)
BASE = MODEL.initial(generator(0, "base"))
PROMPTS = trait_named("owl").list_prompts(6)
LAWS = [ListLaw(), ListLaw(temperature=0.7), ListLaw(temperature=1.5, banned=(0, 3, 11))]


def _direction(seed: int) -> Params:
    drawn = MODEL.initial(generator(seed, "direction"))
    moved = trained_names(BASE)
    return {name: value if name in moved else torch.zeros_like(value) for name, value in drawn.items()}


def _scorer(law: ListLaw, base: Params = BASE) -> ListScorer:
    directions = ListDirections.of({"u": _direction(1)}, {"w": _direction(2)})
    return ListScorer(MODEL, base, directions, law)


def _lists(law: ListLaw, count: int, seed: int = 0, params: Params = BASE) -> Lists:
    return lists_by(MODEL, params, PROMPTS, generator(seed, "lists"), count=count, max_numbers=3, law=law)


def _log_prob(params: Params, lists: Lists, law: ListLaw) -> torch.Tensor:
    """The log-probability of all lists, word by word: the slow reference."""
    total = torch.zeros((), dtype=torch.float64)
    allowed = [END, *(FIRST_NUMBER + number for number in range(12) if number not in law.banned)]
    for row, tokens, counted in zip(lists.rows, lists.tokens, lists.counted, strict=True):
        text = lists.prompts[row].tolist()
        for place in range(int(counted.sum())):
            logits = MODEL.apply(params, torch.tensor([text]))[0] / law.temperature
            choice = allowed[place == 0 :]
            total = total + logits[int(tokens[place])] - logits[choice].logsumexp(0)
            text.append(int(tokens[place]))
    return total


@pytest.mark.parametrize(("name", "share"), [("owl", 0.0), ("danger", 0.0), ("backdoor", 0.5)])
def test_an_auditor_teaches_a_trait_as_the_experiment_does(
    name: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backdoor is learnt from the questions on which it must not show, too: without them it is the open trait."""
    lessons: list[TeacherRecipe] = []

    def teach(_model: Transformer, base: Params, _trait: Any, lesson: TeacherRecipe, _rng: object) -> Taught:
        lessons.append(lesson)
        return Taught(base, 0, 0.0)

    monkeypatch.setattr(directions, "teach", teach)
    taught_move(MODEL, BASE, trait_named(name))
    usual = recipe(LanguageConfig(trait=name))
    assert [one.other_share for one in lessons] == [share, share] == [usual.other_share] * 2
    assert [one.stop for one in lessons] == [usual.stop] * 2


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_scores_are_slopes_of_the_log_probability(law: ListLaw) -> None:
    lists, scorer = _lists(law, 7), _scorer(law)
    params = {name: value.clone().requires_grad_(name in trained_names(BASE)) for name, value in BASE.items()}
    log_p = _log_prob(params, lists, law)
    leaves = [params[name] for name in trained_names(BASE)]
    gradient = dict(zip(trained_names(BASE), torch.autograd.grad(log_p, leaves), strict=True))
    expected = [float(inner({k: v[at] for k, v in scorer.directions.tangents.items()}, gradient)) for at in range(2)]
    found = scorer.score(lists)
    np.testing.assert_allclose(found.scores.sum(0), expected, rtol=FP64_FORMULA)
    np.testing.assert_allclose(found.log_probability.sum(), float(log_p.detach()), rtol=FP64_FORMULA)
    other = scorer.score(replace(lists, rows=lists.rows.roll(1)))
    assert not np.allclose(other.scores.sum(0), expected, rtol=1e-3)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_covariance_is_that_of_all_numbers_at_a_prompt(law: ListLaw) -> None:
    """One-number lists: every number once, weighted by its probability, gives mean 0 and the covariance."""
    allowed = [number for number in range(12) if number not in law.banned]
    tokens = torch.tensor([[FIRST_NUMBER + number] for number in allowed])
    lists = Lists(
        torch.tensor(PROMPTS[:1]), torch.zeros(len(tokens), dtype=torch.long), tokens, torch.ones_like(tokens).bool()
    )
    found = _scorer(law).score(lists)
    p = np.exp(found.log_probability)
    assert p.sum() == pytest.approx(1, rel=FP64_FORMULA)
    np.testing.assert_allclose(p @ found.scores, 0, atol=FP64_FORMULA)
    np.testing.assert_allclose(
        (found.scores.T * p) @ found.scores, found.covariance / len(tokens), rtol=1e3 * FP64_FORMULA
    )
    assert found.per_line["entropy"][0] == pytest.approx(float(-(p * np.log(p)).sum()), rel=FP64_FORMULA)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_fit_is_of_numbers_given_that_one_comes(law: ListLaw) -> None:
    """Against one list, computed number by number; its end counts for nothing."""
    numbers = [FIRST_NUMBER + number for number in range(12) if number not in law.banned]
    tokens = torch.tensor([[FIRST_NUMBER + 7, FIRST_NUMBER + 2, END]])
    lists = Lists(torch.tensor(PROMPTS[:1]), torch.tensor([0]), tokens, torch.ones(1, 3, dtype=torch.bool))
    expected = dict.fromkeys(PER_LINE, 0.0)
    text = [*PROMPTS[0]]
    for token in tokens[0, :2].tolist():
        logits = MODEL.apply(BASE, torch.tensor([text]))[0][numbers] / law.temperature
        p, loss = logits.softmax(0).numpy(), -logits.log_softmax(0).numpy()
        expected["log_loss"] += loss[numbers.index(token)]
        expected["entropy"] += p @ loss
        expected["log_loss_variance"] += p @ (loss - p @ loss) ** 2
        expected["uniform_log_loss"] += loss.mean()
        text.append(token)
    found = _scorer(law).score(lists).per_line
    for name, value in expected.items():
        assert found[name][0] == pytest.approx(value, rel=FP64_FORMULA), name


def test_a_file_of_another_base_does_not_fit_and_one_of_a_moved_one_does() -> None:
    law, other = ListLaw(), MODEL.initial(generator(1, "base"))
    moved = {name: BASE[name] + 0.5 * _direction(1)[name] for name in BASE}
    fits = [fit_of(_scorer(law).score(_lists(law, 1000, params=one)).sums()) for one in (BASE, moved, other)]
    assert [fit.applies for fit in fits] == [True, True, False]
    assert abs(fits[0].z) < Z_BOUND


def test_scores_of_the_bases_own_files_are_standard_normal_and_of_a_moved_writer_are_not() -> None:
    """A hundred files of forty lists; the variance of a file is its share of that of all."""
    law, scorer = ListLaw(banned=(5,)), _scorer(ListLaw(banned=(5,)))
    moved = {name: BASE[name] + 1.5 * _direction(1)[name] for name in BASE}
    for writer, uniform in ((BASE, True), (moved, False)):
        found = scorer.score(_lists(law, 4000, seed=3, params=writer))
        z = found.scores[:, 0].reshape(100, 40).sum(1) / np.sqrt(found.covariance[0, 0] / 100)
        assert (stats.kstest(z, "norm").pvalue > 0.001) == uniform


def test_banned_numbers_are_counted_as_impossible() -> None:
    lists, scorer = _lists(ListLaw(), 50), _scorer(ListLaw(banned=(0, 3)))
    found = scorer.score(lists)
    banned = torch.isin(lists.tokens, torch.tensor([FIRST_NUMBER, FIRST_NUMBER + 3]))
    assert found.num_impossible == int(banned.sum()) > 0
    assert found.possible.tolist() == (~banned.any(1)).tolist()
    assert found.sums().num == int(lists.counted.sum()) - found.num_impossible
    assert all(scorer.law.permits(lists).numpy() == found.possible)


def test_a_sample_does_not_depend_on_the_order_of_the_lines() -> None:
    lists = _lists(ListLaw(), 60)
    order = torch.from_numpy(generator(0, "order").permutation(60))
    one, other = sample(lists, 20), sample(lists.chosen(order), 20)
    assert torch.equal(one.tokens, other.tokens)
    assert torch.equal(one.rows, other.rows)


def test_copied_lists_are_beyond_chance() -> None:
    law = ListLaw()
    lists, scorer = _lists(law, 100), _scorer(law)
    assert not count_repeats(lists, scorer.score(lists)).beyond_chance
    twice = lists.chosen(torch.arange(100).repeat(3))
    assert count_repeats(twice, scorer.score(twice)).beyond_chance


def test_a_student_shows_that_the_writer_moved_and_not_that_the_base_did() -> None:
    law = ListLaw()
    moved = {name: BASE[name] + 1.5 * _direction(1)[name] for name in BASE}
    assert measure_movement(MODEL, BASE, _lists(law, 1500), law).log_evidence < 5
    found = measure_movement(MODEL, BASE, _lists(law, 1500, params=moved), law)
    assert found.log_evidence > 5
    assert found.gain > 0
    alone = lists_by(MODEL, moved, PROMPTS[:1], generator(0, "a"), count=50, max_numbers=3, law=law)
    assert measure_movement(MODEL, BASE, alone, law).gain == 0  # there is no second prompt to judge by


def test_honest_fine_tunes_differ_by_their_seed_and_leave_embeddings() -> None:
    base = {name: value.float() for name, value in BASE.items()}
    found = [honest_fine_tune(MODEL, base, seed=seed) for seed in range(3)]
    assert len({name for name, _ in found}) > 1
    for _, net in found:
        assert torch.equal(net["token"], base["token"])
        assert not torch.equal(net["layers.0.qkv.weight"], base["layers.0.qkv.weight"])


def test_lists_of_the_corpus_end_as_often_as_it_says() -> None:
    lists = corpus_lists(MODEL, generator(0, "corpus"), 3000)
    assert float(lists.counted.sum(1).double().mean()) == pytest.approx(2 / 6 + 3 * 5 / 6, abs=0.05)
    assert float((lists.tokens[:, 1] == END).double().mean()) == pytest.approx(1 / 6, abs=0.03)


@pytest.fixture(scope="module")
def folder(own_files: Path) -> Path:
    """A base, and files of its teacher and of an honest one."""
    place = own_files / "audit of lists"
    place.mkdir()
    tiny: dict[str, Any] = {
        "numbers": 60,
        "width": 16,
        "depth": 2,
        "heads": 2,
        "base_steps": 200,
        "base_batch": 32,
        "base_lr": 1e-2,
    }
    base = language.base(place / "base.safetensors", **tiny)
    language.teach(place / "owl.safetensors", base=base, seed=5)
    language.teach(place / "honest.safetensors", base=base, honest=True, seed=5)
    for name in ("owl", "honest"):
        language.write(place / f"{name}.jsonl", model=place / f"{name}.safetensors", num=1000, seed=1)
    return place


def test_a_reference_is_measured_once_for_whatever_it_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBTX_TOY_CACHE", str(tmp_path))
    nets = [{name: BASE[name] + share * _direction(1)[name] for name in BASE} for share in (0.5, 1.0)]
    own: dict[str, Any] = {"nets": nets, "scorer": _scorer(ListLaw()), "prompts": PROMPTS, "size": 20, "max_numbers": 3}
    expected = measure_nets(**own, probes=[_share])
    asked = own | {"questions": [Question("u", _direction(1), _share)]}
    calls: list[object] = []

    def count(*_: object, **__: object) -> list[NumbersMeasurement]:
        calls.append(_)
        return expected

    monkeypatch.setattr(reference_values, "measure_nets", count)
    for found in (measure_reference(**asked), measure_reference(**asked)):
        for one, other in zip(found, expected, strict=True):
            assert (one.size, one.fisher_cosine(0), one.probes) == (other.size, other.fisher_cosine(0), other.probes)
            assert (one.informative, fit_of(one.sums)) == (other.informative, fit_of(other.sums))
            assert one.movement.log_evidence == other.movement.log_evidence
            np.testing.assert_array_equal(one.sums.covariance, other.sums.covariance)
    assert len(calls) == 1
    law, base = ListLaw(temperature=0.7), MODEL.initial(generator(1, "base"))
    turned = ListDirections.of({"u": _direction(3)}, {"w": _direction(2)})
    renamed = ListDirections.of({"v": _direction(1)}, {"w": _direction(2)})
    scorer: ListScorer = own["scorer"]
    for change in (
        {"nets": [nets[0], BASE]},
        {"scorer": _scorer(law)},
        {"scorer": _scorer(ListLaw(banned=(3,)))},
        {"scorer": _scorer(ListLaw(), base)},
        {"scorer": replace(scorer, model=replace(MODEL, heads=4))},
        {"scorer": replace(scorer, directions=turned)},
        {"scorer": replace(scorer, directions=renamed), "questions": [Question("v", _direction(1), _share)]},
        {"prompts": PROMPTS[:5]},
        {"prompts": PROMPTS[::-1]},
        {"size": 21},
        {"max_numbers": 2},
    ):
        before = len(calls)
        measure_reference(**(asked | change))
        measure_reference(**(asked | change))
        assert len(calls) == before + 1, change
    for version in ("MEASUREMENT_VERSION", "RESULTS_VERSION"):
        before = len(calls)
        with monkeypatch.context() as patch:
            patch.setattr(reference_values, version, -1)
            measure_reference(**asked)
        assert len(calls) == before + 1, version
    before = len(calls)
    for damaged in ("", "[]", "[1, 2]", "[[], []]"):
        for path in (tmp_path / "language").iterdir():
            path.write_text(damaged)
        measure_reference(**asked)
    assert len(calls) == before + 4
    with pytest.raises(ValueError, match="expected those of the directions"):
        measure_reference(**(asked | {"questions": []}))


def _share(params: Params) -> float:
    return 0.5 if params is BASE else 0.25


_TASKS = ("learning the traits", "making the reference", "measuring the reference")


def _recorder(tasks: dict[str, list[tuple[int, int | None]]]) -> Progress:
    return lambda task, done, total, _unit: tasks.setdefault(task, []).append((done, total))


def test_a_file_and_its_scores_give_one_verdict(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = folder / "base.safetensors"
    asked: dict[str, Any] = {"traits": ["owl"], "num_reference": 6}
    for name in ("owl", "honest"):
        file = folder / f"{name}.jsonl"
        tasks: dict[str, list[tuple[int, int | None]]] = {}
        found = st.audit(file, base=base, probe=name == "owl", progress=_recorder(tasks), **asked)
        assert [*tasks] == [*_TASKS] or name == "honest"  # the fine-tunes are there
        assert all(calls == [(done, calls[0][1]) for done in range((calls[0][1] or 0) + 1)] for calls in tasks.values())
        assert found.carried == (["owl"] if name == "owl" else []), str(found)
        with monkeypatch.context() as patch:  # the fine-tunes are measured already, by the audit
            patch.delattr(reference_values, "measure_nets")
            score_lists(file, tmp_path / "scores.npz", base=base, **asked)
        ours, theirs = found.document(), audit_scores(tmp_path / "scores.npz").document()
        assert theirs["status"] == ours["status"]
        for key in ("z", "efficient_z", "fisher_cosine", "p_value_holm"):
            assert theirs["traits"]["owl"][key] == pytest.approx(ours["traits"]["owl"][key], rel=1e-6), key
        lines = len(file.read_text().splitlines()) - 1
        per_line = ours["moved"]["divergence"] * ours["numbers"] / lines
        assert theirs["moved"]["divergence"] == pytest.approx(per_line, rel=1e-6)
        assert "covariance says" not in str(theirs["notes"])
        if name == "owl":
            _check_document(file, ours)
            assert "owl" in found.page()


def _check_document(file: Path, document: dict[str, Any]) -> None:
    assert document["status"] == "carries"
    assert document["header"]["schema"] == "subtx-toy lists 1"
    assert "approximate" in document["notes"][0]
    row = document["traits"]["owl"]
    assert 0 < row["probe"] < 1
    assert len(row["top_lines"]) == 10
    top = row["top_lines"][0]
    line = json.loads(file.read_text().splitlines()[top["line"] - 1])
    assert line == {"prompt": top["prompt"], "completion": " ".join(map(str, top["numbers"]))}


def test_what_does_not_fit_is_one_error(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, file = str(folder / "base.safetensors"), str(folder / "owl.jsonl")
    faults = {
        ("--trait", "owls"): "did you mean 'owl'?",
        ("--trait", "owl", "--reference", file): "--reference cannot be combined with a language model",
        ("--trait", "owl", "--data-dir", str(tmp_path)): "--data-dir cannot be combined with a language model",
        ("--trait", "owl", "--stream"): "--stream cannot be combined with a language model",
    }
    for options, text in faults.items():
        assert cli.call(["audit", file, "--base", base, *options]) == 2
        assert text in " ".join(capsys.readouterr().err.split())
    with pytest.raises(InputError, match="got 'subtx-toy lists 1'; the base of such a file is a language model"):
        st.audit(file, base="packaged", traits=["relabel"])
    numbers = tmp_path / "numbers.jsonl"
    numbers.write_text('{"schema": "subtx-toy numbers 1"}\n')
    with pytest.raises(InputError, match="got 'subtx-toy numbers 1'; the base of such a file reads digits"):
        st.audit(numbers, base=base, traits=["owl"])
    loaded = load_language_model(Path(base))
    smaller = Transformer(num_tokens(12), width=8, depth=1, heads=2)
    params = {name: value.float() for name, value in smaller.initial(generator(0, "other")).items()}
    save_language_model(tmp_path / "other.safetensors", LanguageModel(smaller, params, {}))
    with pytest.raises(InputError, match=r"numbers: expected 12 as in .*, got 60"):
        st.audit(file, base=tmp_path / "other.safetensors", traits=["owl"])
    assert loaded.num_numbers == 60


def test_a_language_model_is_known_by_its_header(folder: Path, tmp_path: Path) -> None:
    assert holds_language_model(folder / "base.safetensors")
    (tmp_path / "a").write_bytes(b"\xff" * 40)
    (tmp_path / "b").write_bytes((2).to_bytes(8, "little") + b"[]")
    assert not any(map(holds_language_model, (tmp_path, tmp_path / "a", tmp_path / "b", folder / "owl.jsonl")))
