#include "web/record_guard.h"

#include <algorithm>
#include <optional>

namespace alertspool {

namespace {

constexpr std::size_t kHeader = 8;

std::size_t byte_at(std::string_view bytes, std::size_t i) noexcept {
  return static_cast<unsigned char>(bytes[i]);
}

std::string_view take(std::string_view& bytes, std::size_t& left) noexcept {
  const std::string_view part = bytes.substr(0, left);
  bytes.remove_prefix(part.size());
  left -= part.size();
  return part;
}

/// A length of one byte, or of four with the highest bit set (section 3.4). nullopt: there is more to come.
std::optional<std::size_t> take_length(std::string_view& bytes) noexcept {
  if (bytes.empty()) return std::nullopt;
  std::size_t length = byte_at(bytes, 0);
  const std::size_t size = length < 128 ? 1 : 4;
  if (bytes.size() < size) return std::nullopt;
  if (size == 4) length = (length & 127) << 24 | byte_at(bytes, 1) << 16 | byte_at(bytes, 2) << 8 | byte_at(bytes, 3);
  bytes.remove_prefix(size);
  return length;
}

}  // namespace

std::size_t RecordGuard::pass(std::string_view bytes) {
  const std::size_t all = bytes.size();
  while (!bytes.empty() && !broken_) {
    const std::string_view before = bytes;
    if (content_left_ > 0) {
      const std::string_view content = take(bytes, content_left_);
      broken_ = now_ == Record::params && !take_pairs(content);
    } else if (padding_left_ > 0) {
      take(bytes, padding_left_);
    } else if (next_ == Record::none) {
      return all;
    } else {
      std::size_t missing = kHeader - header_.size();
      header_ += take(bytes, missing);
      broken_ = missing == 0 && !take_header();
    }
    if (broken_) return all - before.size();
  }
  return all - bytes.size();
}

/// REQUIRES: header_ is whole.
bool RecordGuard::take_header() {
  const auto at = [this](std::size_t i) { return byte_at(header_, i); };
  const std::size_t id = at(2) << 8 | at(3);
  content_left_ = at(4) << 8 | at(5);
  padding_left_ = at(6);
  const bool due = at(0) == 1 && at(1) == static_cast<std::size_t>(next_);
  header_.clear();
  now_ = next_;
  if (next_ == Record::begin) {
    next_ = Record::params;
    id_ = id;
    return due && id != 0 && content_left_ == 8 && padding_left_ == 0;
  }
  if (!due || id != id_) return false;
  if (content_left_ == 0) next_ = now_ == Record::params ? Record::input : Record::none;
  if (now_ == Record::input) return true;
  if (content_left_ > parameters_left_ || (content_left_ == 0 && padding_left_ > 0)) return false;
  parameters_left_ -= content_left_;
  return true;
}

/// False when a length is more than may come at all.
bool RecordGuard::take_pairs(std::string_view content) {
  while (!content.empty()) {
    if (pair_left_ > 0) {
      take(content, pair_left_);
      continue;
    }
    lengths_ += content.front();
    content.remove_prefix(1);
    std::string_view lengths = lengths_;
    const auto name = take_length(lengths), value = take_length(lengths);
    if (!name || !value) continue;
    lengths_.clear();
    pair_left_ = *name + *value;
    if (pair_left_ > kMaxParameters) return false;
  }
  return true;
}

}  // namespace alertspool
