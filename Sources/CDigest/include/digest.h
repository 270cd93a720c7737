#pragma once
#include <sodium/crypto_hash_sha256.h>
#include <stddef.h>

/// Adds `count` bytes to a SHA-256 that libsodium began and will end.
///
/// Whole blocks go through the processor's SHA instructions where it has them, unless `portable` is not 0: then all of it
/// is libsodium's portable code, the reference of the other way.
void engram_sha256_update(crypto_hash_sha256_state *state, const unsigned char *bytes, size_t count, int portable);

/// Whether the processor has SHA instructions.
int engram_sha256_has_instructions(void);
