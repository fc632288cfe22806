"""Which columns tables show, the same in a terminal and on a page."""

from __future__ import annotations

__all__ = [
    "AFTER",
    "DROP",
    "ENERGY",
    "LATENCY",
    "MISSED",
    "PLACED",
    "REUSED",
    "SERVED",
    "SHOWN",
    "SPEEDUP",
    "SWEPT",
    "TOP1",
    "Columns",
]

Columns = tuple[tuple[str, str, str], ...]
"""(header, key, format) of columns."""

LATENCY: Columns = (
    ("latency\nms", "latency_ms_mean", ".2f"),
    ("p50\nms", "latency_ms_p50", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
)
SPEEDUP: Columns = (("speed-\nup", "speedup", ".2f"),)
TOP1: Columns = (("top-1\n%", "top1_mean", ".2f"),)
DROP: Columns = (("top-1\ndrop", "top1_drop", ".2f"),)
MISSED: Columns = (("missed\n%", "deadline_miss_share", ".1%"),)
SERVED: Columns = (
    ("arrived", "arrived", "d"),
    ("fin-\nished", "finished", "d"),
    ("drop-\nped", "dropped", "d"),
    ("run-\nning", "running", "d"),
    ("queued", "queued", "d"),
    ("waits\nms", "wait_ms_mean", ".2f"),
    ("p95\nms", "wait_ms_p95", ".2f"),
    ("takes\nms", "service_ms_mean", ".2f"),
    ("p95\nms", "service_ms_p95", ".2f"),
    ("chain\nms", "chain_ms_mean", ".2f"),
    ("p95\nms", "chain_ms_p95", ".2f"),
    ("through-\nput /s", "throughput_per_s", ".2f"),
    ("slow-\ndown", "slowdown", ".2f"),
    ("own\nmJ/inf", "app_energy_mj", ".1f"),
    *TOP1,
)
REUSED: Columns = (
    ("changed\n%", "changed_share_mean", ".1%"),
    ("frame\nreuse %", "frame_reuse_share", ".1%"),
    ("layer\nreuse %", "layer_reuse_share", ".1%"),
    ("com-\nputed %", "computed_share_mean", ".1%"),
    ("stale\n%", "stale_share_mean", ".1%"),
    ("age\nms", "age_ms_mean", ".2f"),
    ("p95\nms", "age_ms_p95", ".2f"),
    ("memory\nMB", "peak_memory_mb", ".1f"),
)
SHOWN: Columns = (
    ("frames", "frames", "d"),
    ("presen-\nted", "presented", "d"),
    ("late", "late", "d"),
    ("drop-\nped", "dropped", "d"),
    ("pend-\ning", "pending", "d"),
    ("drops\n%", "frame_drop_share", ".1%"),
    ("missed\n%", "missed_share", ".1%"),
    ("takes\nms", "latency_ms_mean", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
    ("janks", "jank_count", "d"),
    ("longest\nfreeze ms", "longest_freeze_ms", ".1f"),
    ("shown\nfps", "fps_shown", ".2f"),
    ("own\nmJ/frame", "app_energy_mj", ".1f"),
)
ENERGY: Columns = (("energy\nmJ/inf", "energy_mj", ".1f"), ("power\nW", "power_w", ".2f"))
PLACED: Columns = (("moved\nMB/inf", "transfer_mb", ".2f"), ("sync\nms/inf", "sync_ms", ".2f"))
AFTER: Columns = (
    *PLACED,
    ("unsup-\nported", "unsupported_share", ".1%"),
    ("fall-\nbacks", "fallback_ops", "d"),
)

SWEPT: Columns = (
    ("latency\nms", "latency_ms_mean", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
    ("slow-\ndown", "slowdown", ".2f"),
    ("over-\nloaded", "overloaded", ""),
    ("queue\ndrops %", "drop_share", ".1%"),
    ("missed\n%", "deadline_miss_share", ".1%"),
    ("drops\n%", "frame_drop_share", ".1%"),
    ("late or\ndropped %", "missed_share", ".1%"),
    ("shown\nfps", "fps_shown", ".2f"),
    ("top-1\n%", "top1_mean", ".2f"),
    ("top-1\ndrop", "top1_drop", ".2f"),
    *ENERGY,
    ("com-\nputed %", "computed_share_mean", ".1%"),
    ("stale\n%", "stale_share_mean", ".2%"),
    ("age\nms", "age_ms_mean", ".2f"),
    ("memory\nMB", "peak_memory_mb", ".1f"),
    ("predicted\noff by", "prediction_mape", ".1%"),
)
"""Of a point of a sweep."""
