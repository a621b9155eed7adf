"""The M step with empty clusters, where scikit-learn cannot be the oracle."""

import numpy as np

from fastclust._algorithms.panels import Panels
from fastclust._algorithms.statistics import ClusterStatistics, update_centers


def test_a_cluster_that_gives_its_last_row_away_leaves_no_residue():
    X = np.array([[0.0], [0.1], [-0.1], [50.0]])
    sample_weight = np.array([1.0, 1.0, 1.0, 0.1])
    rows = Panels(X, sample_weight, np.zeros(1))
    labels = rows.new_labels()
    labels.ravel()[:4] = [0, 0, 0, 1]
    # Cluster 2 is empty; cluster 1 has one row, and sums that have rounded on the way there.
    statistics = ClusterStatistics(
        sums=np.array([[0.0], [5.0 + 1e-15], [0.0]]),
        weights=np.array([3.0, np.nextafter(0.1, 1.0), 0.0]),
        counts=np.array([3, 1, 0]),
    )
    centers = np.array([[0.0], [40.0], [9.0]])
    new_centers, _ = update_centers(statistics, rows, centers, labels)
    # The far row is cluster 2 now, and cluster 1, which has none left, is at the heaviest center.
    np.testing.assert_allclose(new_centers, [[0.0], [0.0], [50.0]])
