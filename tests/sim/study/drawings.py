"""Drawings as a reader sees them: the texts and shapes of an SVG with the place that each takes."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from pnode.sim.study.drawing import BOLD, text_px

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Box:
    """What something takes, in pixels, and what it says."""

    left: float
    top: float
    right: float
    bottom: float
    text: str = ""
    kind: str = ""

    def within(self, other: "Box", slack: float = 0.01) -> bool:
        return (
            self.left >= other.left - slack
            and self.top >= other.top - slack
            and self.right <= other.right + slack
            and self.bottom <= other.bottom + slack
        )

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


class Picture:
    """An SVG, parsed."""

    def __init__(self, svg: str) -> None:
        self.root = ElementTree.fromstring(svg)
        self.canvas = Box(0, 0, float(self.root.get("width", "")), float(self.root.get("height", "")))
        self.texts = [self._text(one) for one in self.root.iter(f"{SVG}text")]
        self.bars = [self._rect(one) for one in self.root.iter(f"{SVG}rect")][1:]  # the first is the ground

    def hints(self) -> list[str]:
        """What hovering says, shape by shape."""
        return [one.text or "" for one in self.root.iter(f"{SVG}title")][1:]  # the first is the drawing's own

    def complaints(self) -> list[str]:
        """Texts that lie over each other, and whatever leaves the canvas."""
        outside = [
            f"outside: {box}"
            for box in (*self.texts, *self.bars, *self._lines(), *self._circles(), *self._polygons())
            if not box.within(self.canvas)
        ]
        over = [
            f"{one} lies over {other}"
            for at, one in enumerate(self.texts)
            for other in self.texts[:at]
            if one.overlaps(other)
        ]
        return outside + over

    def _text(self, element: ElementTree.Element) -> Box:
        x, y, size = (float(element.get(name, "")) for name in ("x", "y", "font-size"))
        text = element.text or ""
        width = text_px(text, size) * (BOLD if element.get("font-weight") else 1.0)
        begin = {"start": 0.0, "middle": width / 2, "end": width}[element.get("text-anchor", "start")]
        if element.get("transform"):
            return Box(x - size * 0.8, y - width + begin, x + size * 0.2, y + begin, text)
        return Box(x - begin, y - size * 0.8, x - begin + width, y + size * 0.2, text)

    def _rect(self, element: ElementTree.Element) -> Box:
        x, y, width, height = (float(element.get(name, "0")) for name in ("x", "y", "width", "height"))
        return Box(x, y, x + width, y + height, element.findtext(f"{SVG}title", ""), element.get("class", ""))

    def _lines(self) -> list[Box]:
        return [
            Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), kind="line")
            for x1, y1, x2, y2 in (
                tuple(float(one.get(name, "")) for name in ("x1", "y1", "x2", "y2"))
                for one in self.root.iter(f"{SVG}line")
            )
        ]

    def _circles(self) -> list[Box]:
        return [
            Box(x - r, y - r, x + r, y + r, kind="circle")
            for x, y, r in (
                tuple(float(one.get(name, "")) for name in ("cx", "cy", "r"))
                for one in self.root.iter(f"{SVG}circle")
            )
        ]

    def _polygons(self) -> list[Box]:
        found: list[Box] = []
        for kind in ("polygon", "polyline"):
            for one in self.root.iter(f"{SVG}{kind}"):
                numbers = [float(number) for number in re.findall(r"[-\d.]+", one.get("points", ""))]
                found.append(Box(min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])))
        return found
