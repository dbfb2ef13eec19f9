"""What other readers say of the images that Hepatica reads: images.py DATA [VALUES] [PART ...].

Goes through a folder of images that nobody here wrote (zip archives are unpacked beside it, in a
temporary folder), has each read by the example `values` of hepatica-imaging, and compares

pydicom     stored values (with its decoders of JPEG, JPEG-LS, JPEG 2000 and run lengths) after slope
            and intercept, and the place of every slice
nibabel     values and affine of NIfTI
SimpleITK   size, spacing, origin and directions of every DICOM series of several slices, and its values

Values must be the same to the last bit of a 32-bit float; CT numbers are whole, padding is taken for
air. Frames of lossy JPEG and JPEG 2000 may differ by LOSSY grey levels, because decoders round in
their own way. Geometry must agree within 1e-3 mm. What pydicom or nibabel cannot open, or what is no
grey-scale volume, must be refused with one sentence that names the file and a remedy. A file that only
we refuse is a failure unless REFUSED says why and in which words.
"""

import json
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import SimpleITK

warnings.filterwarnings("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)

LOSSY = {"1.2.840.10008.1.2.4.50": 2, "1.2.840.10008.1.2.4.51": 2, "1.2.840.10008.1.2.4.91": 1}
MM = 1e-3
AIR = -1000

# What is refused although a reader opens it: a part of the path, and words of the sentence.
REFUSED = [
    ("ct_gap_and_tilt/gantrytilting", "tilted by"),
    ("ct_gap_and_tilt/sliceincrement", "missing between"),
    ("ct_gap_and_tilt/notavolume", "lie at the same place"),
    # Maps of blood flow, not CT numbers.
    ("CT0012", "CT numbers"),
    # Doses in percent of something.
    ("rtdose", "RELATIVE"),
    ("badVR.dcm", "RELATIVE"),
    # Two volumes in one file.
    ("example_nifti2", "one volume of three dimensions"),
]


class Checks:
    def __init__(self):
        self.passed, self.failed, self.refused = 0, 0, []

    def that(self, good, what, why=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED  {what}{': ' if why else ''}{why}")
        return good


def unpack(data, to):
    """Every zip of the folder, each in a folder of its name."""
    for archive in sorted(data.rglob("*.zip")):
        place = to / archive.stem
        with zipfile.ZipFile(archive) as z:
            z.extractall(place)
        yield place


def ours(values, path, *more):
    """Lines of the example, with the values read."""
    with tempfile.TemporaryDirectory() as out:
        run = subprocess.run([values, path, out, *more], capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"{path}: {run.stderr}")
        for line in map(json.loads, run.stdout.splitlines()):
            if "values" in line:
                size = line["values"]["size"]
                data = np.fromfile(Path(out) / f"{line['n']}.f32", "<f4")
                line["data"] = data.reshape(size[::-1])
            yield line


def vectors(orientation):
    row, column = np.array(orientation, float).reshape(2, 3)
    return row, column, np.cross(row, column)


def frame_groups(o, n):
    own = o.PerFrameFunctionalGroupsSequence[n]
    shared = o.get("SharedFunctionalGroupsSequence", [pydicom.Dataset()])[0]

    def group(name):
        found = own.get(name) or shared.get(name)
        return found[0] if found else pydicom.Dataset()

    return group


def bq_per_ml(o, n, stored):
    """Of a frame of PET: by its own slope, its mapping, or the factor that Philips wrote."""
    if "PerFrameFunctionalGroupsSequence" in o:
        group = frame_groups(o, n)
        mapping = group("RealWorldValueMappingSequence")
        if "RealWorldValueSlope" in mapping:
            return stored * float(mapping.RealWorldValueSlope) + float(mapping.RealWorldValueIntercept)
        change = group("PixelValueTransformationSequence")
        return stored * float(change.RescaleSlope) + float(change.RescaleIntercept)
    scaled = stored * float(o.RescaleSlope) + float(o.get("RescaleIntercept", 0))
    if o.get("Units") == "CNTS":
        scaled = stored * (float(o.RescaleSlope) * float(o[0x7053, 0x1009].value))
    return scaled


def nm_place(o, n):
    """Of a reconstructed volume: frames are stacked along the normal, or against it."""
    detector = o.DetectorInformationSequence[0]
    place, turn = detector.get("ImagePositionPatient"), detector.get("ImageOrientationPatient")
    if place is None or "RECON" not in list(o.get("ImageType", [])) + list(o.ImageType[2].split()):
        return None, None
    step = float(o.get("SpacingBetweenSlices", o.get("SliceThickness", 1)))
    order = o.get("SliceVector")
    k = (order[n] if order else n + 1) - 1
    return list(np.array(place, float) + vectors(turn)[2] * step * k), turn


def slices(o):
    """Of each frame: values, position or None, orientation or None, spacing between rows and columns."""
    pixels = o.pixel_array.reshape(-1, o.Rows, o.Columns).astype(np.float64)
    padding = o.get("PixelPaddingValue")
    for n, stored in enumerate(pixels):
        if "PerFrameFunctionalGroupsSequence" in o:
            group = frame_groups(o, n)
            change = group("PixelValueTransformationSequence")
            place = group("PlanePositionSequence").get("ImagePositionPatient")
            turn = group("PlaneOrientationSequence").get("ImageOrientationPatient")
            spacing = group("PixelMeasuresSequence").get("PixelSpacing")
        else:
            change, spacing = o, o.get("PixelSpacing")
            place, turn = o.get("ImagePositionPatient"), o.get("ImageOrientationPatient")
        slope, intercept = float(change.get("RescaleSlope", 1)), float(change.get("RescaleIntercept", 0))
        if o.Modality == "NM" and place is None and o.get("DetectorInformationSequence"):
            place, turn = nm_place(o, n)
        if o.Modality == "RTDOSE":
            slope, intercept = float(o.DoseGridScaling), 0.0
        scaled = stored * slope + intercept
        if o.Modality == "PT":
            scaled = bq_per_ml(o, n, stored)
        if o.Modality == "CT" and padding is not None:
            scaled[stored == padding] = np.nan
        if o.Modality == "NM" and o.get("RealWorldValueMappingSequence"):
            mapping = o.RealWorldValueMappingSequence[0]
            if mapping.MeasurementUnitsCodeSequence[0].CodeValue.lower() == "bq/ml":
                scaled = stored * float(mapping.RealWorldValueSlope) + float(mapping.RealWorldValueIntercept)
        yield scaled, place, turn, spacing


def by_pydicom(checks, what, line):
    """Compares a series with what pydicom has of its files."""
    read = [pydicom.dcmread(f, force=True) for f in line["series"]["files"]]
    for o in read:
        if not getattr(o, "file_meta", None) or "TransferSyntaxUID" not in o.file_meta:
            o.file_meta = o.file_meta if "file_meta" in o else pydicom.dataset.FileMetaDataset()
            implicit = o.original_encoding[0]
            o.file_meta.TransferSyntaxUID = (
                pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
            )
    theirs = [s for o in read for s in slices(o)]
    data, affine = line["data"], np.array(line["values"]["affine"])
    first = read[0]
    hu = line["values"]["unit"] == "HU"
    tolerance = max(LOSSY.get(str(o.file_meta.TransferSyntaxUID), 0) for o in read)
    slope = abs(float(first.get("RescaleSlope", 1)))
    if theirs[0][1] is not None and first.Modality != "RTDOSE":
        normal = vectors(theirs[0][2])[2]
        # One instance may be there twice.
        heights = {round(float(np.dot(np.array(s[1], float), normal)), 3): s for s in theirs}
        # Ours run along the third axis, which may be against the normal.
        against = bool(np.dot(np.array(line["values"]["affine"])[:, 2], normal) < 0)
        theirs = [heights[h] for h in sorted(heights, reverse=against)]
    if not checks.that(len(theirs) == len(data), f"{what} slices", f"{len(theirs)} against our {len(data)}"):
        return
    worst = 0.0
    for (scaled, *_), own in zip(theirs, data):
        own = own.astype(np.float64)
        padded = np.isnan(scaled)
        # Of a single slice the values are as stored, padding and all.
        if hu:
            worst = max(worst, np.abs(own[padded] - AIR).max(initial=0))
            scaled = np.clip(half_away(scaled), -32768, 32767)
        scaled = scaled.astype(np.float32).astype(np.float64)
        worst = max(worst, np.abs(own[~padded] - scaled[~padded]).max(initial=0))
    allowed = tolerance * slope
    checks.that(worst <= allowed, f"{what} values", f"differ by up to {worst}, allowed {allowed}")
    if not line["values"]["placed"]:
        return
    if first.Modality == "RTDOSE":
        row, column, normal = vectors(first.ImageOrientationPatient)
        offsets = [float(x) for x in first.get("GridFrameOffsetVector", [0])]
        base = np.array(first.ImagePositionPatient, float)
        places = [base + normal * (x - offsets[0]) for x in offsets]
    else:
        places = [np.array(s[1], float) for s in theirs]
    turn = first.ImageOrientationPatient if first.Modality == "RTDOSE" else theirs[0][2]
    row, column, _ = vectors(turn)
    between_rows, between_columns = map(float, first.PixelSpacing if first.Modality == "RTDOSE" else theirs[0][3])
    rows, columns = data.shape[1:]
    gap = 0.0
    for k, place in enumerate(places):
        for i, j in [(0, 0), (columns - 1, 0), (0, rows - 1), (columns - 1, rows - 1)]:
            world = place + row * between_columns * i + column * between_rows * j
            gap = max(gap, np.abs(affine @ [i, j, k, 1] - world).max())
    # Slices that a scanner places unevenly by some hundredths of a millimetre lie on an even grid.
    heights = [p @ vectors(turn)[2] for p in places]
    steps = np.diff(heights) if len(heights) > 1 else np.zeros(1)
    uneven = np.abs(np.array(heights) - np.linspace(heights[0], heights[-1], len(heights))).max()
    checks.that(gap <= MM + 1.5 * uneven, f"{what} place",
                f"off by {gap:.4f} mm, slices uneven by {uneven:.4f} mm, steps {steps.min():.3f} to {steps.max():.3f}")


def half_away(values):
    """CT numbers are whole: halves go away from zero."""
    return np.copysign(np.floor(np.abs(values) + 0.5), values)


def by_simpleitk(checks, what, line):
    """ITK sorts the files itself; it keeps copies, and knows no factor of Philips."""
    if any("copy of" in n or "Philips" in n for n in line["values"]["notes"]):
        return
    files = line["series"]["files"]
    folder, uid = str(Path(files[0]).parent), line["series"]["series_uid"]
    try:
        sorted_files = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(folder, uid)
        image = SimpleITK.ReadImage(sorted_files, SimpleITK.sitkFloat64)
    except RuntimeError:
        return
    if len(sorted_files) != len(files):
        return
    affine = np.array(line["values"]["affine"])
    data = line["data"].astype(np.float64)
    size = image.GetSize()
    if not checks.that(tuple(size) == data.shape[::-1], f"{what} size in ITK", str(size)):
        return
    gap = 0.0
    for index in [(0, 0, 0), tuple(n - 1 for n in size), (size[0] - 1, 0, 0)]:
        world = np.array(image.TransformIndexToPhysicalPoint(index))
        gap = max(gap, np.abs(affine @ [*index, 1] - world).max())
    checks.that(gap <= 0.02, f"{what} place in ITK", f"off by {gap:.4f} mm")
    theirs = SimpleITK.GetArrayFromImage(image)
    if line["values"]["unit"] == "HU":
        padding = pydicom.dcmread(files[0], stop_before_pixels=True, force=True).get("PixelPaddingValue")
        if padding is not None:
            return
        theirs = half_away(theirs)
    apart = np.abs(data - theirs.astype(np.float32)).max()
    # ITK multiplies in 32 bits where slopes differ from slice to slice.
    checks.that(apart <= 1e-6 * np.abs(theirs).max(), f"{what} values in ITK", f"differ by {apart}")


def by_nibabel(checks, what, line):
    path = line["series"]["files"][0]
    image = nibabel.load(path)
    theirs = np.asarray(image.dataobj, dtype=np.float64)
    theirs = theirs.reshape([n for n in theirs.shape[:3]] + [1] * (3 - theirs.ndim))
    data = line["data"].transpose(2, 1, 0)
    if not checks.that(theirs.shape == data.shape, f"{what} shape", f"{theirs.shape} {data.shape}"):
        return
    same = np.array_equal(theirs.astype(np.float32), data, equal_nan=True)
    checks.that(same, f"{what} values", f"differ by {np.nanmax(np.abs(theirs - data), initial=0)}")
    if line["values"]["placed"]:
        unit = {"meter": 1000.0, "micron": 1e-3}.get(image.header.get_xyzt_units()[0], 1.0)
        affine = np.diag([-1, -1, 1]) @ image.affine[:3] * unit
        gap = np.abs(affine - np.array(line["values"]["affine"])).max()
        checks.that(gap <= MM, f"{what} place", f"off by {gap} mm")


def opens(files):
    """Whether pydicom or nibabel gets grey values out of a file."""
    try:
        if Path(files[0]).name.endswith((".nii", ".nii.gz", ".hdr")):
            nibabel.load(files[0]).dataobj[...]
            return True
        o = pydicom.dcmread(files[0], force=True)
        return o.pixel_array.size > 0 and o.get("SamplesPerPixel", 1) == 1 and o.get("Modality") not in ("SEG",)
    except Exception:
        return False


def compare(checks, values, path, shown, *more, expect=None):
    """`expect`: words of the refusal that must come, or None for what other readers say."""
    for line in ours(values, path, *more):
        series = line.get("series")
        files = series["files"] if series else [str(path)]
        name = Path(files[0]).name
        what = f"{shown}/{name}" if Path(path).is_dir() else shown
        if len(files) > 1:
            what += f" and {len(files) - 1} more"
        if "refused" in line:
            said = line["refused"]
            checks.refused.append((what, said))
            checks.that(said.count(";") >= 1 or " expected " in said, f"{what} refused in a sentence", said)
            words = expect or next((w for part, w in REFUSED if part in f"{shown}/{name}"), None)
            if words:
                checks.that(words in said, f"{what} refused because", said)
            else:
                checks.that(not opens(files), f"{what} opens elsewhere", said)
            continue
        if not checks.that(expect is None, f"{what} is read", f"expected a refusal: {expect}"):
            continue
        if more:
            # Interpolated: the notes must say so.
            checks.that("interpolated" in " ".join(line["values"]["notes"]), f"{what} says so")
            continue
        if series["role"] == "nifti":
            by_nibabel(checks, what, line)
            continue
        try:
            by_pydicom(checks, what, line)
        except Exception as e:
            checks.that(False, f"{what} in pydicom", repr(e)[:300])
            continue
        if len(files) > 1:
            by_simpleitk(checks, what, line)


def main(data, values, parts):
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        # Folders of a series are looked at as folders; files of the others one by one.
        places = [(p, p.stem) for p in unpack(data, Path(folder))]
        places += [(p, p.name) for p in sorted(data.iterdir()) if p.is_dir()]
        for place, shown in places:
            if parts and shown not in parts:
                continue
            if not any(p.is_file() for p in place.rglob("*")):
                continue
            one_by_one = "variants" in shown or shown in ("ct1_transfer_syntaxes", "dcmqi_small_volumes")
            if one_by_one:
                for file in sorted(p for p in place.rglob("*") if p.is_file() and p.suffix != ".zip"):
                    compare(checks, values, file, f"{shown}/{file.relative_to(place)}")
            else:
                for sub in sorted({p.parent for p in place.rglob("*") if p.is_file() and p.suffix != ".zip"}):
                    compare(checks, values, sub, f"{shown}/{sub.relative_to(place)}".removesuffix("/."))
    print("refused:")
    for what, said in checks.refused:
        print(f"        {what}: {said.replace(str(folder), '')}")
    print(f"images: {checks.passed} passed, {checks.failed} failed, {len(checks.refused)} refused")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    data = Path(sys.argv[1])
    if not data.is_dir():
        print(f"skipped: {data} is not there")
        sys.exit(0)
    root = Path(__file__).resolve().parents[2]
    default = root / "target/debug/examples/values"
    program = Path(sys.argv[2]) if len(sys.argv) > 2 else default
    sys.exit(main(data, program, sys.argv[3:]))
