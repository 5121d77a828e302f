"""A complete plugin: `kitline import example:hello -t hello:v1` makes a kit out of a text."""

from kitline.errors import SourceError
from kitline.plugin import (
    Collected,
    Docs,
    FileTree,
    Importer,
    Kitfile,
    Origin,
    bytes_entry,
    hookimpl,
)


def collect(source, options, context):
    text = source.partition(":")[2]
    if not text:
        raise SourceError(f"cannot import {source!r}: a text has to follow, as in 'example:hello'")
    tree = FileTree(
        kitfile=Kitfile(docs=(Docs(path="docs", description=options.get("about", "")),)),
        files=[bytes_entry("docs/text.txt", text.encode())],
    )
    return Collected(
        tree=tree, recipe="example/1", origin=Origin(importer="example", source=source)
    )


@hookimpl
def kitline_importers():
    summary = "a text that becomes a kit: example:TEXT"
    return [Importer(name="example", schemes=("example",), summary=summary, collect=collect)]
