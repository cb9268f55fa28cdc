#!/usr/bin/env bash
# Deploys the load to an AWS account, runs it, compares the result with that of a local run, and deletes the stack.
#
# This script is NOT part of the repository's tests: it needs an AWS account and costs a small amount. The tests run the
# same binary against a local fake of the service (`cargo test -p durable-example-lambda`).
#
# Requirements: the AWS CLI 2 and the SAM CLI with credentials and a region, Docker or Podman, jq, Rust.
#
#   examples/lambda/deploy.sh            deploy, run, compare, delete
#   KEEP=1 examples/lambda/deploy.sh     the same without deleting the stack
set -euo pipefail
cd "$(dirname "$0")/../.."

stack=${STACK:-durable-etl}
batch=${BATCH:-500}
work=$(mktemp -d)

clean_up() {
    local status=$?
    rm -rf "$work"
    if [[ -z ${KEEP:-} ]]; then
        echo "== deleting the stack $stack"
        sam delete --stack-name "$stack" --no-prompts
    fi
    exit "$status"
}

echo "== running the load locally, for comparison"
store=sqlite:$work/store.db
cargo run --quiet --release --example etl -- --id local --batch "$batch" \
    --target "$work/target.db" --report "$work" --store "$store"
cargo run --quiet --release --package durably-cli -- show local --json --full --store "$store" >"$work/local.json"
jq --sort-keys .execution.output.json "$work/local.json" >"$work/expected.json"

# The same job, with the paths of the function.
jq '.execution.input.json | .target = "/mnt/etl/target.db" | .report = "/mnt/etl"' \
    "$work/local.json" >"$work/job.json"

echo "== building and deploying"
trap clean_up EXIT
sam build --template-file examples/lambda/template.yaml --build-dir "$work/build"
sam deploy --template-file "$work/build/template.yaml" --stack-name "$stack" \
    --resolve-s3 --resolve-image-repos --capabilities CAPABILITY_IAM --no-confirm-changeset

# The ARN of the alias, because a durable function can only be invoked with a qualifier.
function=$(aws cloudformation describe-stacks --stack-name "$stack" \
    --query "Stacks[0].Outputs[?OutputKey=='Function'].OutputValue" --output text)

echo "== invoking $function"
# The invocation is asynchronous, because an execution may take longer than an invocation. The name makes it safe to
# retry: the same name with the same input is the same execution.
name=etl-$(date +%Y%m%d-%H%M%S)
arn=$(aws lambda invoke --function-name "$function" --invocation-type Event \
    --durable-execution-name "$name" --payload "fileb://$work/job.json" \
    --query DurableExecutionArn --output text "$work/response")

echo "== waiting for $arn"
while true; do
    aws lambda get-durable-execution --durable-execution-arn "$arn" >"$work/execution.json"
    status=$(jq --raw-output .Status "$work/execution.json")
    echo "$status"
    [[ $status == RUNNING ]] || break
    sleep 5
done

if [[ $status != SUCCEEDED ]]; then
    jq .Error "$work/execution.json" >&2
    exit 1
fi
jq --sort-keys '.Result | fromjson' "$work/execution.json" >"$work/result.json"
diff "$work/expected.json" "$work/result.json"
echo "== the result equals that of the local run"

# Number of invocations and of billed operations.
aws lambda get-durable-execution-history --durable-execution-arn "$arn" >"$work/history.json"
jq '{invocations: [.Events[] | select(.EventType == "InvocationCompleted")] | length,
     operations: [.Events[].Id] | unique | map(select(. != null)) | length}' "$work/history.json"
