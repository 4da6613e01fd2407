"""A page as a person finds it: its headings, links, forms and tables, read by a real parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "input", "img", "br", "rect"})


@dataclass(slots=True, eq=False)
class Element:
    """One element with what is in it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All the text within, blanks made one."""
        parts = (c if isinstance(c, str) else f" {c.text} " for c in self.children)
        return " ".join("".join(parts).split())

    def all(self, tag: str = "", **wanted: str) -> list["Element"]:
        """Every element below of this tag and these attributes, in order."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                fits = tag in ("", child.tag)
                if fits and all(child.attributes.get(k) == v for k, v in wanted.items()):
                    found.append(child)
                found += child.all(tag, **wanted)
        return found

    def one(self, tag: str = "", **wanted: str) -> "Element":
        (found,) = self.all(tag, **wanted)
        return found

    def table(self, index: int = 0) -> list[list[str]]:
        """The rows of a table's body, cell by cell."""
        body = self.all("table")[index].all("tbody")[0]
        return [[cell.text for cell in row.children if isinstance(cell, Element)]
                for row in body.all("tr")]  # fmt: skip

    def links(self) -> dict[str, str]:
        """Where each link leads, by its text."""
        return {link.text: link.attributes["href"] for link in self.all("a")}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("")
        self.path = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: text or "" for name, text in attrs})
        self.path[-1].children.append(element)
        if tag not in VOID:
            self.path.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.path[-1].children.append(Element(tag, {name: text or "" for name, text in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.path[-1].tag == tag, f"</{tag}> closes <{self.path[-1].tag}>"
            self.path.pop()

    def handle_data(self, data: str) -> None:
        self.path[-1].children.append(data)


def read(page: str) -> Element:
    """The page's tree; a tag that is not closed where it must be is an error."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.path == [reader.root], f"<{reader.path[-1].tag}> is not closed"
    return reader.root
