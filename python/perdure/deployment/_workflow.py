"""The workflow that a deployment is: durable like any other, and served by every worker.

What it says of itself as search attributes is what the engine goes by, from the write on that
records it.
"""

from __future__ import annotations

from dataclasses import dataclass

from perdure import workflow

__all__ = [
    "CURRENT",
    "DEPLOYMENT_TYPE",
    "ID_PREFIX",
    "RAMPING",
    "RAMPING_PERCENTAGE",
    "DeploymentRules",
    "DeploymentWorkflow",
]

DEPLOYMENT_TYPE = "perdure.deployment"
ID_PREFIX = "perdure-deployment:"
CURRENT = "perdure.current_build_id"
RAMPING = "perdure.ramping_build_id"
RAMPING_PERCENTAGE = "perdure.ramping_percentage"


@dataclass(frozen=True, slots=True)
class DeploymentRules:
    """Where runs go that are not pinned; empty for nowhere."""

    current: str = ""
    ramping: str = ""
    ramping_percentage: float = 0.0


@workflow.defn(name=DEPLOYMENT_TYPE)
class DeploymentWorkflow:
    """Keeps the rules of one deployment, for ever."""

    def __init__(self) -> None:
        self.rules = DeploymentRules()

    @workflow.run
    async def run(self, rules: DeploymentRules | None = None) -> None:
        """Waits to be told."""
        if rules is not None:
            self.rules = rules
        await workflow.wait_condition(workflow.info().is_continue_as_new_suggested)
        workflow.continue_as_new(self.rules)

    @workflow.update
    def set_current(self, build_id: str) -> str:
        """Sends runs to another build; what was ramping up and is it now ramps no more.

        Gives the build that was the current one, empty for none.
        """
        before, rules = self.rules.current, self.rules
        ramps = rules.ramping if rules.ramping != build_id else ""
        self._set(DeploymentRules(build_id, ramps, rules.ramping_percentage if ramps else 0.0))
        return before

    @workflow.update
    def set_ramping(self, build_id: str, percentage: float) -> None:
        """Sends a share of the runs to a build; an empty one ends that."""
        share = percentage if build_id else 0.0
        self._set(DeploymentRules(self.rules.current, build_id, share))

    @set_ramping.validator
    def _check_ramping(self, build_id: str, percentage: float) -> None:
        if not 0 <= percentage <= 100:
            raise ValueError(f"a percentage is from 0 to 100, not {percentage}")
        if build_id and build_id == self.rules.current:
            raise ValueError(f"{build_id} is the current version already")

    def _set(self, rules: DeploymentRules) -> None:
        self.rules = rules
        workflow.upsert_search_attributes(
            {
                CURRENT: rules.current,
                RAMPING: rules.ramping,
                RAMPING_PERCENTAGE: float(rules.ramping_percentage),
            }
        )
