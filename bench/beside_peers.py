"""Runs `hepatica plan` on the peers' case, adds up the Python steps, prints one table.

beside_peers.py WORK   (WORK as bench/beside-peers leaves it)
"""

import glob
import json
import os
import resource
import subprocess
import sys
import time

# The same work as `hepatica plan --engine kernel` without its PDF, pictures, models and intervals.
COMMON = [
    "read_ct_sitk", "read_nm_pydicom", "resample_to_ct_sitk_2", "kernel_exact_trilinear",
    "dose_fft_f32_2workers", "write_rtdose_ct_pydicom",
]
STACKS = {
    "quickest mix of Python parts": [*COMMON, "masks_rt_utils", "dvh_sort_ct_grid"],
    "usual Python parts (PlatiPy masks, dicompyler-core DVHs)": [
        *COMMON, "masks_platipy", "dvh_dicompyler_ct_grid",
    ],
}
RUNS = 5


def python_steps(work):
    steps = {}
    for path in glob.glob(f"{work}/python/results-*.json"):
        with open(path) as f:
            steps |= {r["step"]: r for r in json.load(f)}
    return steps


def hepatica(work, *options):
    """Median wall and CPU seconds of whole runs, DICOM to PDF."""
    walls, cpus = [], []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run(
            ["target/release/hepatica", "plan", f"{work}/case", "--out", f"{work}/plan", "--quiet", *options]
        )
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if done.returncode not in (0, 2):
            sys.exit(f"hepatica ended with {done.returncode}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return sorted(walls)[RUNS // 2], sorted(cpus)[RUNS // 2], peak


def main(work):
    steps = python_steps(work)
    ours = {
        "hepatica plan": hepatica(work),
        "hepatica plan --engine kernel": hepatica(work, "--engine", "kernel"),
        "hepatica plan --engine kernel --grid ct": hepatica(work, "--engine", "kernel", "--grid", "ct"),
    }
    print(f"load average {os.getloadavg()[0]:.1f}\n")
    print("| what | wall s | CPU s | peak MiB |\n|---|---|---|---|")
    for name, (wall, cpu, peak) in ours.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |")
    reference = ours["hepatica plan --engine kernel"]
    for name, parts in STACKS.items():
        missing = [p for p in parts if "median_s" not in steps.get(p, {})]
        if missing:
            print(f"| {name} | not measured: {', '.join(missing)} | | |")
            continue
        wall = sum(steps[p]["median_s"] for p in parts)
        cpu = sum(steps[p]["cpu_s_per_run"] for p in parts)
        peak = max(steps[p]["peak_rss_mib"] for p in parts)
        print(f"| {name} | {wall:.1f} ({wall / reference[0]:.1f} x) | {cpu:.1f} ({cpu / reference[1]:.1f} x) | {peak:.0f} |")
    print("\nSteps in Python (median wall s): " + ", ".join(f"{n} {s['median_s']:.2f}" for n, s in steps.items() if "median_s" in s))


if __name__ == "__main__":
    main(sys.argv[1])
