"""experiments/wandb_sweep.yaml as W&B's agent takes it, without W&B."""

import os
import sys
from itertools import product
from pathlib import Path

import pytest
import wandb
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args
from wandb.wandb_agent import Agent

from panns.studies.jobs import sweep_words
from panns.studies.study import load_study
from runs import ROOT
from studies.sweeping import FAST
from test_tracking import records

SWEEP = yaml.safe_load((ROOT / "experiments" / "wandb_sweep.yaml").read_text())


def chosen() -> list[dict[str, dict]]:
    """What the server hands out, in the order of a grid."""
    values = [[(key, {"value": value}) for value in given["values"]] for key, given in SWEEP["parameters"].items()]
    return [dict(pairs) for pairs in product(*values)]


def test_the_agents_jobs_are_those_of_the_study():
    study = load_study("depth_demo")
    template = create_sweep_command(list(SWEEP["command"]))
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        expected = sweep_words(study, ["experiment=depth_demo"], loader)
        found = []
        for args in chosen():
            given = create_sweep_command_args({"args": args})["args_no_hyphens"]
            before = template[: template.index("${args_no_hyphens}")]
            assert before[:4] == ["${env}", "${interpreter}", "${program}", "-m"]
            found += sweep_words(study, [*before[4:], *given], loader)
    assert found == expected
    assert len(found) == 24


@pytest.mark.slow
def test_an_agent_gets_the_run_that_it_asked_for(tones, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in (wandb.env.DIR, wandb.env.RUN_ID, wandb.env.SWEEP_PARAM_PATH):
        monkeypatch.setenv(name, "")  # the agent sets them
    monkeypatch.delenv(wandb.env.DIR)
    monkeypatch.setenv(wandb.env.SWEEP_ID, "sweep123")
    agent = Agent(api=None, queue=None, sweep_id="sweep123")
    agent._sweep_command = SWEEP["command"]
    args = chosen()[0]
    for word in (*FAST, f"data.store={tones}", "model.frontend.n_mels=16", "logger=wandb", "data.max_epochs=1"):
        key, _, value = word.partition("=")
        args[key] = {"value": value}
    command = {"type": "run", "run_id": "agents1", "program": str(ROOT / SWEEP["program"]), "args": args}
    assert "exception" not in agent._process_command(command)
    assert agent._run_processes["agents1"].wait(timeout=300) == 0

    (log,) = Path("runs").glob("*-s0-*/wandb/offline-run-*/*.wandb")
    found = list(records(log))
    run = next(record.run for record in found if record.HasField("run"))
    assert (run.run_id, run.sweep_id) == ("agents1", "sweep123")
    assert (run.run_group, run.display_name) == ("depth_demo", "CNN 6 (2 blocks)-s0")
    assert {"cnn10", "store"} == set(run.tags)
    items = [item for record in found if record.HasField("history") for item in record.history.item]
    assert SWEEP["metric"]["name"] in {item.key or "/".join(item.nested_key) for item in items}
