"""Traces of processes: reading them, playing them on exact cases (times in ms), and recording them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from simkit import GB, MS, Busy, device

from socsim import Competitor, Inference, Replay, Ui, load_device, load_experiment, simulate
from socsim.describing import describe
from socsim.errors import FileError, UnitError, UsageError
from socsim.results.inputs import input_hashes, located
from socsim.simulation.mechanisms import Mechanisms
from socsim.simulation.replayer import Replayer
from socsim.simulation.simulation import Simulation
from socsim.sweeps import load_sweep
from socsim.sweeps.checking import check_sweep
from socsim.workloads.process_trace import ProcessBurst, process_bursts, read_process_trace

HEADER = "process,start_ms,processor,demand_ms"


def csv(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "trace.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(FileError) as told:
        read_process_trace(path)
    return [line.removeprefix(f"{path}") for line in str(told.value).splitlines()]


# --- files ----------------------------------------------------------------------------------------------------


def test_a_file_is_read_in_order_of_starts(tmp_path: Path) -> None:
    path = csv(tmp_path, "b,2,gpu,1.5", "a,1,cpu,3", "c,1,dsp,4", "d,0,cpu,0")
    assert read_process_trace(path) == (
        ProcessBurst("a", 0.001, "cpu", 0.003, line=3),
        ProcessBurst("c", 0.001, "dsp", 0.004, line=4),
        ProcessBurst("b", 0.002, "gpu", 0.0015, line=2),
    )


@pytest.mark.parametrize(("unit", "number"), [("s", "0.5"), ("ms", "500"), ("us", "500000"), ("ns", "5e8")])
def test_units_of_times(tmp_path: Path, unit: str, number: str) -> None:
    header = f"demand_{unit},note,processor,start_{unit},process"
    (burst,) = read_process_trace(csv(tmp_path, f"{number},x,cpu,{number},a", header=header))
    assert (burst.start, burst.demand) == (0.5, 0.5)


def test_optional_columns(tmp_path: Path) -> None:
    header = f" {HEADER}, thread,nice,affinity,traffic_gb_s"
    first, second = read_process_trace(
        csv(tmp_path, "a,0,cpu,1,main,-10,big,2.5", "a,1,cpu,1,io,,,", header=header)
    )
    assert first[4:8] == ("main", -10, "big", 2.5e9)
    assert second[4:8] == ("io", None, "", 0.0)


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("", False),
        ("0", False),
        ("false", False),
        ("FALSE", False),
        ("1", True),
        ("true", True),
        ("True", True),
    ],
)
def test_ways_to_say_that_a_thread_has_waited(tmp_path: Path, text: str, waits: bool) -> None:
    (burst,) = read_process_trace(csv(tmp_path, f"a,0,cpu,1,{text}", header=f"{HEADER},iowait"))
    assert burst.iowait is waits
    assert process_bursts([{**burst.describe(), "iowait": text}])[0].iowait is waits


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("process,start_ms,demand_ms", ":1:1: needs a column 'processor'; the columns are 'process', "),
        ("start_ms,processor,demand_ms", ":1:1: needs a column 'process'"),
        (
            "process,processor,demand_ms,start",
            ":1:1: needs one column start_s, start_ms, start_us, start_ns; the",
        ),
        ("process,processor,demand_ms,demand_s,start_s", ":1:1: needs one column demand_s, demand_ms"),
        ("", ": needs a column 'process'; the file is empty"),
        (HEADER, ": has no bursts below its header"),
    ],
)
def test_what_a_header_lacks(tmp_path: Path, header: str, message: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(header and header + "\n")
    (fault,) = faults(path)
    assert fault.startswith(message)


def test_all_bad_rows_are_told_at_once(tmp_path: Path) -> None:
    path = csv(
        tmp_path, "a,0,cpu,-1,", "a,nan,cpu,1,", "a,0,gpuu,1,", ",0,cpu,1,", "a,0,cpu,x,", "a,0,cpu", "a,0,cpu,1,20",
        "a,0,cpu,1,1.5", header=HEADER + ",nice",
    )  # fmt: skip
    assert faults(path) == [
        ":2:4: a demand must be finite and not negative, got '-1'",
        ":3:2: a start must be finite and not negative, got 'nan'",
        ":4:3: unknown processor 'gpuu'; did you mean 'gpu'?",
        ":5:1: a burst needs a process, got ''",
        ":6:4: a demand must be a number, got 'x'",
        ":7:4: a demand must be a number, got ''",
        ":8:5: nice must be a whole number from -20 (most) to 19 (least), got 20",
        ":9:5: nice must be a whole number, got '1.5'",
    ]


def test_a_thread_keeps_its_nice_value_and_its_cores(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,0,cpu,1,0", "b,0,cpu,1,1", "a,0,gpu,1,3", "a,1,cpu,1,2", header=HEADER + ",nice")
    assert faults(path) == [
        ":5:1: thread '' of 'a' has nice 2 and affinity '', but nice 0 and affinity '' in its first burst (2); "
        "neither can change"
    ]


def test_no_file(tmp_path: Path) -> None:
    assert faults(tmp_path / "trace.csv") == [": cannot be read: No such file or directory"]


# --- rows -----------------------------------------------------------------------------------------------------


def test_rows_are_mappings_tables_or_bursts() -> None:
    table = pd.DataFrame(
        {
            "process": ["a", "b"],
            "start_s": [0.1, 0.0],
            "processor": "cpu",
            "demand_us": 5,
            "nice": [3.0, None],
        }
    )
    bursts = process_bursts(table)
    assert bursts == (
        ProcessBurst("b", 0.0, "cpu", 5e-6, line=1),
        ProcessBurst("a", 0.1, "cpu", 5e-6, nice=3, line=0),
    )
    assert [b[:8] for b in process_bursts(bursts)] == [b[:8] for b in bursts]
    assert [b[:8] for b in process_bursts([b.describe() for b in bursts])] == [b[:8] for b in bursts]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "rows need at least one burst"),
        (["a"], "rows need at least one burst, and each must be a mapping"),
        ("a.csv", "rows must be a list of bursts, got str"),
        ([{"process": "a"}], "row 0: needs a column 'processor'"),
        (
            [ProcessBurst("a", 0.0, "cpu", 1.0), ProcessBurst("a", 0.0, "cpu", -1.0)],
            "row 1: a demand must be fin",
        ),
        (
            [ProcessBurst("a", 0.0, "cpu", 1.0), ProcessBurst("a", 0.0, "cpu", 1.0, nice=1)],
            "row 1: thread '' of 'a' has nice 1 and affinity '', but nice None",
        ),
    ],
)
def test_rows_that_are_refused(rows: object, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Replay(rows=rows)
    assert str(refused.value).startswith(f"'replay': {message}")


# --- the application ------------------------------------------------------------------------------------------

ROW = {"process": "a", "start_ms": 4, "processor": "cpu", "demand_ms": 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": None}, "a replay needs a file or rows, and not both"),
        ({"file": "x.csv"}, "a replay needs a file or rows, and not both"),
        ({"nice": 20}, "nice must be a whole number"),
        ({"start": -1.0}, "start must not be negative, got -1.0"),
        ({"repeat": 0.0}, "repeat must be true, false or a positive time, got 0.0"),
    ],
)
def test_impossible_replays_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Replay(**{"rows": [ROW], "name": "r", **options})
    assert str(refused.value).startswith(f"'r': {message}")


def test_units_are_checked() -> None:
    with pytest.raises(UnitError):
        Replay(rows=[ROW], start="2 GB")


def test_it_does_not_repeat_before_its_last_burst() -> None:
    replay = Replay(rows=[ROW], repeat="3 ms")
    with pytest.raises(UsageError, match=r"it repeats after 0\.003 s but the last burst begins at 0\.004 s"):
        replay.bursts(device())


def test_after_which_time_it_repeats() -> None:
    bursts = process_bursts([ROW, {**ROW, "start_ms": 0, "demand_ms": 10}])
    assert Replay(rows=[ROW]).period_s(bursts) is None
    assert Replay(rows=[ROW], repeat=True).period_s(bursts) == 0.01
    assert Replay(rows=[ROW], repeat="5 ms").period_s(bursts) == 0.005
    assert Replay(rows=[{**ROW, "demand_ms": 0}], repeat=True).bursts(device()) == ()


def test_what_a_device_lacks_is_told_with_lines(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,0,npu,1,", "b,0,cpu,1,tiny", "c,0,cpu,1,big", header=HEADER + ",affinity")
    with pytest.raises(FileError) as told:
        Replay(path).bursts(device())
    assert [line.partition("trace.csv")[2] for line in str(told.value).splitlines()] == [
        ":2:1: toy cannot run it: unknown processor 'npu'; did you mean 'gpu'? (toy has cpu, gpu, dsp)",
        ":3:1: toy cannot run it: unknown cluster 'tiny'; known: all, big, little",
    ]
    with pytest.raises(UsageError, match="'replay': row 0: toy cannot run it: unknown processor 'npu'"):
        Replay(rows=[{**ROW, "processor": "npu"}]).bursts(device())


REPLAYS = st.builds(
    Replay,
    rows=st.lists(
        st.builds(
            ProcessBurst,
            process=st.sampled_from(["a", "com.b"]),
            start=st.floats(0.0, 1.0),
            processor=st.sampled_from(["gpu", "dsp"]),
            demand=st.floats(1e-9, 1.0),
            traffic=st.sampled_from([0.0, 2.5e9]),
            nice=st.one_of(st.none(), st.integers(-20, 19)),
        ),
        min_size=1,
        max_size=3,
    ),
    affinity=st.sampled_from(["all", "big"]),
    nice=st.integers(-20, 19),
    priority=st.sampled_from([0.0, 1.5]),
    repeat=st.one_of(st.booleans(), st.floats(1.0, 9.0)),
    start=st.floats(0.0, 5.0),
    name=st.sampled_from(["replay", "busy"]),
)


@given(REPLAYS)
@settings(max_examples=40)
def test_a_file_gives_the_same_replay(tmp_path_factory, replay: Replay) -> None:
    folder = tmp_path_factory.mktemp("experiment")
    content = {"device": "xiaomi-9", "duration": "1 s", "apps": [describe(replay)]}
    (folder / "e.yaml").write_text(yaml.safe_dump(content))
    (read,) = load_experiment(folder / "e.yaml").apps
    assert describe(read) == describe(replay)


# --- played ---------------------------------------------------------------------------------------------------


class Played(Busy):
    """A bench that plays (process, start, processor, demand, thread), in ms."""

    def play(self, *rows: tuple[object, ...], **options: object) -> None:
        keys = ("process", "start_ms", "processor", "demand_ms", "thread")
        more = {k: options.pop(k) for k in ("traffic_gb_s",) if k in options}
        named = [{**dict(zip(keys, row, strict=False)), **more} for row in rows]
        player = Replayer(self.executor, Replay(rows=named, **options))
        player.start({name: name for name in player.processes})

    def busy(self, until: float) -> list[float]:
        self.ms(until)
        self.executor.close()
        return [round(time / MS, 6) for time in self.executor.cores.busy("other")]


def test_a_burst_is_time_of_the_fastest_core() -> None:
    """5 ms of a big core are 10 of a little one."""
    bench = Played()
    bench.play(("a", 3, "cpu", 5), affinity="little")
    assert bench.busy(100) == [0.0, 0.0, 10.0, 0.0]


def test_a_thread_that_is_busy_takes_the_next_burst_when_it_is_done() -> None:
    """0 to 10, 10 to 14, and 20 to 21: seen at 12 and at 20.5."""
    for until, busy in ((12, 12.0), (20.5, 14.5), (50, 15.0)):
        bench = Played()
        bench.play(("a", 0, "cpu", 10), ("a", 5, "cpu", 4), ("a", 20, "cpu", 1))
        assert bench.busy(until) == [busy, 0.0, 0.0, 0.0]


def test_threads_of_a_process_run_at_once() -> None:
    bench = Played()
    bench.play(("a", 0, "cpu", 10, "x"), ("a", 0, "cpu", 4, "y.z"), ("b", 0, "cpu", 3, "x"))
    assert bench.busy(50) == [10.0, 4.0, 6.0, 0.0]


def test_kernels_of_a_process_run_in_order() -> None:
    bench = Played()
    bench.play(("a", 0, "gpu", 10), ("b", 1, "gpu", 2), ("a", 2, "gpu", 5), ("a", 4, "dsp", 5))
    assert bench.ms(50) == [("a.a", 0.0, 10.0), ("a.a", 4.0, 9.0), ("b.b", 10.0, 12.0), ("a.a", 12.0, 17.0)]


def test_its_priority_is_that_of_its_kernels() -> None:
    """Both wait for the network's first kernel, which ends at 3; then the replay's goes first."""
    bench = Played()
    bench.gpu(3, 3)
    bench.play(("a", 1, "gpu", 2), priority=1)
    assert bench.ms(50) == [("gpu.k0", 0.0, 3.0), ("a.a", 3.0, 5.0), ("gpu.k1", 5.0, 8.0)]


def test_it_begins_later_and_anew() -> None:
    """5 to 7, 15 to 17, ..."""
    bench = Played()
    bench.play(("a", 1, "cpu", 2), start="4 ms", repeat="10 ms")
    assert bench.busy(36) == [7.0, 0.0, 0.0, 0.0]


def test_repeat_true_begins_when_the_last_burst_is_over() -> None:
    bench = Played()
    bench.play(("a", 1, "gpu", 2), repeat=True)
    assert bench.ms(8) == [("a.a", 1.0, 3.0), ("a.a", 4.0, 6.0)]


def test_threads_and_kernels_move_bytes() -> None:
    """2 ms and 3 ms at 2 GB/s."""
    bench = Played()
    bench.play(("a", 0, "cpu", 2), ("b", 0, "gpu", 3), traffic_gb_s=2)
    bench.busy(50)
    assert bench.executor.dram_bytes == pytest.approx(5 * MS * 2 * GB)


def test_bytes_of_threads_slow_kernels_down() -> None:
    """6 of 10 GB/s until 20 leave 5 of them for a kernel that wants 10: max-min. It moves 100 MB: 10 ms alone."""
    bench = Played(device(10 * GB))
    bench.play(("a", 0, "cpu", 20), traffic_gb_s=6)
    bench.gpu(0.0, name="net", traffic=0.1 * GB)
    (net,) = [row for row in bench.ms(100) if row[0] == "net.k0"]
    assert net == ("net.k0", 0.0, 20.0)


# --- recorded -------------------------------------------------------------------------------------------------

RIVALS = [
    Competitor(count=2, threads=3, duty=0.6, period="10 ms", traffic="1 GB/s", affinity="big"),
    Competitor(name="loop", threads=2, on="20 ms", off="30 ms", nice=5),
    Competitor(name="g", processor="gpu", kernel="4 ms", duty=0.3, traffic="2 GB/s"),
    Competitor(name="d", processor="dsp", kernel="3 ms", duty=0.5, start="5 ms"),
]


def used(result) -> dict[tuple[str, str], float]:
    table = result.processes
    return dict(zip(zip(table["process"], table["processor"], strict=True), table["busy_ms"], strict=True))


def recorded(*apps: object, duration: str = "0.4 s", **options: object):
    return simulate("xiaomi-9", list(apps), duration=duration, kernels=True, seed=3, **options)


def test_a_recording_replayed_gives_the_same_busy_times(tmp_path: Path) -> None:
    first = recorded(*RIVALS)
    first.process_trace().to_csv(tmp_path / "trace.csv", index=False)
    again = recorded(Replay(tmp_path / "trace.csv"))
    assert used(again) == pytest.approx(used(first), rel=1e-12)
    assert set(used(first)) == {
        ("competitor0", "cpu"), ("competitor1", "cpu"), ("loop", "cpu"), ("g", "gpu"), ("d", "dsp"),
    }  # fmt: skip
    assert again.outcome.energy_j == pytest.approx(first.outcome.energy_j)
    assert [s[2:] for s in again.outcome.spans] == [pytest.approx(s[2:]) for s in first.outcome.spans]


def test_a_recording_of_a_recording_is_the_same() -> None:
    first = recorded(*RIVALS, Ui()).process_trace()
    again = recorded(Replay(rows=first)).process_trace()
    columns = [c for c in first.columns if c not in ("app", "kind")]
    pd.testing.assert_frame_equal(first[columns], again[columns], check_exact=False, rtol=1e-9)


def test_inferences_are_recorded_when_asked_for() -> None:
    result = recorded(Inference("squeezenet_1.1", "cpu", period="50 ms"), Ui(), duration="0.1 s")
    assert set(result.process_trace()["process"]) == {"ui"}
    trace = result.process_trace(inferences=True)
    net = trace[trace["process"] == "squeezenet_1.1"]
    assert set(net["thread"]) == {f"worker{i}" for i in range(4)}
    done = recorded(Replay(rows=net), duration="0.2 s")
    assert used(done)["squeezenet_1.1", "cpu"] == pytest.approx(
        used(result)["squeezenet_1.1", "cpu"], rel=0.05
    )


def test_kernels_of_inferences_are_recorded_with_their_time_alone() -> None:
    alone = recorded(Inference("squeezenet_1.1", "gpu", count=1)).process_trace(inferences=True)
    kernels = alone[alone["processor"] == "gpu"]
    records = recorded(Inference("squeezenet_1.1", "gpu", count=1)).kernels
    gpu = records[(records["processor"] == "gpu") & records["kind"].isin(["kernel", "transform"])]
    assert kernels["demand_s"].to_numpy() * 1e3 == pytest.approx(gpu["duration_ms"].to_numpy())


def test_a_run_without_records_has_no_processes() -> None:
    result = simulate("xiaomi-9", [Competitor()], duration="10 ms")
    assert result.processes.empty
    with pytest.raises(UsageError, match="simulate with kernels=True"):
        result.process_trace()


@pytest.mark.parametrize("policy", ["cfs", "processor_sharing"])
def test_what_processes_use_is_what_processors_are_busy_for(policy: str) -> None:
    apps = [
        *RIVALS,
        Ui(),
        Inference("squeezenet_1.1", "gpu", period="30 ms"),
        Inference("mobilenet_v2", "cpu", name="c"),
    ]
    result = recorded(*apps, duration="0.2 s", mechanisms=Mechanisms(cpu=policy))
    sums = result.processes.groupby("processor")["busy_ms"].sum()
    assert sums["gpu"] == pytest.approx(result.outcome.busy_s["gpu"] * 1e3)
    assert sums["cpu"] == pytest.approx(result.outcome.busy_s["cpu"] * 8e3)


def test_a_recording_changes_nothing() -> None:
    apps = [*RIVALS, Ui(), Inference("squeezenet_1.1", "cpu", period="30 ms")]
    plain = simulate("xiaomi-9", apps, duration="0.3 s", seed=3)
    assert list(plain.outcome.inferences) == list(recorded(*apps, duration="0.3 s").outcome.inferences)


def test_every_process_has_a_name_of_its_own() -> None:
    rows = [{**ROW, "process": name} for name in ("net", "busy")]
    apps = [
        Inference("squeezenet_1.1", "gpu", name="net", count=1),
        Competitor(name="net", processor="gpu"),
        Competitor(name="busy"),
        Ui(name="busy"),
        Replay(rows=rows),
    ]
    table = recorded(*apps, duration="50 ms").processes
    assert [tuple(row) for row in table[["app", "kind", "process"]].drop_duplicates().to_numpy()] == [
        ("net", "inference", "net"),
        ("busy", "ui", "busy"),
        ("net", "competitor", "net-2"),
        ("busy", "competitor", "busy-2"),
        ("replay", "replay", "net-3"),
        ("replay", "replay", "busy-3"),
    ]


# --- experiment files -----------------------------------------------------------------------------------------


def experiment(folder: Path, app: str) -> Path:
    path = folder / "e.yaml"
    path.write_text(f"device: xiaomi-9\nduration: 50 ms\napps:\n- {app}\n")
    return path


def test_an_experiment_finds_its_trace_and_keeps_its_hash(tmp_path: Path, monkeypatch) -> None:
    trace = csv(tmp_path, "a,0,cpu,3")
    path = experiment(tmp_path, "{kind: replay, file: trace.csv, repeat: 20 ms}")
    monkeypatch.chdir(Path(path.anchor))
    assert check_sweep(load_sweep(path)) == "experiment, 1 application on xiaomi-9"
    out = load_experiment(path).run(kernels=True).save(tmp_path / "out")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["inputs"] == {str(trace): hashlib.sha256(trace.read_bytes()).hexdigest()}
    again = load_experiment(out / "experiment.yaml").run(kernels=True)
    assert used(again) == {("a", "cpu"): pytest.approx(9.0)}
    recording = read_process_trace(out / "process_trace.csv")
    assert [(b.start, b.demand) for b in recording] == [
        pytest.approx((start, 0.003)) for start in (0.0, 0.02, 0.04)
    ]


def test_rows_in_an_experiment(tmp_path: Path) -> None:
    row = "{process: a, start_ms: 1, processor: gpu, demand_ms: 2}"
    result = load_experiment(experiment(tmp_path, f"{{kind: replay, rows: [{row}]}}")).run(kernels=True)
    assert used(result) == {("a", "gpu"): pytest.approx(2.0)}


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("{kind: replay}", "e.yaml:4:3: apps.0: 'replay': a replay needs a file or rows, and not both"),
        ("{kind: replay, file: none.csv}", "none.csv: cannot be read"),
        ("{kind: replay, file: trace.csv}", "trace.csv:2:1: xiaomi-9 cannot run it: unknown processor 'npu'"),
        ("{kind: replay, file: trace.csv, speed: 2}", "e.yaml:4:35: apps.0.speed: unknown key 'speed'"),
        ("{kind: replay, file: trace.csv, repeat: 2}", "e.yaml:4:43: apps.0.repeat: "),
    ],
)
def test_check_tells_faults_of_a_replay(tmp_path: Path, app: str, message: str) -> None:
    csv(tmp_path, "a,0,npu,3")
    with pytest.raises(FileError) as told:
        check_sweep(load_sweep(experiment(tmp_path, app)))
    assert message in str(told.value)


def test_traces_of_arrivals_are_found_and_hashed_too(tmp_path: Path) -> None:
    trace = tmp_path / "camera.csv"
    trace.write_text("arrival_ms\n1\n2\n")
    for written in ("camera.csv", {"kind": "trace", "file": "camera.csv"}):
        config = located({"apps": [{"kind": "inference", "arrivals": written}]}, tmp_path)
        assert config["apps"][0]["arrivals"] == {"kind": "trace", "file": str(trace)}
        assert set(input_hashes(config)) == {str(trace)}
    for other in ("poisson", [0.0, 1.0], {"kind": "poisson", "rate": "3 /s"}):
        assert located({"apps": [{"arrivals": other}]}, tmp_path) == {"apps": [{"arrivals": other}]}


def test_a_replay_alone_needs_a_duration() -> None:
    with pytest.raises(UsageError, match="needs a duration"):
        Simulation(load_device("xiaomi-9"), [Replay(rows=[ROW])])
