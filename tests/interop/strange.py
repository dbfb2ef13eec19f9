"""Small images that pydicom and nibabel write, each with something that hospitals send: strange.py [VALUES].

Every file or series is read by the example `values` and compared as images.py does, or must be refused
in the words given here.
"""

import copy
import gzip
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    generate_uid,
)

import images

RANDOM = np.random.default_rng(7)
CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "OT": "1.2.840.10008.5.1.4.1.1.7",
    "DOC": "1.2.840.10008.5.1.4.1.1.104.1",
    "ECT": "1.2.840.10008.5.1.4.1.1.2.1",
    "EPT": "1.2.840.10008.5.1.4.1.1.130",
}
FRAME, STUDY = generate_uid(entropy_srcs=["frame"]), generate_uid(entropy_srcs=["study"])
AXIAL = [1, 0, 0, 0, 1, 0]


def item(**elements):
    o = Dataset()
    for name, value in elements.items():
        setattr(o, name, value)
    return o


def object_of(kind, series="a", syntax=ExplicitVRLittleEndian):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CLASSES[kind]
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    o = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    o.SOPClassUID, o.SOPInstanceUID = CLASSES[kind], meta.MediaStorageSOPInstanceUID
    o.Modality = kind[-2:] if kind.startswith("E") else kind
    o.PatientID, o.PatientName = "P1", "Doe^Jane"
    o.StudyInstanceUID = STUDY
    o.SeriesInstanceUID = generate_uid(entropy_srcs=["series", series])
    o.FrameOfReferenceUID = FRAME
    return o


def pixels(o, data, signed=False, bits=None):
    """Frames, rows, columns of whole numbers."""
    data = np.asarray(data)
    o.SamplesPerPixel, o.PhotometricInterpretation = 1, "MONOCHROME2"
    o.Rows, o.Columns = data.shape[-2:]
    if data.ndim == 3:
        o.NumberOfFrames = len(data)
    o.BitsAllocated = data.dtype.itemsize * 8
    o.BitsStored = bits or o.BitsAllocated
    o.HighBit = o.BitsStored - 1
    o.PixelRepresentation = int(signed)
    o.PixelData = data.astype(data.dtype.newbyteorder("<")).tobytes()
    if len(o.PixelData) % 2:
        o.PixelData += b"\0"
    o["PixelData"].VR = "OB" if o.BitsAllocated == 8 else "OW"


def slice_of(kind, place, turn=AXIAL, size=(9, 12), mm=(0.7, 1.1), data=None, **more):
    o = object_of(kind, more.pop("series", "a"))
    o.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    o.ImagePositionPatient, o.ImageOrientationPatient = [f"{x:.6g}" for x in place], turn
    o.PixelSpacing, o.SliceThickness = list(mm), 2.5
    o.RescaleSlope, o.RescaleIntercept = 1, 0
    if data is None:
        data = RANDOM.integers(-1000, 2000, size).astype(np.int16)
    pixels(o, data, signed=data.dtype.kind == "i")
    if kind == "PT":
        o.Units, o.DecayCorrection = "BQML", "START"
    for name, value in more.items():
        setattr(o, name, value)
    return o


def stack(kind="CT", count=5, turn=AXIAL, step=2.5, **more):
    """Slices along the normal of their orientation."""
    row, column = np.array(turn, float).reshape(2, 3)
    normal, start = np.cross(row, column), np.array([-13.5, 7.25, 101.0])
    return [slice_of(kind, start + normal * step * k, turn=list(turn), **more) for k in range(count)]


def save(folder, objects):
    folder.mkdir(parents=True, exist_ok=True)
    for n, o in enumerate(objects):
        syntax = o.file_meta.TransferSyntaxUID
        plain = {"enforce_file_format": True}
        if syntax == ExplicitVRBigEndian:
            # Which pydicom writes when forced, and then without a length of the meta group.
            plain = {"implicit_vr": False, "little_endian": False, "force_encoding": True}
        o.file_meta.FileMetaInformationVersion = b"\0\1"
        o.file_meta.ImplementationClassUID = "1.2.3"
        pydicom.dcmwrite(folder / f"{n:02}.dcm", o, **plain)
    return folder


def turned(*angles):
    """Direction cosines of a row and a column after turns about x, y and z."""
    m = np.eye(3)
    for axis, angle in enumerate(np.radians(angles)):
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        r = np.eye(3)
        r[i, i] = r[j, j] = np.cos(angle)
        r[i, j], r[j, i] = -np.sin(angle), np.sin(angle)
        m = r @ m
    return [round(float(x), 9) for x in [*m[:, 0], *m[:, 1]]]


def encoded(objects, syntax):
    """The same objects in another plain transfer syntax."""
    for o in objects:
        o.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            word = o.BitsAllocated // 8
            o.PixelData = np.frombuffer(o.PixelData, f"<u{word}").astype(f">u{word}").tobytes()
    return objects


def compressed(objects, syntax, **how):
    for o in objects:
        o.compress(syntax, **how)
    return objects


def without(objects, *names):
    for o in objects:
        for name in names:
            del o[name]
    return objects


def enhanced(kind, count=4, unit=None, mapping=None):
    """Frames of one file, in an order of their own, slopes that differ."""
    o = object_of(kind)
    kinds = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    o.ImageType = kinds
    pixels(o, RANDOM.integers(0, 4000, (count, 9, 12)).astype(np.uint16), bits=12)
    frames = []
    for n in RANDOM.permutation(count):
        frame = Dataset()
        frame.PlanePositionSequence = Sequence([item(ImagePositionPatient=[-10, 5, float(3 * n)])])
        change = item(RescaleSlope=1.0 if kind == "ECT" else 0.5 + n, RescaleIntercept=-1024 if kind == "ECT" else 0)
        change.RescaleType = "HU" if kind == "ECT" else unit or "US"
        frame.PixelValueTransformationSequence = Sequence([change])
        name = "CTImageFrameTypeSequence" if kind == "ECT" else "PETFrameTypeSequence"
        setattr(frame, name, Sequence([item(FrameType=kinds)]))
        if mapping:
            code = item(CodeValue=mapping, CodingSchemeDesignator="UCUM", CodeMeaning=mapping)
            frame.RealWorldValueMappingSequence = Sequence([
                item(RealWorldValueSlope=0.25 + n, RealWorldValueIntercept=0.0,
                     MeasurementUnitsCodeSequence=Sequence([code]))])
        frames.append(frame)
    o.PerFrameFunctionalGroupsSequence = Sequence(frames)
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([item(PixelSpacing=[0.7, 1.1], SliceThickness=3)])
    shared.PlaneOrientationSequence = Sequence([item(ImageOrientationPatient=AXIAL)])
    o.SharedFunctionalGroupsSequence = Sequence([shared])
    return o


def tomo(count=4, step=4.0, turn=AXIAL, kinds=("ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"), **more):
    o = object_of("NM")
    o.ImageType = list(kinds)
    pixels(o, RANDOM.integers(0, 60000, (count, 9, 12)).astype(np.uint16))
    o.PixelSpacing, o.SpacingBetweenSlices, o.SliceThickness = [4.0, 5.0], step, abs(step)
    o.DetectorInformationSequence = Sequence([
        item(ImagePositionPatient=[-10, 5, 30], ImageOrientationPatient=list(turn))])
    o.FrameIncrementPointer = 0x00540080
    o.SliceVector = list(range(1, count + 1))
    for name, value in more.items():
        setattr(o, name, value)
    return o


def philips(objects):
    for o in objects:
        o.Units = "CNTS"
        block = o.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.0007")
        block.add_new(0x09, "DS", "1.75")
    return objects


def private(objects):
    """What GE and Siemens leave behind, and a sequence of unknown VR whose length is not said."""
    for o in objects:
        block = o.private_block(0x0009, "GEMS_IDEN_01", create=True)
        block.add_new(0x01, "LO", "GE_GENESIS_FF")
        block = o.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", bytes(RANDOM.integers(0, 256, 700).astype(np.uint8)))
    return objects


def unknown_sequence(path):
    """Puts a UN sequence of undefined length in implicit VR before the pixels of a plain file."""
    data = path.read_bytes()
    at = data.rindex(b"\xe0\x7f\x10\x00OW")
    inner = b"\x08\0\x60\0\x02\0\0\0CT\x10\0\x10\0\x04\0\0\0Doe "
    item_ = b"\xfe\xff\0\xe0\xff\xff\xff\xff" + inner + b"\xfe\xff\x0d\xe0\0\0\0\0"
    un = b"\x53\x75\x0c\x10UN\0\0\xff\xff\xff\xff" + item_ + b"\xfe\xff\xdd\xe0\0\0\0\0"
    owner = b"\x53\x75\x10\0LO\x06\0NOBODY"
    path.write_bytes(data[:at] + owner + un + data[at:])


def dicom(home):
    """Name, folder or file, words of a refusal or None, further arguments."""
    yield "plain", save(home / "plain", stack()), None
    yield "files in reverse", save(home / "reverse", stack()[::-1]), None
    yield "descending z", save(home / "descending", stack(step=-2.5)), None
    sagittal, coronal = [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1]
    yield "sagittal", save(home / "sagittal", stack(turn=sagittal)), None
    yield "coronal", save(home / "coronal", stack(turn=coronal)), None
    yield "feet first prone", save(home / "prone", stack(turn=[-1, 0, 0, 0, 1, 0])), None
    yield "oblique", save(home / "oblique", stack(turn=turned(12, -7, 31))), None
    yield "square pixels in a frame that is not", save(home / "frame", stack(mm=(0.9, 0.9))), None
    yield "square frame, other pixels", save(home / "square", stack(size=(12, 12), mm=(0.6, 1.3))), None
    yield "implicit", save(home / "implicit", encoded(stack(), ImplicitVRLittleEndian)), None
    yield "big endian", save(home / "big", encoded(stack(), ExplicitVRBigEndian)), None
    yield "deflated", save(home / "deflated", encoded(stack(), DeflatedExplicitVRLittleEndian)), None
    yield "run lengths", save(home / "rle", compressed(stack(), RLELossless)), None
    yield "JPEG-LS", save(home / "jls", compressed(stack(), JPEGLSLossless)), None
    near = compressed(stack(), JPEGLSNearLossless, jls_error=3)
    yield "JPEG-LS near", save(home / "near", near), None
    yield "JPEG 2000", save(home / "j2k", compressed(stack(size=(72, 84)), JPEG2000Lossless)), None
    for name, syntax in [("implicit", ImplicitVRLittleEndian), ("explicit", ExplicitVRLittleEndian)]:
        folder = save(home / f"bare {name}", encoded(stack(), syntax))
        for path in folder.iterdir():
            o = pydicom.dcmread(path)
            whole = path.read_bytes()
            # Everything before the data set is lost.
            path.write_bytes(whole[132 + 12 + o.file_meta.FileMetaInformationGroupLength:])
        yield f"bare data set, {name}", folder, None
    folder = save(home / "no preamble", stack())
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    yield "meta group without preamble", folder, None
    yield "private elements", save(home / "private", private(stack())), None
    folder = save(home / "unknown", private(stack()))
    for path in folder.iterdir():
        unknown_sequence(path)
    yield "unknown sequence", folder, None
    twelve = [slice_of("CT", (0, 0, 3 * k), data=RANDOM.integers(0, 4096, (9, 12)).astype(np.uint16),
                       BitsStored=12, HighBit=11, RescaleIntercept=-1024) for k in range(4)]
    for o in twelve:
        # An overlay of old in the bits that do not count.
        words = np.frombuffer(o.PixelData, "<u2") | 0x8000
        o.PixelData = words.tobytes()
    folder = save(home / "twelve", twelve)
    for o in twelve:
        o.PixelData = (np.frombuffer(o.PixelData, "<u2") & 0x0FFF).tobytes()
    clean = save(home / "twelve clean", twelve)
    yield "twelve bits", clean, None
    yield "twelve bits under an overlay", folder, "overlay"
    eight = [slice_of("CT", (0, 0, 3 * k), data=RANDOM.integers(0, 256, (9, 13)).astype(np.uint8),
                      RescaleSlope=4, RescaleIntercept=-1000) for k in range(4)]
    yield "eight bits", save(home / "eight", eight), None
    yield "half a HU", save(home / "half", stack(RescaleSlope=0.5, RescaleIntercept=-1024)), None
    slopes = stack()
    for n, o in enumerate(slopes):
        o.RescaleSlope = 1 + n
    yield "a slope a slice", save(home / "slopes", slopes), None
    padded = [slice_of("CT", (0, 0, 3 * k), PixelPaddingValue=-2000) for k in range(4)]
    for o in padded:
        data = np.frombuffer(o.PixelData, "<i2").copy()
        data[::7] = -2000
        o.PixelData = data.tobytes()
        o["PixelPaddingValue"].VR = "SS"
    yield "padding", save(home / "padding", padded), None
    yield "a wrong slope", save(home / "wrong slope", bad_slope(stack())), "RescaleSlope"
    missing = stack(count=7)
    del missing[3]
    yield "a missing slice", save(home / "missing", missing), "1 slice(s) missing between"
    yield "a missing slice, filled", home / "missing", None, "resample"
    tilted = [slice_of("CT", (0, 0.6 * k, 2.5 * k)) for k in range(6)]
    yield "gantry tilt", save(home / "tilt", tilted), "tilted by 13.5 degrees"
    yield "gantry tilt, resampled", home / "tilt", None, "resample"
    twice = stack()
    yield "the same slice twice", save(home / "twice", [*twice, copy.deepcopy(twice[2])]), None
    two = stack()
    other = slice_of("CT", [float(x) for x in two[2].ImagePositionPatient])
    yield "two slices at a place", save(home / "two", [*two, other]), "lie at the same place"
    yield "two series", save(home / "series", stack() + stack(series="b", mm=(1, 2))), None
    patients = stack()
    patients[3].PatientID = "P2"
    yield "two patients in a series", save(home / "patients", patients), "Patient ID"
    sizes = [*stack(count=4), slice_of("CT", (-13.5, 7.25, 111), size=(8, 12))]
    yield "slices of two sizes", save(home / "sizes", sizes), "another size or pixel spacing"
    scout = [*stack(count=4), slice_of("CT", (0, 0, 0), turn=[1, 0, 0, 0, 0, -1])]
    yield "a scout in the series", save(home / "scout", scout), "another orientation"
    yield "one slice", save(home / "one", stack(count=1)), None
    yield "magnetic resonance", save(home / "mr", stack("MR", data=None)), None
    yield "no position", save(home / "nowhere", without(stack(), "ImagePositionPatient")), "ImagePositionPatient"
    huge = stack(count=1)[0]
    huge.Rows = huge.Columns = 65535
    yield "more pixels than bytes", save(home / "huge", [huge]), "65535 x 65535 pixels"
    frames = tomo(count=2)
    frames.NumberOfFrames = 2_000_000_000
    yield "a claim of 400 GB", save(home / "claim", [frames]), "2000000000 frames"
    half = save(home / "half a file", stack(count=3))
    path = half / "01.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    yield "a slice cut off", path, "cut off"

    rgb = object_of("OT")
    pixels(rgb, RANDOM.integers(0, 256, (9, 12)).astype(np.uint8))
    rgb.SamplesPerPixel, rgb.PhotometricInterpretation, rgb.PlanarConfiguration = 3, "RGB", 0
    rgb.PixelData = bytes(RANDOM.integers(0, 256, 9 * 12 * 3).astype(np.uint8))
    yield "a colour picture", save(home / "rgb", [rgb]), "SamplesPerPixel"
    palette = object_of("OT")
    pixels(palette, RANDOM.integers(0, 256, (9, 12)).astype(np.uint8))
    palette.PhotometricInterpretation = "PALETTE COLOR"
    yield "a palette", save(home / "palette", [palette]), "PhotometricInterpretation"
    pdf = object_of("DOC")
    pdf.Modality, pdf.MIMETypeOfEncapsulatedDocument = "DOC", "application/pdf"
    pdf.EncapsulatedDocument = b"%PDF-1.4\n%%EOF\n\0"
    yield "a PDF", save(home / "pdf", [pdf]), "without pixels"

    pet = lambda **more: stack("PT", data=None, **more)  # noqa: E731
    for correction in ["START", "ADMIN", "NONE"]:
        yield f"PET, decay {correction}", save(home / f"pet {correction}", pet(DecayCorrection=correction)), None
    slopes = pet()
    for n, o in enumerate(slopes):
        o.RescaleSlope = f"{0.123456 * (n + 1):.6g}"
    yield "PET, a slope a slice", save(home / "pet slopes", slopes), None
    yield "PET in counts", save(home / "pet counts", pet(Units="CNTS")), "BQML"
    yield "PET in SUV", save(home / "pet suv", pet(Units="GML")), "BQML"
    yield "PET in counts by Philips", save(home / "pet philips", philips(pet())), None
    implicit = encoded(philips(pet()), ImplicitVRLittleEndian)
    yield "PET in counts by Philips, implicit", save(home / "pet philips 2", implicit), None
    yield "PET, oblique", save(home / "pet oblique", pet(turn=turned(5, 9, -3))), None

    yield "enhanced CT", save(home / "ect", [enhanced("ECT")]), None
    yield "enhanced PET by its mapping", save(home / "ept", [enhanced("EPT", mapping="Bq/ml")]), None
    yield "enhanced PET by its slope", save(home / "ept2", [enhanced("EPT", unit="BQML")]), None
    yield "enhanced PET in SUV", save(home / "ept3", [enhanced("EPT", mapping="{SUVbw}g/ml")]), "Bq/mL"
    yield "enhanced PET in run lengths", save(home / "ept4", compressed([enhanced("EPT", unit="BQML")], RLELossless)), None

    yield "SPECT", save(home / "nm", [tomo()]), None
    yield "SPECT against its normal", save(home / "nm neg", [tomo(step=-4.0)]), None
    yield "SPECT, oblique", save(home / "nm oblique", [tomo(turn=turned(3, 4, 5))]), None
    yield "SPECT, big endian", save(home / "nm big", encoded([tomo()], ExplicitVRBigEndian)), None
    yield "SPECT in run lengths", save(home / "nm rle", compressed([tomo()], RLELossless)), None
    shuffled = tomo(SliceVector=[3, 1, 4, 2])
    yield "SPECT, slices in their own order", save(home / "nm order", [shuffled]), None
    windows = tomo(EnergyWindowVector=[1, 1, 2, 2], SliceVector=[1, 2, 1, 2])
    windows.FrameIncrementPointer = [0x00540010, 0x00540080]
    yield "SPECT of two windows", save(home / "nm windows", [windows]), "one energy window"
    gated = tomo(kinds=("ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"),
                 TimeSlotVector=[1, 1, 2, 2], SliceVector=[1, 2, 1, 2])
    yield "gated SPECT", save(home / "nm gated", [gated]), "gated"
    flat = tomo(count=4, kinds=("ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"),
                EnergyWindowVector=[1, 1, 2, 2], DetectorVector=[1, 2, 1, 2])
    del flat.SpacingBetweenSlices, flat.SliceVector
    yield "whole body, two windows, two detectors", save(home / "nm body", [flat]), None


def bad_slope(objects):
    for o in objects:
        o["RescaleSlope"] = pydicom.DataElement(0x00281053, "DS", "1")
        o["RescaleSlope"]._value = "1,5"
    return objects


def nifti(home):
    home.mkdir(parents=True)
    affine = np.array([[-2.0, 0, 0, 30], [0, 3, 0, -40], [0, 0, 4, 50], [0, 0, 0, 1]])
    whole = RANDOM.integers(-100, 100, (5, 6, 7))

    def big(data, a):
        return nibabel.Nifti1Image(data, a, nibabel.Nifti1Header(endianness=">"))

    def put(name, data, a=affine, change=None, make=nibabel.Nifti1Image):
        # Numbers of 64 bits are written when asked for only.
        image = make(data, a, **({"dtype": data.dtype} if data.dtype.kind in "iu" and make != big else {}))
        if change:
            change(image)
        path = home / name
        nibabel.save(image, path)
        return path

    for kind in ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]:
        data = np.abs(whole) if kind.startswith("u") else whole
        yield kind, put(f"{kind}.nii.gz", data.astype(kind)), None
    real = whole * 0.37
    yield "a slope", put("slope.nii", real, change=lambda i: i.set_data_dtype(np.int16)), None

    def header(**fields):
        def change(image):
            for name, value in fields.items():
                image.header[name] = value
        return change

    path = put("slope zero.nii", whole.astype(np.int16))
    raw = bytearray(path.read_bytes())
    raw[112:116] = np.float32(0).tobytes()
    path.write_bytes(raw)
    yield "a slope of zero", path, None
    qform = lambda i: (i.set_sform(None, 0), i.set_qform(affine, 1))  # noqa: E731
    yield "qform alone", put("q.nii", real, change=qform), None
    left = affine @ np.diag([-1, 1, 1, 1])
    yield "qform, left-handed", put("ql.nii", real, left, lambda i: (i.set_sform(None, 0), i.set_qform(left, 1))), None
    sform = lambda i: (i.set_qform(None, 0), i.set_sform(affine, 2))  # noqa: E731
    yield "sform alone", put("s.nii", real, change=sform), None
    yield "left-handed", put("l.nii", real, left), None
    neither = lambda i: (i.set_sform(None, 0), i.set_qform(None, 0))  # noqa: E731
    yield "neither", put("n.nii", real, change=neither), None
    permuted = affine[:, [2, 0, 1, 3]]
    yield "sagittal", put("p.nii", real, permuted), None
    m = np.eye(4)
    m[:3, :3] = nibabel.eulerangles.euler2mat(0.3, -0.2, 0.1)
    yield "oblique", put("o.nii", real, m @ affine), None
    both = m @ affine
    yield "oblique qform", put("oq.nii", real, both, lambda i: (i.set_sform(None, 0), i.set_qform(both, 1))), None
    sheared = affine.copy()
    sheared[0, 1] = 0.5
    yield "sheared", put("sh.nii", real, sheared), "right angles"
    yield "NIfTI-2", put("two.nii", real, make=nibabel.Nifti2Image), None
    yield "big endian", put("big.nii", whole.astype(">i2"), make=big), None
    yield "a pair", put("pair.hdr", whole.astype(np.int16), make=nibabel.Nifti1Pair), None
    yield "one of four dimensions", put("four.nii", real[..., None]), None
    yield "two volumes", put("volumes.nii", np.stack([real, real], -1)), "one volume of three dimensions"
    yield "five dimensions", put("five.nii", real[..., None, None] * np.ones(3)), "one volume of three dimensions"
    hole = real.astype(np.float32)
    hole[0, 0] = np.nan
    yield "no numbers", put("nan.nii.gz", hole), None
    yield "complex numbers", put("c.nii", real.astype(np.complex64)), "datatype"
    yield "metres", put("m.nii", real, affine * 1e-3 + np.diag([0, 0, 0, 0.999]), lambda i: i.header.set_xyzt_units("meter")), None
    path = put("cut.nii.gz", real)
    path.write_bytes(path.read_bytes()[:-40])
    yield "gzip cut off", path, "cut off"
    path = home / "cut2.nii.gz"
    path.write_bytes(gzip.compress(nibabel.Nifti1Image(real, affine).to_bytes()[:-64]))
    yield "voxels cut off", path, "claims"
    raw = bytearray(nibabel.Nifti1Image(real, affine).to_bytes())
    raw[42:48] = np.array([30000, 30000, 60], "<i2").tobytes()
    path = home / "claim.nii"
    path.write_bytes(raw)
    yield "a claim of 400 GB", path, "voxels"


def main(values):
    checks = images.Checks()
    with tempfile.TemporaryDirectory() as home:
        for part in (dicom, nifti):
            for name, path, words, *more in part(Path(home) / part.__name__):
                if words == "overlay":
                    # pydicom takes overlay bits for pixels unless told; ours are those of the clean file.
                    clean = path.with_name("twelve clean")
                    pair = [[l["values"]["sha256"] for l in images.ours(values, p)] for p in (path, clean)]
                    checks.that(pair[0] == pair[1], name)
                    continue
                images.compare(checks, values, path, name, *more, expect=words)
    for what, said in checks.refused:
        print(f"        {what}: {said.split('/')[-1]}")
    print(f"strange: {checks.passed} passed, {checks.failed} failed, {len(checks.refused)} refused")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    default = root / "target/debug/examples/values"
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else default))
