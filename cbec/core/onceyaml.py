"""YAML in which a key that comes twice is a fault: the later one would win in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from yaml import SafeLoader as Loader
else:
    # Written in C it is many times faster; not every build of the package has it.
    Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Once(Loader):
    """A loader that refuses a key given twice, with its line. Subclass it to change how scalars are read."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._looked_at: set[int] = set()

    def flatten_mapping(self, node: Any) -> None:
        """Merge what `<<` names into the node; its own keys are checked before, once."""
        if id(node) not in self._looked_at:
            self._looked_at.add(id(node))
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f'key "{key.value}" comes twice', problem_mark=key.start_mark)
                seen.add(str(key.value) if isinstance(key, yaml.ScalarNode) else "")
        super().flatten_mapping(node)
