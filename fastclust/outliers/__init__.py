"""Rows not to trust: between components, of low density, or far from their center."""

from fastclust.outliers._detectors import DensityOutliers, DistanceOutliers
from fastclust.outliers._trimmed import TrimmedKMeans
from fastclust.outliers._uncertain import confident_labels

__all__ = ["DensityOutliers", "DistanceOutliers", "TrimmedKMeans", "confident_labels"]
