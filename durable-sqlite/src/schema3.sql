-- Fingerprint of the input of an operation whose call site has `with`: 16 bytes.
ALTER TABLE operations ADD COLUMN fingerprint BLOB;
