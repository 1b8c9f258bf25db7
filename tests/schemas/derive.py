#!/usr/bin/env python3
"""Makes kubernetes.json: JSON Schemas of the kinds that `quartet launch k8s` writes, derived from Kubernetes' own JavaScript client, whose
models are generated from the published OpenAPI document. A field that is not in the document is an error (additionalProperties: false).

    npm pack @kubernetes/client-node && tar xzf kubernetes-client-node-*.tgz
    derive.py package > kubernetes.json
"""

import json
import os
import re
import sys

KINDS = {"Job": "V1Job", "Deployment": "V1Deployment", "Secret": "V1Secret", "Service": "V1Service", "Pod": "V1Pod"}
API_VERSIONS = {"Job": "batch/v1", "Deployment": "apps/v1", "Secret": "v1", "Service": "v1", "Pod": "v1"}
PLAIN = {"string": {"type": "string"}, "boolean": {"type": "boolean"}, "any": {}, "object": {"type": "object"},
         "Date": {"type": "string", "format": "date-time"}, "V1MicroTime": {"type": "string", "format": "date-time"},
         "IntOrString": {"type": ["integer", "string"]}}
FORMATS = {"int32": {"type": "integer", "minimum": -2 ** 31, "maximum": 2 ** 31 - 1}, "int64": {"type": "integer"},
           "byte": {"type": "string", "pattern": "^[A-Za-z0-9+/]*={0,2}$"}}


class Models:
    def __init__(self, package):
        self.folder = os.path.join(package, "dist", "gen", "models")
        self.found = {}

    def read(self, name, suffix):
        with open(os.path.join(self.folder, name + suffix), encoding="utf-8") as file:
            return file.read()

    def release(self):
        return re.search(r"OpenAPI spec version: (\S+)", self.read("V1Job", ".js")).group(1)

    def type_of(self, text, form):
        """The schema of one type as the models name it, such as Array<V1Container> or { [key: string]: string; }."""
        array = re.fullmatch(r"Array<(.*)>", text)
        if array:
            return {"type": "array", "items": self.type_of(array.group(1), form)}
        table = re.fullmatch(r"\{ \[key: string\]: (.*); \}", text)
        if table:
            return {"type": "object", "additionalProperties": self.type_of(table.group(1), form)}
        if text == "number":
            return FORMATS.get(form, {"type": "number"})
        if text == "string" and form in FORMATS:
            return FORMATS[form]
        if text in PLAIN:
            return PLAIN[text]
        self.add(text)
        return {"$ref": "#/definitions/" + text}

    def add(self, name):
        if name in self.found:
            return
        self.found[name] = {}  # types may contain themselves
        listed = re.search(r"attributeTypeMap = (\[.*?\n\]);", self.read(name, ".js"), re.DOTALL).group(1)
        declared = dict(re.findall(r"^    '([^']+)'(\??): ", self.read(name, ".d.ts"), re.MULTILINE))
        fields = json.loads(listed)
        self.found[name] = {
            "type": "object", "additionalProperties": False,
            "properties": {field["baseName"]: self.type_of(field["type"], field["format"]) for field in fields},
        }
        required = [field["baseName"] for field in fields if declared[field["name"]] == ""]
        if required:
            self.found[name]["required"] = required


def main():
    models = Models(sys.argv[1])
    with open(os.path.join(sys.argv[1], "package.json"), encoding="utf-8") as file:
        package = json.load(file)
    for name in KINDS.values():
        models.add(name)
    for kind, name in KINDS.items():
        models.found[name]["properties"].update(kind={"const": kind}, apiVersion={"const": API_VERSIONS[kind]})
        models.found[name]["required"] = ["apiVersion", "kind", "metadata"]
    json.dump({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Kubernetes %s; derived from %s %s of the npm registry, Apache-2.0" % (
            models.release(), package["name"], package["version"]),
        "type": "object", "additionalProperties": False, "required": ["apiVersion", "kind", "items"],
        "properties": {"apiVersion": {"const": "v1"}, "kind": {"const": "List"},
                       "items": {"type": "array", "minItems": 1, "items": {"oneOf": [
                           {"$ref": "#/definitions/" + name} for name in KINDS.values()]}}},
        "definitions": dict(sorted(models.found.items())),
    }, sys.stdout, indent=1)
    sys.stdout.write("\n")


main()
