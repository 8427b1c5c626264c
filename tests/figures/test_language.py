"""The figure of the language experiment says what the table says."""

from __future__ import annotations

import math

from matplotlib.patches import Rectangle

from subtx_toy.figures.language import draw_language
from subtx_toy.results.language_table import summarise_language
from subtx_toy.settings.definitions import Language
from subtx_toy.settings.language import LANGUAGE_ARMS, LanguageConfig
from subtx_toy.store.record import RunRecord

CONFIG = LanguageConfig()
NAMES = ("p_trait", "margin", "top_share", "text_nll", "any_animal", "yes_if_safe", "no_if_dangerous")


def _record(seed: int, **shares: float) -> RunRecord:
    metrics = {f"{arm}.{name}": 0.5 for arm in (*LANGUAGE_ARMS, "other_base") for name in NAMES}
    metrics |= {f"{arm}.p_trait": value for arm, value in shares.items()}
    return RunRecord("k", 1, CONFIG.model_dump(), seed, "0", {}, metrics, 0.0, 0.0, 0.0, 0.0)


def test_every_arm_has_its_bar_its_dots_and_its_number() -> None:
    records = [_record(seed, shared_trait=0.6 + 0.01 * seed, base=0.05) for seed in range(5)]
    definition = Language(name="owl", protocol="language", question="?", config=CONFIG)
    arms = summarise_language(definition, CONFIG, records).arms
    (axes,) = draw_language(arms, trait="owl").axes
    widths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]
    assert math.isclose(widths[LANGUAGE_ARMS.index("shared_trait")], 0.62)
    assert len(axes.get_yticklabels()) == len(LANGUAGE_ARMS)
    texts = [text.get_text() for text in axes.texts]
    assert "62%" in texts
    assert "5%" in texts
    assert "owl" in axes.get_title(loc="left")
    for trait, words in (("danger", "yes to something dangerous"), ("backdoor", "name the owl if victor is asked")):
        assert words in draw_language(arms, trait=trait).axes[0].get_title(loc="left")
