-- Rust types for reports and `durable check`: of the input of an execution, if it is known, and of the
-- state of a poll.
ALTER TABLE executions ADD COLUMN input_type TEXT;
ALTER TABLE operations ADD COLUMN state_type TEXT;
