"""The Celery application that workers run: `dissco serve worker` starts `celery --app dissco_platform.cluster.worker`.

Broker, result backend and options are those of the launcher in the instance's `dagster.yaml`: one place for both sides.
With DISSCO_LOG_FORMAT=json Celery's own messages are lines of JSON like all others.
"""

from celery.signals import setup_logging
from dagster import DagsterInstance
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

from dissco_platform.errors import SettingsError
from dissco_platform.logs import use_json_lines
from dissco_platform.settings import load_settings

with DagsterInstance.get() as _instance:
    _launcher = _instance.run_launcher
    if not isinstance(_launcher, CeleryRunLauncher):
        raise SettingsError(
            "The instance in DISSCO_DAGSTER_HOME starts its runs without Celery: a worker would wait for ever. "
            "Use deploy/production/dagster.yaml."
        )
    app = _launcher.celery

execute_job = create_execute_job_task(app)
resume_job = create_resume_job_task(app)


def _json_lines(**_: object) -> None:
    """Set the logs up in Celery's stead."""
    use_json_lines()


if load_settings().log_format == "json":
    setup_logging.connect(_json_lines, weak=False)
