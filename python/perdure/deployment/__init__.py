"""Deployments of workers: which version new runs begin on."""

from perdure.deployment._workflow import (
    CURRENT,
    DEPLOYMENT_TYPE,
    ID_PREFIX,
    RAMPING,
    RAMPING_PERCENTAGE,
    DeploymentWorkflow,
)

__all__ = [
    "CURRENT",
    "DEPLOYMENT_TYPE",
    "ID_PREFIX",
    "RAMPING",
    "RAMPING_PERCENTAGE",
    "DeploymentWorkflow",
]
