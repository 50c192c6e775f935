"""YAML in which a key that comes twice is a fault: the later one would win in silence."""

from __future__ import annotations

from typing import Any

import yaml


class Once(yaml.SafeLoader):
    """A loader that refuses a key given twice, with its line. Subclass it to change how scalars are read."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        """The node, its keys checked."""
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f'key "{key.value}" comes twice', problem_mark=key.start_mark)
            seen.add(str(key.value) if isinstance(key, yaml.ScalarNode) else "")
        return node
