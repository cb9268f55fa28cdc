-- CRC-32C of what stands in a row, as a signed number; NULL in rows of older releases.

-- Of all other columns of the row.
ALTER TABLE operations ADD COLUMN checksum INTEGER;

-- Of one value each, with the id of the execution; that of the input also of its type, the handler and the
-- creation.
ALTER TABLE executions ADD COLUMN input_checksum INTEGER;
ALTER TABLE executions ADD COLUMN output_checksum INTEGER;
ALTER TABLE executions ADD COLUMN error_checksum INTEGER;
ALTER TABLE executions ADD COLUMN report_checksum INTEGER;

-- Of name, plan, handler and input.
ALTER TABLE schedules ADD COLUMN checksum INTEGER;
