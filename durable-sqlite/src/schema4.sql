-- Rust types, for reports and `durable check`: that of an input where it is known, and that of the state of a poll.
ALTER TABLE executions ADD COLUMN input_type TEXT;
ALTER TABLE operations ADD COLUMN state_type TEXT;
