"""A drawing: shapes and texts on a canvas, as an SVG that stands alone, looks the same everywhere and can be hovered.

Colours are classes in a style sheet, light unless the reader's system is dark; what cannot read media queries, as
most converters, draws the light one. The same calls give the same bytes.
"""

import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTHS_EM = {
    **dict.fromkeys("ijl|!.,:;'()[]{} ftr-/", 0.45),
    **dict.fromkeys("mwMW%@", 1.0),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&", 0.78),
}
OTHERS_EM = 0.66
"""Widths of characters over the size of their text, those of the widest face in STYLE, so that what fits by them does
with the others as well. Bold ones are up to a tenth wider."""

HEADLINE_PX = 13.0
BOLD = 1.1

TEXT_PX = 12.0

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours that people with any colour vision tell apart (Okabe and Ito 2008), without yellow and black, which one of
the two backgrounds swallows."""

PALETTE_DARK = ("#4aa3df", "#f0743e", "#22c798", "#dd8fba", "#e69f00", "#8fd0f5")

DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 4")
"""Of the lines in these colours, so that they differ in print as well."""


def _sheet(ground: str, ink: str, faint: str, stripe: str, palette: Sequence[str]) -> str:
    colours = "".join(f".fill{at}{{fill:{colour}}}.line{at}{{stroke:{colour}}}" for at, colour in enumerate(palette))
    return (
        f".ground{{fill:{ground}}}.ink{{fill:{ink}}}.faint{{stroke:{faint}}}.edge{{stroke:{ink}}}"
        f".stripe{{fill:{stripe}}}.bad{{fill:#d00000}}.paper{{fill:{ground}}}{colours}"
    )


STYLE = (
    "text{font-family:'DejaVu Sans',Verdana,Arial,sans-serif}"
    + _sheet("#ffffff", "#1c1e21", "#c9ced6", "#f3f5f8", PALETTE)
    + "@media(prefers-color-scheme:dark){"
    + _sheet("#15181d", "#e4e7eb", "#434a55", "#1d2128", PALETTE_DARK)
    + "}"
)


def text_px(text: str, size_px: float = TEXT_PX) -> float:
    """How wide a text is at most, about."""
    return size_px * sum(map(_em, text))


def _em(character: str) -> float:
    if character.isascii() and character.isprintable():  # what is not is shown as another
        return WIDTHS_EM.get(character, OTHERS_EM)
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else 0.8


def fitted(text: str, width_px: float, size_px: float = TEXT_PX) -> str:
    """As much of a text as fits, with an ellipsis where something is left out; empty where not even that fits."""
    if text_px(text, size_px) <= width_px:
        return text
    for length in range(len(text) - 1, 0, -1):
        if text_px(shorter := f"{text[:length]}…", size_px) <= width_px:
            return shorter
    return ""


class Drawing:
    """What has been drawn so far; later shapes lie over earlier ones. Coordinates are pixels from the top left."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width = width
        self.height = height
        self._title = title
        self._parts: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, style: str, hint: str = "", opacity: float = 1.0
    ) -> None:
        """A box; `hint` is what hovering it says."""
        shape = f'x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(height)}"'
        self._add("rect", f'{shape} class="{style}"{_opacity(opacity)}', hint)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, style: str, hint: str = "", width: float = 1.0,
        opacity: float = 1.0,
    ) -> None:  # fmt: skip
        """A straight line."""
        shape = f'x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}" stroke-width="{_px(width)}"'
        self._add("line", f'{shape} class="{style}"{_opacity(opacity)}', hint)

    def polyline(self, points: Sequence[tuple[float, float]], style: str, dash: str = "") -> None:
        """Straight lines from point to point."""
        shape = f'points="{_points(points)}" fill="none" stroke-width="2"'
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._add("polyline", f'{shape} class="{style}"{dashes}')

    def polygon(
        self, points: Sequence[tuple[float, float]], style: str, hint: str = "", opacity: float = 1.0
    ) -> None:
        """A filled shape."""
        self._add("polygon", f'points="{_points(points)}" class="{style}"{_opacity(opacity)}', hint)

    def circle(self, x: float, y: float, radius: float, style: str, hint: str = "", opacity: float = 1.0) -> None:
        shape = f'cx="{_px(x)}" cy="{_px(y)}" r="{_px(radius)}"'
        self._add("circle", f'{shape} class="{style}"{_opacity(opacity)}', hint)

    def text(
        self, x: float, y: float, text: str, anchor: str = "start", size_px: float = TEXT_PX, style: str = "ink",
        upright: bool = True,
    ) -> None:  # fmt: skip
        """A text on the line y, from x (`start`), up to it (`end`) or about it (`middle`); if not upright, it reads
        from below."""
        shape = f'x="{_px(x)}" y="{_px(y)}" font-size="{_px(size_px)}" text-anchor="{anchor}" class="{style}"'
        turned = "" if upright else f' transform="rotate(-90 {_px(x)} {_px(y)})"'
        # The pointer shall hit the shape below, which has the hint.
        self._parts.append(f'<text {shape}{turned} pointer-events="none">{clean(text)}</text>')

    def headline(self, x: float, y: float, text: str, width: float) -> None:
        """What the drawing shows, bold, as far as it fits."""
        shown = fitted(text, width, HEADLINE_PX * BOLD)
        shape = f'x="{_px(x)}" y="{_px(y)}" font-size="{_px(HEADLINE_PX)}" font-weight="bold" class="ink"'
        self._parts.append(f"<text {shape}>{clean(shown)}</text>")

    def svg(self) -> str:
        """The whole of it."""
        size = f'width="{_px(self.width)}" height="{_px(self.height)}"'
        box = f'viewBox="0 0 {_px(self.width)} {_px(self.height)}"'
        ground = f'<rect width="{_px(self.width)}" height="{_px(self.height)}" class="ground"/>'
        body = "\n".join((f"<title>{clean(self._title)}</title>", f"<style>{STYLE}</style>", ground, *self._parts))
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img">\n{body}\n</svg>\n'

    def _add(self, kind: str, attributes: str, hint: str = "") -> None:
        inside = f"><title>{clean(hint)}</title></{kind}>" if hint else "/>"
        self._parts.append(f"<{kind} {attributes}{inside}")


def clean(text: str) -> str:
    """A text for XML and HTML, which have no way to say most control characters; lines may break."""
    return escape("".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text), {'"': "&quot;"})


def _px(value: float) -> str:
    """A hundredth of a pixel is enough, and the same on every machine."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_px(x)},{_px(y)}" for x, y in points)


def _opacity(opacity: float) -> str:
    return f' opacity="{_px(opacity)}"' if opacity < 1 else ""
