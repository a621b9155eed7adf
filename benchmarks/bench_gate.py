"""How much do the rows save that Lloyd's iterations skip (`fastclust._kernels.lloyd`)?"""

import statistics
import time

from .workloads import WORKLOADS


class Gate:
    """Median seconds of a fit without the gate over those with it, the fits taking turns."""

    params = [
        "digits 1,797 x 64, k=50",
        "pixels 273,280 x 3, k=32",
        "patches 50,000 x 64, k=128",
        "blobs 2,000,000 x 4, k=12",
        "blobs 500,000 x 16, k=100",
        "blobs 100,000 x 32, k=50",
    ]
    param_names = ["workload"]
    unit = "x"
    timeout = 300

    def setup(self, name):
        self.X = WORKLOADS[name].make()
        self.kmeans = WORKLOADS[name].kmeans("fastclust")
        self.kmeans.fit(self.X)

    def track_gain(self, name):
        from fastclust._algorithms import panels

        gate_costs = {"without": lambda *_: (0, 0.0, 0.0), "with": panels.gate_costs}
        seconds = {"without": [], "with": []}
        try:
            for _ in range(5):
                for gate, times in seconds.items():
                    panels.gate_costs = gate_costs[gate]
                    start = time.perf_counter()
                    self.kmeans.fit(self.X)
                    times.append(time.perf_counter() - start)
        finally:
            panels.gate_costs = gate_costs["with"]
        return statistics.median(seconds["without"]) / statistics.median(seconds["with"])
