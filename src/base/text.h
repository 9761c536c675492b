/// Text: the few operations on bytes and UTF-8 that every floor needs. Pure functions, no state, no locale.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alertspool {

/// The same text as valid UTF-8: each maximal ill-formed part becomes U+FFFD, as the WHATWG Encoding
/// Standard's decoder does it. Sets *replaced (when given) to whether anything was.
std::string to_valid_utf8(std::string_view bytes, bool* replaced = nullptr);

/// Code points of UTF-8; U+FFFD for what is none.
std::u32string code_points(std::string_view text);

/// Bytes as valid UTF-8 without NUL that unescape_bytes() turns back exactly: backslash, NUL and every byte that is
/// not part of valid UTF-8 become `\xHH`. Bodies are stored like this.
std::string escape_bytes(std::string_view bytes);
std::string unescape_bytes(std::string_view text);

/// Whether it is printable ASCII without backslash, which nothing here changes.
bool is_plain(std::string_view text) noexcept;

/// For one line on a terminal or in a log: newline and tab become `\n` and `\t`, other ASCII controls `\xHH`, and C1,
/// U+2028, U+2029 and bidirectional controls `\u{HHHH}`; backslash becomes `\\`. Invalid UTF-8 becomes U+FFFD first.
std::string escape_controls(std::string_view text);

/// `name=value` as logfmt writes it: the value escaped like escape_controls(), and in double quotes (with `\"` inside)
/// when it is empty or contains a space, `"` or `=`. The name is escaped too, and `_` stands for those three in it: a
/// name that a stranger chose cannot pass for two pairs.
std::string logfmt(std::string_view name, std::string_view value);

std::string to_hex(std::string_view bytes);  ///< lower case
/// The byte that two hex digits of either case say; nullopt when it is anything else.
std::optional<char> hex_byte(std::string_view digits) noexcept;

/// One part more than there are separators; parts may be empty.
std::vector<std::string> split(std::string_view text, char separator);
/// Without ASCII white space at both ends.
std::string_view trim(std::string_view text);

/// Digits only, no sign, no space; nullopt when it is not a number or exceeds 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// The candidate with the smallest edit distance to `word`, or empty when none is near (over a third of the word's
/// length). Two neighbours exchanged are one edit.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace alertspool
