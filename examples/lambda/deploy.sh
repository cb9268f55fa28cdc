#!/usr/bin/env bash
# Deploys the load to an AWS account, runs it there, compares its result with that of a local run, and
# takes everything away again.
#
# NOT RUN where this repository is tested: it needs an AWS account and costs a little. What is tested
# there is the same binary against a local double of the service (`cargo test -p durable-lambda-tests`).
#
# Needs: the AWS CLI 2 and the SAM CLI with credentials and a region, Docker or Podman, jq, Rust.
#
#   examples/lambda/deploy.sh            deploy, run, compare, delete
#   KEEP=1 examples/lambda/deploy.sh     the same without deleting
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

echo "== a local run, to compare with"
store=sqlite:$work/store.db
cargo run --quiet --release --example etl -- --id local --batch "$batch" \
    --target "$work/target.db" --report "$work" --store "$store"
cargo run --quiet --release --package durable-cli -- show local --json --full --store "$store" >"$work/local.json"
jq --sort-keys .execution.output.json "$work/local.json" >"$work/expected.json"

# The same job, with the paths of the function.
jq '.execution.input.json | .target = "/mnt/etl/target.db" | .report = "/mnt/etl"' \
    "$work/local.json" >"$work/job.json"

echo "== building and deploying"
trap clean_up EXIT
sam build --template-file examples/lambda/template.yaml --build-dir "$work/build"
sam deploy --template-file "$work/build/template.yaml" --stack-name "$stack" \
    --resolve-s3 --resolve-image-repos --capabilities CAPABILITY_IAM --no-confirm-changeset

# The ARN of the alias: a durable function cannot be invoked without a qualifier.
function=$(aws cloudformation describe-stacks --stack-name "$stack" \
    --query "Stacks[0].Outputs[?OutputKey=='Function'].OutputValue" --output text)

echo "== invoking $function"
# Asynchronously, since an execution may take longer than an invocation. The name makes this safe to
# repeat: the same name with the same input is the same execution.
name=etl-$(date +%Y%m%d-%H%M%S)
arn=$(aws lambda invoke --function-name "$function" --invocation-type Event \
    --durable-execution-name "$name" --payload "fileb://$work/job.json" \
    --query DurableExecutionArn --output text "$work/answer")

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
echo "== the result is that of the local run"

# What it took: invocations, and the operations that are billed.
aws lambda get-durable-execution-history --durable-execution-arn "$arn" >"$work/history.json"
jq '{invocations: [.Events[] | select(.EventType == "InvocationCompleted")] | length,
     operations: [.Events[].Id] | unique | map(select(. != null)) | length}' "$work/history.json"
