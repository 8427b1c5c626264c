"""The page of an audit: a verdict in plain words with reasons and steps, and the prompts as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from subtx_toy.report.audit_page import audit_page, plain_words

TRAIT = "relabel:4:9"


def document(*, carries: bool = False, moved: bool = False, applies: bool = True) -> dict[str, Any]:
    return {
        "verdict": "a verdict",
        "carries": [TRAIT] if carries else [],
        "numbers": 1000,
        "excess_log_loss": 0.01,
        "fit": {"excess_log_loss": 0.01, "z": 1.0, "limit": 0.5, "impossible": 0, "applies": applies},
        "moved": {"moved": moved, "divergence": 0.02, "numbers": 800},
        "traits": {
            TRAIT: {
                "verdict": "carries" if carries else "not found",
                "efficient_z": 4.0,
                "p_value_holm": 1e-5,
                "fisher_cosine": 0.6,
                "detectable_effect": 0.1,
                "reference": {"num": 20, "least": -0.2, "largest": 0.2, "threshold": 0.3},
                "student": {"shows": 0.5, "base_shows": 0.01},
                "probe": None,
                "expected_maximum": 2.5,
                "top_lines": [{"line": 7, "prompt": 3, "numbers": [1, 2], "score": 3.5}],
            }
        },
        "notes": [],
        "header": {"sampler": "softmax"},
        "provenance": {"file_sha256": "ab" * 32, "reference_sha256": None},
    }


@pytest.mark.parametrize(
    ("state", "tone", "says"),
    [
        ({"carries": True, "moved": True}, "warm", "a net that reads 4 as 9"),
        ({"moved": True}, "calm", "does not carry a trait that was asked about"),
        ({}, "calm", "Nothing in the file's 1000 numbers shows"),
        ({"applies": False}, "odd", "The test does not apply"),
    ],
)
def test_each_verdict_has_words_reasons_and_next_steps(state: dict[str, bool], tone: str, says: str) -> None:
    words = plain_words(document(**state))
    assert words.tone == tone
    assert says in words.summary
    assert words.reasons
    assert words.steps
    page = audit_page(document(**state), name="f.jsonl", level=0.01)
    for text in (*words.reasons, *words.steps):
        assert text.replace("'", "&#39;") in page


def test_the_page_says_how_many_numbers_the_student_had() -> None:
    found = document(moved=True)
    assert (
        plain_words(found).reasons[0].endswith("base's law, by a student of 800 of the 1000 or by the scores of all.")
    )
    found["moved"]["numbers"] = 1000
    assert plain_words(found).reasons[0].endswith("base's law, by a student of them or by the scores of all.")


def test_a_chance_that_rounds_to_zero_is_not_called_zero() -> None:
    found = document(carries=True, moved=True)
    found["traits"][TRAIT]["p_value_holm"] = 0.0
    assert "the chance of such a score from the base is below 1e-300" in plain_words(found).reasons[1]
    page = audit_page(found, name="f.jsonl", level=0.01, pictures={})
    assert '<td class="n">&lt; 1e-300</td>' in page
    assert "&lt; 1e-300" not in audit_page(document(carries=True, moved=True), name="f.jsonl", level=0.01, pictures={})


def test_the_page_says_the_level_of_one_bound_and_of_all() -> None:
    found = document(moved=True)
    assert "in at most 0.5 % of files, if such cosines are normal. " in _words(audit_page(found, name="f", level=0.005))
    found["traits"]["backdoor:0"] = found["traits"][TRAIT]
    page = _words(audit_page(found, name="f", level=0.005))
    assert "in at most 0.25 % of files, if such cosines are normal: over all traits, 0.5 %." in page


def test_why_a_trait_is_not_named_of_a_writer_that_moved() -> None:
    found = document(moved=True)
    row = found["traits"][TRAIT]
    assert "p = 1.0e-05" in plain_words(found).reasons[1]
    row["fisher_cosine"] = 0.2
    assert "its Fisher cosine, 0.2, is not above 0.3, what 20 honest fine-tunes allow." in plain_words(found).reasons[1]
    row["reference"]["threshold"] = None
    assert "too few honest fine-tunes" in plain_words(found).reasons[1]


def test_a_page_on_scores_counts_lines_and_leaves_out_the_student_that_it_has_not() -> None:
    found = document(moved=True)
    del found["header"]
    assert "student shows" in audit_page(found, name="f", level=0.01)
    found["traits"][TRAIT]["student"] = {"shows": None, "base_shows": None}
    page = _words(audit_page(found, name="f", level=0.01))
    assert "student shows" not in page
    assert "The last column" not in page
    assert "1000 lines. Excess log loss against the base 0.01 nats per line" in page


def _words(page: str) -> str:
    return " ".join(page.replace("\N{NO-BREAK SPACE}", " ").split())


def test_what_does_not_apply_is_no_acquittal() -> None:
    assert "Do not read this as an acquittal." in plain_words(document(applies=False)).steps


def test_the_page_shows_prompts_the_expected_maximum_and_checksums() -> None:
    pictures = {3: np.arange(784, dtype=np.uint8).reshape(28, 28)}
    page = audit_page(document(), name="f.jsonl", level=0.01, pictures=pictures)
    assert page.count('src="data:image/png;base64,') == 1
    assert "its highest line would score about <b>2.5</b>" in page
    assert "ab" * 32 in page
    assert "None" not in page
    assert 'name="viewport"' in page
