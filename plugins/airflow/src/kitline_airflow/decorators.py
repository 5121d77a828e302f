"""`@task.modelkit`: a function returns a folder or a tree of files, the task the kit made of it."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)
from kitline.errors import UsageError

from kitline_airflow.operators.pack import ModelKitPackOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from kitline_airflow.errand import Errand

RECIPE = "airflow-task/1"
"""Rises when kitline makes other bytes of an unchanged tree."""


class _ModelKitDecoratedOperator(DecoratedOperator, ModelKitPackOperator):
    """Calls a function and packs what it returns."""

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *ModelKitPackOperator.shared_fields,
        "kitfile",
    )
    template_fields_renderers = DecoratedOperator.template_fields_renderers
    custom_operator_name = "@task.modelkit"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("multiple_outputs", None)  # the result is one reference
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            folder="",
            **kwargs,
        )

    def execute(self, context: Context) -> str:
        """Call the function, pack, and return the pinned reference."""
        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        self._made = self.python_callable(*self.op_args, **arguments)
        if isinstance(self._made, str | PathLike):
            self.folder = fspath(self._made)
        elif not (hasattr(self._made, "kitfile") and hasattr(self._made, "entries")):
            raise TypeError(
                f"@task.modelkit: {self.python_callable.__name__} returned"
                f" {type(self._made).__name__}; return a folder or a KitTree"
            )
        return ModelKitPackOperator.execute(self, context)

    def call(self, errand: Errand) -> Any:
        if self.folder:
            return ModelKitPackOperator.call(self, errand)
        import kitline
        from kitline.plugin import Collected, Origin

        return kitline.pack_collected(
            Collected(
                tree=self._made,
                origin=Origin(importer="airflow", source=f"airflow:{self.dag_id}/{self.task_id}"),
                recipe=RECIPE,
            ),
            self.name(errand),
            parents=self.made_from(errand),
            invocation=errand.invocation,
            move=self.move,
            settings=errand.settings,
            progress=errand.progress,
        )

    def words(self, errand: Errand) -> list[str]:
        if not self.folder:
            raise UsageError("python= packs folders; a KitTree cannot be handed to another process")
        return ModelKitPackOperator.words(self, errand)


def modelkit_task(
    python_callable: Callable[..., Any] | None = None, **kwargs: Any
) -> TaskDecorator:
    """Make a task of a function that returns a folder or a KitTree.

        @task.modelkit(to="team/iris:v1")
        def train() -> str:
            ...
            return "model"

    The task returns the pinned reference of the kit. Arguments are those of `ModelKitPackOperator`.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=_ModelKitDecoratedOperator,
        **kwargs,
    )
