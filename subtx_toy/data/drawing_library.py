"""Matplotlib, for its fonts and for figures: loaded whatever the user's environment makes of it."""

from __future__ import annotations

import logging
import os
from typing import Any

from subtx_toy.errors import InputError


def import_matplotlib() -> Any:
    """Import matplotlib without the backend that MPLBACKEND names, which may be a notebook's that is not here.

    Raises:
        InputError: if it cannot be imported, for example because of a matplotlibrc that is no text.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no word on a matplotlibrc, which figures do not use
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise
    except Exception as error:  # it reads files of the user's
        raise InputError(
            f"matplotlib: cannot be loaded, perhaps for your matplotlibrc: {type(error).__name__}"
        ) from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    return matplotlib
