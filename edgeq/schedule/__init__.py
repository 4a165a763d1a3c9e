"""When and where: execution order and the place of every buffer in one arena."""

from edgeq.schedule.check import check_plan
from edgeq.schedule.plan import Placement, Plan, make_plan
from edgeq.schedule.simulate import simulate

__all__ = ["Placement", "Plan", "check_plan", "make_plan", "simulate"]
