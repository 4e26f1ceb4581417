# SPDX-License-Identifier: Apache-2.0
"""Bring a response document into a form that two scans of the same input share.

Identifiers become their place (p0 for the root, then by content), the scan's identifier
and time become words, lists without a fixed order are sorted, and the keys this project
adds to stoQ's document are dropped. Used by tests/golden/run.
"""

import json
import re

ADDED = {
    "schema_version", "verdict", "limits_hit", "flagged_by", "warnings", "engine",
    "duration_ms", "reused_from",
}
UUID4 = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){1}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
TEMP_NAME = re.compile(r"tmp[a-z0-9_]{8}~")
# Where a Python exception was raised; only the original has it.
PLACE = re.compile(r'File "[^"]*", line \d+, in \S+ ; ')


def canonical(value):
    """Text by which equal values are equal, and lists of values can be sorted."""
    return json.dumps(value, sort_keys=True)


def without_additions(value, top=True):
    """A copy without the keys that stoQ's documents do not have."""
    if isinstance(value, list):
        return [without_additions(item, False) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: without_additions(item, False) for key, item in value.items()
            if not key.endswith("_b64") and not (top and key in ADDED)}


def map_strings(value, change):
    """Apply change() to every string, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): map_strings(item, change) for key, item in value.items()}
    return value


def place_of(entry):
    """What a child is sorted by: its digest where known, then all that is said of it."""
    workers = entry.get("workers", {})
    digests = workers.get("hash")
    sha256 = digests.get("sha256", "") if isinstance(digests, dict) else ""
    return (sha256, entry["size"], canonical(entry["payload_meta"]), canonical(workers))


def rename(doc):
    """Replace identifiers and random names by fixed ones."""
    names = {entry["payload_id"]: f"p{i}" for i, entry in enumerate(doc["results"])}

    def change(text):
        text = UUID4.sub(lambda found: names.get(found.group(), "OTHER-ID"), text)
        return TEMP_NAME.sub("TMPNAME~", text)

    return map_strings(doc, change)


def sort_entry(entry):
    """Sort the lists of one payload that have no order of their own."""
    for names in entry["plugins_run"].values():
        names.sort()
    pairs = sorted(zip(entry["extracted_by"], entry["extracted_from"]))
    entry["extracted_by"] = [by for by, _ in pairs]
    entry["extracted_from"] = [source for _, source in pairs]
    indicators = entry["workers"].get("iocextract")
    if isinstance(indicators, dict):
        for found in indicators.values():
            found.sort()


def normalise(doc):
    """The normal form of one document, or of a list of documents."""
    if isinstance(doc, list):
        return sorted((normalise(item) for item in doc), key=canonical)
    if not isinstance(doc, dict) or "results" not in doc:
        return doc
    doc = without_additions(doc)
    doc["results"] = [without_additions(entry) for entry in doc["results"]]
    doc["results"][1:] = sorted(doc["results"][1:], key=place_of)
    doc = rename(doc)
    doc["scan_id"] = "SCAN"
    doc["time"] = "TIME"
    for entry in doc["results"]:
        sort_entry(entry)
    for error in doc["errors"]:
        if isinstance(error, dict) and isinstance(error.get("error"), str):
            error["error"] = PLACE.sub("", error["error"])
    doc["errors"].sort(key=canonical)
    return doc
