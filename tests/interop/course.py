"""What other programs say of a course and its protocols in the forms of other systems: course.py FOLDER.

fhir.resources  every FHIR file is lawful R4 (its R4B models, which are R4 for what is used here), and
                is the same when written again
fhir (npm)      every FHIR file is lawful R4; its warnings too
usdm4           every USDM file keeps the rules of USDM v4, and can be loaded
CORE            the same by CDISC's own engine, of the longest protocol, if CDISC_CORE names a checkout of it with its caches
                (and CDISC_CORE_PYTHON a Python that has its packages)
icalendar       every calendar can be read without an error
recurring-ical-events
                three cycles are 42 days of capecitabine and 15 of temozolomide

Every client must also refuse what is spoiled on purpose: a check that cannot fail is none. What
they complain of and we leave so is in course-known.txt, with the reason; an entry that no longer
occurs is a failure, so that the list can only shrink.
"""

import copy
import datetime
import json
import os
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

import icalendar
import recurring_ical_events
from fhir.resources.R4B import get_fhir_model_class
from simple_error_log.errors import Errors
from usdm4 import USDM4

HERE = Path(__file__).parent
# Where `install` puts the npm package.
NODE = HERE.parent.parent / "target" / "interop-course" / "node"
FIRST_DAY, CYCLE_DAYS, CYCLES = datetime.date(2026, 12, 2), 28, 3


class Checks:
    """Counts what passed, says what did not, and keeps the list of known differences honest."""

    def __init__(self, known):
        self.passed = self.failed = 0
        self.clients = set()
        # client, rule, file -> seen
        self.known = {}
        for line in known.read_text().splitlines():
            line = line.partition("#")[0].split()
            if line:
                self.known[tuple(line)] = False

    def that(self, good, what, why=""):
        if good:
            self.passed += 1
            print(f"passed  {what}")
        else:
            self.failed += 1
            print(f"FAILED  {what}{': ' if why else ''}{why}")

    def complaints(self, client, name, found):
        """`found` is rule -> what was said; known ones are noted."""
        self.clients.add(client)
        fresh = {}
        for rule, said in found.items():
            entries = [k for k in self.known if k[:2] == (client, rule) and fnmatch(name, k[2])]
            for entry in entries:
                self.known[entry] = True
            if not entries:
                fresh[rule] = said
        known = len(found) - len(fresh)
        why = "; ".join(f"{rule} {said}"[:300] for rule, said in fresh.items())
        self.that(not fresh, f"{client} {name}" + (f" ({known} known)" if known else ""), why)

    def refuses(self, what, found):
        self.that(bool(found), f"{what} is refused", "nobody noticed")

    def close(self):
        for (client, rule, files), seen in self.known.items():
            if client in self.clients and not seen:
                self.that(False, f"known difference {client} {rule} {files}", "it no longer occurs: take it out")
        known = sum(self.known.values())
        print(f"{self.passed} passed, {self.failed} failed, {known} known differences")
        return self.failed == 0


# ---- FHIR ----------------------------------------------------------------------------------------


def by_fhir_resources(resource):
    """What fhir.resources finds wrong."""
    try:
        model = get_fhir_model_class(resource["resourceType"])
        read = model.model_validate(copy.deepcopy(resource))
        again = json.loads(read.model_dump_json())
    except Exception as e:  # whatever it says is a complaint
        return {"read": " ".join(str(e).split())}
    # Times are written in another way; everything else is the same.
    return {} if keys(again) == keys(resource) else {"round-trip": "other fields when written again"}


def keys(value, path=""):
    if isinstance(value, dict):
        return {p for k, v in value.items() for p in keys(v, f"{path}.{k}")} | {path}
    if isinstance(value, list):
        return {p for v in value for p in keys(v, path)} | {path}
    return {path}


def by_npm(resource):
    """What the npm package finds wrong, warnings too; codes it does not have are one rule."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(resource, file)
        file.flush()
        run = subprocess.run(["node", HERE / "fhir.js", NODE, file.name], capture_output=True, text=True)
    if run.returncode:
        return {"run": run.stderr.strip()[-300:]}
    found = {}
    for message in json.loads(run.stdout):
        if message["severity"] == "info":
            continue
        text = message["message"]
        rule = "unknown-code" if "not found in value set" in text else message["severity"]
        if rule == "unknown-code":
            rule += ":" + text.partition("(")[2].partition(")")[0] if "(" in text else ":" + text.split('"')[1]
        found[rule] = f"{message['location']} {text}"
    return found


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for v in value.values():
            yield from references(v)
    elif isinstance(value, list):
        for v in value:
            yield from references(v)


def dangling(bundle):
    here = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle["entry"]}
    return [r for r in references(bundle) if r not in here]


def first(bundle, kind):
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)


def fhir(checks, folder):
    for path in sorted(folder.glob("*.plandefinition.json")) + sorted(folder.glob("*.fhir.json")):
        resource = json.loads(path.read_text())
        checks.complaints("fhir.resources", path.name, by_fhir_resources(resource))
        checks.complaints("fhir-npm", path.name, by_npm(resource))
    bundle = json.loads((folder / "course.fhir.json").read_text())
    checks.that(not dangling(bundle), "references stay in the bundle", ", ".join(dangling(bundle)[:3]))
    events = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "AdverseEvent"]
    graded = [{p["url"] for x in e["extension"] for p in x["extension"]} for e in events]
    checks.that(events and all(g == {"grade", "version"} for g in graded), "adverse events have grade and version")

    def spoiled(change):
        other = copy.deepcopy(bundle)
        change(other)
        return other

    no_status = spoiled(lambda b: first(b, "CarePlan").pop("status"))
    checks.refuses("fhir.resources: a CarePlan without status", by_fhir_resources(no_status))
    checks.refuses("fhir-npm: a CarePlan without status", only_errors(by_npm(no_status)))
    unknown = spoiled(lambda b: first(b, "MedicationRequest").update(colour="red"))
    checks.refuses("fhir.resources: a field that there is not", by_fhir_resources(unknown))
    wrong = spoiled(lambda b: first(b, "Observation").update(status="guessed"))
    # It warns of a code outside a required value set.
    checks.refuses("fhir-npm: a status that there is not", by_npm(wrong).keys() - by_npm(bundle).keys())
    lost = spoiled(lambda b: first(b, "CarePlan").update(subject={"reference": "Patient/nobody"}))
    checks.refuses("a reference to nobody", dangling(lost))


def only_errors(found):
    return {k: v for k, v in found.items() if not k.startswith("unknown-code")}


# ---- USDM ----------------------------------------------------------------------------------------


def by_usdm4(path):
    """Rules of usdm4 that fail."""
    found = {}
    for rule, item in USDM4().validate(str(path))._items.items():
        if item["status"] in ("Failure", "Exception"):
            said = item["errors"] or [{"message": str(item["exception"])[:200]}]
            found[rule] = f"{len(said)} times: {said[0]['message']}"
    return found


def by_core(path, core):
    """Rules of CDISC CORE that report an issue or fail to run."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "core.py", "validate", "-s", "usdm", "-v", "4-0", "-dp", path,
                   "-of", "json", "-o", f"{out}/report", "-p", "disabled", "-l", "critical"]
        for package in ("sdtmct", "ddfct", "protocolct"):
            command += ["-ct", f"{package}-2025-09-26"]
        python = os.environ.get("CDISC_CORE_PYTHON", sys.executable)
        run = subprocess.run([python, *command[1:]], cwd=core, capture_output=True, text=True)
        report = Path(out, "report.json")
        if not report.exists():
            return {"run": run.stderr[-300:]}
        rules = json.loads(report.read_text())["Rules_Report"]
    return {r["cdisc_rule_id"]: r["message"] for r in rules if r["status"] in ("ISSUE REPORTED", "EXECUTION ERROR")}


def usdm(checks, folder):
    files = sorted(folder.glob("*.usdm.json"))
    for path in files:
        checks.complaints("usdm4", path.name, by_usdm4(path))
        wrapper = USDM4().load(str(path), Errors())
        timeline = wrapper and wrapper.first_version().studyDesigns[0].scheduleTimelines[0]
        anchors = [t for t in timeline.timings if t.type.code == "C201358"] if timeline else []
        others = {t.type.code for t in timeline.timings} - {"C201358"} if timeline else set()
        checks.that(len(anchors) == 1 and others == {"C201356"}, f"usdm4 loads {path.name}: one anchor, all others after it")
    core = os.environ.get("CDISC_CORE")
    if core:
        # The longest schedule stands for all: it takes minutes.
        path = folder / "captemy90.usdm.json"
        checks.complaints("core", path.name, by_core(path, core))
    study = json.loads((folder / "captemy90.usdm.json").read_text())
    as_it_is = by_usdm4(folder / "captemy90.usdm.json")

    def spoiled(change):
        other = copy.deepcopy(study)
        version = other["study"]["versions"][0]
        change(version, version["studyDesigns"][0], version["studyDesigns"][0]["scheduleTimelines"][0])
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(other, file)
            file.flush()
            return {k: v for k, v in by_usdm4(file.name).items() if k not in as_it_is}

    checks.refuses("usdm4: a study without titles", spoiled(lambda v, d, t: v.pop("titles")))
    checks.refuses("usdm4: an encounter that there is not", spoiled(lambda v, d, t: t["instances"][1].update(encounterId="Encounter_0")))
    window = lambda t: next(x for x in t["timings"] if x["windowUpper"])
    checks.refuses("usdm4: half a window", spoiled(lambda v, d, t: window(t).update(windowUpper=None)))
    checks.refuses("usdm4: the same identifier twice", spoiled(lambda v, d, t: t["timings"][1].update(id=t["timings"][2]["id"])))


# ---- iCalendar -----------------------------------------------------------------------------------


def by_icalendar(text):
    """What is wrong with a calendar."""
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except ValueError as e:
        return {"read": str(e)}
    found = {}
    uids = set()
    for event in calendar.walk("VEVENT"):
        if event.errors:
            found["errors"] = str(event.errors)
        for name in ("UID", "DTSTAMP", "DTSTART", "SEQUENCE", "STATUS"):
            if name not in event:
                found["missing"] = name
        if event.get("UID") in uids:
            found["uid"] = str(event["UID"])
        uids.add(event.get("UID"))
    long = [line for line in text.encode().split(b"\r\n") if len(line) > 75]
    if long:
        found["folding"] = repr(long[0])
    return found


def days(text, summary):
    """Days within three cycles on which something is to be done."""
    calendar = icalendar.Calendar.from_ical(text)
    end = FIRST_DAY + datetime.timedelta(days=CYCLES * CYCLE_DAYS)
    events = recurring_ical_events.of(calendar).between(FIRST_DAY, end)
    starts = [e["DTSTART"].dt for e in events if str(e["SUMMARY"]).startswith(summary)]
    return sum(FIRST_DAY <= d < end for d in starts)


def calendars(checks, folder):
    for path in sorted(folder.glob("*.ics")):
        text = path.read_bytes().decode()
        checks.complaints("icalendar", path.name, by_icalendar(text))
        flat = text.replace("\r\n ", "")
        said = [secret for secret in ("P001", "Example", "1960") if secret in flat]
        checks.that(not said, f"{path.name} says nothing of the patient", ", ".join(said))
    text = (folder / "foreseen.ics").read_bytes().decode()
    for drug, expected in (("Capecitabine", 42), ("Temozolomide", 15)):
        found = days(text, drug)
        checks.that(found == expected, f"recurring-ical-events: {expected} days of {drug}", str(found))
    checks.refuses("icalendar: a date that there is not", by_icalendar(text.replace("DTSTART;VALUE=DATE:202612", "DTSTART;VALUE=DATE:202632")))
    checks.refuses("icalendar: an event that does not end", by_icalendar(text.replace("END:VEVENT\r\n", "", 1)))
    short = text.replace("FREQ=DAILY;COUNT=14", "FREQ=DAILY;COUNT=13", 1)
    checks.refuses("recurring-ical-events: a day less", days(short, "Capecitabine") != 42)


def main(folder):
    checks = Checks(HERE / "course-known.txt")
    fhir(checks, folder)
    usdm(checks, folder)
    calendars(checks, folder)
    return 0 if checks.close() else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
