"""The settings of a network that is described by its layers and read from files."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from subtx_toy.settings.overridable import Overridable


class NetworkFile(Overridable):
    """A chain of layers, where its numbers are, and what the student imitates."""

    layers: list[dict[str, Any]] = Field(min_length=1, max_length=64, description="each with its kind, from the inputs")
    base: str = Field(description="safetensors file of the state dict at the shared initialisation")
    teacher: str = Field(description="safetensors file of the teacher's state dict, which stands at eps = 1")
    inputs: str = Field(description="safetensors file with one tensor, 'inputs', in the form that the network takes")
    loss: Literal["kl", "squared_error"] = Field("kl", description="that the student imitates the teacher by")
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False, description="of kl")
    distilled_logits: Literal["all", "aux", "class"] | list[int] = Field(
        "all", description="which outputs: a word, or their numbers"
    )
    num_classes: int | None = Field(None, ge=0, description="outputs that are class logits, which come first")
    student_lr: float = Field(1.0, gt=0, allow_inf_nan=False, description="step size of the student")
