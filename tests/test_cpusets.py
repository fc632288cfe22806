"""Cpusets: what a device file says, what is refused, and where threads of applications may run."""

from __future__ import annotations

from dataclasses import replace

import pytest

import socsim
from socsim.describing import describe
from socsim.devices.profile import load_device, provenance
from socsim.errors import FileError, SocsimError, UnknownNameError, UsageError
from socsim.experiments import load_experiment
from socsim.sweeps import load_sweep
from socsim.sweeps.checking import check_sweep

PHONE = load_device("xiaomi-9")


def busy(*apps, mechanisms=None, **options) -> list[str]:
    """Clusters that have done anything."""
    options = {"mechanisms": mechanisms} if mechanisms else {}
    outcome = socsim.simulate(PHONE, apps, duration="1 s", **options).outcome
    idle = {f"cpu.{c.name}": c.power.idle * c.count for c in PHONE.clusters}
    return [name for name, power in idle.items() if outcome.energy_j[name] > power * 1.001]


# --- the device's file ----------------------------------------------------------------------------------------


def test_the_cpusets_of_the_phones() -> None:
    assert dict(PHONE.cpusets) == {
        "top-app": (7, 4, 5, 6, 0, 1, 2, 3),
        "foreground": (4, 5, 0, 1, 2, 3),
        "background": (0, 1),
        "system-background": (0, 1, 2, 3),
    }
    assert set(load_device("honor-v30-pro").cpusets) == set(PHONE.cpusets)


def test_they_have_grades_and_sources() -> None:
    rows = {row.path: row for row in provenance("xiaomi-9")}
    assert rows["os.cpusets.background"][1:3] == ("silver:2", "B")
    assert rows["os.cpusets.background"].source.startswith("cepheusrc")
    assert rows["os.placement"][1:3] == ("balance", "D")
    kirin = [row for row in provenance("honor-v30-pro") if row.path.startswith("os.cpusets")]
    assert len(kirin) == 4 and {row.grade for row in kirin} == {"D"}


def mine(tmp_path, cpusets: str):
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"title: Mine\nextends: xiaomi-9\nsources: {{mine: a try}}\nos:\n  cpusets: {{{cpusets}}}\n"
    )
    return file


def test_a_file_may_change_one_and_add_another(tmp_path) -> None:
    device = load_device(mine(tmp_path, "background: silver, camera: {value: big, grade: D, source: mine}"))
    assert device.cpusets["background"] == (0, 1, 2, 3)
    assert device.cpusets["camera"] == (7, 4, 5, 6)
    assert device.cpusets["foreground"] == PHONE.cpusets["foreground"]


def test_all_masks_that_a_device_lacks_are_told_with_their_places(tmp_path) -> None:
    with pytest.raises(FileError) as told:
        load_device(mine(tmp_path, "background: bronze, camera: 'gold:4'"))
    file = tmp_path / "mine.yaml"
    assert str(told.value).splitlines() == [
        f"{file}:5:25: os.cpusets.background: unknown cluster 'bronze'; known: all, big, gold, little, prime, silver",
        f"{file}:5:41: os.cpusets.camera: cores 'gold:4': cluster 'gold' has 3 cores, got '4'",
    ]


def test_a_setting_in_a_wrapper_needs_grade_and_source(tmp_path) -> None:
    with pytest.raises(FileError, match=r"os\.cpusets\.camera: big has no grade and no source"):
        load_device(mine(tmp_path, "camera: {value: big}"))


def test_a_device_without_cpusets_knows_none() -> None:
    bare = replace(PHONE, cpusets={})
    with pytest.raises(UnknownNameError, match="unknown cpuset of 'xiaomi-9': 'background'; known: none"):
        bare.allowed_cores("all", "background")


# --- masks and cpusets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "cpuset", "cores"),
    [
        ("all", "", (7, 4, 5, 6, 0, 1, 2, 3)),
        ("all", "background", (0, 1)),
        ("big", "foreground", (4, 5)),
        ("silver:1", "background", (0,)),
        ("big", "top-app", (7, 4, 5, 6)),
    ],
)
def test_threads_may_use_what_is_in_both(mask: str, cpuset: str, cores: tuple[int, ...]) -> None:
    assert PHONE.allowed_cores(mask, cpuset) == cores


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(UsageError) as told:
        PHONE.allowed_cores("prime", "background")
    assert str(told.value) == (
        "cores 'prime' and cpuset 'background' (silver:2) have no core in common; choose cores such as 'silver:2'"
    )


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        UnknownNameError, match="unknown cpuset of 'xiaomi-9': 'backgruond'; did you mean 'background'"
    ):
        PHONE.allowed_cores("all", "backgruond")


# --- applications ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", ["balance", "eas"])
def test_competitors_stay_in_their_cpuset(placement) -> None:
    """Five threads that never pause would like the fast cores."""
    mechanisms = socsim.Mechanisms(placement=placement)
    assert busy(socsim.Competitor(threads=5), mechanisms=mechanisms) == [
        "cpu.silver",
        "cpu.gold",
        "cpu.prime",
    ]
    inside = socsim.Competitor(threads=5, cpuset="background")
    assert busy(inside, mechanisms=mechanisms) == ["cpu.silver"]
    outcome = socsim.simulate(PHONE, [inside], duration="1 s", mechanisms=mechanisms).outcome
    assert outcome.busy_s["cpu"] == pytest.approx(2 / 8, abs=0.01)


def test_a_user_interface_stays_in_its_cpuset() -> None:
    assert busy(socsim.Ui(affinity="all")) == ["cpu.prime"]
    assert busy(socsim.Ui(affinity="all", cpuset="system-background")) == ["cpu.silver"]
    assert busy(socsim.Ui(cpuset="foreground")) == ["cpu.gold"]


@pytest.mark.parametrize("library", ["mace", "tflite"])
def test_workers_and_dispatchers_stay_in_their_cpuset(library: str) -> None:
    for scheduler in ("cpu", "gpu", "mulayer"):
        app = socsim.Inference("mobilenet_v1", scheduler, library, cores="little", cpuset="background")
        assert busy(app) == ["cpu.silver"], (library, scheduler)


def test_there_are_no_more_workers_than_cores_in_both() -> None:
    """MACE's mask of the big cores, in a cpuset with two of them: as if those were named."""

    def latency(**options) -> float:
        app = socsim.Inference("mobilenet_v1", "cpu", count=2, **options)
        return socsim.simulate(PHONE, [app]).metrics()["latency_ms_mean"]

    assert latency(cpuset="foreground") == latency(cores="gold:2") > latency()


def test_a_network_whose_mask_is_outside_its_cpuset_is_refused() -> None:
    app = socsim.Inference("mobilenet_v1", "cpu", count=1, cpuset="background")
    with pytest.raises(UsageError, match=r"cores 'big' and cpuset 'background' \(silver:2\) have no core"):
        socsim.simulate(PHONE, [app])
    with pytest.raises(UsageError, match="have no core in common"):
        socsim.simulate(PHONE, [socsim.Competitor(affinity="big", cpuset="background")], duration="1 s")
    with pytest.raises(UsageError, match="have no core in common"):
        socsim.simulate(PHONE, [socsim.Ui(cpuset="background")], duration="1 s")


# --- experiment files -----------------------------------------------------------------------------------------

FILE = """\
device: xiaomi-9
duration: 1 s
apps:
- {kind: inference, model: mobilenet_v1, cores: little, cpuset: background}
- {kind: competitor, cpuset: background}
- {kind: video, affinity: all, cpuset: foreground}
- {kind: ui, cpuset: top-app}
"""


def test_an_experiment_names_cpusets(tmp_path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(FILE)
    apps = load_experiment(file).apps
    assert [app.cpuset for app in apps] == ["background", "background", "foreground", "top-app"]
    assert [describe(app).get("cpuset") for app in apps] == [app.cpuset for app in apps]
    assert check_sweep(load_sweep(file)) == "experiment, 4 applications on xiaomi-9"
    plain = [socsim.Inference("vgg16"), socsim.Competitor(), socsim.Ui()]
    assert not any("cpuset" in describe(app) for app in plain)


@pytest.mark.parametrize(
    ("old", "new", "where", "line"),
    [
        (
            "little, cpuset: background",
            "little, cpuset: front",
            "apps.0.cpuset",
            "unknown cpuset of 'xiaomi-9'",
        ),
        ("cores: little, ", "", "apps.0.cpuset", "cores 'big' and cpuset 'background' (silver:2) have no"),
        ("cpuset: top-app", "cpuset: background", "apps.3", "cores 'big' and cpuset 'background' (silver:2)"),
        ("affinity: all, cpuset: foreground", "cpuset: bckground", "apps.2", "did you mean 'background'"),
        ("competitor, cpuset", "competitor, affinity: gold, cpuset", "apps.1", "cores 'gold' and cpuset"),
    ],
)
def test_check_tells_what_does_not_fit(tmp_path, old: str, new: str, where: str, line: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(FILE.replace(old, new))
    with pytest.raises(SocsimError) as told:
        check_sweep(load_sweep(file))
    assert f": {where}: " in str(told.value) and line in str(told.value)


def test_a_saved_run_can_be_run_again(tmp_path) -> None:
    """The cores that an inference ran on and its cpuset are kept."""
    app = socsim.Inference("mobilenet_v1", "cpu", count=2, cpuset="foreground")
    result = socsim.simulate(PHONE, [app])
    kept = result.config["apps"][0]
    assert (kept["cores"], kept["cpuset"]) == ("gold:2", "foreground")
    again = socsim.Inference("mobilenet_v1", "cpu", count=2, cores=kept["cores"], cpuset=kept["cpuset"])
    latency = result.metrics()["latency_ms_mean"]
    assert socsim.simulate(PHONE, [again]).metrics()["latency_ms_mean"] == latency
