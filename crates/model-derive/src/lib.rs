//! Derives the decoder, the schema and the serializer of a configuration type.
