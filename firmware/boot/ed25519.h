/** Ed25519 (RFC 8032, 5.1.7), verification alone. */
#ifndef ED25519_H
#define ED25519_H

#include <stdbool.h>
#include <stdint.h>

#define ED25519_KEY_BYTES 32u
#define ED25519_SIGNATURE_BYTES 64u

/**
 * Whether the signature is of the message by the key's owner. False too for s not below the group's
 * order, and for a key or an R that is not encoded in the one way there is. The equation is the one
 * without the cofactor.
 */
bool ed25519_verify(const uint8_t signature[ED25519_SIGNATURE_BYTES], const uint8_t *message,
                    uint32_t message_bytes, const uint8_t key[ED25519_KEY_BYTES]);

#endif
