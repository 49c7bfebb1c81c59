"""What a full run needs and where it waits, computed from measured figures and named assumptions: docs/scale.md.

`make scale-plan` writes the tables of docs/scale.md anew. With numbers of your own, they are printed instead:

    python benchmarks/scale.py gpu_clips_per_second=900 network_gb_per_second=2.5
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

from scale_inputs import GPU_TFLOPS, Inputs
from scale_model import AUDIOSET, CODECS, STORAGE, SYSTEMS, node_memory, run

DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"
START, END = "<!-- scale-plan -->", "<!-- /scale-plan -->"
SIZES = {"AudioSet, 2,084,320 clips": AUDIOSET, "100 million clips": 100_000_000}
SHARD_BYTES = 2**30


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heading, ["---"] * len(heading), *rows))


def inputs_table(inputs: Inputs) -> str:
    """All inputs, by name."""
    rows = []
    for one in fields(inputs):
        value = inputs.of(one.name)
        shown = f"{value / 1e9:,.3f} G" if value > 1e9 else f"{value:,.6g}" if value < 1e5 else f"{value:,.0f}"
        about = one.metadata
        rows.append([f"`{one.name}`", f"{shown} {about['unit']}".strip(), about["kind"], about["source"]])
    return table(["input", "value", "", "source"], rows)


def store_table(inputs: Inputs, num_clips: int) -> str:
    """What a store takes, and what reading it at the GPU's rate takes."""
    wanted, rows = inputs.gpu_clips_per_second * inputs.clips_per_example, []
    for codec in CODECS:
        nbytes, packed = inputs.of(f"{codec}_bytes"), inputs.of(f"{codec}_pack_rate") * inputs.packing_cores
        rows.append(
            [
                codec,
                f"{num_clips * nbytes / 1e9:,.0f}",
                f"{num_clips * nbytes / SHARD_BYTES:,.0f}",
                f"{num_clips / packed / 3600:,.1f}",
                f"{wanted * nbytes / 1e9:.2f}",
                f"{wanted / inputs.of(f'{codec}_rate'):.1f}",
            ]
        )
    packing = f"hours to pack, CPU, {inputs.packing_cores:g} cores"
    return table(["store", "GB on disk", "shards", packing, "GB/s a GPU reads", "cores a GPU needs"], rows)


def runs_table(inputs: Inputs, num_clips: int) -> str:
    """Hours and limits of all stores on all systems."""
    rows = []
    for storage in STORAGE:
        for codec in CODECS:
            runs = [run(inputs, system, storage, codec, num_clips) for system in SYSTEMS]
            rows.append([f"{storage}, {codec}", *(f"{r.hours:,.1f} h, {r.limit}; {r.up_to:,.0f}" for r in runs)])
    return table(["store", *map(str, SYSTEMS)], rows)


def memory_table(inputs: Inputs, num_clips: int) -> str:
    """What a node of each system has beside the store."""
    rows = [
        [
            str(system),
            f"{node_memory(inputs, system, num_clips) / 1e9:,.1f}",
            f"{inputs.index_bytes * num_clips / 1e9:,.2f}",
            f"{inputs.sampler_bytes * num_clips / 1e9:,.2f}",
            f"{inputs.cores_per_gpu * system.gpus_per_node:g}",
            f"{inputs.start_seconds * num_clips / 1e6:,.0f}",
        ]
        for system in SYSTEMS
    ]
    heading = ["a node of", "GB of RAM", "index, GB, mapped", "sampler, GB a process", "reader threads", "s to start"]
    return table(heading, rows)


def copies_table(inputs: Inputs, num_clips: int) -> str:
    """What it costs to have the store elsewhere."""
    nodes, rows = SYSTEMS[-1].nodes, []
    for codec in CODECS:
        gigabytes = num_clips * inputs.of(f"{codec}_bytes") / 1e9
        all_nodes = max(
            gigabytes / inputs.network_gb_per_second, nodes * gigabytes / inputs.network_total_gb_per_second
        )
        costs = gigabytes * inputs.out_usd_per_gb, gigabytes * inputs.month_usd_per_gb
        hours = gigabytes / inputs.network_gb_per_second, all_nodes, gigabytes / inputs.object_gb_per_second
        requests = num_clips / 1e6 * inputs.million_requests_usd
        cells = [
            *(f"{seconds / 3600:,.2f}" for seconds in hours),
            *(f"{usd:,.0f}" for usd in costs),
            f"{requests:,.2f}",
        ]
        rows.append([codec, f"{gigabytes:,.0f}", *cells])
    heading = [
        "a copy of",
        "GB",
        "h, network disk to a node",
        f"h, to {nodes} nodes at once",
        "h, object storage to a node",
    ]
    prices = ["USD, out of a cloud", "USD, a month in object storage", "USD, requests, clip by clip"]
    return table([*heading, *prices], rows)


def gpu_table(inputs: Inputs) -> str:
    """Hours on GPUs by name: estimates."""
    rows = []
    for name, tflops in GPU_TFLOPS.items():
        rate = tflops * 1e12 * inputs.gpu_share / (6 * inputs.macs)
        named, wanted = replace(inputs, gpu_clips_per_second=rate), rate * inputs.clips_per_example
        hours = [run(named, system, "NVMe", "flac", AUDIOSET) for system in SYSTEMS]
        cores = [f"{wanted / inputs.of(f'{codec}_rate'):.1f}" for codec in CODECS]
        rows.append([name, f"{tflops}", f"{rate:,.0f}", *(f"{r.hours:,.1f} h, {r.limit}" for r in hours), *cores])
    cores = [f"cores a GPU needs, {codec}" for codec in CODECS]
    return table(["GPU", "TFLOP/s, data sheet", "examples/s", *map(str, SYSTEMS), *cores], rows)


def text(inputs: Inputs) -> Iterator[str]:
    """All tables, with their headings."""
    yield "### Inputs"
    yield inputs_table(inputs)
    for name, num_clips in SIZES.items():
        clips = inputs.steps * inputs.batch_size * inputs.clips_per_example * num_clips / AUDIOSET
        yield f"### {name}"
        yield store_table(inputs, num_clips)
        yield (
            f"A run that reads {clips / 1e6:,.0f} million clips ({clips / num_clips:.1f} passes, as the paper's) with "
            "its validations. Hours, and what limits; behind the semicolon, the examples/s a GPU up to which storage "
            "and reading keep up."
        )
        yield runs_table(inputs, num_clips)
        yield memory_table(inputs, num_clips)
        yield copies_table(inputs, num_clips)
    yield "### GPUs by name"
    yield (
        f"**Estimates**, not measurements: {inputs.gpu_share:.0%} of the TFLOP/s of the data sheet, 6 x "
        f"{inputs.macs / 1e9:.3f} G multiply-accumulates a training example of cnn14. The paper's run over AudioSet "
        f"from flac on NVMe, {inputs.cores_per_gpu:g} cores a GPU: hours, and what limits."
    )
    yield gpu_table(inputs)
    checkpoint = inputs.parameters * 4 * 4
    yield (
        f"Beside the store: 2 checkpoints a run (best and last) of {checkpoint / 1e9:.1f} GB; "
        f"{inputs.macs * 6 * inputs.gpu_clips_per_second / 1e12:.0f} TFLOP/s are what "
        f"{inputs.gpu_clips_per_second:,.0f} examples/s of cnn14 mean (6 x multiply-accumulates x examples/s)."
    )


def main(arguments: Sequence[str]) -> None:
    """Write the document's tables, or print those of other inputs."""
    try:
        given = {name: float(value) for name, value in (argument.split("=") for argument in arguments)}
        inputs = replace(Inputs(), **given)
    except (ValueError, TypeError):
        names = ", ".join(one.name for one in fields(Inputs))
        raise SystemExit(f"scale.py: say NAME=NUMBER, NAME being one of {names}") from None
    tables = "\n\n".join(text(inputs))
    if given:
        print(tables)
        return
    before, _, rest = DOCUMENT.read_text().partition(START)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{START}\n{tables}\n{END}{after}")


if __name__ == "__main__":
    main(sys.argv[1:])
