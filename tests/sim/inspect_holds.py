# SPDX-License-Identifier: LGPL-2.1-or-later
"""inspect_holds.py JSON: evaluates each line of standard input over what
xl-migrate inspect --json has printed, and fails naming those that are false."""
import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        o = json.load(f)
    x = o["libxc"] or {}
    counts = {r["record"]: r["nr_records"] for r in x.get("records", [])}
    params = {v["name"]: v["value"] for v in (x.get("hvm") or {}).get(
        "params", [])}
    names = {
        "o": o, "x": x, "p": x.get("pages"),
        "records": lambda name: counts.get(name, 0),
        "param": params.get,
    }
    failed = 0
    for line in sys.stdin:
        if not eval(line, dict(names)):
            print("does not hold:", line.strip())
            failed = 1
    if failed:
        json.dump(o, sys.stdout, indent=1)
    return failed


if __name__ == "__main__":
    sys.exit(main())
