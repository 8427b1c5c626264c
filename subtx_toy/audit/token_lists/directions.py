"""Directions at a language model: towards a trait, as the auditor's own teachers move, and of honest fine-tunes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.audit.directions import main_moves
from subtx_toy.audit.token_lists.law import token_hidden
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.questions import Trait
from subtx_toy.lm.training import TeacherRecipe, teach, trained_names
from subtx_toy.lm.transformer import Transformer
from subtx_toy.problem.params import Params, difference, flatten
from subtx_toy.seeding import generator
from subtx_toy.settings.language import LanguageConfig

_RECIPES = (TeacherRecipe(lr=1e-3, steps=50), TeacherRecipe(lr=5e-4, steps=100))


@dataclass(frozen=True, eq=False)
class ListDirections:
    """Directions of all but the embeddings and output weights, first ``num_traits`` traits and then honest moves.

    ``tangents`` holds ``[r, ...]`` for each parameter, scaled so that every direction has length 1.
    """

    names: tuple[str, ...]
    num_traits: int
    tangents: Params

    @classmethod
    def of(cls, traits: Mapping[str, Params], honest: Mapping[str, Params]) -> ListDirections:
        """Stack directions given as parameters; what they say of embeddings is left out."""
        found = [{name: move[name] for name in trained_names(move)} for move in (*traits.values(), *honest.values())]
        lengths = [flatten(one).norm() for one in found]
        tangents = {
            name: torch.stack([one[name] / length for one, length in zip(found, lengths, strict=True)])
            for name in found[0]
        }
        return cls((*traits, *honest), len(traits), tangents)


def token_tangents(
    model: Transformer, base: Params, directions: ListDirections, lists: Lists
) -> tuple[Float[Tensor, "c d"], Float[Tensor, "r c d"]]:
    """Return the last layer's activations before every counted token, and their slopes along every direction."""
    body = {name: base[name] for name in directions.tangents}

    def hidden_at(moved: Params) -> Tensor:
        return token_hidden(model, base | moved, lists)

    def slope(direction: Params) -> tuple[Tensor, Tensor]:
        found, slopes = torch.func.jvp(hidden_at, (body,), (direction,))[:2]
        return found, slopes

    with torch.no_grad():
        # The activations are the same for all directions, so they have no axis for these.
        hidden, slopes = torch.func.vmap(slope, out_dims=(None, 0))(directions.tangents)  # type: ignore[arg-type]
    return hidden, slopes


def taught_move(model: Transformer, base: Params, trait: Trait) -> Params:
    """Return the mean move of two teachers of an auditor's own, each of length 1, taught as the experiment's are."""
    usual = LanguageConfig(trait=trait.name)
    moves = []
    for recipe in _RECIPES:
        lesson = replace(recipe, stop=usual.lesson_end, other_share=usual.honest_share)
        rng = generator(0, "audit", "own teachers", trait.name, f"{recipe.lr:g}")
        move = difference(teach(model, base, trait, lesson, rng).params, base)
        length = flatten(move).norm()
        moves.append({name: value / length if length else value for name, value in move.items()})
    return {name: sum((move[name] for move in moves[1:]), moves[0][name]) / len(moves) for name in base}


def honest_moves(base: Params, nets: Sequence[Params]) -> dict[str, Params]:
    """Return the main moves of honest fine-tunes."""
    return main_moves(trained_names(base), base, nets)
