// The picture of an attention record: heads side by side, denoising steps one below the other.
#pragma once

#include <string>

#include "apps/draw/picture.h"
#include "eval/attention_record.h"

namespace unmask {

/// Throws Error when so many heads and steps are too much for a picture.
void check_picture_size(const AttentionRecord& record);

/// The bytes of a PNG or SVG file. The record has at least one head and one step. Throws Error as
/// check_picture_size().
std::string attention_picture(const AttentionRecord& record, PictureFormat format);

/// A page with the picture inside and an explanation below it; needs nothing but itself.
std::string attention_page(const AttentionRecord& record);

}  // namespace unmask
