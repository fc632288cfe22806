"""Published measurements that come with socsim: tables of latencies, and what their networks and devices are."""

from socsim.measurements.tables import (
    TABLES,
    MeasuredDevice,
    MeasuredNetwork,
    MeasuredOperator,
    Measurement,
    measured_devices,
    measured_networks,
    measured_operators,
    measurements,
    parse_cores,
    row_counts,
    table_path,
)

__all__ = [
    "TABLES",
    "MeasuredDevice",
    "MeasuredNetwork",
    "MeasuredOperator",
    "Measurement",
    "measured_devices",
    "measured_networks",
    "measured_operators",
    "measurements",
    "parse_cores",
    "row_counts",
    "table_path",
]
