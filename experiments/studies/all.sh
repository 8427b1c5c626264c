#!/bin/sh
# All studies into docs/results. Arguments: processes for the calibration (1), width of the net (256).
set -eu
cd "$(dirname "$0")/../.."
processes=${1:-1} width=${2:-256} python=${PYTHON:-.venv/bin/python} results=docs/results
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 PYTHONPATH="$PWD"
shards=$(mktemp -d)
trap 'rm -rf "$shards"' EXIT
"$python" experiments/studies/audit_null.py "$results/audit-null.json"  # also makes the base, once
"$python" experiments/studies/audit_stream.py "$results/audit-stream.json"
"$python" experiments/studies/packaged_reference.py "$results/packaged-reference.json"
"$python" experiments/studies/attribution.py "$results/attribution.json"
"$python" experiments/studies/compare_null.py "$results/compare-null.json"
"$python" experiments/studies/compare_power.py "$results/compare-power.json"
for base in 10 11 12 13 14; do
    at=0
    jobs=""
    while [ "$at" -lt "$processes" ]; do
        "$python" experiments/studies/audit_calibration.py shard \
            "$shards/$base-$at.jsonl" "$at/$processes" "$base" 30 "$width" &
        jobs="$jobs $!"
        at=$((at + 1))
    done
    for job in $jobs; do wait "$job"; done
    name=audit-calibration-base-$base
    "$python" experiments/studies/audit_calibration.py collect "$results/$name.json" "$shards/$base"-*.jsonl
done
for study in dose defences cleaning content; do
    "$python" experiments/studies/number_transfer.py "$study" "$results/numbers-$study.json" "$width"
done
