"""kitline kfp: the verbs of a step, for containers that KFP starts."""

from __future__ import annotations

import json
from typing import Any

import click

_EXAMPLE = (
    "Example: kitline kfp {verb} --kfp-executor-input '{{{{$}}}}'"
    " --kfp-executor-output '{{{{$.outputs.output_file}}}}'"
)

_SUMMARIES = {
    "push": "Push input artifacts as a ModelKit.",
    "pull": "Write the drawers of a ModelKit to output artifacts.",
    "resolve": "Tell the digest that a name points at now.",
    "verify": "Fail unless a ModelKit is signed.",
    "tag": "Give a ModelKit a further tag.",
    "promote": "Move a stage to a ModelKit.",
    "import": "Make a ModelKit of an object of MLflow or DVC.",
    "lineage": "Write what a ModelKit was made from as a page.",
}


@click.group("kfp", short_help="Steps of Kubeflow Pipelines: what a container of theirs runs.")
def group() -> None:
    """Steps of Kubeflow Pipelines, for containers: inputs and outputs come as KFP gives them.

    In a container component, '{{$}}' stands for the executor's input. Parameters and metadata of
    artifacts are set by the JSON that this writes.
    """


def _command(verb: str) -> click.Command:
    def run(executor_input: str, executor_output: str | None, as_json: bool) -> None:
        from kitline_kfp.container_verbs import VERBS
        from kitline_kfp.executor_input import ExecutorInput

        given = ExecutorInput.parse(executor_input)
        done = VERBS[verb](given)
        values: dict[str, Any] = done._asdict()
        given.write_output(values, executor_output)
        click.echo(json.dumps(values, indent=2) if as_json else values["reference"])

    return click.Command(
        verb,
        callback=run,
        help=f"{_SUMMARIES[verb]}\n\nInputs and outputs are those of the component of that name.",
        short_help=_SUMMARIES[verb],
        epilog=_EXAMPLE.format(verb=verb),
        params=[
            click.Option(
                ["--kfp-executor-input", "executor_input"],
                required=True,
                metavar="JSON",
                help="What KFP puts in the place of '{{$}}'.",
            ),
            click.Option(
                ["--kfp-executor-output", "executor_output"],
                metavar="FILE",
                help="Where KFP reads outputs; what the input says, if this is left away.",
            ),
            click.Option(
                ["--json", "as_json"], is_flag=True, help="Print one JSON object instead of words."
            ),
        ],
    )


for _verb in _SUMMARIES:
    group.add_command(_command(_verb))
