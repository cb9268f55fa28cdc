"""Calls every operation of the durable API with boto3, which validates responses by AWS's model. Exits with 77 if boto3 is
missing or does not know the operations."""

import json
import sys
import time

try:
    import boto3
    from botocore.config import Config
except ImportError:
    print("there is no boto3")
    sys.exit(77)

client = boto3.client("lambda", config=Config(retries={"max_attempts": 0}))
if not hasattr(client, "pause_durable_execution"):
    print(f"boto3 {boto3.__version__} does not know all durable operations")
    sys.exit(77)


def refused(code, call, **arguments):
    try:
        answer = call(**arguments)
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["Error"]["Message"], error.response
        return error
    raise AssertionError(f"accepted: {answer}")


def until(arn, status):
    for _ in range(2_000):
        got = client.get_durable_execution(DurableExecutionArn=arn)
        if got["Status"] == status:
            return got
        time.sleep(0.02)
    raise AssertionError(got)


def events(arn, **more):
    pages = client.get_paginator("get_durable_execution_history").paginate(DurableExecutionArn=arn, **more)
    return [event for page in pages for event in page["Events"]]


def callback(arn):
    for _ in range(2_000):
        for event in events(arn):
            if event["EventType"] == "CallbackStarted":
                return event["CallbackStartedDetails"]["CallbackId"]
        time.sleep(0.02)
    raise AssertionError("no callback")


# Invoke: synchronous, named, asynchronous, dry.
answer = client.invoke(FunctionName="journey:$LATEST", Payload=b"5", DurableExecutionName="trip")
assert answer["StatusCode"] == 200 and json.load(answer["Payload"]) == 35, answer
arn = answer["DurableExecutionArn"]
again = client.invoke(FunctionName="journey", Qualifier="$LATEST", Payload=b"5", DurableExecutionName="trip")
assert again["DurableExecutionArn"] == arn
conflict = refused("DurableExecutionAlreadyStartedException", client.invoke, FunctionName="journey:$LATEST", Payload=b"6", DurableExecutionName="trip")
assert isinstance(conflict, client.exceptions.DurableExecutionAlreadyStartedException)
dry = client.invoke(FunctionName="journey:$LATEST", InvocationType="DryRun")
assert dry["StatusCode"] == 204
failed = client.invoke(FunctionName="broken:$LATEST", Payload=b"null")
assert failed["FunctionError"] == "Unhandled"
assert json.load(failed["Payload"])["errorMessage"] == "nothing works"
plain = client.invoke(FunctionName="plain", Payload=b'{"a":1}', LogType="Tail")
assert json.load(plain["Payload"]) == {"a": 1} and plain["LogResult"]
refused("InvalidParameterValueException", client.invoke, FunctionName="journey")
refused("ResourceNotFoundException", client.invoke, FunctionName="nobody:$LATEST")
refused("InvalidRequestContentException", client.invoke, FunctionName="plain", Payload=b"{")

# Reading: one execution, its history in pages and in both directions, lists.
got = client.get_durable_execution(DurableExecutionArn=arn)
assert got["Status"] == "SUCCEEDED" and got["Result"] == "35" and got["InputPayload"] == "5", got
assert got["StartTimestamp"] <= got["EndTimestamp"] and got["Version"] == "$LATEST"
assert got["DurableConfig"]["ExecutionTimeout"] == 86400
bare = client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
assert "Result" not in bare and bare["ExecutionDataIncluded"] is False
whole = events(arn)
assert [event["EventId"] for event in whole] == list(range(1, len(whole) + 1))
assert whole[0]["EventType"] == "ExecutionStarted" and whole[-1]["EventType"] == "ExecutionSucceeded"
paged = events(arn, PaginationConfig={"PageSize": 4}, ReverseOrder=True, IncludeExecutionData=False)
assert [event["EventId"] for event in paged] == list(range(len(whole), 0, -1))
assert "Payload" not in json.dumps(paged, default=str)
invoked = next(event for event in whole if event["EventType"] == "ChainedInvokeStarted")["ChainedInvokeStartedDetails"]
child = client.get_durable_execution(DurableExecutionArn=invoked["DurableExecutionArn"])
assert child["Status"] == "SUCCEEDED" and child["Result"] == "30", child
for count in range(3):
    client.invoke(FunctionName="steps:$LATEST", Payload=str(count).encode(), DurableExecutionName=f"n{count}")
pages = client.get_paginator("list_durable_executions_by_function").paginate(
    FunctionName="steps", Statuses=["SUCCEEDED"], StartedAfter=got["StartTimestamp"], PaginationConfig={"PageSize": 2}
)
names = [one["DurableExecutionName"] for page in pages for one in page["DurableExecutions"]]
assert names == ["n2", "n1", "n0"], names
missing = arn[:-4] + "0000"
refused("ResourceNotFoundException", client.get_durable_execution, DurableExecutionArn=missing)
refused("ResourceNotFoundException", client.get_durable_execution_history, DurableExecutionArn=missing)

# Callbacks.
for act in ("succeed", "fail"):
    answer = client.invoke(FunctionName="approval:$LATEST", InvocationType="Event", Payload=b'"ann"')
    assert answer["StatusCode"] == 202
    waiting, token = answer["DurableExecutionArn"], callback(answer["DurableExecutionArn"])
    client.send_durable_execution_callback_heartbeat(CallbackId=token)
    if act == "succeed":
        client.send_durable_execution_callback_success(CallbackId=token, Result=b'"yes"')
        assert until(waiting, "SUCCEEDED")["Result"] == '"ann: yes"'
    else:
        client.send_durable_execution_callback_failure(CallbackId=token, Error={"ErrorType": "Denied", "ErrorMessage": "not today"})
        assert "not today" in until(waiting, "SUCCEEDED")["Result"]
    late = refused("CallbackTimeoutException", client.send_durable_execution_callback_success, CallbackId=token)
    assert isinstance(late, client.exceptions.CallbackTimeoutException)
refused("InvalidParameterValueException", client.send_durable_execution_callback_heartbeat, CallbackId="AAAA")

# Pause, resume, stop, delete.
answer = client.invoke(FunctionName="sleepy:$LATEST", InvocationType="Event", Payload=b"null")
sleepy = answer["DurableExecutionArn"]
while not any(event["EventType"] == "InvocationCompleted" for event in events(sleepy)):
    time.sleep(0.02)
client.pause_durable_execution(DurableExecutionArn=sleepy, Reason="deploy", ClientToken="p1")
client.pause_durable_execution(DurableExecutionArn=sleepy, Reason="deploy", ClientToken="p1")
paused = client.get_durable_execution(DurableExecutionArn=sleepy)
assert paused["Status"] == "PAUSED" and paused["PauseDetails"]["Reason"] == "deploy", paused
refused("ResourceConflictException", client.pause_durable_execution, DurableExecutionArn=sleepy)
client.resume_durable_execution(DurableExecutionArn=sleepy)
refused("ResourceConflictException", client.delete_durable_execution, DurableExecutionArn=sleepy)
stopped = client.stop_durable_execution(DurableExecutionArn=sleepy, Error={"ErrorMessage": "enough"})
assert stopped["StopTimestamp"]
assert client.get_durable_execution(DurableExecutionArn=sleepy)["Error"] == {"ErrorMessage": "enough"}
assert client.delete_durable_execution(DurableExecutionArn=sleepy)["DeletionRequestTimestamp"]
refused("ResourceNotFoundException", client.get_durable_execution, DurableExecutionArn=sleepy)

# Operations that only functions call.
answer = client.invoke(FunctionName="sleepy:$LATEST", InvocationType="Event", Payload=b"null")
stale = refused("InvalidParameterValueException", client.checkpoint_durable_execution, DurableExecutionArn=answer["DurableExecutionArn"], CheckpointToken="AAAA")
assert stale.response["Error"]["Message"] == "Invalid checkpoint token"
wrong = refused("InvalidParameterValueException", client.get_durable_execution_state, DurableExecutionArn=answer["DurableExecutionArn"], CheckpointToken="AA+/")
assert wrong.response["Error"]["Message"] == "Invalid checkpoint token"
print(f"boto3 {boto3.__version__}: all operations answered as its model says")
