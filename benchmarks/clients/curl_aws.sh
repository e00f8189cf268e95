#!/bin/bash
# What a shell user does today: ask for file after file, curl each, and pipe all of them into `aws s3 cp -`.
# Arguments: GraphQL address, export id, aws program, store's address, target (s3://bucket/key)
set -euo pipefail
graphql=$1 export_id=$2 aws=$3 endpoint=$4 target=$5

ask() { # field of `task` with its arguments and members
  curl --silent --fail --header 'Authorization: Bearer bench' --header 'Content-Type: application/json' "$graphql" --data "{
    \"query\": \"query Ask(\$where: WhereUniqueIdInput, \$streamType: TaskStreamType!, \$offset: UInt64!) {task(where: \$where) {$1}}\",
    \"variables\": {\"where\": {\"id\": \"$export_id\"}, \"streamType\": \"RESULT\", \"offset\": \"$2\"}}"
}
text() { sed -E "s/.*\"$1\": \"([^\"]*)\".*/\1/"; }

total=$(ask 'exportMetadataHeader(streamType: $streamType) {totalSize totalLines}' 0 | text totalSize)

files() {
  local offset=0 answer
  while [ "$offset" -lt "$total" ]; do
    answer=$(ask 'exportFileFromOffset(streamType: $streamType, offset: $offset) {file offsets {start end}}' "$offset")
    curl --silent --fail "$(text file <<<"$answer")"
    offset=$(($(sed -E 's/.*"offsets": \{[^}]*"end": "([0-9]+)".*/\1/' <<<"$answer") + 1))
  done
}

files | "$aws" --endpoint-url "$endpoint" s3 cp --expected-size "$total" - "$target"
