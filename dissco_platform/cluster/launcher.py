"""Dagster's Celery launcher, which also notices that a worker is gone.

Celery says of a task whose worker was killed that it is `STARTED`, for ever: nobody is left to say otherwise. Dagster's run
monitoring asks the launcher for a run's health; so this one asks the worker that took the task whether it still has it.
"""

from typing import Any, Final

from celery.result import AsyncResult
from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

_ANSWER_SECONDS: Final = 5.0
# A worker that is busy or restarting its connection to the broker may miss a question.
_UNANSWERED: Final = 3


class WatchfulCeleryRunLauncher(CeleryRunLauncher):
    """Starts runs as Celery tasks, as `CeleryRunLauncher` does, and knows which of them lost their worker."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unanswered: dict[str, int] = {}

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Say whether a run that began is still worked on."""
        found = super().check_run_worker_health(run)
        if found.status is not WorkerStatus.RUNNING:
            return found
        task = run.tags[DAGSTER_CELERY_TASK_ID_TAG]
        info = AsyncResult(task, app=self.celery).info
        worker = info.get("hostname") if isinstance(info, dict) else None
        if worker is None:
            return found
        answers = self.celery.control.inspect(destination=[worker], timeout=_ANSWER_SECONDS).active() or {}
        if any(active["id"] == task for active in answers.get(worker, [])):
            self._unanswered.pop(task, None)
            return found
        self._unanswered[task] = self._unanswered.get(task, 0) + 1
        if self._unanswered[task] < _UNANSWERED:
            return found
        del self._unanswered[task]
        said = "does not have the task any more" if worker in answers else "does not answer"
        return CheckRunHealthResult(WorkerStatus.FAILED, f"The worker {worker} {said}: it was killed or restarted.")

    def get_run_worker_debug_info(self, run: DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """Return which worker had the run; Dagster's own answer needs a broker that knows the task still."""
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        return f"Celery task {task}" if task else None
