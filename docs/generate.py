"""Writes what can be read off the code: README's table of verbs, docs/commands.md, the JSON Schema.

`make docs` runs it. With --check it writes nothing and exits 1 if anything would change.
"""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from kitline.cli.main import cli
from kitline.kit.schema import schema, schema_text
from kitline.oci import media_types
from kitline.operations.settings import Settings

ROOT = Path(__file__).parent.parent
TABLE = re.compile(
    r"(?<=<!-- verbs: written by `make docs` -->\n).*?(?=<!-- /verbs -->)", re.DOTALL
)


def verbs() -> dict[str, click.Command]:
    """Return every verb by name, in the order of `kitline --help`."""
    context = click.Context(cli, info_name="kitline")
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def verb_table() -> str:
    """Return the table of verbs with the summaries that `--help` shows."""
    rows = [
        f"| `{name}` | {command.get_short_help_str(limit=200).rstrip('.')} |"
        for name, command in verbs().items()
    ]
    return "\n".join(["| verb | does |", "|---|---|", *rows, ""])


def commands_page() -> str:
    """Return `--help` of every verb as one page."""
    parent = click.Context(cli, info_name="kitline")
    pages = ["# Commands\n\nWhat `kitline VERB --help` says; written by `make docs`.\n"]
    for name, command in verbs().items():
        context = click.Context(
            command, info_name=name, parent=parent, terminal_width=100, max_content_width=100
        )
        pages.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(pages)


def kitfile_page() -> str:
    """Return the Kitfile's fields, one table for each kind of object."""
    whole = schema()
    pages = [
        "# Kitfile\n\nThe fields of a Kitfile, as KitOps' `kit` 1.15 and kitline read them; written"
        " by `make docs`\nfrom the declarations that the reader uses. For editors there is a"
        " [JSON Schema](../kitfile.schema.json).\n"
    ]
    for title, each in (("Kitfile", whole), *sorted(whole["$defs"].items())):
        needed = each.get("required", [])
        rows = [
            f"| `{name}`{', needed' if name in needed else ''} | {_kind(what)}"
            f" | {what.get('description', '')} |"
            for name, what in each.get("properties", {}).items()
        ]
        table = "\n".join(["| field | holds | which is |", "|---|---|---|", *rows])
        pages.append(f"## {title}\n\n{table}\n")
    return "\n".join(pages)


def _kind(what: dict[str, Any]) -> str:
    if "$ref" in what:
        return f"[{what['$ref'].rpartition('/')[2]}](#{what['$ref'].rpartition('/')[2].lower()})"
    if "anyOf" in what or "oneOf" in what:
        kinds = [_kind(each) for each in what.get("anyOf") or what["oneOf"]]
        return " or ".join(dict.fromkeys(each for each in kinds if each != "null"))
    if "items" in what:
        return f"list of {_kind(what['items'])}"
    kinds = what.get("type", "anything")
    if isinstance(kinds, list):
        return "text" if "string" in kinds else kinds[0]
    return {"string": "text", "object": "mapping"}.get(kinds, str(kinds))


def annotations_page() -> str:
    """Return every media type and annotation key that kitline reads or writes."""
    source = Path(media_types.__file__).read_text("utf-8")
    rows, heading, before = [], "", ""
    for line in source.splitlines():
        if line.startswith("# ") and not before.startswith("# "):
            heading = line[2:].partition(":")[0]
        before = line
        if line.startswith("# "):
            continue
        if found := re.match(r'(\w+): Final = "([^"]+)"', line):
            rows.append(f"| `{found[2]}` | {heading} |")
    table = "\n".join(["| media type or key | from |", "|---|---|", *rows])
    return (
        "# Annotations and artifact types\n\nWhat stands in manifests that kitline reads or writes;"
        f" written by `make docs` from `oci/media_types.py`.\n\n{table}\n"
    )


SETTINGS = """# Settings and environment

Every setting can stand in a file, in a variable and, where a verb has one, in an option; written by
`make docs` from `operations/settings.py`. `kitline config` shows the values that hold in a folder
and where each comes from.

In rising order: the defaults, `/etc/kitline/config.toml`, the user's file
(`~/.config/kitline/config.toml` on Linux, or the one that `KITLINE_CONFIG` names), the nearest
`kitline.toml` in the current folder or above, variables, options. Files are TOML:

```toml
registry = "registry.example/team"
lineage = ["registry.example/team/iris", "registry.example/team/train"]

[policy]
allow_plain_http = false
registries = ["registry.example"]
```

In a variable a list is written with commas between its parts. A `[policy]` can only tighten what
files before it say; its other keys, which demand signatures and statements of a kit, are in
[trust](../trust.md).
"""
OTHER_VARIABLES = {
    "": {
        "KITLINE_CONFIG": "the user's file of settings, if it lies elsewhere",
        "KITLINE_POLICY": "a file with a `[policy]` that has to be obeyed too",
        "KITLINE_USERNAME": "with `KITLINE_PASSWORD`, credentials that go before all stored ones",
        "KITLINE_PASSWORD": "as above",
        "KITLINE_CREDENTIALS_REGISTRY": "the only registry that gets that pair",
        "KITLINE_KEY_PASSWORD": "password of an encrypted private key, as `COSIGN_PASSWORD`",
        "KITLINE_INVOCATION": "the run that makes kits, as JSON, for provenance; else the CI's run",
        "KITLINE_WHO": "who promotes; else the build server's user, git's `user.email`, the login",
        "KITLINE_PROGRESS": "`lines` shows progress where there is no terminal, such as in a log",
        "KITLINE_DEBUG": "any value shows the trace of an error",
        "SOURCE_DATE_EPOCH": "seconds since 1970: when kits say that they were created",
    },
    "`promote --check CMD` finds these set": {
        "KITLINE_REFERENCE": "the pinned reference that was promoted",
        "KITLINE_DIGEST": "its digest",
        "KITLINE_STAGE": "the stage",
        "KITLINE_PREVIOUS": "the digest that the stage held before, or nothing",
    },
    "[MLflow](../plugins/mlflow.md)": {
        "KITLINE_CACHE_SIZE": "most bytes of the cache of loaded kits, `20GiB`; 10 GiB by default",
        "KITLINE_INPUT_DIGEST": "digests of the kits that runs are trained with",
        "KITLINE_MLFLOW_ALLOWED_REGISTRIES": "hosts that an MLflow server may ask; none by default",
        "KITLINE_MLFLOW_REDACT": "further patterns of what is secret",
    },
    "[DVC](../plugins/dvc.md)": {
        "KITLINE_DVC_GTO": "git repository where promotions become tags of GTO",
    },
    "[KFP](../plugins/kfp.md)": {
        "KITLINE_GIT_COMMIT": "full commit of the code that a step runs",
        "KITLINE_KFP_TOKEN": "bearer token for the API server",
        "KITLINE_KFP_…": "what `kitline_kfp.configure(…)` takes, in capitals",
    },
    "[Tests of plugins](../plugins/hooks.md)": {
        "KITLINE_VECTORS": "folder of golden kits",
    },
}


def settings_page() -> str:
    """Return every setting and every other variable that is read or set."""
    rows = []
    for each in fields(Settings):
        if "read" not in each.metadata:
            continue
        default: Any = each.default
        shown = {None: "", (): "", True: "`true`"}.get(default, f"`{default}`")
        variable = f"KITLINE_{each.name.upper()}"
        rows.append(f"| `{each.name}` | `{variable}` | {shown} | {each.metadata['summary']} |")
    page = [
        SETTINGS,
        "## Settings\n",
        "| in files | variable | default | is |",
        "|---|---|---|---|",
    ]
    page += [*rows, "\n## Other variables"]
    for whose, variables in OTHER_VARIABLES.items():
        page += [f"\n{whose}:\n" if whose else "", "| variable | is |", "|---|---|"]
        page += [f"| `{name}` | {what} |" for name, what in variables.items()]
    return "\n".join(page) + "\n"


def documents() -> dict[Path, str]:
    """Return every generated file with its content."""
    readme = ROOT / "README.md"
    return {
        readme: TABLE.sub(lambda _: verb_table(), readme.read_text("utf-8")),
        ROOT / "docs/commands.md": commands_page(),
        ROOT / "docs/kitfile.schema.json": schema_text(),
        ROOT / "docs/reference/kitfile.md": kitfile_page(),
        ROOT / "docs/reference/annotations.md": annotations_page(),
        ROOT / "docs/reference/settings.md": settings_page(),
    }


def main(arguments: list[str]) -> int:
    """Write what changed, or only say so."""
    changed = [
        (path, text)
        for path, text in documents().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path, text in changed:
        sys.stdout.write(f"{path.relative_to(ROOT)} {'is stale' if arguments else 'written'}\n")
        if not arguments:
            path.write_text(text, "utf-8")
    return 1 if arguments and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
