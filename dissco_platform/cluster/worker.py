"""The Celery application that workers run: `dissco serve worker` starts `celery --app dissco_platform.cluster.worker`.

Broker, result backend and options are those of the launcher in the instance's `dagster.yaml`: one place for both sides.
"""

from dagster import DagsterInstance
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

from dissco_platform.errors import SettingsError

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
