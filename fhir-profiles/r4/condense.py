#!/usr/bin/env python3
"""Condenses the official FHIR R4 (4.0.1) core package into the two files beside this script.

    python3 condense.py path/to/hl7.fhir.r4.core.tgz

definitions.json        what a structural validator needs: every resource type and datatype, its own elements
                        (inherited ones stay with the base), and the required value sets with their codes.
search-parameters.json  the official SearchParameters of every resource type, one expression per type.

Only the standard library is used, and the output is the same on every run.
"""
import json
import pathlib
import sys
import tarfile

HERE = pathlib.Path(__file__).parent
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
REGEX = "http://hl7.org/fhir/StructureDefinition/regex"
MOST_TARGETS = 40  # a parameter with more targets than this names every resource type: as good as none
BASES_OF_BACKBONE = {"id", "extension", "modifierExtension"}


def read_package(path):
    """All conformance resources of the package, by type."""
    resources = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            parts = pathlib.PurePosixPath(member.name).parts
            if len(parts) != 2 or not member.name.endswith(".json"):
                continue
            resource = json.load(archive.extractfile(member))
            kind = resource.get("resourceType")
            if kind:
                resources.setdefault(kind, []).append(resource)
    return resources


def last(url):
    return url.rsplit("/", 1)[-1]


# ---------------------------------------------------------------- value sets


class Terminology:
    """Expands a value set as far as the package holds its code systems; None when it does not."""

    def __init__(self, resources):
        self.value_sets = {r["url"]: r for r in resources["ValueSet"] if "url" in r}
        self.systems = {r["url"]: r for r in resources["CodeSystem"] if "url" in r}
        self.cache = {}

    def expand(self, url):
        url = url.split("|")[0]
        if url not in self.cache:
            self.cache[url] = None  # a cycle counts as not expandable
            self.cache[url] = self._expand(self.value_sets.get(url))
        return self.cache[url]

    def _expand(self, value_set):
        if not value_set or "compose" not in value_set:
            return None
        codes = {}
        for include in value_set["compose"].get("include", []):
            part = self._part(include)
            if part is None:
                return None
            for system, members in part.items():
                codes.setdefault(system, {}).update(dict.fromkeys(members))
        for exclude in value_set["compose"].get("exclude", []):
            part = self._part(exclude)
            if part is None:
                return None
            for system, members in part.items():
                for member in members:
                    codes.get(system, {}).pop(member, None)
        return {system: list(members) for system, members in codes.items()} or None

    def _part(self, include):
        if "valueSet" in include:
            merged = {}
            for url in include["valueSet"]:
                part = self.expand(url)
                if part is None:
                    return None
                for system, members in part.items():
                    merged.setdefault(system, []).extend(members)
            return merged
        system = include.get("system")
        if "concept" in include:
            return {system: [c["code"] for c in include["concept"]]}
        code_system = self.systems.get(system)
        if not code_system or code_system.get("content") != "complete":
            return None
        members = list(self._concepts(code_system.get("concept", []), ()))
        for condition in include.get("filter", []):
            if condition["op"] != "is-a" or condition["property"] != "concept":
                return None
            members = [m for m in members if condition["value"] in m[1] or m[0] == condition["value"]]
        return {system: [m[0] for m in members]}

    def _concepts(self, concepts, ancestors):
        for concept in concepts:
            parents = [p["valueCode"] for p in concept.get("property", []) if p["code"] in ("subsumedBy", "parent")]
            yield concept["code"], set(ancestors) | set(parents)
            yield from self._concepts(concept.get("concept", []), (*ancestors, concept["code"]))


# ---------------------------------------------------------------- structures


def primitive(definition):
    """{base, regex} of a primitive type."""
    out = {"base": last(definition["baseDefinition"])}
    for element in definition["snapshot"]["element"]:
        for kind in element.get("type", []):
            for extension in kind.get("extension", []):
                if extension["url"] == REGEX and element["path"].endswith(".value"):
                    out["regex"] = extension["valueString"]
    return out


def type_names(element, path):
    names, targets = [], []
    for kind in element.get("type", []):
        code = kind["code"]
        if code.startswith("http://hl7.org/fhirpath/"):
            # Element.id, Resource.id and Extension.url; 4.0.1 says "string" for Resource.id, the text says id.
            code = next((e.get("valueUrl") or e.get("valueUri") for e in kind.get("extension", []) if e["url"] == FHIR_TYPE), "string")
            code = "id" if path == "Resource.id" else code
        if code == "Quantity" and any(p.endswith("/SimpleQuantity") for p in kind.get("profile", [])):
            code = "SimpleQuantity"
        if code == "Quantity" and any(p.endswith("/MoneyQuantity") for p in kind.get("profile", [])):
            code = "MoneyQuantity"
        if code in ("BackboneElement", "Element") and "." in path:
            code = path if has_children(element) else code
        names.append(code)
        if code == "Reference":
            targets.extend(last(t) for t in kind.get("targetProfile", []))
    return names, targets


def has_children(element):
    return element.get("_children", False)


def element_entry(element, terminology, used):
    path = element["path"]
    entry = {}
    if element.get("min"):
        entry["min"] = element["min"]
    if element.get("max") != "1":
        entry["max"] = element["max"]
    if "contentReference" in element:
        entry["types"] = [element["contentReference"].lstrip("#")]
        return entry
    names, targets = type_names(element, path)
    entry["types"] = names
    if targets and "Resource" not in targets:
        entry["targets"] = targets
    binding = element.get("binding", {})
    if binding.get("strength") == "required" and binding.get("valueSet"):
        url = binding["valueSet"].split("|")[0]
        if terminology.expand(url):
            entry["valueSet"] = url
            used.add(url)
    return entry


def structure(definition, inherited, terminology, used):
    """{type path: {element name: entry}}: the type itself and each of its backbone elements."""
    root = definition["type"]
    elements = definition["snapshot"]["element"]
    parents = {e["path"].rsplit(".", 1)[0] for e in elements if "." in e["path"]}
    types = {root: {}}
    for element in elements:
        path = element["path"]
        if "." not in path:
            continue
        element["_children"] = path in parents
        parent, name = path.rsplit(".", 1)
        if parent == root and name in inherited:
            continue
        if parent != root and name in BASES_OF_BACKBONE:
            continue
        types.setdefault(parent, {})[name] = element_entry(element, terminology, used)
    return types


def backbone_base(elements, path):
    kinds = [k["code"] for e in elements if e["path"] == path for k in e.get("type", [])]
    return kinds[0] if kinds else "BackboneElement"


def condense_structures(resources):
    terminology, used = Terminology(resources), set()
    chosen = {}
    for definition in resources["StructureDefinition"]:
        if definition.get("derivation") == "constraint" or definition["kind"] == "logical":
            continue
        if definition["url"] == f"http://hl7.org/fhir/StructureDefinition/{definition['type']}":
            chosen[definition["type"]] = definition
    names = {name: {e["path"].split(".", 1)[1] for e in d["snapshot"]["element"] if e["path"].count(".") == 1} for name, d in chosen.items()}
    primitives, types = {}, {}
    for name in sorted(chosen):
        definition = chosen[name]
        if definition["kind"] == "primitive-type":
            primitives[name] = primitive(definition)
            continue
        base = last(definition.get("baseDefinition", ""))
        elements = definition["snapshot"]["element"]
        for path, own in structure(definition, names.get(base, set()), terminology, used).items():
            entry = {}
            if path == name:
                entry["kind"] = "resource" if definition["kind"] == "resource" else "datatype"
                if definition.get("abstract"):
                    entry["abstract"] = True
                if base:
                    entry["base"] = base
            else:
                entry = {"kind": "backbone", "base": backbone_base(elements, path)}
            entry["elements"] = own
            types[path] = entry
    value_sets = {url: terminology.expand(url) for url in sorted(used)}
    return {"fhirVersion": "4.0.1", "primitives": primitives, "types": types, "valueSets": value_sets}


# ---------------------------------------------------------------- search parameters


def split_union(expression):
    """The parts of `a | b`, where the bar is outside brackets and quotes."""
    parts, depth, start, quoted = [], 0, 0, False
    for at, char in enumerate(expression):
        if char == "'":
            quoted = not quoted
        elif not quoted and char in "([":
            depth += 1
        elif not quoted and char in ")]":
            depth -= 1
        elif not quoted and char == "|" and depth == 0:
            parts.append(expression[start:at].strip())
            start = at + 1
    return parts + [expression[start:].strip()]


def concerns(part, base):
    head = part.lstrip("(").split(".")[0].split(" ")[0]
    return head == base


def condense_search(resources):
    """{resource type: {code: {type, expression, target?, url}}}; composite and special ones are left out."""
    out = {}
    for parameter in sorted(resources["SearchParameter"], key=lambda p: p["url"]):
        expression = parameter.get("expression")
        if not expression or parameter["type"] in ("composite", "special") or parameter.get("experimental"):
            continue
        for base in parameter["base"]:
            parts = [p for p in split_union(expression) if concerns(p, base)]
            if not parts:
                continue
            entry = {"type": parameter["type"], "expression": " | ".join(parts), "url": parameter["url"]}
            if 0 < len(parameter.get("target", [])) <= MOST_TARGETS:
                entry["target"] = parameter["target"]
            out.setdefault(base, {})[parameter["code"]] = entry
    return {base: dict(sorted(codes.items())) for base, codes in sorted(out.items())}


# ---------------------------------------------------------------- output


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_lines(path, top):
    """JSON with one second-level member per line: small, and still readable in a diff."""
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write("{\n")
        for i, (key, value) in enumerate(top.items()):
            comma = "," if i + 1 < len(top) else ""
            if not isinstance(value, dict):
                out.write(f"{compact(key)}:{compact(value)}{comma}\n")
                continue
            lines = ",\n".join(f" {compact(k)}:{compact(v)}" for k, v in value.items())
            out.write(f"{compact(key)}:{{\n{lines}\n}}{comma}\n")
        out.write("}\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    resources = read_package(sys.argv[1])
    write_lines(HERE / "definitions.json", condense_structures(resources))
    write_lines(HERE / "search-parameters.json", condense_search(resources))


if __name__ == "__main__":
    main()
