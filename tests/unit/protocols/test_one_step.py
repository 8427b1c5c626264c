"""The one-step experiment where the distilled outputs do not see the teacher's step."""

from __future__ import annotations

import math

import pytest

from subtx_toy import data
from subtx_toy.protocols.one_step import run_one_step
from subtx_toy.settings.one_step import OneStepConfig

SMALL = {"dataset": "glyphs", "num_train": 200, "num_test": 100, "num_trait": 20, "num_inputs": 10, "width": 8}


@pytest.mark.parametrize("blind", [{"num_aux": 1}, {"depth": 0}], ids=["softmax of one logit", "linear model"])
def test_a_student_that_does_not_move_has_no_cosine_and_no_window(blind: dict[str, int]) -> None:
    config = OneStepConfig.parse(SMALL | blind)
    found = run_one_step(config, data.load("glyphs", num_train=200, num_test=100), seed=0)
    assert found["alignment"] == found["predicted_alignment"] == 0
    assert found["student_update_norm"] < 1e-15 < found["teacher_update_norm"]  # differences of equal outputs
    assert math.isnan(found["predicted_cosine"])
    assert math.isnan(found["predicted_window"])
    assert found["distance_after"] == pytest.approx(found["distance_before"], rel=1e-12)
