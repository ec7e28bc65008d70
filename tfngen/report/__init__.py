"""What a package's kernels for GPUs cost: counted, compiled and held against datasheets, without a GPU."""

from tfngen.report.kernels import KernelReport, report
from tfngen.report.machines import MACHINES, Machine
from tfngen.report.page import page

__all__ = ["MACHINES", "KernelReport", "Machine", "page", "report"]
