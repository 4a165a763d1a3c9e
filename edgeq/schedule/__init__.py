"""When and where: execution order and the place of every buffer in one arena."""

from edgeq.schedule.check import check_plan
from edgeq.schedule.choose import Choice, Chooser
from edgeq.schedule.parts import ROW_CALL, Needs
from edgeq.schedule.patch import Patches, make_patches
from edgeq.schedule.plan import Placement, Plan, make_plan
from edgeq.schedule.simulate import simulate
from edgeq.schedule.stream import Stretch, make_stretch

__all__ = [
    "ROW_CALL",
    "Choice",
    "Chooser",
    "Needs",
    "Patches",
    "Placement",
    "Plan",
    "Stretch",
    "check_plan",
    "make_patches",
    "make_plan",
    "make_stretch",
    "simulate",
]
