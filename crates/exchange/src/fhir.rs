//! Protocols and courses as FHIR R4.
