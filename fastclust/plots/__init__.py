"""Pictures of clusterings, as scikit-learn's displays; they need ``fastclust[plots]``.

Each display is made by a `from_...` method, which computes what is drawn, keeps it as attributes
and draws it; `plot` draws it again, on other axes if these are given.
"""

from fastclust.plots._curves import CurvesDisplay
from fastclust.plots._mixture import MixtureDisplay
from fastclust.plots._regions import RegionsDisplay
from fastclust.plots._silhouette import SilhouetteDisplay

__all__ = ["CurvesDisplay", "MixtureDisplay", "RegionsDisplay", "SilhouetteDisplay"]
