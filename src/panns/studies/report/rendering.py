"""A report as Markdown and as one HTML file that needs nothing beside it."""

import base64
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from panns.studies.report.content import Cell, Picture, Section

CODE = re.compile(r"`([^`]+)`")


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The report as Markdown; pictures and runs are linked."""
    environment = _environment(autoescape=False)
    environment.filters["cell"] = _markdown_cell
    text = environment.get_template("report.md.j2").render(title=title, sections=sections)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def html(title: str, sections: Sequence[Section], folder: Path) -> str:
    """The report as HTML; the pictures, which lie in `folder`, are inside."""
    environment = _environment(autoescape=True)
    environment.filters["cell"] = _html_cell
    environment.filters["inline"] = _inline
    environment.filters["data_uri"] = lambda picture: _data_uri(picture, folder)
    return environment.get_template("report.html.j2").render(title=title, sections=sections)


def _environment(autoescape: bool) -> Environment:
    assets = resources.files("panns.studies.report") / "assets"
    return Environment(
        loader=FunctionLoader(lambda name: (assets / name).read_text(encoding="utf-8")),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _markdown_cell(cell: Cell | str) -> str:
    if isinstance(cell, Cell) and cell.link:
        return f"[{_markdown_cell(cell.text)}]({quote(cell.link, safe='/:.?=&-_~')})"
    text = cell.text if isinstance(cell, Cell) else cell
    return text.replace("|", r"\|").replace("\n", " ") or " "


def _html_cell(cell: Cell | str) -> Markup:
    if isinstance(cell, Cell) and cell.link:
        return Markup('<a href="{}">{}</a>').format(quote(cell.link, safe="/:.?=&-_~"), cell.text)
    return _inline(cell.text if isinstance(cell, Cell) else cell)


def _inline(text: str) -> Markup:
    """Escaped, and words in backticks as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))


def _data_uri(picture: Picture, folder: Path) -> str:
    content = (folder / f"{picture.name}.svg").read_bytes()
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"
