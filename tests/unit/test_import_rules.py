"""The layers of the package, read from its import statements: imports run downwards only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import subtx_toy

ROOT = Path(subtx_toy.__file__).parent
ROUTES = ("theory", "training", "certify")

# From the bottom up; a module may import its own layer and those below it.
LAYERS = [
    ("errors", "tolerances", "seeding", "collector", "wording"),
    ("files", "settings", "stats"),
    ("store",),
    ("problem", "data"),
    ("theory", "training", "certify"),
    # the channel and the language model train; the audit judges what the channel wrote
    ("channel", "lm"),
    ("results", "audit"),
    ("figures",),
    ("report",),
    ("protocols", "claims"),
    ("sweep", "testing"),
    ("api",),
    ("cli", "__main__"),
]


def _imports(path: Path) -> set[str]:
    """Return the full names that a file imports, those inside functions too."""
    names = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    left_out = {
        inner for node in typing_only for inner in node.body if getattr(inner, "module", None) == "matplotlib.figure"
    }
    for node in ast.walk(tree):
        if node in left_out:  # the type of a figure is no drawing
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _part(name: str) -> str:
    """``subtx_toy.data.idx`` belongs to ``data``."""
    return name.split(".")[1] if name.count(".") else "__init__"


def _own_part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def _layer(part: str) -> int:
    return next(at for at, layer in enumerate(LAYERS) if part in layer)


def _violations(path: Path, imported: set[str]) -> list[str]:
    own, found = _own_part(path), []
    for name in sorted(imported):
        other = _part(name) if name.startswith("subtx_toy.") else ""
        known = any(other in layer for layer in LAYERS)
        if known and _layer(other) > _layer(own):
            found.append(f"{own} imports {name} from a layer above")
        if own in ROUTES and other in ROUTES and own != other:
            found.append(f"{own} imports {name}: the routes meet only in a comparison")
        if own == "training" and name.startswith("subtx_toy.settings.distillation"):
            found.append(f"{own} imports {name}: training takes no RunConfig")
        found += _between_search_and_checker(path, name)
        outside = name.partition(".")[0]
        if outside in ("click", "rich_click", "rich") and own != "cli":
            found.append(f"{own} imports {name}: the command line stays in cli")
        if outside in ("matplotlib", "tueplots") and own not in ("figures", "data"):
            found.append(f"{own} imports {name}: drawing stays in figures, and fonts in data")
        if outside == "sqlite3" and own != "store":
            found.append(f"{own} imports {name}: SQL stays in store")
    return found


def _between_search_and_checker(path: Path, name: str) -> list[str]:
    """The checker re-proves what the search claims: it shares nothing with it but the package's errors."""
    parts, checker = path.relative_to(ROOT).parts, "subtx_toy.certify.checker"
    if parts[:2] == ("certify", "checker"):
        if name.startswith("subtx_toy.") and not name.startswith((checker, "subtx_toy.errors")):
            return [f"the checker imports {name}: it trusts no code of the search"]
        if name.partition(".")[0] in ("torch", "scipy"):
            return [f"the checker imports {name}: its arithmetic is arb's alone"]
    elif parts[0] == "certify" and parts[1] != "observed.py" and name.startswith(checker):
        return [f"{path.name} imports {name}: the search does not lean on its checker"]
    return []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path: Path) -> None:
    assert any(_own_part(path) in layer for layer in LAYERS), "a new part of the package needs its layer"
    assert _violations(path, _imports(path)) == []


@pytest.mark.parametrize(
    ("file", "imported"),
    [
        ("theory/x.py", "subtx_toy.training.phase"),
        ("problem/model.py", "subtx_toy.protocols.protocol"),
        ("store/x.py", "subtx_toy.sweep.engine"),
        ("training/x.py", "rich_click"),
        ("training/x.py", "subtx_toy.settings.distillation"),
        ("protocols/protocol.py", "matplotlib.pyplot"),
        ("sweep/x.py", "sqlite3"),
        ("certify/checker/x.py", "subtx_toy.certify.jets"),
        ("certify/march.py", "subtx_toy.certify.checker.proof"),
    ],
)
def test_a_planted_import_is_caught(file: str, imported: str) -> None:
    assert _violations(ROOT / file, {imported})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_say_something_and_randomness_has_one_source(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "core", "common", "misc"}
    text = path.read_text(encoding="utf-8")
    if path.name != "seeding.py":
        for source in ("manual_seed(", "default_rng(", "np.random.seed", "torch.rand(", "torch.randn(", "randperm("):
            assert source not in text, f"{source} beside the named streams"
