"""Pictures of the exact mathematics: harmonics, filters, coupling coefficients.

    plot_harmonics(lmax=3)           surfaces r = |Y_lm(r̂)|, coloured by sign
    plot_filters(l=(0, 1, 2, 3))     slices through F(r) = R(|r|) Y_lm(r̂)
    plot_couplings(lmax=2)           the tables C^{(l_O, m_O)}_{(l_F, m_F)(l_I, m_I)}
    save(figure, path)               as .png, .svg or .pdf

Each of the first three returns a matplotlib `Figure` that belongs to no window and no pyplot state. Importing
this package does not import matplotlib; drawing does, and says how to install it where it is missing.
"""

from tfngen.plot.couplings import plot_couplings
from tfngen.plot.filters import gaussian_bump, plot_filters
from tfngen.plot.harmonics import plot_harmonics
from tfngen.plot.style import save

__all__ = ["gaussian_bump", "plot_couplings", "plot_filters", "plot_harmonics", "save"]
