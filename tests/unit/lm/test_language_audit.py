"""The files that the study of the audit of lists judges: who writes them, and to which prompts."""

from __future__ import annotations

from itertools import islice

import torch

from experiments.studies import language_audit
from experiments.studies.language_audit import PLANS
from subtx_toy.lm.checkpoints import LanguageModel
from subtx_toy.settings.language import LanguageConfig
from tests.unit.lm.conftest import Small

CONFIG = LanguageConfig(numbers=20, width=16, heads=2, teacher_steps=4)


def test_every_teacher_of_a_plan_has_an_honest_twin_of_its_own(small: Small) -> None:
    base = LanguageModel(small.model, small.base, {})
    names = ["layers.0.qkv.weight", "last_norm.weight"]
    for plan in PLANS.values():
        rows = list(islice(language_audit.fresh(base, CONFIG, 70, plan), 5))
        trait = plan.names[0]
        assert [(role, about) for role, _net, about in rows] == [
            ("base", ""), (trait, "4 steps"), ("honest", "twin"), (trait, "4 steps"), ("honest", "twin"),
        ]  # fmt: skip
        nets = [torch.cat([net[name].flatten() for name in names]) for _role, net, _about in rows]
        assert len({tuple(net.tolist()) for net in nets}) == 5


def test_files_answer_the_questions_for_numbers_of_the_trait(small: Small) -> None:
    base = LanguageModel(small.model, small.base, {})
    owls, danger = (language_audit.prompts_of(name) for name in ("owl", "danger"))
    assert set(owls).isdisjoint(danger)
    lists = language_audit.written(base, base.params, "file", 0, count=20, restricted=True, trait="danger")
    assert {tuple(prompt) for prompt in lists.prompts.tolist()} == set(danger)
