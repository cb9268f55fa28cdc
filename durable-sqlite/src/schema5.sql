-- Checksums (CRC-32C) as signed numbers; NULL in rows written by older releases.

-- Covers all other columns of the row.
ALTER TABLE operations ADD COLUMN checksum INTEGER;

-- Each covers one value and the id of the execution. That of the input also covers the input type, the
-- handler and the creation time.
ALTER TABLE executions ADD COLUMN input_checksum INTEGER;
ALTER TABLE executions ADD COLUMN output_checksum INTEGER;
ALTER TABLE executions ADD COLUMN error_checksum INTEGER;
ALTER TABLE executions ADD COLUMN report_checksum INTEGER;

-- Covers name, plan, handler and input.
ALTER TABLE schedules ADD COLUMN checksum INTEGER;
