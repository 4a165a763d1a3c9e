"""What it costs: layers, inspection, and one HTML page about a build."""

from edgeq.report.assemble import make_page
from edgeq.report.inspection import Inspection, Problem, inspect
from edgeq.report.layers import Layer, layers
from edgeq.report.page import Page, render, write

__all__ = ["Inspection", "Layer", "Page", "Problem", "inspect", "layers", "make_page", "render", "write"]
