"""A hypothesis strategy for descriptions of small problems that satisfy, or violate, what a claim asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.spec import SMOOTH_ACTIVATIONS, WORDS, ProblemSpec

Draw = Callable[..., Any]
"""What hypothesis hands to a composite strategy; its own name for it cannot be checked at run time."""

TEMPERATURES = (1.0, 2.0, 0.5, 4.0)


@st.composite
def problem_specs(  # noqa: D417
    draw: Draw,
    *,
    smooth: bool | None = True,
    degenerate: bool | None = None,
    affine_on_ray: bool | None = None,
    trait_step: bool | None = None,
    several_logits: bool = False,
    losses: Sequence[str] = WORDS["loss"],
    max_hidden: int = 3,
    max_width: int = 6,
    max_inputs: int = 8,
) -> ProblemSpec:
    """Draw the description of a problem; ``spec.build()`` is the problem, ``spec.snippet()`` the text for it.

    Args:
        smooth: twice continuously differentiable; False: relu, with a hidden layer.
        degenerate: the distilled outputs do not see the teacher's update, V = 0: one distilled logit under a softmax,
            or auxiliary logits of a linear model whose teacher follows the trait. False: V > 0 for all but a null
            set of random numbers.
        affine_on_ray: outputs are affine along the teacher's ray: no hidden layer, or a teacher that moved its last
            layer only. False: neither, though units that a gelu leaves at zero may bend by less than rounding.
        trait_step: the teacher's update is minus the trait gradient; False: a random direction, of all layers or of
            the last.
        several_logits: at least two logits are distilled.
        losses: of the distillation, out of ``"squared_error"`` and ``"kl"``.
        max_hidden, max_width, max_inputs: upper ends of the sizes.

    Shrinks to ``ProblemSpec()`` with as few changes as the keywords ask for.
    """
    require_sizes(max_width=max_width, hidden=(0, max_hidden), max_inputs=max_inputs)
    if isinstance(losses, str) or not losses or not set(losses) <= set(WORDS["loss"]):
        raise InvalidArgument(f"losses: expected some of {WORDS['loss']}, got {losses!r}")
    if smooth is False and affine_on_ray:
        raise InvalidArgument("smooth: expected True or None with affine_on_ray=True, whose models have no kink")
    min_hidden = int(smooth is False or affine_on_ray is False)
    fixed: dict[str, Any] = {}
    if degenerate:
        softmax = "kl" in losses and not several_logits
        fixed = draw(st.sampled_from(_degenerate_kinds(softmax, trait_step=trait_step, hidden=min_hidden > 0)))
    widths = st.integers(1, max_width)
    loss = fixed.get("loss") or draw(st.sampled_from(tuple(losses)))
    directions = ("random",) if affine_on_ray is False else ("random", "last_layer")
    teachers = {None: ("trait", *directions), True: ("trait",), False: directions}[trait_step]
    teacher = fixed.get("teacher") or draw(st.sampled_from(teachers))
    distilled = fixed.get("distilled_logits") or draw(st.sampled_from(("all", "class", "aux")))
    seen = degenerate is False
    if seen and teacher == "trait" and distilled == "aux":
        # Only hidden layers carry the trait to the auxiliary logits, and those of relu may all be closed.
        if affine_on_ray or smooth is False or max_hidden == 0:
            distilled = "class"
        else:
            min_hidden, smooth = 1, True
    several = int(several_logits or (seen and loss == "kl")) + 1  # a softmax over one logit sees nothing
    num_classes = fixed.get("num_classes") or draw(st.integers(several if distilled == "class" else 1, max_width))
    num_aux = fixed.get("num_aux") or draw(st.integers(several if distilled == "aux" else 1, max_width))
    shallow = "hidden" in fixed or (affine_on_ray and teacher != "last_layer")
    hidden = () if shallow else draw(st.lists(widths, min_size=min_hidden, max_size=max_hidden).map(tuple))
    return ProblemSpec(
        hidden=hidden,
        input_dim=draw(widths),
        num_classes=num_classes,
        num_aux=num_aux,
        activation=draw(st.sampled_from(activations(smooth))),
        init=draw(st.sampled_from(WORDS["init"])),
        init_scale=draw(st.sampled_from((1.0, 0.5, 2.0))),
        inputs=draw(st.sampled_from(WORDS["inputs"])),
        num_inputs=draw(st.integers(1, max_inputs)),
        num_trait_inputs=draw(st.integers(1, max_inputs)),
        # Cross-entropy over one class has no gradient: that teacher would stand still.
        trait=draw(st.sampled_from(("squared_error", "cross_entropy")[: min(num_classes, 2)])),
        teacher=teacher,
        loss=loss,
        temperature=draw(st.sampled_from(TEMPERATURES)) if loss == "kl" else 1.0,
        distilled_logits=distilled,
        eps=draw(st.sampled_from((0.001, 0.01, 0.05))),
        student_lr=draw(st.sampled_from((0.1, 0.5, 0.01))),
        seed=draw(st.integers(0, 2**20)),
    )


def _degenerate_kinds(softmax: bool, *, trait_step: bool | None, hidden: bool) -> list[dict[str, Any]]:
    kinds: list[dict[str, Any]] = []
    if trait_step is not False and not hidden:
        kinds.append({"hidden": (), "teacher": "trait", "distilled_logits": "aux"})
    if softmax:
        kinds.append({"loss": "kl", "distilled_logits": "aux", "num_aux": 1})
        kinds.append({"loss": "kl", "distilled_logits": "class", "num_classes": 1})
    if not kinds:
        raise InvalidArgument(
            "degenerate: expected kl on one logit, or a linear model with a trait step, to be allowed"
        )
    return kinds


def activations(smooth: bool | None) -> tuple[str, ...]:
    """Return the names of smooth activations, of kinked ones, or of both."""
    kinked = tuple(name for name in ACTIVATIONS if name not in SMOOTH_ACTIVATIONS)
    return {True: SMOOTH_ACTIVATIONS, False: kinked, None: SMOOTH_ACTIVATIONS + kinked}[smooth]


def require_sizes(*, max_width: int, hidden: tuple[int, int], max_inputs: int = 1) -> None:
    """Refuse sizes that leave nothing to draw."""
    if max_width < 2 or max_inputs < 1:
        raise InvalidArgument(f"expected max_width >= 2 and max_inputs >= 1, got {max_width} and {max_inputs}")
    if not 0 <= hidden[0] <= hidden[1]:
        raise InvalidArgument(f"max_hidden: expected an integer >= {max(hidden[0], 0)}, got {hidden[1]}")
