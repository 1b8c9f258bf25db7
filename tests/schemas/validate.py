#!/usr/bin/python3
"""validate.py SCHEMA < DOCUMENT: prints what is wrong with the JSON document, and exits with 1 when something is.

Run with Debian's own interpreter, whose package python3-jsonschema is the judge."""

import json
import sys

import jsonschema


def innermost(error):
    """Of the alternatives of a oneOf, the one that came closest says what is wrong."""
    while error.context:
        error = max(error.context, key=lambda e: (len(e.absolute_path), -len(e.context or ())))
    return error


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(json.load(sys.stdin)))
    for error in map(innermost, errors):
        print("/%s: %s" % ("/".join(map(str, error.absolute_path)), error.message[:300]))
    sys.exit(1 if errors else 0)


main()
