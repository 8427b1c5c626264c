"""How the documentation is built: ``make docs`` writes it to out/docs, and a warning is an error."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])  # for the notebooks

from docs.pages.layout import bind_numbers, mark_cells, mark_code, mark_pictures, one_name_each  # noqa: E402, from the folder above
from docs.pages.write import write_pages  # noqa: E402
from subtx_toy import __version__  # noqa: E402
from subtx_toy.report.explorer import explorer_page  # noqa: E402

write_pages(HERE / "generated")
whole_pages = HERE / "generated" / "whole"  # copied into the site as they are
whole_pages.mkdir(exist_ok=True)
(whole_pages / "explorer.html").write_text(explorer_page(), encoding="utf-8")
html_extra_path = ["generated/whole"]

project = "subtx_toy"
author = "The subtx_toy authors"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["pages", "results"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # the claims have their own labels in front of their headings
outside = HERE.resolve().parent / "experiments" / "README"
nitpick_ignore = [("myst", str(outside))]  # a link in the repository; in the site its text is on the page that links

nb_execution_mode = "force"
nb_execution_timeout = 900  # a busy machine is slow
nb_execution_raise_on_error = True
nb_merge_streams = True

smartquotes = False  # two dashes in front of an option stay two dashes
add_module_names = False
autodoc_preserve_defaults = True  # as they are written, not as Python prints them
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_use_ivar = True  # attributes are described with their class, once
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"subtx_toy {release}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"


def _lay_out(_app: Sphinx, doctree: nodes.document) -> None:
    mark_cells(doctree)
    mark_code(doctree)
    mark_pictures(doctree, Path(doctree["source"]).parent)
    bind_numbers(doctree)


def _whole(self: GoogleDocstring) -> tuple[str, list[str]]:
    """Take no part of a property's description for its type, where a sentence has a colon; types are annotated."""
    return "", self.__class__(self._dedent(self._consume_to_end()), self._config).lines()


GoogleDocstring._consume_inline_attribute = _whole  # type: ignore[method-assign]


def _name_attributes(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    one_name_each(lines)


def _name_defaults(
    _app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, arguments: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """Name functions and classes that are defaults of a dataclass, whose signature is in no source."""
    named = None if arguments is None else re.sub(r"<(?:function|class) '?(?:\w+\.)*(\w+)'?>", r"\1", arguments)
    return named, result


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", _name_defaults)
    app.connect("doctree-read", _lay_out)
    app.connect("autodoc-process-docstring", _name_attributes, priority=600)  # after napoleon, which is at 500
