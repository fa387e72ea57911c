"""A page's elements and text, as a browser would see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Page(HTMLParser):
    """Elements with their attributes in order, and the text between them."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def of(cls, text: str) -> Page:
        page = cls()
        page.feed(text)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def links(self) -> list[str]:
        return [link["href"] or "" for link in self.all("a") if "href" in link]

    @property
    def runs_scripts_of_its_own(self) -> list[object]:
        """Whatever would run without coming from a file: inline scripts, handlers, javascript: addresses, styles."""
        inline = [one for one in self.all("script") if "src" not in one and one.get("type") != "application/json"]
        handlers = [pair for _, given in self.elements for pair in given.items() if pair[0].startswith("on")]
        styles = [given["style"] for _, given in self.elements if "style" in given]
        return [*inline, *handlers, *styles, *[link for link in self.links if link.startswith("javascript")]]
