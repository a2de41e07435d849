"""`dataclass`, `field` and `replace` for every value of the project.

To a type checker they are the standard library's. At run time they are cheaper ones, because
defining a dataclass there costs about half a millisecond, and there are some 150 of them: half of
what an `exprun` command took to start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
else:
    from exprun.model.lazy_dataclasses import dataclass, field, replace

__all__ = ["dataclass", "field", "replace"]
