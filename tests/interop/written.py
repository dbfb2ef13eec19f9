"""What other programs say of a plan's segments, contours, report and measures: written.py CASE OUT.

highdicom   the segmentation has the plan's structures; its voxels lie on those of the CT to 0.1 mm and have
            the volumes of plan.json; every frame refers to the slice it lies on; the structured report is one of
            TID 1500, its groups refer to the segments, its values are those of plan.json to 0.1 %
plastimatch the contours have the volume of the segments
SimpleITK   the dose lies and is as pydicom has it
dcmtk       dsrdump reads the report, dcm2pdf gives back report.pdf
"""

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import SimpleITK

from images import Checks

warnings.filterwarnings("ignore")
MM, RELATIVE = 0.1, 1e-3


def near(checks, what, theirs, ours, relative):
    print(f"        {what:58} {theirs:12.4f} {ours:12.4f}")
    checks.that(abs(theirs - ours) <= relative * abs(ours) + 1e-9, what, f"{theirs} for our {ours}")


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace")
    return done.returncode, done.stdout + done.stderr


def of_segments(checks, out, ct, plan):
    """Volumes in mL by segment label."""
    seg = highdicom.seg.segread(out / "dicom/segments.dcm")
    slices = {o.SOPInstanceUID: o for o in ct}
    first = ct[0]
    checks.that(seg.FrameOfReferenceUID == first.FrameOfReferenceUID, "segments: frame of reference")
    checks.that(seg.StudyInstanceUID == first.StudyInstanceUID, "segments: study")
    turn = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    checks.that(np.allclose(turn, first.ImageOrientationPatient), "segments: orientation of the CT")
    labels = {int(s.SegmentNumber): s.SegmentLabel for s in seg.SegmentSequence}
    for name in ["Liver", *(t["name"] for t in plan["liver"]["tumours"])]:
        checks.that(name in labels.values(), f"segments have {name}", str(labels))
    apart = 0.0
    for frame in seg.PerFrameFunctionalGroupsSequence:
        place = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        apart = max(apart, np.abs(place - np.array(slices[source].ImagePositionPatient, float)).max())
    checks.that(apart <= MM, "segments lie on the slices they name", f"off by {apart} mm")
    spacing = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    checks.that(np.allclose(spacing.PixelSpacing, first.PixelSpacing), "segments: pixels of the CT")
    checks.that((seg.Rows, seg.Columns) == (first.Rows, first.Columns), "segments: size of the CT")
    voxel = float(np.prod(spacing.PixelSpacing)) * float(spacing.SpacingBetweenSlices) / 1000
    stack = seg.get_pixels_by_source_instance([o.SOPInstanceUID for o in ct], combine_segments=False,
                                              ignore_spatial_locations=True,
                                              assert_missing_frames_are_empty=True)
    return {labels[n + 1]: float(stack[..., n].sum()) * voxel for n in range(stack.shape[-1])}


def of_measures(checks, out, plan):
    report = highdicom.sr.srread(out / "dicom/measures.dcm")
    seg = pydicom.dcmread(out / "dicom/segments.dcm", stop_before_pixels=True)
    content = highdicom.sr.MeasurementReport.from_sequence([report])
    groups = content.get_volumetric_roi_measurement_groups()
    found = {}
    for group in groups:
        referenced = group.referenced_segment
        checks.that(referenced.referenced_sop_instance_uid == seg.SOPInstanceUID,
                    f"measures of {group.tracking_identifier}: the segmentation")
        number = referenced.referenced_segment_numbers[0]
        label = next(s.SegmentLabel for s in seg.SegmentSequence if s.SegmentNumber == number)
        checks.that(group.tracking_identifier.lower() == label.lower(), f"measures of {label}: its segment",
                    group.tracking_identifier)
        values = {m.name.meaning: float(m.value) for m in group.get_measurements()}
        found.setdefault(group.tracking_identifier, []).append(values)
    dose = plan["cumulative"]["tumour_dose_gy"]
    for tumour in plan["liver"]["tumours"]:
        name = tumour["name"]
        values = found.get(name, [{}])[0]
        near(checks, f"measures: {name} volume mL", values.get("Volume", -1), tumour["volume_ml"], RELATIVE)
        near(checks, f"measures: {name} mean dose Gy", values.get("Mean absorbed dose", -1), dose[name], RELATIVE)
    values = found.get("liver", [{}])[0]
    near(checks, "measures: liver volume mL", values.get("Volume", -1), plan["liver"]["volume_ml"], RELATIVE)
    text = json.dumps(report.to_json_dict())
    checks.that(plan["decision"]["sentence"][:60] in text, "measures: the decision")
    near(checks, "measures: lungs", numbers_under(report, "lungs, all sessions")["Mean absorbed dose"],
         plan["cumulative"]["lung_dose_gy"], RELATIVE)
    for session in plan["sessions"]:
        near(checks, f"measures: session {session['id']} GBq",
             numbers_under(report, session["territory_name"])["Activity prescribed"],
             session["prescription"]["activity_gbq"], RELATIVE)


def numbers_under(report, tracked):
    """Values of the group of that tracking identifier, by pydicom alone."""
    measurements = next(c for c in report.ContentSequence if c.ConceptNameCodeSequence[0].CodeValue == "126010")
    for group in measurements.ContentSequence:
        if any(c.ValueType == "TEXT" and c.TextValue == tracked for c in group.ContentSequence):
            return {c.ConceptNameCodeSequence[0].CodeMeaning: float(c.MeasuredValueSequence[0].NumericValue)
                    for c in group.ContentSequence if c.ValueType == "NUM"}
    return {}


def of_contours(checks, case, out, volumes):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for command in (["--input", case / "ct", "--output-img", folder / "ct.mha"],
                        ["--input", out / "dicom/structures.dcm", "--fixed", folder / "ct.mha",
                         "--output-prefix", folder / "masks", "--prefix-format", "nii.gz"]):
            status, said = run("plastimatch", "convert", *command)
            checks.that(status == 0, "plastimatch convert", said[-300:])
        masks = {p.name.removesuffix(".nii.gz"): p for p in (folder / "masks").glob("*.nii.gz")}
        for name, ml in volumes.items():
            path = next((p for n, p in masks.items() if n == name.replace(" ", "_") or n == name), None)
            if not checks.that(path is not None, f"plastimatch finds {name}", ", ".join(masks)):
                continue
            mask = nibabel.load(path)
            theirs = np.count_nonzero(np.asarray(mask.dataobj)) * abs(np.linalg.det(mask.affine[:3, :3])) / 1000
            # A lesion of a few voxels across loses or gains a part of each at its edge.
            near(checks, f"plastimatch {name} mL", theirs, ml, 0.02 if ml > 20 else 0.12)


def of_dose(checks, out):
    path = out / "dose.dcm"
    o, image = pydicom.dcmread(path), SimpleITK.ReadImage(str(path), SimpleITK.sitkFloat64)
    apart = np.abs(np.array(image.GetOrigin()) - np.array(o.ImagePositionPatient, float)).max()
    checks.that(apart <= MM, "SimpleITK: place of the dose", f"off by {apart} mm")
    step = float(o.GridFrameOffsetVector[1]) - float(o.GridFrameOffsetVector[0])
    spacing = [*map(float, o.PixelSpacing[::-1]), step]
    checks.that(np.allclose(image.GetSpacing(), spacing, atol=1e-3), "SimpleITK: spacing of the dose",
                f"{image.GetSpacing()} {spacing}")
    # It leaves the scaling to whoever reads a dose.
    theirs = SimpleITK.GetArrayFromImage(image) * float(o.DoseGridScaling)
    ours = o.pixel_array * float(o.DoseGridScaling)
    near(checks, "SimpleITK: highest dose Gy", theirs.max(), ours.max(), RELATIVE)
    near(checks, "SimpleITK: dose of all voxels Gy", theirs.sum(), ours.sum(), RELATIVE)


def main(case, out):
    checks = Checks()
    plan = json.loads((out / "plan.json").read_text())
    ct = [pydicom.dcmread(p, stop_before_pixels=True) for p in (case / "ct").iterdir()]
    ct.sort(key=lambda o: float(o.ImagePositionPatient[2]))
    volumes = of_segments(checks, out, ct, plan)
    ours = {t["name"]: t["volume_ml"] for t in plan["liver"]["tumours"]}
    cold = {c["name"] for s in plan["sessions"] for c in s["compartments"] if c["role"] == "cold"}
    for name, ml in ours.items():
        # A cold part is a segment of its own, and in the drawn tumour.
        if not any(name in other for other in cold):
            near(checks, f"highdicom {name} mL", volumes[name], ml, 0.02 if ml > 20 else 0.08)
    of_measures(checks, out, plan)
    of_contours(checks, case, out, volumes)
    of_dose(checks, out)
    status, said = run("dsrdump", out / "dicom/measures.dcm")
    checks.that(status == 0 and "Imaging Measurement Report" in said, "dsrdump", said[-300:])
    with tempfile.TemporaryDirectory() as folder:
        pdf = Path(folder) / "report.pdf"
        status, said = run("dcm2pdf", out / "dicom/report.dcm", pdf)
        same = status == 0 and pdf.read_bytes().startswith((out / "report.pdf").read_bytes())
        checks.that(same, "dcm2pdf", said[-300:])
    print(f"written: {checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
