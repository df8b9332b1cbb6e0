/** An image's fields as answers have them. */
#ifndef IMAGE_TEXT_H
#define IMAGE_TEXT_H

#include "../boot/boot.h"
#include "smp.h"

/** "version": as imgtool writes it, major.minor.revision and .build unless that is 0. */
void image_text_version(const struct boot_image *image, struct cbor_writer *answer);

/** Whether a request's hash is the image's. */
bool image_text_is(const struct boot_image *image, const struct cbor_bytes *hash);

#endif
