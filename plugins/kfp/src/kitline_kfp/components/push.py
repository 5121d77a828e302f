"""push_modelkit: artifacts of earlier steps become a ModelKit."""

from typing import Dict, List, NamedTuple, Optional, Sequence

from kfp.dsl import Artifact, Input, Output

from kitline_kfp.components.factory import make_component


def push_modelkit(
    to: str,
    kit: Output[Artifact],
    model: Input[Artifact] = None,
    model_part: Input[Artifact] = None,
    dataset: Input[Artifact] = None,
    dataset_2: Input[Artifact] = None,
    dataset_3: Input[Artifact] = None,
    datasets: Input[List[Artifact]] = None,
    docs: Input[Artifact] = None,
    prompts: Input[Artifact] = None,
    artifact: Input[Artifact] = None,
    artifact_2: Input[Artifact] = None,
    metrics: Input[Artifact] = None,
    code: str = "",
    parameters: Dict[str, str] = {},
    parents: List[str] = [],
    name: str = "",
    version: str = "",
    description: str = "",
    license: str = "",
    framework: str = "",
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):  # type: ignore[valid-type]
    """Push artifacts of earlier steps as a ModelKit and return its digest.

    The digest is computed from the bytes that are pushed: the same content gives the same digest in
    every run, and a step that takes it as a parameter is cached by content. Run, task and times go
    into a provenance statement beside the kit. If this fails, no tag was moved.

    Switch KFP's cache off for this task: a cached push does not look whether the kit is still in
    the registry. The function kitline_kfp.push_modelkit does so; this form cannot carry the flag.

    Args:
        to: Where to, as registry/repository:tag.
        kit: The receipt as JSON; digest and reference are in its metadata too.
        model: The model, a file or a folder.
        model_part: A further file or folder of the model, such as a tokenizer.
        dataset: Data; its name in the kit is the name of the output that it was.
        dataset_2: More data.
        dataset_3: More data.
        datasets: Data of a loop, as dsl.Collected gives it.
        docs: A document, report or plot.
        prompts: Prompts.
        artifact: Anything else; goes into the docs.
        artifact_2: Anything else.
        metrics: An artifact of type Metrics; attached to the kit as an evaluation, not part of it.
        code: A folder with source code in the step's image.
        parameters: What the model was trained with.
        parents: Kits that this one was made from, each as ROLE=REFERENCE.
        name: Name of the kit.
        version: Version of the kit.
        description: What the kit is for.
        license: Licence of the kit.
        framework: Framework of the model.
    """
    from kitline_kfp import steps

    return steps.push(
        to,
        model=model,
        parts=model_part,
        datasets=[dataset, dataset_2, dataset_3, *(datasets or [])],
        code=code or None,
        docs=[docs, artifact, artifact_2],
        prompts=prompts,
        metrics=metrics,
        parameters=parameters,
        parents=parents,
        name=name,
        version=version,
        description=description,
        license=license,
        framework=framework,
        kit=kit,
    )


def push_modelkit_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        push_modelkit, base_image=base_image, packages_to_install=packages_to_install
    )
