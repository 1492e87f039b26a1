#!/bin/sh
# lines: one table of the modules and their lengths, the longest first, from the tables of the eight shares.
#
# A task may be any program. This one is told by its environment what to do:
#   PNODE_INPUT_LIST  a file with the path of one input on each line
#   PNODE_OUTPUT_DIR  the directory that its outputs go to
# and, not needed here, PNODE_INPUT (the path of the input, if there is only one), PNODE_INPUT_DIR, PNODE_TASK,
# PNODE_JOB and PNODE_ITEM.
set -eu

first=$(head -n 1 "$PNODE_INPUT_LIST")
name=${first##*/}
key=${name%%_*} # outputs begin with the key of the job, as inputs do

LC_ALL=C # bytes have the same order on every host
export LC_ALL
tab=$(printf '\t')

while read -r table; do
    cat "$table"
done <"$PNODE_INPUT_LIST" | sort -t "$tab" -k 2,2nr -k 1,1 >"$PNODE_OUTPUT_DIR/${key}_lines.tsv"
