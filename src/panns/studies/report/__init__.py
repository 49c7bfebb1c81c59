"""What `panns report` writes of a study: tables, text and pictures, as Markdown, HTML and CSV."""
