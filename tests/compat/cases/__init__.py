"""The cases, by subject; every module here has a tuple `CASES`."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.compat.case import Case


def all_cases() -> list[Case]:
    """Every case, in a stable order; their names are unique."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    cases: list[Case] = [
        case for name in modules for case in importlib.import_module(f"{__name__}.{name}").CASES
    ]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases have one name"
    return cases
