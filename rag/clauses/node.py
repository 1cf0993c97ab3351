"""Nodes of the clause tree while it grows, and ids that stay unique. Knows no marks."""

from dataclasses import dataclass, field

HEADINGS = frozenset({"编", "分编", "章", "节", "标题", "附件"})


@dataclass(eq=False)
class Node:
    """A clause under construction: its own text, without that of its children."""

    id: str
    level: str
    label: str
    text: str
    children: list["Node"] = field(default_factory=list["Node"])

    @property
    def is_heading(self) -> bool:
        """Whether the node only orders others."""
        return self.level in HEADINGS

    def full_text(self) -> str:
        """Own text and that of all below, one line each, in order."""
        parts: list[str] = []
        stack: list[Node] = [self]
        while stack:
            node = stack.pop()
            if node.text:
                parts.append(node.text)
            stack.extend(reversed(node.children))
        return "\n".join(parts)


class Tree:
    """Hands out ids; a second clause of the same name gets `~2`."""

    def __init__(self) -> None:
        self.root = Node("", "", "", "")
        self._used: dict[str, int] = {}

    def add(self, parent: Node, id: str, level: str, label: str, text: str) -> Node:
        """Append a child; its id is made unique."""
        count = self._used.get(id, 0) + 1
        self._used[id] = count
        while count > 1 and f"{id}~{count}" in self._used:
            count += 1
        unique = id if count == 1 else f"{id}~{count}"
        if count > 1:
            self._used[unique] = 1
        node = Node(unique, level, label, text)
        parent.children.append(node)
        return node

    def leaf(self, parent: Node, kind: str, level: str, name: str, text: str) -> Node:
        """Append a paragraph or table, numbered among its kind under the parent."""
        number = sum(child.level == level for child in parent.children) + 1
        prefix = f"{parent.id}." if parent.id else ""
        return self.add(parent, f"{prefix}{kind}{number}", level, name.format(number), text)
