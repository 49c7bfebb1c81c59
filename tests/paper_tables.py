"""Tables in Markdown, read."""


def table_rows(text, start):
    """Cells of the Markdown table that follows, or begins with, a line beginning with `start`."""
    lines = text[text.index(start) :].splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("|"))
    for line in lines[first:]:
        if not line.startswith("|"):
            return
        yield [cell.strip(" *") for cell in line.strip("|").split("|")]
