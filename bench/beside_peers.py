"""Runs the Python steps and `hepatica plan` on the peers' case in turn, prints one table.

beside_peers.py WORK PEERS HEPATICA   (WORK as bench/beside-peers leaves it)

Both are run in every round, close in time, so that what else the machine does meets both; ratios are
taken in each round, and their medians are printed. The least disturbed of all runs is printed too: of
ours the quickest, of Python the sum of each step's quickest.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time

# The same work as `hepatica plan --engine kernel` without its PDF, pictures, models and intervals.
COMMON = [
    "read_ct_sitk", "read_nm_pydicom", "resample_to_ct_sitk_2", "kernel_exact_trilinear",
    "dose_fft_f32_2workers", "write_rtdose_ct_pydicom",
]
# What a user of the quickest parts waits for, and what one of the usual parts does.
STACKS = {
    "quickest mix (SimpleITK, rt-utils, scipy, sorting)": [*COMMON, "masks_rt_utils", "dvh_sort_ct_grid"],
    "usual parts (PlatiPy masks, dicompyler-core histograms)": [
        *COMMON, "masks_platipy", "dvh_dicompyler_ct_grid",
    ],
}
ENVIRONMENTS = {
    "main": [*COMMON, "masks_rt_utils", "dvh_sort_ct_grid"],
    "platipy": ["masks_platipy"],
    "dicompyler": ["dvh_dicompyler_ct_grid"],
}
OURS = {
    "hepatica plan": [],
    "hepatica plan --engine kernel": ["--engine", "kernel"],
    "hepatica plan --engine kernel --grid ct": ["--engine", "kernel", "--grid", "ct"],
}
ROUNDS = 5
# Ours is short: run thrice in every round, so that one hiccup does not decide it.
RUNS = 3


def python_steps(work, peers):
    """Every step once: its wall and CPU seconds and peak memory."""
    steps = {}
    for name, wanted in ENVIRONMENTS.items():
        command = [f"{work}/venv-{name}/bin/python", f"{peers}/bench.py", f"{work}/case", f"{work}/python"]
        subprocess.run(
            [*command, "--repeat", "1", "--steps", ",".join(wanted)],
            env=os.environ | {"BENCH_TAG": name}, capture_output=True, check=True,
        )
        with open(f"{work}/python/results-{name}.json") as f:
            steps |= {r["step"]: r for r in json.load(f)}
    return steps


def ours(work, hepatica, options):
    """Medians of wall and CPU seconds of whole runs, DICOM to PDF, the peak of memory in MiB, and the
    quickest wall seconds."""
    walls, cpus = [], []
    for _ in range(RUNS):
        start = time.perf_counter()
        done = subprocess.Popen(
            [hepatica, "plan", f"{work}/case", "--out", f"{work}/plan", "--quiet", *options]
        )
        _, status, used = os.wait4(done.pid, 0)
        walls.append(time.perf_counter() - start)
        cpus.append(used.ru_utime + used.ru_stime)
        if os.waitstatus_to_exitcode(status) not in (0, 2):
            sys.exit("hepatica did not plan")
    return statistics.median(walls), statistics.median(cpus), used.ru_maxrss / 1024, min(walls)


def main(work, peers, hepatica):
    loads, rows, ratios, quickest = [], {}, {}, {}
    for n in range(ROUNDS):
        loads.append(os.getloadavg()[0])
        plans = {name: ours(work, hepatica, options) for name, options in OURS.items()}
        steps = python_steps(work, peers)
        for name, row in plans.items():
            rows.setdefault(name, []).append(row[:3])
            quickest[name] = min(quickest.get(name, row[3]), row[3])
        for name, step in steps.items():
            if "median_s" in step:
                quickest[name] = min(quickest.get(name, step["median_s"]), step["median_s"])
        for name, parts in STACKS.items():
            missing = [p for p in parts if "median_s" not in steps.get(p, {})]
            if missing:
                sys.exit(f"not measured: {', '.join(missing)}")
            row = (
                sum(steps[p]["median_s"] for p in parts),
                sum(steps[p]["cpu_s_per_run"] for p in parts),
                max(steps[p]["peak_rss_mib"] for p in parts),
            )
            rows.setdefault(name, []).append(row)
            for plan, own in plans.items():
                ratios.setdefault((plan, name), []).append((row[0] / own[0], row[1] / own[1]))
        print(f"round {n + 1} of {ROUNDS}: load {loads[-1]:.1f}", file=sys.stderr)
    median = lambda list: [statistics.median(column) for column in zip(*list)]
    print(f"load average {min(loads):.1f} to {max(loads):.1f}, {os.cpu_count()} cores, {ROUNDS} rounds\n")
    print("| what | wall s | CPU s | peak MiB |" + "".join(f" {s.split(' (')[0]}: wall, CPU |" for s in STACKS))
    print("|---|---|---|---|---|---|")
    for name, list in rows.items():
        wall, cpu, peak = median(list)
        beside = [median(ratios[name, s]) for s in STACKS] if name in OURS else []
        cells = "".join(f" {w:.1f} x, {c:.1f} x |" for w, c in beside) or " | |"
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |{cells}")
    print("\nLeast disturbed (wall s):")
    for stack, parts in STACKS.items():
        python = sum(quickest[p] for p in parts)
        for name in OURS:
            print(f"{name}: {quickest[name]:.2f}; {stack}: {python:.1f}, {python / quickest[name]:.1f} x")


if __name__ == "__main__":
    main(*sys.argv[1:])
