"""A page: HTML that needs nothing but itself, light or dark as the reader's system is, with hints at the pointer."""

from collections.abc import Sequence

from .drawing import clean

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--ink:#1c1e21;--faint:#c9ced6;--box:#f3f5f8}
@media(prefers-color-scheme:dark){:root{--ground:#15181d;--ink:#e4e7eb;--faint:#434a55;--box:#1d2128}}
body{margin:2em auto;max-width:1040px;padding:0 1em;background:var(--ground);color:var(--ink);
font:15px/1.5 'DejaVu Sans',Verdana,Arial,sans-serif}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}
svg{max-width:100%;height:auto}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25em .7em;border-bottom:1px solid var(--faint);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
#hint{position:fixed;display:none;pointer-events:none;white-space:pre;padding:.4em .7em;font-size:13px;
background:var(--box);color:var(--ink);border:1px solid var(--faint);border-radius:4px;z-index:1}
"""

SCRIPT = """
const hint = document.getElementById("hint");
for (const title of document.querySelectorAll("svg * > title")) {
  title.parentNode.dataset.hint = title.textContent;
  title.remove();  // or the browser would show it as well, a second later
}
document.addEventListener("pointermove", (event) => {
  const text = event.target.dataset && event.target.dataset.hint;
  hint.style.display = text ? "block" : "none";
  if (!text) return;
  hint.textContent = text;
  const x = Math.min(event.clientX + 14, innerWidth - hint.offsetWidth - 8);
  const y = Math.min(event.clientY + 14, innerHeight - hint.offsetHeight - 8);
  hint.style.left = x + "px";
  hint.style.top = y + "px";
});
"""
"""Shows at once, beside the pointer, what the title in a shape says; without scripts the browser shows it later."""


def page(title: str, parts: Sequence[str]) -> str:
    """A document of these parts, which are HTML."""
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{clean(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{clean(title)}</h1>\n{body}\n"
        f'<div id="hint"></div>\n<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )


def table_html(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; all columns but the first are numbers."""
    head = "".join(f"<th>{clean(title)}</th>" for title in titles)
    lines = ("".join(f"<td>{clean(field)}</td>" for field in row) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def paragraph(text: str) -> str:
    return f"<p>{clean(text)}</p>"


def heading(text: str) -> str:
    return f"<h2>{clean(text)}</h2>"
