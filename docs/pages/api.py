"""The page of the public names: every one of ``subtx_toy.__all__``, from its docstring."""

from __future__ import annotations

import dataclasses
import inspect

import subtx_toy
from docs.pages.text import NOTE

GROUPS: dict[str, tuple[str, ...]] = {
    "Run and look": ("run", "sweep", "preview", "results", "report", "Run", "Sweep", "Preview"),
    "Predict and prove": ("verify", "certify", "check", "Verification", "Certificate", "Check"),
    "Detect": ("audit", "Audit", "audit_stream", "AuditStream", "audit_scores", "Trait", "Examples"),
    "State a problem": (
        "Problem", "ProblemSpec", "MLP", "ModuleFunction", "Loss", "kl", "squared_error", "reverse_kl",
        "probability_squared_error", "cosine_distance", "smooth_loss", "TraitLoss", "cross_entropy_trait", "squared_error_trait",
    ),
    "Bring parts of your own": ("claim", "Evidence", "Inequality", "Protocol", "Measurement", "run_experiment"),
    "Settings": ("RunConfig", "OneStepConfig", "NumbersConfig"),
    "Data, stores and the machine": ("load", "Dataset", "Store", "generator", "examine", "InputError"),
}  # fmt: skip
"""What a name is for; a public name that is in none of them is listed last."""


def api_page() -> str:
    """Return the page."""
    placed = {name for names in GROUPS.values() for name in names}
    rest = tuple(name for name in subtx_toy.__all__ if name not in placed and not name.startswith("__"))
    groups = {title: tuple(name for name in names if name in subtx_toy.__all__) for title, names in GROUPS.items()}
    parts = [
        NOTE,
        "# Python names\n",
        "With this page you can look up every public name. They are loaded when they are first used:\n",
        "```python\nimport subtx_toy as st\n```\n",
        "Whatever is not on this page may change without notice: see [the policy](../changes.md).\n",
    ]
    for title, names in (groups | ({"More": rest} if rest else {})).items():
        parts += [f"## {title}\n", *map(_entry, names)]
    return "\n".join(parts)


def _entry(name: str) -> str:
    found = getattr(subtx_toy, name)
    if not inspect.isclass(found):
        return f"### {name}\n\n```{{eval-rst}}\n.. autofunction:: subtx_toy.{name}\n```\n"
    fields = dataclasses.fields(found) if dataclasses.is_dataclass(found) else ()
    # The class's own text describes its fields; one whose default is a function would come again as a method.
    left_out = ["model_config", *(field.name for field in fields if callable(field.default))]
    options = f"   :members:\n   :exclude-members: {', '.join(left_out)}\n"
    return f"### {name}\n\n```{{eval-rst}}\n.. autoclass:: subtx_toy.{name}\n{options}```\n"
