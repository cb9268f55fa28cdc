-- What the body of an operation was called with, where its call site says so: 16 bytes.
ALTER TABLE operations ADD COLUMN fingerprint BLOB;
