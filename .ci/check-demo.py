"""Compares the report of `shm demo --json`, from standard input, with the promises of the project."""

import json
import sys

report = json.load(sys.stdin)
paced, flat_out, after_kill = report["paced"], report["flat_out"], report["after_kill"]

promises = {
    "nothing torn": paced["torn"] == flat_out["torn"] == 0,
    "something was written": paced["written"] > 0 and flat_out["written"] > 0,
    "every value seen at 10 ms": paced["missed"] == 0 and paced["seen"] == paced["written"],
    "the delays are in order": all(
        0 < part["delay_us"]["p50"] <= part["delay_us"]["p99"] <= part["delay_us"]["max"]
        for part in (paced, flat_out)
    ),
    "a waiting reader sleeps": paced["reader_cpu_percent"] < 2,
    "told of the death within 100 ms": 0 <= after_kill["told_ms"] <= 100,
    "the last value is whole": after_kill["last_value_whole"] is True,
    "a new writer carries on": after_kill["resumed"] is True,
    "what the demo itself looks at": not report["broken"],
}
broken = [promise for promise, held in promises.items() if not held]
for promise in broken:
    print(f"demo: not so: {promise}", file=sys.stderr)
sys.exit(bool(broken))
