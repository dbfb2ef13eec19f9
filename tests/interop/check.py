"""What other programs say of a case and its plan: check.py CASE OUT.

dciodvfy    every DICOM file is lawful (no line that starts with Error)
dcmdump     every DICOM file can be listed (dcmtk)
pydicom     every DICOM file can be read, its pixels decoded
dicompyler  volume and mean dose of every tumour without a cold part (named after it), from the
            RTSTRUCT of the case and dose.dcm, against plan.json
plastimatch the same by voxels of its own, cold parts taken out
dvh.csv     the mean of every curve is the mean in plan.json
nibabel     dose_per_gbq.nii.gz lies where dose.dcm lies
"""

import csv
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pydicom

warnings.filterwarnings("ignore")

# Relative differences allowed, by volume in mL. Other programs count whole voxels or interpolate
# the dose between them, which matters most at the edge of small lesions.
TOLERANCE = [(2.0, 0.25, 0.15), (20.0, 0.08, 0.06), (float("inf"), 0.03, 0.03)]


class Checks:
    """Counts what passed and says what did not."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, good, what, why=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED  {what}{': ' if why else ''}{why}")

    def near(self, what, theirs, ours, rtol):
        print(f"        {what:52} {theirs:10.3f} {ours:10.3f}  {ours / theirs - 1:+.2%}")
        self.that(abs(ours - theirs) <= rtol * abs(theirs), what, f"{theirs} against our {ours}")


def tell(*command):
    """Exit status and everything a program says."""
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace")
    return run.returncode, run.stdout + run.stderr


def lawful(checks, files):
    for path in files:
        _, said = tell("dciodvfy", "-new", path)
        errors = [line for line in said.splitlines() if line.startswith("Error")]
        checks.that(not errors, f"dciodvfy {path.name}", "; ".join(errors))
        status, said = tell("dcmdump", "-q", path)
        checks.that(status == 0, f"dcmdump {path.name}", said[:200])
        try:
            o = pydicom.dcmread(path)
            if "PixelData" in o:
                frames = int(o.get("NumberOfFrames", 1))
                checks.that(o.pixel_array.size == o.Rows * o.Columns * frames, f"pixels {path.name}")
        except Exception as e:  # whatever it says is a failure
            checks.that(False, f"pydicom {path.name}", repr(e))


def tolerance(volume_ml):
    return next((v, d) for limit, v, d in TOLERANCE if volume_ml < limit)


def curve_mean(points):
    """Mean of a cumulative curve: the area below it."""
    points = sorted(points)
    dose, part = np.array(points).T
    return dose[0] + np.trapz(part / part[0], dose)


def curves(path):
    """dvh.csv: (session, structure) -> [(dose in Gy, volume fraction)]."""
    found = {}
    with open(path, newline="") as file:
        lines = (line for line in file if not line.startswith("#"))
        for row in csv.DictReader(lines):
            key = (row["session"], row["compartment"])
            found.setdefault(key, []).append((float(row["dose_gy"]), float(row["volume_fraction"])))
    return found


def by_dicompyler(checks, structures, dose_file, ours):
    from dicompylercore import dicomparser, dvhcalc

    rois = {s["name"]: n for n, s in dicomparser.DicomParser(str(structures)).GetStructures().items()}
    pixel_mm = float(pydicom.dcmread(dose_file, stop_before_pixels=True).PixelSpacing[0])
    for name, (volume_ml, mean_gy) in ours.items():
        checks.that(name in rois, f"dicompyler finds {name}")
        if name not in rois:
            continue
        # The volume on pixels four times finer; the mean without that, for it would also smooth the
        # dose, which in one voxel of a lesion may be thrice that of the next.
        arguments = (str(structures), str(dose_file), rois[name])
        finer = dvhcalc.get_dvh(*arguments, interpolation_resolution=pixel_mm / 4)
        dvh = dvhcalc.get_dvh(*arguments)
        v, d = tolerance(volume_ml)
        checks.near(f"dicompyler {name} volume mL", finer.volume, volume_ml, v)
        checks.near(f"dicompyler {name} mean Gy", dvh.mean, mean_gy, d)


def by_plastimatch(checks, case, structures, dose_file, ours, cold):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ct, dose = folder / "ct.mha", folder / "dose.nii.gz"
        for command in (
            ["--input", case / "ct", "--output-img", ct],
            ["--input-dose-img", dose_file, "--output-dose-img", dose],
            # Masks on the grid of the CT, one file a structure.
            ["--input", structures, "--fixed", ct, "--output-prefix", folder / "masks",
             "--prefix-format", "nii.gz"],
        ):
            status, said = tell("plastimatch", "convert", *command)
            checks.that(status == 0, "plastimatch convert", said[-300:])
        dose_image = nibabel.load(dose)
        values = np.asarray(dose_image.dataobj, dtype=float)
        # Its dose is the one pydicom sees.
        o = pydicom.dcmread(dose_file)
        theirs = float(o.DoseGridScaling) * o.pixel_array.astype(float)
        checks.near("plastimatch highest dose Gy", values.max(), theirs.max(), 1e-5)
        checks.near("plastimatch dose of all voxels Gy", values.sum(), theirs.sum(), 1e-4)
        masks = {p.name.removesuffix(".nii.gz"): p for p in (folder / "masks").glob("*.nii.gz")}
        to_dose = np.linalg.inv(dose_image.affine)
        for name, (volume_ml, mean_gy) in ours.items():
            path = masks.get(name)
            checks.that(path is not None, f"plastimatch finds {name}", ", ".join(sorted(masks)))
            if path is None:
                continue
            mask = nibabel.load(path)
            inside = np.asarray(mask.dataobj) > 0
            for other in cold & masks.keys():
                inside &= np.asarray(nibabel.load(masks[other]).dataobj) == 0
            inside = np.argwhere(inside)
            voxel_ml = abs(np.linalg.det(mask.affine[:3, :3])) / 1000
            # 5 x 5 x 5 points a voxel: the voxels of CT and dose have nothing in common.
            steps = (np.stack(np.meshgrid(*[np.arange(5)] * 3), -1).reshape(-1, 3) - 2) / 5
            places = (inside[:, None, :] + steps).reshape(-1, 3)
            world = nibabel.affines.apply_affine(to_dose @ mask.affine, places)
            nearest = np.clip(np.rint(world).astype(int), 0, np.array(values.shape) - 1)
            v, d = tolerance(volume_ml)
            checks.near(f"plastimatch {name} volume mL", len(inside) * voxel_ml, volume_ml, v)
            checks.near(f"plastimatch {name} mean Gy", values[tuple(nearest.T)].mean(), mean_gy, d)


def same_place(checks, dose_file, per_gbq_file):
    """The NIfTI map (one volume a session) lies where the RTDOSE lies, in RAS instead of LPS."""
    o = pydicom.dcmread(dose_file)
    image = nibabel.load(per_gbq_file)
    frames = int(o.NumberOfFrames)
    checks.that(image.shape[:3] == (o.Columns, o.Rows, frames), "NIfTI size", str(image.shape))
    row, column = np.array(o.ImageOrientationPatient, float).reshape(2, 3)
    offsets = np.array(o.GridFrameOffsetVector, float)
    checks.that(offsets[0] == 0, "GridFrameOffsetVector is relative")
    for i, j, k in [(0, 0, 0), (o.Columns - 1, o.Rows - 1, frames - 1)]:
        lps = np.array(o.ImagePositionPatient, float) + np.cross(row, column) * offsets[k]
        lps += row * i * float(o.PixelSpacing[1]) + column * j * float(o.PixelSpacing[0])
        ras = nibabel.affines.apply_affine(image.affine, (i, j, k))
        checks.that(np.allclose(ras * (-1, -1, 1), lps, atol=0.01), f"NIfTI voxel {i} {j} {k}",
                    f"{ras} against LPS {lps}")


def main(case, out):
    checks = Checks()
    files = sorted(case.rglob("*.dcm")) + sorted(out.rglob("*.dcm"))
    lawful(checks, files)

    plan = json.loads((out / "plan.json").read_text())
    dose_file = out / "dose.dcm"
    modality = {p: pydicom.dcmread(p, stop_before_pixels=True) for p in files}
    structures = next(p for p, o in modality.items() if o.Modality == "RTSTRUCT")
    ct = next(o for o in modality.values() if o.Modality == "CT")
    dose = modality[dose_file]
    checks.that(dose.FrameOfReferenceUID == ct.FrameOfReferenceUID, "one frame of reference")
    checks.that(dose.StudyInstanceUID == ct.StudyInstanceUID, "one study")
    checks.that(dose.PatientID == ct.PatientID, "one patient")

    total = plan["cumulative"]["tumour_dose_gy"]
    ours = {t["name"]: (t["volume_ml"], total[t["name"]]) for t in plan["liver"]["tumours"]}
    checks.that(bool(ours), "the plan has tumours")
    print(f"        {'':52} {'theirs':>10} {'ours':>10}")
    # What takes up nothing is no part of its tumour in the plan, but is in the contours.
    cold = {c["name"] for s in plan["sessions"] for c in s["compartments"] if c["role"] == "cold"}
    whole = {name: own for name, own in ours.items() if not any(name in other for other in cold)}
    by_dicompyler(checks, structures, dose_file, whole)
    by_plastimatch(checks, case, structures, dose_file, ours, cold)

    found = curves(out / "dvh.csv")
    for session in plan["sessions"]:
        for own in session["compartments"]:
            points = found.get((str(session["id"]), own["name"]))
            checks.that(points is not None, f"dvh.csv has {own['name']}, session {session['id']}")
            if points:
                what = f"dvh.csv {own['name']} mean Gy"
                checks.near(what, own["dose_gy"]["mean"], curve_mean(points), 0.02)

    same_place(checks, dose_file, out / "dose_per_gbq.nii.gz")
    print(f"interop: {checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
