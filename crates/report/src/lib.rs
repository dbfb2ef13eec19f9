//! What a person reads of a plan: figures, PDF, tables, calendar files.
