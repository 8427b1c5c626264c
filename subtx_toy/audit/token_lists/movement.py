"""How far the writer of lists is from the base: a student of half of the prompts, judged by the others."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.audit.movement import SHARES, Movement
from subtx_toy.audit.token_lists.law import ListLaw, columns_of, first_tokens, output_rows, token_hidden
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.training import StudentRecipe, train_student, trained_names
from subtx_toy.lm.transformer import Transformer
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator

RECIPE = StudentRecipe(epochs=2, batch=128, lr=1e-3)
"""Of the student of one half."""

_LISTS = 1024


def measure_movement(model: Transformer, base: Params, lists: Lists, law: ListLaw) -> Movement:
    """Train a student on the lists of every second prompt and judge it by the others.

    No list is learnt in one half and judged in the other by a copy of it. Which half a list is in does not depend on
    its numbers. ``law`` allows all lists at the base.

    Reference: Wasserman, Ramdas, Balakrishnan 2020, PNAS 117, 16880-16890, for the split likelihood ratio.
    """
    prompts = lists.prompts.tolist()
    used = sorted(set(lists.rows.tolist()), key=lambda row: prompts[row])
    learnt = torch.isin(lists.rows, torch.tensor(used[::2], dtype=torch.long))
    if len(used) < 2:
        return Movement(0.0, 0.0, base)
    halves = [lists.chosen(mask.nonzero()[:, 0]) for mask in (learnt, ~learnt)]
    student = train_student(model, base, halves[0], RECIPE, generator(0, "audit", "movement"))
    names = trained_names(base)
    others = [base | {name: base[name] + share * (student[name] - base[name]) for name in names} for share in SHARES]
    ratios = log_ratios(model, base, others, halves[1], law)
    totals = ratios.sum(1)
    evidence = float(np.logaddexp.reduce(totals)) - math.log(len(SHARES))
    return Movement(float(ratios.mean(1).max()), evidence, student)


@torch.no_grad()
def log_ratios(
    model: Transformer, base: Params, others: list[Params], lists: Lists, law: ListLaw
) -> Float[np.ndarray, "o c"]:
    """Return log q(y)/p(y) of every token, for each other model, both by the same law."""
    found = []
    for index in torch.split(torch.arange(len(lists)), _LISTS):
        part = lists.chosen(index)
        reference = _log_probs(model, base, part, law)
        found.append(torch.stack([_log_probs(model, one, part, law) - reference for one in others]))
    return torch.cat(found, dim=1).numpy()


def _log_probs(model: Transformer, params: Params, lists: Lists, law: ListLaw) -> Float[Tensor, " c"]:
    rows = output_rows(model, params)
    log_p = law.log_probs(token_hidden(model, params, lists) @ rows.T, law.allowed(first_tokens(lists), len(rows)))
    return log_p.gather(1, columns_of(lists.tokens[lists.counted])[:, None])[:, 0].double()
