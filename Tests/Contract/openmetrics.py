#!/usr/bin/env python3
"""Reads /metrics in both formats with the parsers of prometheus_client and compares them.

    openmetrics.py TEXT OPENMETRICS

The two are scrapes one after the other, so values may differ; families, types and label sets may
not, but for the series that the first scrape itself made.
"""
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics


def families(parse, path):
    with open(path, encoding="utf-8") as file:
        return list(parse(file.read()))


def shape(found):
    return {family.name: (family.type, family.documentation) for family in found}


def series(found):
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in found for sample in family.samples if not sample.name.endswith("_created")}


text = families(parser.text_string_to_metric_families, sys.argv[1])
strict = families(openmetrics.text_string_to_metric_families, sys.argv[2])
assert len(strict) > 20, f"only {len(strict)} families"
assert all(family.documentation for family in strict)
names = [family.name for family in strict]
assert len(names) == len(set(names)), "a family comes twice"
plain, open_ = shape(text), shape(strict)
differing = {name for name in set(plain) | set(open_) if plain.get(name) != open_.get(name)}
# The text format knows no info type: there they are gauges that keep their suffix.
infos = {name for name in differing
         if open_.get(name, ("",))[0] == "info" or name.endswith("_info")}
assert not differing - infos, {name: (plain.get(name), open_.get(name)) for name in differing}
lost = series(text) - series(strict)
assert not lost, sorted(lost)[:10]
print(f"{len(strict)} families, {len(series(strict))} series")
