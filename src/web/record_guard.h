/// RecordGuard: what of the bytes on a FastCGI connection libfcgi may see.
///
/// Only what web servers send to a responder passes: BEGIN_REQUEST, PARAMS up to their end, STDIN up to its end, all
/// with one request id (FastCGI 1.0, section 3.3 and 5.1 to 5.3), and no more parameters than memory is meant for.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace alertspool {

/// The most that all parameters together may take: Apache passes on up to 800 KiB of headers, nginx 32.
inline constexpr std::size_t kMaxParameters = std::size_t{1} << 20;

class RecordGuard {
public:
  /// How many of these bytes, which follow those seen before, may be read: all, or those before what must not. Behind
  /// the end of STDIN everything passes, for nobody reads it.
  std::size_t pass(std::string_view bytes);

  /// The request was seen up to its end.
  bool over() const noexcept { return next_ == Record::none && content_left_ == 0 && padding_left_ == 0; }
  /// The sequence is broken: nothing may be read any more.
  bool broken() const noexcept { return broken_; }

private:
  bool take_header();
  bool take_pairs(std::string_view content);

  enum class Record : unsigned char { begin = 1, params = 4, input = 5, none = 0 };
  Record next_ = Record::begin;  ///< what must come; none: the request is over
  Record now_ = Record::none;    ///< whose content comes
  bool broken_ = false;
  std::size_t id_ = 0;
  std::string header_;  ///< as much of it as has come
  std::size_t content_left_ = 0;
  std::size_t padding_left_ = 0;

  std::size_t parameters_left_ = kMaxParameters;
  std::string lengths_;  ///< of a name and its value, as much as has come
  std::size_t pair_left_ = 0;
};

}  // namespace alertspool
